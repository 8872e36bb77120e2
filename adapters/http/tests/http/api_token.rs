//! API tokens: their operations, and what a program with one may do.

use larder_domain::ApiTokenId;
use larder_domain::identity::{ApiToken, Scope};
use larder_ports::inbound::identity::{CreateApiTokenError, NewApiToken};
use larder_ports::inbound::{Done, NotFoundError, Page};
use larder_ports::outbound::StoredAnswer;
use larder_ports::outbound::identity::ApiTokenState;
use poem::http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{OWNER, Ports, at, session, user};

const TOKENS: &str = "/api/v1/auth/api-tokens";
const TOKEN: &str = "/api/v1/auth/api-tokens/00000000-0000-0000-0000-000000000070";
const SESSIONS: &str = "/api/v1/chat/sessions";
const BODY: &str = r#"{"name":"Import","scopes":["chat:write","chat:read","chat:read"]}"#;

fn token() -> ApiToken {
    ApiToken {
        owner_id: OWNER,
        id: ApiTokenId(Uuid::from_u128(0x70)),
        name: "Import".into(),
        secret_hash: [0xab; 32],
        scopes: [Scope::ChatRead, Scope::ChatWrite].into_iter().collect(),
        created_at: at(1),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn id_60_a_new_token_is_shown_once_and_cached_nowhere() {
    let mut ports = Ports::new();
    ports.api_tokens.expect_create().once().returning(|owner, draft, once| {
        assert_eq!((owner, draft.name.as_str(), draft.id), (OWNER, "Import", None));
        assert_eq!(draft.scopes, token().scopes);
        assert!(once.is_none());
        Ok(Done::Now(NewApiToken {
            token: token(),
            text: "lrd_secret".into(),
        }))
    });
    let app = ports.app();
    let reply = app.call(Method::POST, TOKENS).json(BODY).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), Some(TOKEN));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let expected = json!({
        "id": "00000000-0000-0000-0000-000000000070", "name": "Import", "scopes": ["chat:read", "chat:write"],
        "created_at": "2026-01-01T00:00:01.000000Z", "expires_at": null, "last_used_at": null, "revoked_at": null,
        "token": "lrd_secret"
    });
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn t_020_what_is_kept_of_the_answer_has_no_secret() {
    let mut ports = Ports::new();
    ports.api_tokens.expect_create().times(2).returning(|_, _, once| {
        let kept = (once.unwrap().answer)(&token());
        let value: serde_json::Value = serde_json::from_str(&kept.body).unwrap();
        assert_eq!(value["token"], json!(null));
        assert_eq!((kept.status, kept.location.as_deref()), (201, Some(TOKEN)));
        Ok(Done::Before(StoredAnswer { ..kept }))
    });
    let app = ports.app();
    for _ in 0..2 {
        let call = app.call(Method::POST, TOKENS).header("idempotency-key", "k").json(BODY);
        let reply = call.send().await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.header("idempotency-replayed"), Some("true"));
        assert_eq!(reply.header("location"), Some(TOKEN));
        assert_eq!(reply.value()["token"], json!(null));
    }
}

#[tokio::test]
async fn why_no_token_is_made() {
    for (error, code) in [
        (CreateApiTokenError::NameTaken, "name_taken"),
        (CreateApiTokenError::IdTaken, "id_taken"),
        (CreateApiTokenError::LimitReached, "limit_reached"),
    ] {
        let mut ports = Ports::new();
        ports.api_tokens.expect_create().return_once(|_, _, _| Err(error));
        let app = ports.app();
        app.call(Method::POST, TOKENS)
            .json(BODY)
            .send()
            .await
            .problem(409, code);
    }
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"name":"x"}"#, "/scopes", "required"),
        (r#"{"name":"x","scopes":["chat:all"]}"#, "/scopes/0", "bad_format"),
        (r#"{"name":"x","scopes":["admin"]}"#, "/scopes/0", "bad_format"),
        (
            r#"{"name":"x","scopes":["worker"],"token":"lrd_x"}"#,
            "/token",
            "read_only",
        ),
        (
            r#"{"name":"x","scopes":["worker"],"owner_id":"y"}"#,
            "/owner_id",
            "unknown_field",
        ),
    ] {
        app.call(Method::POST, TOKENS)
            .json(body)
            .send()
            .await
            .refused(pointer, code);
    }
}

#[tokio::test]
async fn tokens_are_listed_read_and_revoked() {
    let mut ports = Ports::new();
    ports.api_tokens.expect_list().times(2).returning(|owner, state, page| {
        assert_eq!(owner, OWNER);
        let next_cursor = (state == ApiTokenState::All).then(|| "c2".to_owned());
        assert_eq!(page.limit, if state == ApiTokenState::All { 1 } else { 50 });
        Ok(Page {
            data: vec![token()],
            next_cursor,
        })
    });
    ports.api_tokens.expect_get().once().returning(|_, _| Ok(token()));
    ports.api_tokens.expect_revoke().times(2).returning(|_, _| Ok(()));
    let app = ports.app();
    let reply = app.get(TOKENS).send().await;
    assert_eq!(reply.value()["data"][0]["name"], "Import");
    assert!(reply.value()["data"][0].get("token").is_none());
    assert!(!reply.body.contains("secret"));
    let reply = app.get(&format!("{TOKENS}?state=all&limit=1")).send().await;
    assert_eq!(
        reply.header("link"),
        Some("</api/v1/auth/api-tokens?state=all&limit=1&cursor=c2>; rel=\"next\"")
    );
    app.get(&format!("{TOKENS}?state=dead"))
        .send()
        .await
        .refused("/query/state", "bad_format");
    assert_eq!(app.get(TOKEN).send().await.value()["id"], json!(token().id.0));
    for _ in 0..2 {
        assert_eq!(app.call(Method::DELETE, TOKEN).send().await.status, 204);
    }
    app.get(&format!("{TOKENS}/x"))
        .send()
        .await
        .problem(400, "malformed_id");
}

#[tokio::test]
async fn a_token_that_is_not_there_is_404() {
    let mut ports = Ports::new();
    ports
        .api_tokens
        .expect_get()
        .returning(|_, _| Err(NotFoundError::NotFound));
    ports
        .api_tokens
        .expect_revoke()
        .returning(|_, _| Err(NotFoundError::NotFound));
    let app = ports.app();
    app.get(TOKEN).send().await.problem(404, "not_found");
    app.call(Method::DELETE, TOKEN).send().await.problem(404, "not_found");
}

#[tokio::test]
async fn t_019_a_scope_opens_what_it_names_and_no_more() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().once().returning(|_, _, _| {
        Ok(Page {
            data: vec![],
            next_cursor: None,
        })
    });
    ports
        .sessions
        .expect_create()
        .once()
        .returning(|_, draft| Ok(session(draft)));
    let app = ports.app();
    assert_eq!(app.by("reader", Method::GET, SESSIONS).send().await.status, 200);
    // The body is not even looked at.
    let refused = app.by("reader", Method::POST, SESSIONS).json("no JSON").send().await;
    refused.problem(403, "insufficient_scope");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"chat:write\"")
    );
    assert_eq!(
        app.by("writer", Method::POST, SESSIONS).json("{}").send().await.status,
        201
    );
    let refused = app.by("writer", Method::GET, SESSIONS).send().await;
    refused.problem(403, "insufficient_scope");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"chat:read\"")
    );
}

#[tokio::test]
async fn id_62_a_program_reads_its_account_and_nothing_else_there() {
    let mut ports = Ports::new();
    ports.accounts.expect_account().once().returning(|_| Ok(user()));
    let app = ports.app();
    assert_eq!(
        app.by("reader", Method::GET, "/api/v1/auth/account")
            .send()
            .await
            .status,
        200
    );
    for (method, path) in [
        (Method::GET, TOKENS),
        (Method::POST, TOKENS),
        (Method::DELETE, TOKEN),
        (Method::PATCH, "/api/v1/auth/account"),
        (Method::PUT, "/api/v1/auth/account/password"),
        (Method::POST, "/api/v1/auth/account/erasure"),
        (Method::POST, "/api/v1/auth/logout"),
        (Method::GET, "/api/v1/auth/logins"),
        (Method::GET, "/api/v1/auth/users"),
        (Method::POST, "/api/v1/auth/invitations"),
    ] {
        let refused = app.by("reader", method, path).send().await;
        refused.problem(403, "interactive_login_required");
        assert_eq!(refused.header("www-authenticate"), None, "{path}");
    }
}
