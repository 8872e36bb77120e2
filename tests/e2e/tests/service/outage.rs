//! A database that is away, and one that is left. SQLite has none that could be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Adapter, Answering, Installation, Relay, sign_up, until};

on_postgres!(
    a_database_that_is_away_is_waited_for,
    cf_52_a_required_store_is_waited_for_and_then_given_up,
    cf_54_no_connection_is_left_at_the_server,
);

const SESSIONS: &str = "/api/v1/chat/sessions";

/// CF-51.
async fn a_database_that_is_away_is_waited_for(adapter: Adapter) {
    let mut larder = Installation::new(adapter).await;
    let port = Relay::free_port().await;
    larder.set("LARDER_DATABASE__URL", &larder.database().url(port));
    let service = larder.launch().await;
    for _ in 0..3 {
        service.get("/livez").expect(200).await;
        let unready = service.get("/readyz").expect(503).await;
        assert!(
            unready.text.contains("chat") && unready.text.contains("identity"),
            "{unready:?}"
        );
        for secret in ["127.0.0.1", &port.to_string(), &larder.database().password()] {
            assert!(!unready.text.contains(secret), "{unready:?}");
        }
    }
    let refused = service.post("/api/v1/auth/sign-up", &sign_up("ann")).expect(503).await;
    refused.problem("database_unavailable");
    assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");

    let line = Relay::open(port, larder.database().address()).await;
    service.until_ready().await;
    let ann = service.sign_up("ann").await;
    service
        .post("/api/v1/chat/sessions", &json!({}))
        .bearer_auth(&ann.token)
        .expect(201)
        .await;

    drop(line);
    until("the loss is noticed", async || {
        (service.get("/readyz").answer().await.status == 503).then_some(())
    })
    .await;
    service.get("/livez").expect(200).await;
    let _line = Relay::open(port, larder.database().address()).await;
    service.until_ready().await;
    let sessions = service
        .get("/api/v1/chat/sessions")
        .bearer_auth(&ann.token)
        .expect(200)
        .await
        .json();
    assert_eq!(sessions["data"].as_array().unwrap().len(), 1);
}

async fn cf_52_a_required_store_is_waited_for_and_then_given_up(adapter: Adapter) {
    let mut larder = Installation::new(adapter).await;
    let port = Relay::free_port().await;
    larder.set("LARDER_DATABASE__URL", &larder.database().url(port));
    larder.set("LARDER_DATABASE__STARTUP__REQUIRE_DATABASE", "true");
    larder.set("LARDER_DATABASE__STARTUP__WAIT", "1s");
    let ended = larder.run(&["serve"], "").await;
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(!ended.stdout.contains("takes requests"), "{ended:?}");

    larder.set("LARDER_DATABASE__STARTUP__WAIT", "60s");
    let starting = larder.launch();
    let opening = async {
        // Not at once, so that the service has to wait.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Relay::open(port, larder.database().address()).await
    };
    let (service, _line) = tokio::join!(starting, opening);
    service.get("/readyz").expect(200).await;
}

/// Scenario 27 of the configuration.
async fn cf_54_no_connection_is_left_at_the_server(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = Arc::new(larder.start().await);
    let ann = service.sign_up("ann").await;
    let database = larder.database().session().await;
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let (service, token) = (Arc::clone(&service), ann.token.clone());
        running.spawn(async move {
            let mut stored = 0;
            // Until the service takes no more requests.
            loop {
                let sent = service.post(SESSIONS, &json!({})).bearer_auth(&token).send().await;
                let Ok(answer) = sent else { return stored };
                assert_eq!(answer.status(), 201);
                stored += 1;
            }
        });
    }
    until("there is load", async || {
        (database.connections().await > 1).then_some(())
    })
    .await;
    service.signal("TERM").await;
    let mut stored = 0;
    while let Some(outcome) = running.join_next().await {
        stored += outcome.unwrap();
    }
    let service = Arc::into_inner(service).expect("nobody else has it");
    let ended = service.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    until("the connections are gone", async || {
        (database.connections().await == 0).then_some(())
    })
    .await;
    assert_eq!(database.rows("chat_sessions").await, stored);
}
