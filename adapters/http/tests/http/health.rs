//! The service itself.

use larder_ports::inbound::ContextState;
use poem::http::Method;
use serde_json::json;

use crate::support::{Contexts, Ports};

fn contexts(chat: bool) -> Contexts {
    let state = |context, is_ready| ContextState {
        context,
        is_ready,
        is_optional: false,
    };
    Contexts(Some(vec![state("identity", true), state("chat", chat)]))
}

#[tokio::test]
async fn alive_whatever_the_stores_say() {
    let app = Ports {
        contexts: Contexts(None),
        ..Ports::new()
    }
    .app();
    let reply = app.anonymous(Method::GET, "/livez").send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.as_str()),
        (200, r#"{"status":"live"}"#)
    );
}

#[tokio::test]
async fn ready_when_every_context_is() {
    let app = Ports {
        contexts: contexts(true),
        ..Ports::new()
    }
    .app();
    let reply = app.anonymous(Method::GET, "/readyz").send().await;
    assert_eq!(reply.status, 200);
    let contexts = json!([{"context": "identity", "state": "ready"}, {"context": "chat", "state": "ready"}]);
    assert_eq!(reply.value(), json!({"status": "ready", "contexts": contexts}));
}

#[tokio::test]
async fn one_context_away_is_503_with_names_and_states_only() {
    let app = Ports {
        contexts: contexts(false),
        ..Ports::new()
    }
    .app();
    let reply = app.anonymous(Method::GET, "/readyz").send().await;
    assert_eq!(reply.status, 503);
    let contexts = json!([{"context": "identity", "state": "ready"}, {"context": "chat", "state": "unavailable"}]);
    assert_eq!(reply.value(), json!({"status": "unavailable", "contexts": contexts}));

    let health = app.anonymous(Method::GET, "/health").send().await;
    assert_eq!(health.status, 200);
    assert_eq!(health.value()["status"], "unavailable");
    assert_eq!(health.value()["time"], "2026-01-01T00:00:00.000000Z");
}

#[tokio::test]
async fn the_service_is_ready_without_an_optional_context() {
    let mut states = contexts(false).0.unwrap();
    for state in &mut states {
        state.is_optional = !state.is_ready;
    }
    let app = Ports {
        contexts: Contexts(Some(states)),
        ..Ports::new()
    }
    .app();
    let reply = app.anonymous(Method::GET, "/readyz").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.value()["status"], "ready");
    assert_eq!(
        reply.value()["contexts"][1],
        json!({"context": "chat", "state": "unavailable"})
    );
}

#[tokio::test]
async fn the_root_names_the_documentation() {
    let reply = Ports::new().app().anonymous(Method::GET, "/").send().await;
    assert_eq!(reply.value()["docs"], "/docs");
    assert_eq!(reply.value()["openapi"], "/openapi.json");
}

#[tokio::test]
async fn the_document_is_served() {
    let reply = Ports::new().app().anonymous(Method::GET, "/openapi.json").send().await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.body, larder_http::openapi_document());
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let reply = Ports::new().app().anonymous(Method::GET, "/docs").send().await;
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.body.contains("SwaggerUIBundle"));
    for fetched in ["<script src", "<link ", "@import", "<img "] {
        assert!(
            !reply
                .body
                .split("SwaggerUIBundle({")
                .next()
                .unwrap()
                .contains(&format!("\n{fetched}")),
            "{fetched}"
        );
    }
    // The browser itself refuses whatever the page might still ask for.
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && policy.contains("connect-src 'self';"));
    assert!(!policy.contains("http"));
}
