//! What holds for every request: ids, headers, callers, bodies, and problem documents for whatever goes wrong.

use std::time::Duration;

use larder_http::HttpOptions;
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::NotFoundError;
use larder_ports::outbound::Outage;
use poem::http::Method;

use crate::support::{Contexts, MESSAGES_PATH, Ports, SESSION_PATH, session};

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let app = Ports::new().app();
    for path in [
        "/nowhere",
        "/api/v1",
        "/api/v1/chat/sessions/",
        "/docs/x",
        "/api/v2/chat/sessions",
    ] {
        let reply = app.get(path).send().await;
        reply.problem(404, "route_not_found");
        assert_eq!(reply.value()["instance"], path);
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let app = Ports::new().app();
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/chat/sessions", "GET, POST, PATCH, DELETE, HEAD"),
        (Method::POST, SESSION_PATH, "GET, PATCH, DELETE, HEAD"),
        (Method::GET, "/api/v1/chat/turns", "POST"),
        (Method::HEAD, "/api/v1/chat/turns", "POST"),
        (Method::POST, "/docs", "GET, HEAD"),
    ] {
        let reply = app.call(method, path).send().await;
        reply.problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn head_answers_what_get_would_without_the_body() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_get()
        .returning(|_, _| Ok(session(Default::default())));
    let app = ports.app();
    let get = app.get(SESSION_PATH).send().await;
    let head = app.call(Method::HEAD, SESSION_PATH).send().await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    for name in ["etag", "content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()));
}

#[tokio::test]
async fn a_path_id_that_is_no_uuid_is_400() {
    let app = Ports::new().app();
    for path in [
        "/api/v1/chat/sessions/7",
        "/api/v1/chat/sessions/x/messages",
        "/api/v1/chat/messages/-",
    ] {
        app.get(path).send().await.problem(400, "malformed_id");
    }
}

#[tokio::test]
async fn a_bad_query_is_422_with_its_name() {
    let app = Ports::new().app();
    for (query, pointer, code) in [
        ("limit=0", "/query/limit", "out_of_range"),
        ("limit=201", "/query/limit", "out_of_range"),
        ("limit=ten", "/query/limit", "out_of_range"),
        ("deleted=maybe", "/query/deleted", "bad_format"),
    ] {
        let reply = app.get(&format!("/api/v1/chat/sessions?{query}")).send().await;
        reply.refused(pointer, code);
    }
    for (query, pointer) in [
        ("order=up", "/query/order"),
        ("role=bot", "/query/role"),
        ("status=lost", "/query/status"),
    ] {
        let reply = app.get(&format!("{MESSAGES_PATH}?{query}")).send().await;
        reply.refused(pointer, "bad_format");
    }
    let reply = app
        .call(Method::PATCH, &format!("{SESSION_PATH}?touch=yes"))
        .json("{}")
        .send()
        .await;
    reply.refused("/query/touch", "bad_format");
}

#[tokio::test]
async fn a_request_id_is_taken_over_when_sane_and_made_otherwise() {
    let app = Ports::new().app();
    let reply = app.get("/livez").header("x-request-id", "trace-1.a_B").send().await;
    assert_eq!(reply.header("x-request-id"), Some("trace-1.a_B"));
    let reply = app.get("/nowhere").header("x-request-id", "trace-2").send().await;
    reply.problem(404, "route_not_found");
    assert_eq!(reply.value()["request_id"], "trace-2");
    for insane in ["", "a b", "<x>", &"x".repeat(129)] {
        let reply = app.get("/livez").header("x-request-id", insane).send().await;
        let made = reply.header("x-request-id").unwrap();
        assert!(made != insane && made.len() == 32, "{made}");
    }
}

#[tokio::test]
async fn every_response_has_the_headers_for_browsers() {
    let app = Ports::new().app();
    for path in ["/livez", "/nowhere", "/docs", "/api/v1/chat/sessions"] {
        let reply = app.anonymous(Method::GET, path).send().await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"), "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn only_a_bearer_token_in_its_header_lets_in() {
    let app = Ports::new().app();
    let uri = format!("{SESSION_PATH}?access_token=good&token=good");
    for (authorization, code) in [
        (None, "token_missing"),
        (Some("good"), "token_missing"),
        (Some("Bearer"), "token_missing"),
        (Some("Bearer "), "token_missing"),
        (Some("Basic good"), "token_missing"),
        (Some("Token good"), "token_missing"),
        (Some("Bearer expired"), "token_expired"),
        (Some("Bearer good good"), "token_invalid"),
        (Some("Bearer other"), "token_invalid"),
    ] {
        let call = app.anonymous(Method::GET, &uri).header("cookie", "token=good");
        let call = match authorization {
            Some(value) => call.header("authorization", value),
            None => call,
        };
        let reply = call.send().await;
        reply.problem(401, code);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(!reply.body.contains("good"));
    }
    let twice = app
        .get(SESSION_PATH)
        .header("authorization", "Bearer good")
        .send()
        .await;
    twice.problem(401, "token_missing");
}

#[tokio::test]
async fn the_scheme_is_read_without_case() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_get()
        .returning(|_, _| Ok(session(Default::default())));
    let app = ports.app();
    let call = app
        .anonymous(Method::GET, SESSION_PATH)
        .header("authorization", "bearer good");
    assert_eq!(call.send().await.status, 200);
}

#[tokio::test]
async fn the_caller_is_judged_before_path_query_and_body() {
    let app = Ports::new().app();
    let calls = [
        app.anonymous(Method::POST, "/api/v1/chat/sessions").body("no json"),
        app.anonymous(Method::GET, "/api/v1/chat/sessions/7"),
        app.anonymous(Method::GET, "/api/v1/chat/sessions?limit=0"),
        app.anonymous(Method::POST, "/api/v1/chat/turns").json(r#"{"x":1}"#),
    ];
    for call in calls {
        call.send().await.problem(401, "token_missing");
    }
}

#[tokio::test]
async fn a_failing_authentication_is_not_the_callers_fault() {
    let mut ports = Ports::new();
    ports.authentication.checkpoint();
    ports.authentication.expect_authenticate().returning(|_| {
        Err(larder_ports::inbound::identity::AuthenticationError::Failure(
            Failure::Unavailable(Outage::Unreachable, None),
        ))
    });
    let reply = ports.app().get(SESSION_PATH).send().await;
    reply.problem(503, "database_unavailable");
    assert_eq!(reply.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn a_body_that_is_not_sent_as_json_is_415() {
    let app = Ports::new().app();
    for media_type in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some("application/xml"),
    ] {
        let call = app.call(Method::POST, "/api/v1/chat/sessions").body("{}");
        let call = match media_type {
            Some(media_type) => call.header("content-type", media_type),
            None => call,
        };
        call.send().await.problem(415, "unsupported_media_type");
    }
    let patch = app
        .call(Method::POST, "/api/v1/chat/sessions")
        .header("content-type", "application/merge-patch+json");
    patch.body("{}").send().await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_announced_or_not() {
    let mut ports = Ports::new();
    ports.options.body_limit = 20;
    ports.sessions.expect_create().returning(|_, draft| Ok(session(draft)));
    let app = ports.app();
    let fits = r#"{"name":"123456789"}"#;
    assert_eq!(
        app.call(Method::POST, "/api/v1/chat/sessions")
            .json(fits)
            .send()
            .await
            .status,
        201
    );
    let large = r#"{"name":"1234567890"}"#;
    let announced = app
        .call(Method::POST, "/api/v1/chat/sessions")
        .json(large)
        .header("content-length", "21");
    announced.send().await.problem(413, "body_too_large");
    let streamed = app.call(Method::POST, "/api/v1/chat/sessions").json(large);
    streamed.send().await.problem(413, "body_too_large");
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    let app = Ports::new().app();
    for body in [
        "",
        "{",
        "{} {}",
        "{'name':1}",
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":"\udc00\ud800"}"#,
        r#"{"tags":["\ud83d\u0041"]}"#,
        r#"{"name":NaN}"#,
        r#"{"name":Infinity}"#,
        "{\"name\":\"\u{1}\"}",
    ] {
        let reply = app.call(Method::POST, "/api/v1/chat/sessions").json(body).send().await;
        reply.problem(400, "malformed_json");
    }
    let latin_1 = app
        .call(Method::POST, "/api/v1/chat/sessions")
        .header("content-type", "application/json");
    let reply = latin_1.body(b"{\"name\":\"\xe9\"}".to_vec()).send().await;
    reply.problem(400, "malformed_json");
}

#[tokio::test]
async fn surrogates_within_free_json_are_judged_too() {
    let app = Ports::new().app();
    let body = r#"{"sender_role":"user","agent_data":{"a":["\\u0041 \ud83d\ude00",{"b":"\ud83d"}]}}"#;
    let reply = app.call(Method::POST, MESSAGES_PATH).json(body).send().await;
    reply.problem(400, "malformed_json");
}

#[tokio::test]
async fn a_failure_of_a_store_says_when_to_come_again() {
    for (outage, status, code, retry_after) in [
        (Outage::PoolExhausted, 503, "pool_exhausted", Some("1")),
        (Outage::Unreachable, 503, "database_unavailable", Some("5")),
        (Outage::TimedOut, 504, "deadline_exceeded", None),
    ] {
        let mut ports = Ports::new();
        ports.sessions.expect_get().returning(move |_, _| {
            let source = "connection to db.example.com refused".into();
            Err(NotFoundError::Failure(Failure::Unavailable(outage, Some(source))))
        });
        let reply = ports.app().get(SESSION_PATH).send().await;
        reply.problem(status, code);
        assert_eq!(reply.header("retry-after"), retry_after);
        assert!(!reply.body.contains("db.example.com"));
    }
}

#[tokio::test]
async fn a_bug_shows_nothing_of_its_cause() {
    let mut ports = Ports::new();
    ports.sessions.expect_get().returning(|_, _| {
        let source = "select * from chat_sessions failed".into();
        Err(NotFoundError::Failure(Failure::Internal(source)))
    });
    let reply = ports.app().get(SESSION_PATH).send().await;
    reply.problem(500, "internal");
    assert!(!reply.body.contains("select"));
}

#[tokio::test]
async fn a_panic_is_a_problem_too() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_get()
        .returning(|_, _| panic!("a bug with a secret"));
    let reply = ports.app().get(SESSION_PATH).send().await;
    reply.problem(500, "internal");
    assert!(!reply.body.contains("secret"));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_504() {
    let ports = Ports {
        contexts: Contexts(None),
        options: HttpOptions {
            request_deadline: Duration::from_millis(20),
            ..HttpOptions::default()
        },
        ..Ports::new()
    };
    ports
        .app()
        .get("/readyz")
        .send()
        .await
        .problem(504, "deadline_exceeded");
}

#[tokio::test]
async fn no_problem_repeats_what_was_sent() {
    let app = Ports::new().app();
    for body in [
        r#"{"name":{"s3cret":1}}"#,
        r#"{"auto_trigger_tts":"s3cret, expected s3cret at line 1"}"#,
        r#"{"id":"s3cret"}"#,
        r#"{"task_status":"s3cret"}"#,
        r#"{"tags":"s3cret"}"#,
    ] {
        let reply = app.call(Method::POST, "/api/v1/chat/sessions").json(body).send().await;
        reply.problem(422, "invalid");
        assert!(!reply.body.contains("s3cret"), "{}", reply.body);
    }
    let reply = app.get("/api/v1/chat/sessions?deleted=s3cret").send().await;
    assert!(!reply.body.contains("s3cret"));
}
