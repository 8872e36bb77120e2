//! Pages of other origins.

use larder_http::{HttpOptions, Origin};
use poem::http::Method;

use crate::support::{App, Ports};

const NAMED: &str = "https://app.example.com";

fn app() -> App {
    Ports {
        options: HttpOptions {
            origins: vec![
                Origin::parse(NAMED).unwrap(),
                Origin::parse("http://localhost:3000").unwrap(),
            ],
            ..HttpOptions::default()
        },
        ..Ports::new()
    }
    .app()
}

#[tokio::test]
async fn a_named_origin_may_read_answers_and_refusals() {
    for path in ["/livez", "/nowhere"] {
        let reply = app().get(path).header("origin", NAMED).send().await;
        assert_eq!(reply.header("access-control-allow-origin"), Some(NAMED), "{path}");
        assert_eq!(reply.header("vary"), Some("Origin"), "{path}");
        let readable = reply.header("access-control-expose-headers").unwrap();
        for name in ["ETag", "Location", "Link", "Retry-After", "RateLimit", "X-Request-Id"] {
            assert!(readable.contains(name), "{name} in {readable}");
        }
        // No cookie is ever used, so none is asked for.
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_token() {
    let app = app();
    let preflight = |origin| {
        app.anonymous(Method::OPTIONS, "/api/v1/chat/sessions")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type")
            .send()
    };
    let reply = preflight("http://localhost:3000").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("http://localhost:3000")
    );
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(reply.header("access-control-allow-methods").unwrap().contains(method));
    }
    for name in ["Authorization", "Content-Type", "If-Match", "Idempotency-Key"] {
        assert!(reply.header("access-control-allow-headers").unwrap().contains(name));
    }
    let refused = preflight("https://evil.example.com").await;
    refused.problem(405, "method_not_allowed");
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn any_other_origin_is_answered_as_if_it_was_not_named() {
    let app = app();
    for origin in [
        "https://evil.example.com",
        "https://app.example.com.evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
        "*",
    ] {
        let reply = app.get("/livez").header("origin", origin).send().await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(reply.header("vary"), Some("Origin"), "{origin}");
    }
}

#[tokio::test]
async fn without_named_origins_nothing_is_said() {
    let app = Ports::new().app();
    let reply = app.get("/livez").header("origin", NAMED).send().await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert_eq!(reply.header("vary"), None);
}
