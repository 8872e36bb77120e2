//! What holds for every answer: health, documentation, problem documents, request ids.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation};

on_every_adapter!(
    health_is_public,
    the_documentation_works_offline,
    the_served_contract_is_the_committed_one,
    every_refusal_is_a_problem_document,
    every_answer_has_a_request_id,
);

async fn health_is_public(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    for path in ["/livez", "/readyz", "/health"] {
        service.get(path).expect(200).await;
    }
    let ready = service.get("/readyz").expect(200).await;
    assert!(
        ready.text.contains("identity") && ready.text.contains("chat"),
        "{ready:?}"
    );
}

async fn the_documentation_works_offline(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let page = service.get("/docs").expect(200).await;
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{:?}",
        page.headers
    );
    let lower = page.text.to_lowercase();
    for attribute in ["src=", "href=", "@import", "url("] {
        for (at, _) in lower.match_indices(attribute) {
            let value = lower[at + attribute.len()..].trim_start_matches(['"', '\'', ' ']);
            assert!(
                !value.starts_with("http:") && !value.starts_with("https:") && !value.starts_with("//"),
                "the page loads {:.80}",
                value
            );
        }
    }
}

async fn the_served_contract_is_the_committed_one(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let served = service.get("/openapi.json").expect(200).await;
    assert!(
        served.header("content-type").starts_with("application/json"),
        "{:?}",
        served.headers
    );
    assert_committed(&served.json());
}

/// Asserts that a contract is `openapi/openapi.json` of this checkout.
pub(crate) fn assert_committed(contract: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/openapi.json");
    let committed = std::fs::read_to_string(path).expect("openapi/openapi.json is committed");
    let committed: Value = serde_json::from_str(&committed).expect("JSON");
    assert!(
        *contract == committed,
        "The contract differs from the committed one: run `cargo run -- openapi > openapi/openapi.json`."
    );
}

async fn every_refusal_is_a_problem_document(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let token = service.sign_up("ann").await.token;
    let sessions = "/api/v1/chat/sessions";
    let json_body = |body: &'static str| {
        service
            .request(Method::POST, sessions)
            .header("content-type", "application/json")
            .body(body)
    };
    let cases = [
        (service.get("/api/v1/nothing/here"), 404, "route_not_found"),
        (service.get("/nothing"), 404, "route_not_found"),
        (
            service.request(Method::PUT, sessions).json(&json!({})),
            405,
            "method_not_allowed",
        ),
        (service.get(&format!("{sessions}/not-a-uuid")), 400, "malformed_id"),
        (json_body("{\"name\": "), 400, "malformed_json"),
        (json_body("{\"name\": \"\\ud800\"}"), 400, "malformed_json"),
        (json_body("{\"nmae\": \"typo\"}"), 422, "invalid"),
        (
            json_body("{\"owner_id\": \"0199d3a0-0000-7000-8000-000000000001\"}"),
            422,
            "invalid",
        ),
        (json_body("{\"name\": 7}"), 422, "invalid"),
        (json_body("{\"version\": 7}"), 422, "read_only"),
        (
            service
                .request(Method::POST, sessions)
                .header("content-type", "text/csv")
                .body("a,b"),
            415,
            "unsupported_media_type",
        ),
        (
            service.post(sessions, &json!({"name": "x".repeat(2 << 20)})),
            413,
            "body_too_large",
        ),
    ];
    for (request, status, code) in cases {
        let answer = request.bearer_auth(&token).expect(status).await;
        let problem = answer.problem(code);
        if status == 422 {
            let errors = problem["errors"].as_array().unwrap();
            assert!(
                errors
                    .iter()
                    .all(|error| error["pointer"].is_string() && error["code"].is_string()),
                "{problem}"
            );
        }
        if status == 405 {
            assert!(answer.header("allow").contains("GET"), "{answer:?}");
        }
    }
}

async fn every_answer_has_a_request_id(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let mine = service
        .get("/livez")
        .header("x-request-id", "my-request-1")
        .expect(200)
        .await;
    assert_eq!(mine.header("x-request-id"), "my-request-1");
    let unusable = "x".repeat(5000);
    for request in [
        service.get("/livez"),
        service.get("/nowhere").header("x-request-id", &unusable),
    ] {
        let answer = request.answer().await;
        let id = answer.header("x-request-id");
        assert!(!id.is_empty() && id != unusable, "{id}");
    }
}
