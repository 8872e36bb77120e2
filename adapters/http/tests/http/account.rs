//! Accounts.

use std::time::Duration;

use larder_domain::{Code, Invalid, Patch};
use larder_ports::inbound::identity::{
    ChangeAccountError, ChangePasswordError, LogInError, SignUpError, SignedIn, Throttled, Tokens,
};
use poem::http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::{Ports, caller, user};

const SIGN_UP: &str = "/api/v1/auth/sign-up";
const LOGIN: &str = "/api/v1/auth/login";
const ACCOUNT: &str = "/api/v1/auth/account";
const PASSWORD: &str = "/api/v1/auth/account/password";

fn signed_in() -> SignedIn {
    SignedIn {
        user: user(),
        tokens: tokens(),
    }
}

pub(crate) fn tokens() -> Tokens {
    Tokens {
        access_token: SecretString::from("a.b.c"),
        expires_in: Duration::from_secs(900),
        refresh_token: SecretString::from("lrr_x"),
        refresh_expires_in: Duration::from_secs(2_592_000),
    }
}

/// What an answer shows of [`tokens`].
pub(crate) fn tokens_shown() -> Value {
    json!({
        "access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900, "refresh_token": "lrr_x",
        "refresh_expires_in": 2_592_000
    })
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
    let mut expected = tokens_shown();
    expected["user"] = user;
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
async fn id_12_too_many_attempts_are_429_until_then() {
    for (wait, shown) in [(1, "1"), (1_000, "1"), (1_001, "2"), (900_000, "900")] {
        let mut ports = Ports::new();
        ports
            .accounts
            .expect_log_in()
            .returning(move |_, _| Err(LogInError::Throttled(Throttled(Duration::from_millis(wait)))));
        let app = ports.app();
        let reply = app
            .anonymous(Method::POST, LOGIN)
            .json(r#"{"login":"ann","password":"wrong"}"#)
            .send()
            .await;
        reply.problem(429, "login_throttled");
        assert_eq!(reply.header("retry-after"), Some(shown));
    }
}

/// T-029: also before anything of the request is read.
#[tokio::test]
async fn id_13_t_029_an_address_may_come_so_often_in_a_minute() {
    let mut ports = Ports::new();
    ports
        .accounts
        .expect_log_in()
        .returning(|_, _| Err(LogInError::InvalidCredentials));
    let app = ports.app();
    let mut statuses = Vec::new();
    for number in 0..40 {
        let path = [SIGN_UP, LOGIN, "/api/v1/auth/refresh"][number % 3];
        let reply = app.from("203.0.113.9", Method::POST, path).json("{}").send().await;
        if reply.status == 429 {
            reply.problem(429, "login_throttled");
            assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
        }
        statuses.push(reply.status.as_u16());
    }
    assert!(statuses[..30].iter().all(|status| *status == 422), "{statuses:?}");
    assert!(
        statuses.iter().filter(|status| **status == 429).count() >= 9,
        "{statuses:?}"
    );
    // Another address has a count of its own, and other operations are not counted.
    let body = r#"{"login":"ann","password":"wrong"}"#;
    let reply = app.from("203.0.113.10", Method::POST, LOGIN).json(body).send().await;
    reply.problem(401, "invalid_credentials");
    let reply = app.from("203.0.113.9", Method::GET, ACCOUNT).send().await;
    reply.problem(401, "token_missing");
}

#[tokio::test]
async fn id_13_behind_a_trusted_proxy_the_address_is_the_one_it_names() {
    let mut ports = Ports::new();
    ports.options.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    ports.options.ip_rate_per_minute = 1;
    ports.accounts.expect_log_in().times(2).returning(|_, client| {
        assert!(["198.51.100.1", "198.51.100.2"].contains(&client.ip_address.unwrap().as_str()));
        Ok(signed_in())
    });
    let app = ports.app();
    let log_in = async |forwarded: &str| {
        let call = app
            .from("10.1.2.3", Method::POST, LOGIN)
            .header("x-forwarded-for", forwarded);
        let reply = call.json(r#"{"login":"ann","password":"long enough"}"#).send().await;
        reply.status.as_u16()
    };
    assert_eq!(log_in("198.51.100.1").await, 200);
    assert_eq!(log_in("198.51.100.2").await, 200);
    // What the client itself claims makes no difference.
    assert_eq!(log_in("192.0.2.77, 198.51.100.1").await, 429);
}

#[tokio::test]
async fn id_13_zero_lets_everybody_come() {
    let mut ports = Ports::new();
    ports.options.ip_rate_per_minute = 0;
    let app = ports.app();
    for _ in 0..100 {
        let reply = app.from("203.0.113.9", Method::POST, LOGIN).json("{}").send().await;
        assert_eq!(reply.status, 422);
    }
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

#[tokio::test]
async fn id_41_an_account_is_changed_by_a_merge_patch() {
    let mut ports = Ports::new();
    ports.accounts.expect_change().once().returning(|who, change| {
        assert_eq!(*who, caller());
        assert_eq!(change.patch.username, Patch::Keep);
        assert_eq!(change.patch.email, Patch::Clear);
        assert_eq!(change.current_password.unwrap().expose_secret(), "long enough");
        assert_eq!(change.if_match, Some(3));
        Ok(user())
    });
    let app = ports.app();
    let reply = app
        .call(Method::PATCH, ACCOUNT)
        .header("if-match", "\"3\"")
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"email":null,"current_password":"long enough"}"#)
        .send()
        .await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"3\"")));
    assert_eq!(reply.value()["username"], "ann");
}

#[tokio::test]
async fn id_41_what_a_change_of_account_refuses() {
    let throttled = Throttled(Duration::from_secs(4));
    for (error, status, code) in [
        (ChangeAccountError::Stale, 412, "stale"),
        (ChangeAccountError::CurrentPasswordWrong, 403, "current_password_wrong"),
        (ChangeAccountError::Throttled(throttled), 429, "login_throttled"),
        (ChangeAccountError::UsernameTaken, 409, "username_taken"),
        (ChangeAccountError::EmailTaken, 409, "email_taken"),
    ] {
        let mut ports = Ports::new();
        ports.accounts.expect_change().return_once(|_, _| Err(error));
        let app = ports.app();
        let reply = app
            .call(Method::PATCH, ACCOUNT)
            .json(r#"{"email":"a@example.com"}"#)
            .send()
            .await;
        reply.problem(status, code);
    }
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"roles":["admin"]}"#, "/roles", "read_only"),
        (r#"{"version":4}"#, "/version", "read_only"),
        (r#"{"password":"x"}"#, "/password", "unknown_field"),
        (r#"{"username":7}"#, "/username", "wrong_type"),
    ] {
        let reply = app.call(Method::PATCH, ACCOUNT).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn id_40_a_new_password_answers_new_tokens_that_no_cache_keeps() {
    let mut ports = Ports::new();
    ports
        .accounts
        .expect_change_password()
        .once()
        .returning(|who, change, client| {
            assert_eq!(*who, caller());
            assert_eq!(change.current.expose_secret(), "long enough");
            assert_eq!(change.new.expose_secret(), "longer than that");
            assert!(change.revoke_api_tokens);
            assert_eq!(client.user_agent.as_deref(), Some("a browser"));
            Ok(tokens())
        });
    let app = ports.app();
    let body = r#"{"current_password":"long enough","new_password":"longer than that","revoke_api_tokens":true}"#;
    let call = app.call(Method::PUT, PASSWORD).header("user-agent", "a browser");
    let reply = call.json(body).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.value(), tokens_shown());
}

#[tokio::test]
async fn id_40_what_a_change_of_password_refuses() {
    let unchanged = Invalid::one(
        "/new_password",
        Code::PasswordUnchanged,
        "must not be the current password",
    );
    for (error, status, code) in [
        (ChangePasswordError::CurrentPasswordWrong, 403, "current_password_wrong"),
        (
            ChangePasswordError::Throttled(Throttled(Duration::ZERO)),
            429,
            "login_throttled",
        ),
        (unchanged.into(), 422, "password_unchanged"),
    ] {
        let mut ports = Ports::new();
        ports
            .accounts
            .expect_change_password()
            .return_once(|_, _, _| Err(error));
        let app = ports.app();
        let body = r#"{"current_password":"s3cret one","new_password":"s3cret two"}"#;
        let reply = app.call(Method::PUT, PASSWORD).json(body).send().await;
        reply.problem(status, code);
        assert!(!reply.body.contains("s3cret"));
    }
}
