//! Requests that a client repeats because it never saw the answer.

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Adapter, Answer, Answering, Installation};

on_every_adapter!(t_032_a_turn_that_is_sent_50_times_is_taken_once);

async fn t_032_a_turn_that_is_sent_50_times_is_taken_once(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let (ann, bob) = (service.sign_up("ann").await, service.sign_up("bob").await);
    let turn = json!({"messages": [
        {"sender_role": "user", "text": "A question"},
        {"sender_role": "assistant", "text": "An answer"},
    ]});
    let keyed = |token: &str, turn| {
        let request = service.post("/api/v1/chat/turns", turn);
        request.header("idempotency-key", "key-of-a-turn").bearer_auth(token)
    };
    let mut sends: JoinSet<Answer> = (0..50).map(|_| keyed(&ann.token, &turn).answer()).collect();
    let mut answers = Vec::new();
    while let Some(answer) = sends.join_next().await {
        answers.push(answer.unwrap());
    }
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &answers[0].text), "{answer:?}");
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let is_replayed = |answer: &Answer| {
        answer
            .headers
            .get("idempotency-replayed")
            .is_some_and(|value| value == "true")
    };
    assert_eq!(answers.iter().filter(|answer| is_replayed(answer)).count(), 49);

    let other = json!({"messages": [{"sender_role": "user", "text": "Another question"}]});
    keyed(&ann.token, &other).expect(422).await.problem("key_reused");
    let of_bob = keyed(&bob.token, &other).expect(201).await;
    assert!(!is_replayed(&of_bob), "{of_bob:?}");

    let sessions = service
        .get("/api/v1/chat/sessions")
        .bearer_auth(&ann.token)
        .expect(200)
        .await
        .json();
    assert_eq!(sessions["data"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["data"][0]["message_count"], 2);
    service.kill().await;

    let service = larder.start().await;
    let late = service
        .post("/api/v1/chat/turns", &turn)
        .header("idempotency-key", "key-of-a-turn");
    let late = late.bearer_auth(&ann.token).expect(201).await;
    assert!(is_replayed(&late) && late.text == answers[0].text, "{late:?}");
}
