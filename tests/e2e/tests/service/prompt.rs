//! Prompts.

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, at_once, id_of, two_people};

on_every_adapter!(t_072_a_prompt_is_changed_by_whoever_read_it);

const PROMPTS: &str = "/chat/prompts";

async fn t_072_a_prompt_is_changed_by_whoever_read_it(adapter: Adapter) {
    let (_larder, service, ann, bob) = two_people(adapter).await;
    let (ann, bob) = (service.by(&ann), service.by(&bob));
    let made = ann
        .make(PROMPTS, &json!({"title": "Guide", "text": "You know London."}))
        .await;
    let path = format!("{PROMPTS}/{}", id_of(&made));
    let expert = json!({"title": "Expert"});
    ann.patch(&path, &expert)
        .expect(428)
        .await
        .problem("precondition_required");
    ann.delete(&path).expect(428).await.problem("precondition_required");
    let changed = ann.patch(&path, &expert).header("if-match", "\"1\"").expect(200).await;
    assert_eq!(
        (changed.header("etag"), &changed.json()["title"]),
        ("\"2\"", &json!("Expert"))
    );
    ann.patch(&path, &expert)
        .header("if-match", "\"1\"")
        .expect(412)
        .await
        .problem("stale");
    ann.delete(&path)
        .header("if-match", "\"1\"")
        .expect(412)
        .await
        .problem("stale");
    for request in [
        bob.get(&path),
        bob.patch(&path, &expert).header("if-match", "\"2\""),
        bob.patch(&path, &expert).header("if-match", "*"),
        bob.delete(&path).header("if-match", "\"2\""),
        bob.restore(&path),
    ] {
        request.expect(404).await.problem("not_found");
    }
    assert_eq!(ann.get(&path).expect(200).await.text, changed.text);

    let another = json!({"title": "Another", "text": "Text"});
    for _ in 0..40 {
        for answer in at_once((0..50).map(|_| ann.post(PROMPTS, &another))).await {
            assert!(answer.status == 201 || answer.status == 409, "{answer:?}");
        }
    }
    ann.post(PROMPTS, &another).expect(409).await.problem("limit_reached");
    ann.delete(&path).header("if-match", "\"2\"").expect(204).await;
    ann.make(PROMPTS, &another).await;
    ann.restore(&path).expect(409).await.problem("limit_reached");
    let mut count = 0;
    let mut page = format!("{PROMPTS}?limit=200");
    loop {
        let answer = ann.read(&page).await;
        count += answer["data"].as_array().unwrap().len();
        let Value::String(cursor) = &answer["next_cursor"] else {
            break;
        };
        page = format!("{PROMPTS}?limit=200&cursor={cursor}");
    }
    assert_eq!(count, 2000);
}
