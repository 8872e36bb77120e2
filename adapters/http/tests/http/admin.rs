//! The listener for operators.

use std::sync::Arc;

use larder_http::{Admin, Exposition, admin_endpoint};
use larder_ports::inbound::ContextState;
use larder_ports::testing::{FixedClock, SequentialIds};
use poem::EndpointExt;
use poem::http::Method;

use crate::support::{App, Contexts};

struct Page;

impl Exposition for Page {
    fn content_type(&self) -> &'static str {
        "text/plain; version=0.0.4; charset=utf-8"
    }

    fn text(&self) -> String {
        "larder_logins_total 3\n".to_owned()
    }
}

fn admin(is_ready: bool) -> App {
    let chat = ContextState {
        context: "chat",
        is_ready,
        is_optional: false,
    };
    let endpoint = admin_endpoint(Admin {
        readiness: Arc::new(Contexts(Some(vec![chat]))),
        clock: Arc::new(FixedClock::new()),
        ids: Arc::new(SequentialIds::default()),
        metrics: Arc::new(Page),
    });
    App(endpoint.boxed())
}

#[tokio::test]
async fn metrics_are_shown_to_whoever_reaches_the_listener() {
    let reply = admin(true).anonymous(Method::GET, "/metrics").send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.as_str()),
        (200, "larder_logins_total 3\n")
    );
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
}

#[tokio::test]
async fn cf_51_states_as_on_the_listener_for_everybody() {
    for (is_ready, status) in [(true, 200), (false, 503)] {
        let app = admin(is_ready);
        assert_eq!(app.anonymous(Method::GET, "/readyz").send().await.status, status);
        assert_eq!(app.anonymous(Method::GET, "/livez").send().await.status, 200);
        assert_eq!(app.anonymous(Method::GET, "/health").send().await.status, 200);
    }
}

#[tokio::test]
async fn nothing_else_is_there() {
    let app = admin(true);
    for path in ["/", "/docs", "/openapi.json", "/api/v1/chat/sessions"] {
        let reply = app.anonymous(Method::GET, path).send().await;
        reply.problem(404, "route_not_found");
    }
    let reply = app.anonymous(Method::POST, "/metrics").send().await;
    reply.problem(405, "method_not_allowed");
}
