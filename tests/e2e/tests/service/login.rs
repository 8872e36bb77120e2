//! Logging in, staying logged in and logging out, over HTTP.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Adapter, Answer, Answering, Installation, Key, Service, at_once, claims, password, sign_up, token,
};

on_every_adapter!(
    t_006_the_time_of_an_answer_tells_nobody_which_names_exist,
    t_007_after_five_wrong_passwords_there_is_a_pause,
    t_008_guesses_at_once_do_not_pass_the_counter,
    t_009_the_service_answers_while_passwords_are_checked,
    t_011_a_token_counts_only_as_it_was_made,
    t_013_a_refresh_token_that_was_used_ends_its_login,
    t_014_an_answer_that_was_lost_is_given_again,
    t_015_a_token_that_does_not_fit_revokes_nothing,
    t_016_a_logout_ends_one_login_or_all,
    t_017_a_new_password_ends_every_login,
    t_028_another_email_needs_the_password,
    t_028_the_51st_login_ends_the_one_used_longest_ago,
    t_029_an_address_logs_in_30_times_a_minute,
    t_029_production_does_not_start_without_a_good_signing_key,
);

const ACCOUNT: &str = "/api/v1/auth/account";
const LOGIN: &str = "/api/v1/auth/login";
const LOGOUT: &str = "/api/v1/auth/logout";
const REFRESH: &str = "/api/v1/auth/refresh";

fn credentials(login: &str, password: &str) -> Value {
    json!({"login": login, "password": password})
}

async fn tokens(service: &Service, username: &str) -> Value {
    let body = credentials(username, &password(username));
    service.post(LOGIN, &body).expect(200).await.json()
}

async fn refresh(service: &Service, tokens: &Value) -> Answer {
    let body = json!({"refresh_token": tokens["refresh_token"]});
    service.post(REFRESH, &body).answer().await
}

/// The status of a request with an access token.
async fn status(service: &Service, tokens: &Value) -> u16 {
    let token = tokens["access_token"].as_str().unwrap();
    service.get(ACCOUNT).bearer_auth(token).answer().await.status
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn t_006_the_time_of_an_answer_tells_nobody_which_names_exist(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__BCRYPT_COST", "10");
    let service = larder.start().await;
    for number in 0..20 {
        service.sign_up(&format!("person-{number}")).await;
    }
    // A machine that is busy with something else for a moment gets another chance.
    let mut found = Vec::new();
    for _ in 0..3 {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..20 {
            for (name, times) in ["nobody", "person"].iter().zip(&mut times) {
                let body = credentials(&format!("{name}-{number}"), "not the password");
                let start = Instant::now();
                service.post(LOGIN, &body).expect(401).await;
                times.push(start.elapsed());
            }
        }
        let [unknown, wrong] = times.map(|times| median(times).as_secs_f64());
        if (unknown - wrong).abs() < 0.2 * unknown.max(wrong) {
            return;
        }
        found.push((unknown, wrong));
    }
    panic!("seconds for an unknown name and for a wrong password: {found:?}");
}

async fn t_007_after_five_wrong_passwords_there_is_a_pause(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    for (name, status) in [("ann", 200), ("nobody", 401)] {
        for _ in 0..5 {
            service
                .post(LOGIN, &credentials(name, "not the password"))
                .expect(401)
                .await;
        }
        let right = credentials(name, &password(name));
        let refused = service.post(LOGIN, &right).expect(429).await;
        refused.problem("login_throttled");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(wait, 1);
        tokio::time::sleep(Duration::from_secs(wait)).await;
        service.post(LOGIN, &right).expect(status).await;
    }
}

async fn t_008_guesses_at_once_do_not_pass_the_counter(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    let guesses = (0..30).map(|number| service.post(LOGIN, &credentials("ann", &format!("a wrong guess {number}"))));
    let (mut wrong, mut throttled) = (0, 0);
    for answer in at_once(guesses).await {
        match answer.status {
            401 => wrong += 1,
            _ => {
                assert_eq!(answer.problem("login_throttled")["status"], 429);
                throttled += 1;
            }
        }
    }
    assert!(
        (1..=5).contains(&wrong) && wrong + throttled == 30,
        "{wrong} were looked at"
    );
}

async fn t_009_the_service_answers_while_passwords_are_checked(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__BCRYPT_COST", "12")
        .with("LARDER_IDENTITY__HASH_WORKERS", "1");
    let service = larder.start().await;
    let mut logins: JoinSet<Answer> = (0..40)
        .map(|number| {
            let body = credentials(&format!("nobody-{number}"), "not the password");
            service.post(LOGIN, &body).answer()
        })
        .collect();
    let mut times = Vec::new();
    while !logins.is_empty() {
        let start = Instant::now();
        service.get("/livez").expect(200).await;
        times.push(start.elapsed());
        while let Some(answer) = logins.try_join_next() {
            let status = answer.unwrap().status;
            // Whoever waits for a worker for too long is told to come again.
            assert!([401, 503].contains(&status), "{status}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(times.len() >= 20, "the logins were answered too soon to tell");
    let median = median(times);
    assert!(median < Duration::from_millis(50), "{median:?}");
}

async fn t_011_a_token_counts_only_as_it_was_made(adapter: Adapter) {
    const SECRET: &str = "the key that the tests sign with";
    let larder = Installation::without_schema(adapter).await.with(
        "LARDER_IDENTITY__JWT__KEYS",
        &format!("[{{ kid = \"a\", secret = \"{SECRET}\" }}]"),
    );
    let service = larder.start().await;
    let made = service.sign_up("ann").await.token;
    let good = claims(&made);
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "a"});
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims
    };
    let without = |field: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(field);
        claims
    };
    let now = good["iat"].as_u64().unwrap();
    let signed = |claims: &Value| token(&header, claims, Key::Secret(SECRET));
    let headed = |changes: Value, key| {
        let mut header = header.clone();
        header
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        token(&header, &good, key)
    };
    for (why, token, code) in [
        ("alg none", headed(json!({"alg": "none"}), Key::None), "token_invalid"),
        (
            "another kid",
            headed(json!({"kid": "b"}), Key::Secret(SECRET)),
            "token_invalid",
        ),
        (
            "another type",
            headed(json!({"typ": "JWT"}), Key::Secret(SECRET)),
            "token_invalid",
        ),
        (
            "another key",
            headed(json!({}), Key::Secret("the key that some attacker has...")),
            "token_invalid",
        ),
        ("another aud", signed(&with("aud", json!("somebody"))), "token_invalid"),
        ("another iss", signed(&with("iss", json!("somebody"))), "token_invalid"),
        ("no exp", signed(&without("exp")), "token_invalid"),
        ("long ago", signed(&with("exp", json!(now - 31))), "token_expired"),
        ("a number", signed(&with("sub", json!(7))), "token_invalid"),
        ("no roles", signed(&without("roles")), "token_invalid"),
        ("roles as text", signed(&with("roles", json!("admin"))), "token_invalid"),
    ] {
        let answer = service.get(ACCOUNT).bearer_auth(token).answer().await;
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
        answer.problem(code);
    }
    for (why, token) in [
        ("as it was", signed(&good)),
        ("just now", signed(&with("exp", json!(now - 20)))),
    ] {
        let answer = service.get(ACCOUNT).bearer_auth(token).answer().await;
        assert_eq!(answer.status, 200, "{why}: {answer:?}");
    }
}

async fn t_013_a_refresh_token_that_was_used_ends_its_login(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__REFRESH_GRACE", "0");
    let service = larder.start().await;
    service.sign_up("ann").await;
    let first = tokens(&service, "ann").await;
    assert_eq!(first["refresh_expires_in"], 30 * 86_400);
    let mut both: JoinSet<Answer> = (0..2)
        .map(|_| {
            let body = json!({"refresh_token": first["refresh_token"]});
            service.post(REFRESH, &body).answer()
        })
        .collect();
    let mut second = None;
    while let Some(answer) = both.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.header("cache-control") == "no-store", answer.status == 200);
        match answer.status {
            200 => assert!(second.replace(answer.json()).is_none(), "both were let on"),
            _ => assert_eq!(answer.problem("refresh_reused")["status"], 401),
        }
    }
    let second = second.expect("one of the two");
    assert_eq!(second["token_type"], "Bearer");
    assert_eq!(
        (status(&service, &first).await, status(&service, &second).await),
        (401, 401)
    );
    refresh(&service, &second).await.problem("refresh_invalid");
}

async fn t_014_an_answer_that_was_lost_is_given_again(adapter: Adapter) {
    let larder = Installation::without_schema(adapter)
        .await
        .with("LARDER_IDENTITY__REFRESH_GRACE", "60s");
    let service = larder.start().await;
    service.sign_up("ann").await;
    let first = tokens(&service, "ann").await;
    let lost = refresh(&service, &first).await;
    assert_eq!(lost.status, 200);
    let given = refresh(&service, &first).await;
    assert_eq!(given.status, 200, "{given:?}");
    // Whoever has what was lost is not who has what was given.
    let thief = refresh(&service, &lost.json()).await;
    assert_eq!(thief.problem("refresh_reused")["status"], 401);
    for dead in [&first, &lost.json(), &given.json()] {
        assert_eq!(status(&service, dead).await, 401);
    }
    refresh(&service, &given.json()).await.problem("refresh_invalid");
}

/// That a token ends when it is not used is a case of `tests/conformance` with a settable clock: the shortest time is an hour.
async fn t_015_a_token_that_does_not_fit_revokes_nothing(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    let good = tokens(&service, "ann").await;
    let text = good["refresh_token"].as_str().unwrap();
    let (head, tail) = text.split_at(text.len() - 8);
    let turned: String = tail.chars().map(|c| if c == 'A' { 'B' } else { 'A' }).collect();
    for bad in [
        format!("{head}{turned}"),
        head.to_owned(),
        format!("{text}A"),
        "lrr_".to_owned(),
        String::new(),
    ] {
        let answer = service.post(REFRESH, &json!({"refresh_token": bad})).answer().await;
        assert_eq!(answer.problem("refresh_invalid")["status"], 401, "{bad}");
    }
    assert_eq!(status(&service, &good).await, 200);
    assert_eq!(refresh(&service, &good).await.status, 200);
}

async fn t_016_a_logout_ends_one_login_or_all(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    let (one, other, third) = (
        tokens(&service, "ann").await,
        tokens(&service, "ann").await,
        tokens(&service, "ann").await,
    );
    let log_out = async |tokens: &Value, body: &Value| {
        let token = tokens["access_token"].as_str().unwrap();
        service.post(LOGOUT, body).bearer_auth(token).expect(204).await;
    };
    assert_eq!(status(&service, &one).await, 200);
    log_out(&one, &json!({})).await;
    assert_eq!(
        (status(&service, &one).await, status(&service, &other).await),
        (401, 200)
    );
    refresh(&service, &one).await.problem("refresh_invalid");
    // Again changes nothing, all or not.
    log_out(&one, &json!({"all": true})).await;
    assert_eq!(status(&service, &other).await, 200);

    let token = other["access_token"].as_str().unwrap();
    let listed = service
        .get("/api/v1/auth/logins")
        .bearer_auth(token)
        .expect(200)
        .await
        .json();
    let current: Vec<bool> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|login| login["current"] == true)
        .collect();
    // The sign-up is the oldest of three.
    assert_eq!(current, [false, true, false]);
    let id = listed["data"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/auth/logins/{id}");
    service
        .request(Method::DELETE, &path)
        .bearer_auth(token)
        .expect(204)
        .await;
    assert_eq!(
        (status(&service, &third).await, status(&service, &other).await),
        (401, 200)
    );
    service
        .request(Method::DELETE, &path)
        .bearer_auth(token)
        .expect(404)
        .await;

    log_out(&other, &json!({"all": true})).await;
    assert_eq!(status(&service, &other).await, 401);
    service.log_in("ann").await;
}

async fn t_017_a_new_password_ends_every_login(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    let (one, other) = (tokens(&service, "ann").await, tokens(&service, "ann").await);
    let token = one["access_token"].as_str().unwrap();
    let body = json!({"name": "Reader", "scopes": ["chat:read"]});
    let program = service.with_token(token).make("/auth/api-tokens", &body).await;
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        let path = format!("{ACCOUNT}/password");
        service.request(Method::PUT, &path).json(&body).bearer_auth(token)
    };
    let new = "staple of another horse";
    change("not the password", new)
        .expect(403)
        .await
        .problem("current_password_wrong");
    let refused = change(&password("ann"), &password("ann")).expect(422).await;
    refused.problem("password_unchanged");
    let answer = change(&password("ann"), new).expect(200).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let pair = answer.json();
    for ended in [&one, &other] {
        assert_eq!(status(&service, ended).await, 401);
        refresh(&service, ended).await.problem("refresh_invalid");
    }
    assert_eq!(status(&service, &pair).await, 200);
    assert_eq!(refresh(&service, &pair).await.status, 200);
    let program = service.with_token(program["token"].as_str().unwrap());
    program.get("/chat/sessions").expect(200).await;
    service
        .post(LOGIN, &credentials("ann", &password("ann")))
        .expect(401)
        .await;
    service.post(LOGIN, &credentials("ann", new)).expect(200).await;
}

async fn t_028_another_email_needs_the_password(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let verified = service
        .by(&ann)
        .patch(&format!("/auth/users/{}", ann.id()), &json!({"email_verified": true}))
        .expect(200)
        .await;
    assert_eq!(verified.json()["email_verified"], true);
    let change = |body: Value| {
        service
            .request(Method::PATCH, ACCOUNT)
            .json(&body)
            .bearer_auth(&ann.token)
    };
    let refused = change(json!({"email": "new@example.com"})).expect(403).await;
    refused.problem("current_password_wrong");
    let body = json!({"email": "new@example.com", "current_password": password("ann")});
    let changed = change(body).expect(200).await;
    assert_eq!(changed.header("etag"), "\"3\"");
    assert_eq!(changed.json()["email"], "new@example.com");
    assert_eq!(changed.json()["email_verified"], false);
    let stale = change(json!({"username": "anna"})).header("if-match", "\"1\"");
    stale.expect(412).await;
    service.post("/api/v1/auth/sign-up", &sign_up("bob")).expect(201).await;
    let taken = change(json!({"username": "BOB"})).expect(409).await;
    taken.problem("username_taken");
}

async fn t_028_the_51st_login_ends_the_one_used_longest_ago(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    // The sign-up is the first.
    let oldest = service.sign_up("ann").await;
    let mut logins = Vec::new();
    for _ in 2..=50 {
        logins.push(tokens(&service, "ann").await);
    }
    // A use makes it the one used last.
    let used = refresh(&service, &logins[0]).await.json();
    service.by(&oldest).get(ACCOUNT).expect(200).await;
    let newest = tokens(&service, "ann").await;
    service.by(&oldest).get(ACCOUNT).expect(401).await;
    for alive in [&used, &logins[1], &newest] {
        assert_eq!(status(&service, alive).await, 200);
    }
    tokens(&service, "ann").await;
    assert_eq!(
        (status(&service, &logins[1]).await, status(&service, &used).await),
        (401, 200)
    );
}

async fn t_029_an_address_logs_in_30_times_a_minute(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__IP_RATE_PER_MINUTE", "30");
    let service = larder.start().await;
    let mut logins: JoinSet<Answer> = (0..40)
        .map(|number| {
            let body = credentials(&format!("nobody-{number}"), "not the password");
            service.post(LOGIN, &body).answer()
        })
        .collect();
    let mut refused = 0;
    while let Some(answer) = logins.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 429 {
            answer.problem("login_throttled");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
            refused += 1;
        } else {
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
    assert!((9..=10).contains(&refused), "{refused}");
    // Nothing else is counted.
    service.get(ACCOUNT).expect(401).await.problem("token_missing");
}

async fn t_029_production_does_not_start_without_a_good_signing_key(adapter: Adapter) {
    let mut larder = Installation::new(adapter)
        .await
        .with("LARDER_ENVIRONMENT", "production");
    larder.set("LARDER_IDENTITY__BCRYPT_COST", "10");
    larder.set("LARDER_IDENTITY__ALLOW_WEAK_HASHES", "false");
    if adapter == Adapter::Sqlite {
        let file = larder.data_folder().join("larder.db");
        larder.set("LARDER_DATABASE__URL", &format!("sqlite:{}", file.display()));
    }
    let short = format!(r#"[{{ kid = "a", secret = "{}" }}]"#, "x".repeat(31));
    for keys in [None, Some(short.as_str())] {
        if let Some(keys) = keys {
            larder.set("LARDER_IDENTITY__JWT__KEYS", keys);
        }
        let ended = larder.run(&["serve"], "").await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("identity.jwt.keys"), "{ended:?}");
        assert!(!ended.stderr.contains(&"x".repeat(31)), "{ended:?}");
    }
}
