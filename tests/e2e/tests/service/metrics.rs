//! What operators can see.

use serde_json::json;

use crate::harness::{Adapter, Answering, Installation, password};

on_every_adapter!(
    metrics_are_for_operators_alone,
    no_metrics_are_served_when_that_is_off,
    t_010_a_rehash_is_counted,
    id_71_logins_and_refused_tokens_are_counted,
    cf_46_statements_units_and_requests_are_counted_without_names,
);

async fn metrics_are_for_operators_alone(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.get("/metrics").expect(404).await.problem("route_not_found");
    let page = service.admin("/metrics").expect(200).await;
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(page.text.contains("larder_build_info{version="), "{}", page.text);
    for path in ["/livez", "/readyz", "/health"] {
        service.admin(path).expect(200).await;
    }
    service.admin("/api/v1/chat/sessions").expect(404).await;
}

async fn no_metrics_are_served_when_that_is_off(adapter: Adapter) {
    let larder = Installation::new(adapter).await.with("LARDER_ADMIN__LISTEN", "off");
    let service = larder.start().await;
    let (welcome, _) = service.printed();
    assert!(!welcome.contains("Metrics"), "{welcome}");
}

/// ID-06.
async fn t_010_a_rehash_is_counted(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__BCRYPT_COST", "10");
    let service = larder.start().await;
    service.sign_up("ann").await;
    service.stop().await;
    let larder = larder.with("LARDER_IDENTITY__BCRYPT_COST", "11");
    let service = larder.start().await;
    assert_eq!(service.metrics().await.get("larder_password_rehashes_total"), 0.0);
    for _ in 0..2 {
        service.log_in("ann").await;
    }
    assert_eq!(service.metrics().await.get("larder_password_rehashes_total"), 1.0);
}

async fn id_71_logins_and_refused_tokens_are_counted(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let log_in = |password: &str| service.post("/api/v1/auth/login", &json!({"login": "ann", "password": password}));
    let first = log_in(&password("ann")).expect(200).await.json();
    let refresh = |pair: &serde_json::Value| {
        service.post("/api/v1/auth/refresh", &json!({"refresh_token": pair["refresh_token"]}))
    };
    let second = refresh(&first).expect(200).await.json();
    refresh(&second).expect(200).await;
    refresh(&first).expect(401).await.problem("refresh_reused");
    for _ in 0..5 {
        log_in("a wrong guess of mine").expect(401).await;
    }
    log_in(&password("ann")).expect(429).await;
    let sessions = || service.get("/api/v1/chat/sessions");
    sessions().bearer_auth("forged").expect(401).await;
    let used = first["access_token"].as_str().unwrap();
    sessions().bearer_auth(used).expect(401).await;
    sessions().bearer_auth(&ann.token).expect(200).await;
    let metrics = service.metrics().await;
    for (series, expected) in [
        ("larder_logins_total{outcome=\"ok\"}", 1.0),
        ("larder_logins_total{outcome=\"failed\"}", 5.0),
        ("larder_logins_total{outcome=\"throttled\"}", 1.0),
        ("larder_refresh_reuses_total", 1.0),
        ("larder_tokens_refused_total{reason=\"invalid\"}", 1.0),
        ("larder_tokens_refused_total{reason=\"login_ended\"}", 1.0),
        ("larder_tokens_refused_total{reason=\"expired\"}", 0.0),
        // One for the account that was made, one for each login that was not throttled.
        ("larder_password_hashing_wait_seconds_count", 7.0),
        ("larder_password_hashing_queue", 0.0),
    ] {
        assert_eq!(metrics.get(series), expected, "{series} in {}", metrics.text());
    }
}

async fn cf_46_statements_units_and_requests_are_counted_without_names(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("somebody").await;
    let before = service.metrics().await;
    let turn = json!({"session": {"name": "My secret plan"}, "messages": [{"sender_role": "user", "text": "Hello"}]});
    for _ in 0..3 {
        let made = service.post("/api/v1/chat/turns", &turn).bearer_auth(&ann.token);
        made.expect(201).await;
    }
    service.get("/api/v1/chat/sessions").expect(401).await;
    let after = service.metrics().await;
    let rise = |series: &str| after.get(series) - before.get(series);
    assert_eq!(
        rise("larder_units_of_work_total{context=\"chat\",end=\"committed\"}"),
        3.0
    );
    let statements = rise("larder_statements_total{context=\"chat\",outcome=\"ok\"}");
    assert!(statements >= 3.0 && statements % 3.0 == 0.0, "{statements}");
    let timed = |metrics: &crate::harness::Metrics| {
        metrics.sum("larder_statement_duration_seconds_count", &["context=\"chat\""])
    };
    assert_eq!(timed(&after) - timed(&before), statements);
    let requests = |metrics: &crate::harness::Metrics, operation: &str, status: &str| {
        let (operation, status) = (format!("operation=\"{operation}\""), format!("status=\"{status}\""));
        metrics.sum("larder_http_requests_total", &[&operation, &status])
    };
    assert_eq!(requests(&after, "take_turn", "201"), 3.0, "{}", after.text());
    assert_eq!(requests(&after, "list_sessions", "401"), 1.0);
    assert_eq!(after.get("larder_http_requests_in_flight"), 0.0);
    assert!(after.get("larder_connections{listener=\"http\"}") >= 1.0);

    let id = ann.user["id"].as_str().unwrap();
    let mut private = vec!["somebody", "example.com", id, "secret plan", "127.0.0.1", "localhost"];
    let database;
    if adapter != Adapter::Sqlite {
        database = larder.database().url(larder.database().address().1);
        private.push(database.rsplit_once('/').unwrap().1);
    }
    for word in private {
        assert!(!after.text().contains(word), "{word} in {}", after.text());
    }
}
