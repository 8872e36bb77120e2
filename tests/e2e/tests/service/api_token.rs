//! Tokens of programs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, id_of, two_people, until};

on_every_adapter!(
    t_019_a_token_does_what_its_scopes_say_until_it_ends,
    t_020_a_repeated_request_gives_no_secret,
);

const TOKENS: &str = "/auth/api-tokens";

async fn t_019_a_token_does_what_its_scopes_say_until_it_ends(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let made = ann
        .make(TOKENS, &json!({"name": "Reader", "scopes": ["chat:read"]}))
        .await;
    let program = service.with_token(made["token"].as_str().unwrap());
    program.get("/chat/sessions").expect(200).await;
    let refused = program.post("/chat/sessions", &json!({})).expect(403).await;
    refused.problem("insufficient_scope");
    let header = refused.header("www-authenticate");
    assert!(
        header.contains("insufficient_scope") && header.contains("chat:write"),
        "{header}"
    );
    for path in [TOKENS, "/auth/logins", "/auth/users"] {
        program
            .get(path)
            .expect(403)
            .await
            .problem("interactive_login_required");
    }
    program.get("/auth/account").expect(200).await;
    for _ in 0..2 {
        ann.delete(&format!("{TOKENS}/{}", id_of(&made))).expect(204).await;
        let refused = program.get("/chat/sessions").expect(401).await;
        refused.problem("token_invalid");
    }

    // No clock is asked but that of the service.
    let now: DateTime<Utc> = ann.make(TOKENS, &json!({"name": "Now", "scopes": ["chat:read"]})).await["created_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let soon = (now + Duration::from_secs(3)).to_rfc3339();
    let body = json!({"name": "For a moment", "scopes": ["chat:read"], "expires_at": soon});
    let made = ann.make(TOKENS, &body).await;
    let program = service.with_token(made["token"].as_str().unwrap());
    let expired = until("the token has expired", async || {
        let answer = program.get("/chat/sessions").answer().await;
        (answer.status != 200).then_some(answer)
    });
    let expired = expired.await;
    assert_eq!(expired.status, 401, "{expired:?}");
    expired.problem("token_invalid");
}

async fn t_020_a_repeated_request_gives_no_secret(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let body = json!({"name": "Reader", "scopes": ["chat:read"]});
    let create = || ann.post(TOKENS, &body).header("idempotency-key", "once");
    let first = create().expect(201).await;
    assert_eq!(first.header("cache-control"), "no-store");
    let again = create().expect(201).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mut expected = first.json();
    let secret = expected["token"].as_str().unwrap().to_owned();
    expected["token"] = Value::Null;
    assert_eq!(again.json(), expected);
    assert!(!again.text.contains(&secret));
    let listed = ann.list(TOKENS).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(id_of(&listed[0]), id_of(&expected));
    service.with_token(&secret).get("/chat/sessions").expect(200).await;
}
