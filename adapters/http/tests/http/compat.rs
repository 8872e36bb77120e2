//! What holds for every request of the compatibility surface: places, envelopes, headers, bodies.

use larder_http::{CompatOptions, HttpOptions};
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::{ChangeSessionError, CreateSessionError};
use larder_ports::outbound::Outage;
use poem::http::Method;

use crate::support::{OWNER, Ports, at, session};

const TASK: &str = r#"{"ai_character_name": "guide", "task_description": "Book the flights"}"#;
const PLACES: [&str; 2] = [
    "/api/v1/chat/sessions/create-task",
    "/compat/api/v1/chat/sessions/create-task",
];

fn with(options: CompatOptions) -> Ports {
    let mut ports = Ports::new();
    ports.options.compat = options;
    ports.sessions.expect_create().returning(|_, draft| Ok(session(draft)));
    ports
}

#[tokio::test]
async fn co_02_success_is_200_in_an_envelope_with_headers() {
    let app = with(CompatOptions {
        sunset: Some(at(0)),
        ..CompatOptions::default()
    })
    .app();
    for place in PLACES {
        let reply = app.call(Method::POST, place).json(TASK).send().await;
        let data = reply.success("Task created successfully");
        assert_eq!(data["customer_id"], OWNER.to_string());
        assert!(reply.body.ends_with(r#","meta":null}"#), "{}", reply.body);
        assert_eq!(reply.header("deprecation"), Some("@1767225600"));
        assert_eq!(reply.header("sunset"), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
        let link = reply.header("link");
        assert_eq!(link, Some("</api/v1/chat/sessions>; rel=\"successor-version\""));
    }
}

#[tokio::test]
async fn co_02_every_failure_of_an_operation_is_in_the_envelope() {
    for place in PLACES {
        let app = with(CompatOptions::default()).app();
        let post = || app.call(Method::POST, place);
        let reply = app.anonymous(Method::POST, place).json(TASK).send().await;
        reply.failure(401, "Missing authentication token");
        assert_eq!(reply.value()["data"], serde_json::json!({"reason": "token_missing"}));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let reply = app.by("expired", Method::POST, place).json(TASK).send().await;
        reply.failure(401, "Authentication token has expired");
        let reply = app.by("other", Method::POST, place).json(TASK).send().await;
        reply.failure(401, "Invalid authentication token");
        let reply = app.by("reader", Method::POST, place).json(TASK).send().await;
        reply.failure(403, "Insufficient scope");
        assert!(reply.header("www-authenticate").unwrap().contains("chat:write"));
        post().json("{").send().await.failure(400, "Malformed JSON");
        let typed = post().header("content-type", "text/plain").body(TASK).send().await;
        typed.failure(415, "Unsupported media type");
        let reply = post()
            .json(r#"{"ai_character_name": 7, "task_description": "x"}"#)
            .send()
            .await;
        reply.failure(422, "ai_character_name must be a string");
        reply.refused_in_envelope("ai_character_name", "/ai_character_name", "wrong_type");
        assert!(reply.header("link").is_some());
    }
}

#[tokio::test]
async fn co_09_failures_of_the_store_have_their_texts() {
    for (failure, status, text) in [
        (
            (|| Failure::Contended) as fn() -> Failure,
            503,
            "Service temporarily unavailable",
        ),
        (
            || Failure::Unavailable(Outage::Unreachable, None),
            503,
            "Service temporarily unavailable",
        ),
        (
            || Failure::Unavailable(Outage::TimedOut, None),
            504,
            "Deadline exceeded",
        ),
        (|| Failure::Internal("secret".into()), 500, "Internal server error"),
    ] {
        let mut ports = Ports::new();
        ports
            .sessions
            .expect_create()
            .returning(move |_, _| Err(CreateSessionError::Failure(failure())));
        let reply = ports.app().call(Method::POST, PLACES[0]).json(TASK).send().await;
        reply.failure(status, text);
        assert!(!reply.body.contains("secret"));
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
    }
}

#[tokio::test]
async fn co_02_what_there_is_not_is_in_the_envelope_under_the_mount_only() {
    let app = Ports::new().app();
    app.get("/compat/nowhere").send().await.failure(404, "Route not found");
    let reply = app.get("/compat/api/v1/chat/sessions/create-task").send().await;
    reply.failure(405, "Method not allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = app.call(Method::PUT, "/api/v1/chat/sessions").send().await;
    reply.problem(405, "method_not_allowed");
    assert!(reply.header("deprecation").is_none());
}

#[tokio::test]
async fn co_10_the_surface_moves_and_can_be_switched_off() {
    let moved = |mount: &str| CompatOptions {
        mount: mount.to_owned(),
        ..CompatOptions::default()
    };
    let app = with(moved("/old")).app();
    let post = async |path: &str| app.call(Method::POST, path).json(TASK).send().await;
    post(PLACES[0]).await.success("Task created successfully");
    post("/old/api/v1/chat/sessions/create-task")
        .await
        .success("Task created successfully");
    post(PLACES[1]).await.problem(404, "route_not_found");

    let app = with(moved("")).app();
    let post = async |path: &str| app.call(Method::POST, path).json(TASK).send().await;
    post(PLACES[0]).await.success("Task created successfully");
    post(PLACES[1]).await.problem(404, "route_not_found");

    let off = CompatOptions {
        is_enabled: false,
        ..CompatOptions::default()
    };
    let app = with(off).app();
    for path in PLACES.into_iter().chain(["/compat", "/compat/nowhere"]) {
        let reply = app.call(Method::POST, path).json(TASK).send().await;
        reply.problem(404, "route_not_found");
        assert!(reply.header("deprecation").is_none());
    }
}

#[tokio::test]
async fn co_04_a_body_need_not_say_that_it_is_json_and_has_no_other_keys() {
    let app = with(CompatOptions::default()).app();
    let reply = app.call(Method::POST, PLACES[0]).body(TASK).send().await;
    reply.success("Task created successfully");
    let body = r#"{"ai_character_name": "guide", "task_description": "x", "colour": 1}"#;
    let reply = app.call(Method::POST, PLACES[0]).json(body).send().await;
    reply.failure(422, "colour is no field of this resource");
    reply.refused_in_envelope("colour", "/colour", "unknown_field");
}

#[tokio::test]
async fn co_01_whose_data_it_is_is_the_tokens_matter() {
    let mut ports = Ports::new();
    ports.sessions.expect_create().times(3).returning(|owner_id, draft| {
        assert_eq!(owner_id, OWNER);
        Ok(session(draft))
    });
    let app = ports.app();
    for customer in [
        r#""customer_id": 7"#,
        r#""customerId": "bob""#,
        r#""customer_id": {"a": [1]}"#,
    ] {
        let body = TASK.replace('{', &format!("{{{customer}, "));
        let uri = format!("{}?customer_id=9", PLACES[0]);
        let reply = app.call(Method::POST, &uri).json(&body).send().await;
        let data = reply.success("Task created successfully");
        assert_eq!(data["customer_id"], OWNER.to_string());
    }
}

#[tokio::test]
async fn co_02_the_deadline_and_the_limit_of_a_body_are_in_the_envelope() {
    let mut ports = Ports::new();
    ports.options = HttpOptions {
        body_limit: 1_024,
        ..HttpOptions::default()
    };
    let app = ports.app();
    let body = format!(r#"{{"task_description": "{}"}}"#, "x".repeat(2_000));
    let reply = app.call(Method::POST, PLACES[0]).json(&body).send().await;
    reply.failure(413, "Body too large");
}

#[tokio::test]
async fn co_09_a_missing_session_has_its_text() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_change()
        .returning(|_, _| Err(ChangeSessionError::NotFound));
    let app = ports.app();
    let body = r#"{"session_id": "00000000-0000-0000-0000-000000000051"}"#;
    let reply = app.call(Method::PATCH, "/api/v1/chat/sessions").json(body).send().await;
    reply.failure(404, "Chat session not found");
}
