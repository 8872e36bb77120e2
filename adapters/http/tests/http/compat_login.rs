//! Logging in through the compatibility surface.

use std::time::Duration;

use larder_ports::inbound::identity::{LogInError, SignedIn, Throttled, Tokens};
use poem::http::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{OWNER, Ports, user};

const PLACES: [&str; 2] = ["/api/v1/chat/auth/login", "/compat/api/v1/chat/auth/login"];
const BODY: &str = r#"{"username": "ann", "password": "correct horse battery"}"#;

fn signed_in() -> SignedIn {
    SignedIn {
        user: user(),
        tokens: Tokens {
            access_token: "access".into(),
            expires_in: Duration::from_secs(86_400),
            refresh_token: "lrr_x".into(),
            refresh_expires_in: Duration::from_secs(10),
        },
    }
}

#[tokio::test]
async fn co_47_a_login_answers_a_token_that_no_cache_keeps() {
    let mut ports = Ports::new();
    ports.accounts.expect_log_in_compat().times(2).returning(|request, _| {
        assert_eq!(request.login, "ann");
        assert_eq!(request.password.expose_secret(), "correct horse battery");
        Ok(signed_in())
    });
    let app = ports.app();
    for place in PLACES {
        let reply = app.anonymous(Method::POST, place).body(BODY).send().await;
        let data = reply.success("Authentication successful");
        let expected = json!({
            "customer_id": OWNER.to_string(), "username": "ann", "email": null, "token": "access",
            "expires_in": 86400, "refresh_token": "lrr_x",
        });
        assert_eq!(data, expected);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn co_12_a_refused_login_has_one_text() {
    let mut ports = Ports::new();
    ports
        .accounts
        .expect_log_in_compat()
        .returning(|_, _| Err(LogInError::InvalidCredentials));
    let reply = ports.app().anonymous(Method::POST, PLACES[0]).json(BODY).send().await;
    assert_eq!(reply.status, 401);
    let expected = r#"{"code":401,"success":false,"message":"Invalid username or password","data":null,"meta":null}"#;
    assert_eq!(reply.body, expected);
}

#[tokio::test]
async fn co_12_who_guesses_waits() {
    let mut ports = Ports::new();
    ports
        .accounts
        .expect_log_in_compat()
        .returning(|_, _| Err(LogInError::Throttled(Throttled(Duration::from_millis(1_500)))));
    let reply = ports.app().anonymous(Method::POST, PLACES[0]).json(BODY).send().await;
    reply.failure(429, "Too many attempts");
    assert_eq!(reply.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn id_13_logins_of_one_address_are_counted_at_both_places() {
    let mut ports = Ports::new();
    ports.options.ip_rate_per_minute = 3;
    ports
        .accounts
        .expect_log_in_compat()
        .times(3)
        .returning(|_, _| Ok(signed_in()));
    let app = ports.app();
    let mut statuses = Vec::new();
    for place in [PLACES[0], PLACES[1], PLACES[0], PLACES[1], PLACES[0]] {
        let reply = app.from("203.0.113.9", Method::POST, place).json(BODY).send().await;
        statuses.push(reply.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}
