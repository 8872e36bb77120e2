//! More than there is room for: every request is answered, soon, and memory stays bounded.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Adapter, Answering, Installation, Person, Service, until};

on_every_adapter!(
    memory_stays_bounded_at_ten_times_the_load_of_the_pool,
    a_body_that_does_not_come_is_504,
    an_account_may_come_only_so_often,
);

const SESSIONS: &str = "/api/v1/chat/sessions";

async fn a_body_that_does_not_come_is_504(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_HTTP__REQUEST_DEADLINE", "500ms");
    let service = larder.start().await;
    // More time than a slow machine needs for a login.
    let token = "a token that nobody looks at";
    let mut slow = TcpStream::connect(service.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: larder\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"login\""
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_secs(30), slow.read_to_end(&mut answer)).await;
    closed.expect("the connection is closed").expect("an answer");
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 504") && answer.contains("deadline_exceeded"),
        "{answer}"
    );
}

async fn an_account_may_come_only_so_often(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_LIMITS__ACCOUNT_PER_MINUTE", "3");
    let service = larder.start().await;
    let (ann, bob) = (service.sign_up("ann").await, service.sign_up("bob").await);
    for left in [2, 1, 0] {
        let answer = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"account\";q=3;w=60");
        let expected = format!("\"account\";r={left};t=");
        assert!(answer.header("ratelimit").starts_with(&expected), "{answer:?}");
    }
    let refused = service.get(SESSIONS).bearer_auth(&ann.token).expect(429).await;
    refused.problem("rate_limited");
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    service.get(SESSIONS).bearer_auth(&bob.token).expect(200).await;
}

/// The size of the pool, and how many come at a time.
const POOL: usize = 4;
const CLIENTS: usize = 10 * POOL;

/// Requests of each client.
const ROUNDS: usize = 10;

/// The text of a message.
const TEXT: usize = 64 * 1024;

async fn memory_stays_bounded_at_ten_times_the_load_of_the_pool(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_DATABASE__POOL__SIZE", &POOL.to_string())
        .with("LARDER_DATABASE__POOL__MAX_OVERFLOW", "0")
        .with("LARDER_DATABASE__POOL__ACQUIRE_TIMEOUT", "200ms");
    let service = Arc::new(larder.start().await);
    let ann = Arc::new(service.sign_up("ann").await);
    // Whatever is made once is made now.
    load(&service, &ann, POOL).await;
    load(&service, &ann, CLIENTS).await;
    let first = resident(service.process());
    let mut refused = 0;
    for _ in 0..3 {
        refused += load(&service, &ann, CLIENTS).await;
    }
    let last = resident(service.process());
    // Three times as much work needs no more memory, within what an allocator keeps for later.
    let room = (CLIENTS * TEXT * 8) as f64 / 1024.0;
    assert!(
        last < first * 1.25 + room,
        "{first} kB after one round, {last} kB after four ({refused} requests were refused)"
    );
    // And it serves as before.
    until("it has recovered", async || {
        let metrics = service.metrics().await;
        (metrics.get("larder_http_requests_in_flight") == 0.0).then_some(())
    })
    .await;
    load(&service, &ann, 1).await;
}

/// So many clients send messages, one after another. Every one is stored, or refused with a word on when to come again; answers how
/// many were refused.
async fn load(service: &Arc<Service>, person: &Arc<Person>, clients: usize) -> u32 {
    let refused = Arc::new(AtomicU32::new(0));
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (service, person, refused) = (Arc::clone(service), Arc::clone(person), Arc::clone(&refused));
        running.spawn(async move {
            let turn = json!({"messages": [{"sender_role": "user", "text": "x".repeat(TEXT)}]});
            for _ in 0..ROUNDS {
                let sent = service.post("/api/v1/chat/turns", &turn).bearer_auth(&person.token);
                let answer = sent.answer().await;
                match answer.status {
                    201 => {}
                    503 => {
                        answer.problem("pool_exhausted");
                        assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => panic!("{answer:?}"),
                }
            }
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome.unwrap();
    }
    refused.load(Ordering::Relaxed)
}

/// Resident memory of a process in kB.
fn resident(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.expect("a process has memory").trim();
    line.trim_end_matches(" kB").parse().expect("a number of kB")
}

/// What takes somebody else in the database.
mod database {
    use super::*;

    on_postgres!(
        cf_45_a_full_pool_is_503_with_retry_after,
        a_request_beyond_its_deadline_is_504_and_leaves_nothing_behind,
    );

    /// CF-45.
    async fn cf_45_a_full_pool_is_503_with_retry_after(adapter: Adapter) {
        let larder = Installation::new(adapter)
            .await
            .with("LARDER_DATABASE__POOL__SIZE", "1")
            .with("LARDER_DATABASE__POOL__MAX_OVERFLOW", "0")
            .with("LARDER_DATABASE__POOL__ACQUIRE_TIMEOUT", "500ms")
            .with("LARDER_DATABASE__LOCK_TIMEOUT", "60s")
            .with("LARDER_DATABASE__STATEMENT_TIMEOUT", "60s");
        let service = larder.start().await;
        let ann = service.sign_up("ann").await;
        let list = || service.get(SESSIONS).bearer_auth(&ann.token);
        // From here on the caller is remembered, so a list is the only use of the pool.
        list().expect(200).await;
        let database = larder.database().session().await;
        let lock = larder.database().lock("chat_sessions").await;
        let held = tokio::spawn(list().answer());
        database.until_a_statement_waits().await;
        let asked_at = Instant::now();
        let refused = list().expect(503).await;
        refused.problem("pool_exhausted");
        assert!(
            refused.header("retry-after").parse::<u32>().unwrap() >= 1,
            "{refused:?}"
        );
        assert!(
            asked_at.elapsed() >= Duration::from_millis(450),
            "{:?}",
            asked_at.elapsed()
        );
        lock.release().await;
        assert_eq!(held.await.unwrap().status, 200);
        list().expect(200).await;
    }

    async fn a_request_beyond_its_deadline_is_504_and_leaves_nothing_behind(adapter: Adapter) {
        let larder = Installation::new(adapter)
            .await
            .with("LARDER_HTTP__REQUEST_DEADLINE", "1s")
            .with("LARDER_DATABASE__LOCK_TIMEOUT", "60s")
            .with("LARDER_DATABASE__STATEMENT_TIMEOUT", "60s");
        let service = larder.start().await;
        let ann = service.sign_up("ann").await;
        service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await;
        let lock = larder.database().lock("chat_sessions").await;
        let late = service
            .post(SESSIONS, &json!({"name": "Too late"}))
            .bearer_auth(&ann.token);
        late.expect(504).await.problem("deadline_exceeded");
        lock.release().await;
        let sessions = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await.json();
        assert_eq!(sessions["data"], json!([]));
    }
}
