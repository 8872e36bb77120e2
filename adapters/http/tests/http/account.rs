//! Accounts.

use std::time::Duration;

use larder_domain::{Code, Invalid};
use larder_ports::inbound::identity::{LogInError, SignUpError, SignedIn, Tokens};
use poem::http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::support::{Ports, caller, user};

const SIGN_UP: &str = "/api/v1/auth/sign-up";
const LOGIN: &str = "/api/v1/auth/login";
const ACCOUNT: &str = "/api/v1/auth/account";

fn signed_in() -> SignedIn {
    SignedIn {
        user: user(),
        tokens: Tokens {
            access_token: SecretString::from("a.b.c"),
            expires_in: Duration::from_secs(900),
        },
    }
}

#[tokio::test]
async fn signing_up_answers_token_and_user_and_is_cached_nowhere() {
    let mut ports = Ports::new();
    ports.accounts.expect_sign_up().once().returning(|request, client| {
        assert_eq!(request.username, "ann");
        assert_eq!(request.password.expose_secret(), "long enough");
        assert_eq!(request.email.as_deref(), Some("ann@example.com"));
        assert!(request.invitation.is_none());
        assert_eq!(client.user_agent.unwrap().chars().count(), 400);
        Ok(signed_in())
    });
    let app = ports.app();
    let body = r#"{"username":"ann","password":"long enough","email":"ann@example.com","invitation":null}"#;
    let call = app
        .anonymous(Method::POST, SIGN_UP)
        .json(body)
        .header("user-agent", &"x".repeat(500));
    let reply = call.send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), Some(ACCOUNT));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let user = json!({
        "id": "00000000-0000-0000-0000-00000000000a", "username": "ann", "email": null, "email_verified": false,
        "roles": [], "has_password": true, "disabled": false, "created_at": "2026-01-01T00:00:00.000000Z",
        "last_login_at": null, "version": 3
    });
    let expected = json!({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900, "user": user});
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn logging_in_answers_the_same_shape() {
    let mut ports = Ports::new();
    ports.accounts.expect_log_in().once().returning(|request, _| {
        assert_eq!(
            (request.login.as_str(), request.password.expose_secret()),
            ("ann", "long enough")
        );
        Ok(signed_in())
    });
    let app = ports.app();
    let reply = app
        .anonymous(Method::POST, LOGIN)
        .json(r#"{"login":"ann","password":"long enough"}"#)
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.value()["access_token"], "a.b.c");
    assert_eq!(reply.value()["user"]["username"], "ann");
}

#[tokio::test]
async fn what_sign_up_refuses() {
    for (error, status, code) in [
        (SignUpError::Closed, 403, "sign_up_closed"),
        (SignUpError::InvitationInvalid, 403, "invitation_invalid"),
        (SignUpError::UsernameTaken, 409, "username_taken"),
        (SignUpError::EmailTaken, 409, "email_taken"),
        (
            Invalid::one("/password", Code::PasswordTooShort, "must have at least 10 characters").into(),
            422,
            "password_too_short",
        ),
    ] {
        let mut ports = Ports::new();
        ports.accounts.expect_sign_up().return_once(|_, _| Err(error));
        let app = ports.app();
        let reply = app
            .anonymous(Method::POST, SIGN_UP)
            .json(r#"{"username":"ann","password":"s3cret"}"#)
            .send()
            .await;
        reply.problem(status, code);
        assert!(!reply.body.contains("s3cret"));
    }
}

#[tokio::test]
async fn wrong_credentials_are_401() {
    let mut ports = Ports::new();
    ports
        .accounts
        .expect_log_in()
        .returning(|_, _| Err(LogInError::InvalidCredentials));
    let app = ports.app();
    let reply = app
        .anonymous(Method::POST, LOGIN)
        .json(r#"{"login":"ann","password":"wrong"}"#)
        .send()
        .await;
    reply.problem(401, "invalid_credentials");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn bodies_of_accounts_are_strict() {
    let app = Ports::new().app();
    for (path, body, pointer, code) in [
        (SIGN_UP, r#"{"username":"ann"}"#, "/password", "required"),
        (SIGN_UP, r#"{"username":null,"password":"x"}"#, "/username", "required"),
        (
            SIGN_UP,
            r#"{"username":"ann","password":"x","roles":["admin"]}"#,
            "/roles",
            "unknown_field",
        ),
        (SIGN_UP, r#"{"username":"ann","password":7}"#, "/password", "wrong_type"),
        (
            LOGIN,
            r#"{"login":"ann","password":"x","owner_id":"y"}"#,
            "/owner_id",
            "unknown_field",
        ),
        (LOGIN, r#"["ann","x"]"#, "", "wrong_type"),
        (LOGIN, r#""ann""#, "", "wrong_type"),
    ] {
        let reply = app.anonymous(Method::POST, path).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn the_account_has_a_tag() {
    let mut ports = Ports::new();
    ports.accounts.expect_account().times(2).returning(|who| {
        assert_eq!(*who, caller());
        Ok(user())
    });
    let app = ports.app();
    let reply = app.get(ACCOUNT).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"3\"")));
    let reply = app.get(ACCOUNT).header("if-none-match", "\"3\"").send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (304, ""));
}
