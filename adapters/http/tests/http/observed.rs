//! What operators are told of requests.

use std::sync::Arc;
use std::time::Duration;

use larder_http::HttpOptions;
use larder_ports::inbound::chat::ChangeSessionError;
use larder_ports::outbound::Event;
use larder_ports::testing::Observed;
use poem::http::Method;

use crate::support::{App, Contexts, Ports, SESSION_PATH, session};

/// Operation, method and status of every request that ended.
fn ends(observer: &Observed) -> Vec<(&'static str, &'static str, Option<u16>)> {
    let ends = observer.events().into_iter().filter_map(|event| match event {
        Event::RequestEnded {
            operation,
            method,
            status,
            ..
        } => Some((operation, method, status)),
        _ => None,
    });
    ends.collect()
}

fn observed(ports: Ports) -> (App, Arc<Observed>) {
    let observer = Arc::clone(&ports.observer);
    (ports.app(), observer)
}

#[tokio::test]
async fn every_request_is_named_by_its_operation() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_get()
        .returning(|_, _| Ok(session(Default::default())));
    ports
        .sessions
        .expect_delete()
        .returning(|_, _, _| Err(ChangeSessionError::NotFound));
    let (app, observer) = observed(ports);
    app.get(SESSION_PATH).send().await;
    app.call(Method::DELETE, SESSION_PATH).send().await;
    app.anonymous(Method::GET, SESSION_PATH).send().await;
    app.call(Method::PATCH, SESSION_PATH).send().await;
    app.get("/api/v1/chat/sessions/7").send().await;
    app.call(Method::PUT, SESSION_PATH).send().await;
    app.get("/nowhere").send().await;
    assert_eq!(
        ends(&observer),
        [
            ("get_session", "GET", Some(200)),
            ("delete_session", "DELETE", Some(404)),
            ("get_session", "GET", Some(401)),
            ("change_session", "PATCH", Some(415)),
            ("get_session", "GET", Some(400)),
            ("none", "PUT", Some(405)),
            ("none", "GET", Some(404)),
        ]
    );
    let began = observer
        .events()
        .into_iter()
        .filter(|event| *event == Event::RequestBegan);
    assert_eq!(began.count(), 7);
}

#[tokio::test]
async fn a_request_that_never_came_to_its_answer_is_named_too() {
    let waits = |deadline| Ports {
        contexts: Contexts(None),
        options: HttpOptions {
            request_deadline: deadline,
            ..HttpOptions::default()
        },
        ..Ports::new()
    };
    let (app, observer) = observed(waits(Duration::from_millis(20)));
    app.anonymous(Method::GET, "/readyz").send().await;
    assert_eq!(ends(&observer), [("readyz", "GET", Some(504))]);

    let (app, observer) = observed(waits(Duration::from_secs(60)));
    let asked = app.anonymous(Method::GET, "/readyz").send();
    assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    assert_eq!(ends(&observer), [("readyz", "GET", None)]);
}
