//! A database that is away. SQLite has none that could be.

use serde_json::json;

use crate::harness::{Adapter, Answering, Installation, Relay, sign_up, until};

on_postgres!(a_database_that_is_away_is_waited_for);

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
