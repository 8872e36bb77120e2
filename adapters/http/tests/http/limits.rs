//! How often an address and an account may come.

use std::time::Duration;

use larder_http::HttpOptions;
use larder_ports::inbound::Page;
use poem::http::Method;

use crate::support::{App, Ports, Reply};

const SESSIONS: &str = "/api/v1/chat/sessions";

fn app(address: u32, account: u32) -> App {
    let mut ports = Ports::new();
    ports.sessions.expect_list().returning(|_, _, _| {
        Ok(Page {
            data: Vec::new(),
            next_cursor: None,
        })
    });
    Ports {
        options: HttpOptions {
            address_rate_per_minute: address,
            account_rate_per_minute: account,
            hsts: Some(Duration::from_secs(86_400)),
            ..HttpOptions::default()
        },
        ..ports
    }
    .app()
}

/// What is left by the header `RateLimit`, of a policy.
fn left(reply: &Reply, policy: &str) -> (u32, u32) {
    let header = reply.header("ratelimit").unwrap();
    let start = format!("\"{policy}\";r=");
    let item = header.split(", ").find_map(|item| item.strip_prefix(&start)).unwrap();
    let (left, wait) = item.split_once(";t=").unwrap();
    (left.parse().unwrap(), wait.parse().unwrap())
}

#[tokio::test]
async fn an_account_is_told_what_is_left_and_refused_beyond() {
    let app = app(0, 3);
    for (token, expected) in [("good", 2), ("reader", 1), ("good", 0)] {
        let reply = app.by(token, Method::GET, SESSIONS).send().await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("ratelimit-policy"), Some("\"account\";q=3;w=60"));
        let (remaining, full_in) = left(&reply, "account");
        assert_eq!(remaining, expected);
        assert!((1..=60).contains(&full_in), "{full_in}");
    }
    let refused = app.get(SESSIONS).send().await;
    refused.problem(429, "rate_limited");
    let (remaining, wait) = left(&refused, "account");
    assert_eq!(remaining, 0);
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.header("retry-after"), Some(wait.to_string().as_str()));
    // Whoever has no good token is no account.
    app.anonymous(Method::GET, SESSIONS)
        .send()
        .await
        .problem(401, "token_missing");
    app.by("forged", Method::GET, SESSIONS)
        .send()
        .await
        .problem(401, "token_invalid");
}

#[tokio::test]
async fn an_address_is_counted_before_its_token_is_looked_at() {
    let app = app(2, 0);
    let ask = |peer| app.from(peer, Method::GET, SESSIONS).send();
    for remaining in [1, 0] {
        let reply = ask("203.0.113.9").await;
        reply.problem(401, "token_missing");
        assert_eq!(reply.header("ratelimit-policy"), Some("\"address\";q=2;w=60"));
        assert_eq!(left(&reply, "address").0, remaining);
    }
    let refused = ask("203.0.113.9").await;
    refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    ask("203.0.113.10").await.problem(401, "token_missing");
    // Whoever watches the service is never refused.
    for path in ["/livez", "/readyz", "/health"] {
        let reply = app.from("203.0.113.9", Method::GET, path).send().await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("ratelimit")),
            (200, None),
            "{path}"
        );
    }
}

#[tokio::test]
async fn several_policies_are_told_together() {
    let app = app(9, 3);
    let call = app.from("203.0.113.9", Method::GET, SESSIONS);
    let reply = call.header("authorization", "Bearer good").send().await;
    assert_eq!(
        reply.header("ratelimit-policy"),
        Some("\"address\";q=9;w=60, \"account\";q=3;w=60")
    );
    assert_eq!((left(&reply, "address").0, left(&reply, "account").0), (8, 2));
}

#[tokio::test]
async fn nothing_is_counted_unless_asked_for() {
    let app = app(0, 0);
    let reply = app.get(SESSIONS).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("ratelimit")), (200, None));
}

#[tokio::test]
async fn tls_is_demanded_only_where_that_is_asked_for() {
    let reply = app(0, 0).get("/livez").send().await;
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=86400"));
    let reply = Ports::new().app().get("/livez").send().await;
    assert_eq!(reply.header("strict-transport-security"), None);
}
