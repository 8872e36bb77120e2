//! The log: one line a request, and never a secret.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation, password, sign_up};

on_every_adapter!(
    every_request_is_one_line,
    every_line_of_a_request_names_it_and_its_trace,
    no_secret_is_logged_at_the_finest_level,
);

async fn every_request_is_one_line(adapter: Adapter) {
    let larder = Installation::new(adapter).await.with("LARDER_LOG__FORMAT", "json");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let requests = [
        (
            service.get("/api/v1/chat/sessions").bearer_auth(&ann.token),
            200,
            "id-of-a-good-one",
        ),
        (service.get("/api/v1/chat/sessions"), 401, "id-of-a-refused-one"),
        (service.get("/nowhere"), 404, "id-of-a-lost-one"),
    ];
    let mut ids = Vec::new();
    for (request, status, id) in requests {
        request.header("x-request-id", id).expect(status).await;
        ids.push((status, id));
    }
    let log = service.stop().await.stderr;
    for (status, id) in ids {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
        let [line] = lines[..] else {
            panic!("{} lines of the request {id}: {log}", lines.len());
        };
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = entry.to_string();
        for expected in [
            "\"method\":\"GET\"".to_owned(),
            format!("\"status\":{status}"),
            format!("\"request_id\":\"{id}\""),
        ] {
            assert!(text.contains(&expected), "{expected} in {text}");
        }
    }
}

async fn every_line_of_a_request_names_it_and_its_trace(adapter: Adapter) {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    for format in ["json", "pretty"] {
        let larder = Installation::new(adapter)
            .await
            .with("LARDER_LOG__FORMAT", format)
            .with("LARDER_LOG__FILTER", "info,larder_sql=debug");
        let service = larder.start().await;
        service.sign_up("ann").await;
        // The database refuses a name that is taken, which is told at the level of debugging, far below the listener.
        service
            .post("/api/v1/auth/sign-up", &sign_up("ann"))
            .header("x-request-id", "id-of-a-refused-one")
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .expect(409)
            .await;
        let log = service.stop().await.stderr;
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("id-of-a-refused-one"))
            .collect();
        assert!(lines.iter().any(|line| line.contains("statement failed")), "{log}");
        assert!(lines.iter().any(|line| line.contains("409")), "{log}");
        assert!(lines.iter().all(|line| line.contains(TRACE)), "{log}");
    }
}

/// ID-70.
async fn no_secret_is_logged_at_the_finest_level(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_LOG__FORMAT", "json")
        .with("LARDER_LOG__FILTER", "trace");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let again = service.log_in("ann").await;
    let wrong = json!({"login": "ann", "password": "a wrong guess of mine"});
    service.post("/api/v1/auth/login", &wrong).expect(401).await;
    let message = json!({"messages": [{"sender_role": "user", "text": "a thought of mine"}]});
    let made = service
        .post("/api/v1/chat/turns", &message)
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    let messages = format!("{}/messages", made.header("location"));
    let id = made.json()["messages"][0]["id"].clone();
    // The database refuses these, and what it says of a refused row is logged.
    service.post("/api/v1/auth/sign-up", &sign_up("ann")).expect(409).await;
    let again_under_one_id = json!({"id": id, "sender_role": "user", "text": "a thought of mine"});
    service
        .post(&messages, &again_under_one_id)
        .bearer_auth(&ann.token)
        .expect(409)
        .await;
    let broken = service
        .post("/api/v1/auth/sign-up", &json!({"password": password("bob")}))
        .expect(422)
        .await;
    assert!(!broken.text.contains(&password("bob")), "{broken:?}");
    service
        .get("/api/v1/chat/sessions")
        .bearer_auth(format!("{}x", again.token))
        .expect(401)
        .await;
    let refresh = |token: &Value| service.post("/api/v1/auth/refresh", &json!({"refresh_token": token}));
    let log_in = json!({"login": "ann", "password": password("ann")});
    let first = service.post("/api/v1/auth/login", &log_in).expect(200).await.json();
    let second = refresh(&first["refresh_token"]).expect(200).await.json();
    let third = refresh(&second["refresh_token"]).expect(200).await.json();
    refresh(&first["refresh_token"])
        .expect(401)
        .await
        .problem("refresh_reused");
    let change = json!({"current_password": password("ann"), "new_password": "a password to come"});
    let changed = service
        .request(Method::PUT, "/api/v1/auth/account/password")
        .json(&change)
        .bearer_auth(&ann.token)
        .expect(200)
        .await
        .json();
    let ended = service.stop().await;
    let log = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""),
        "the finest level is on"
    );
    let mut secrets = vec![
        password("ann"),
        password("bob"),
        "a wrong guess of mine".to_owned(),
        "a thought of mine".to_owned(),
        ann.token,
        again.token,
        // The start of every bcrypt hash at this cost.
        "$2b$04$".to_owned(),
    ];
    secrets.push("a password to come".to_owned());
    for pair in [first, second, third, changed] {
        for token in ["access_token", "refresh_token"] {
            secrets.push(pair[token].as_str().unwrap().to_owned());
        }
    }
    if adapter != Adapter::Sqlite {
        // A server that trusts everybody has none.
        secrets.extend(Some(larder.database().password()).filter(|password| !password.is_empty()));
    }
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
