//! Summaries.

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation, each, two_people};

on_every_adapter!(
    t_073_a_summary_is_stale_when_the_content_moved,
    t_074_a_slow_writer_does_not_undo_a_newer_one,
    t_075_each_session_is_in_one_list,
);

fn summary(fields: Value) -> Value {
    let mut summary = json!({
        "text": "A trip.", "key_topics": ["travel"], "entities": ["London"], "model_name": "large", "config_version": 1,
    });
    summary
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    summary
}

async fn t_073_a_summary_is_stale_when_the_content_moved(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    let person = service.sign_up("ann").await;
    let ann = service.by(&person);
    let (session, messages) = ann.converse(&["One", "Two"]).await;
    let (session, message) = (
        format!("/chat/sessions/{session}"),
        format!("/chat/messages/{}", messages[0]),
    );
    let path = format!("{session}/summary");
    let is_stale = async |reason: Value| {
        let read = ann.read(&path).await;
        assert_eq!(
            (&read["stale"], &read["stale_reason"]),
            (&json!(!reason.is_null()), &reason),
            "{read}"
        );
    };
    let renew = async |status| {
        ann.put(&path, &summary(json!({}))).expect(status).await;
        is_stale(Value::Null).await;
    };
    renew(201).await;
    ann.patch(&session, &json!({"name": "London", "tags": ["travel"]}))
        .expect(200)
        .await;
    ann.mark(&messages[0]).await;
    is_stale(Value::Null).await;
    ann.make(
        &format!("{session}/messages"),
        &json!({"sender_role": "user", "text": "Three"}),
    )
    .await;
    is_stale(json!("content")).await;
    renew(200).await;
    ann.patch(&message, &json!({"text": "1"})).expect(200).await;
    is_stale(json!("content")).await;
    renew(200).await;
    ann.delete(&message).expect(204).await;
    is_stale(json!("content")).await;
    renew(200).await;
    service.stop().await;

    larder.set("LARDER_CHAT__SUMMARY_CONFIG_VERSION", "2");
    let service = larder.start().await;
    let read = service.by(&person).read(&path).await;
    assert_eq!(
        (&read["stale"], &read["stale_reason"]),
        (&json!(true), &json!("config"))
    );
}

async fn t_074_a_slow_writer_does_not_undo_a_newer_one(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (session, _) = ann.converse(&["One"]).await;
    let path = format!("/chat/sessions/{session}");
    let message = json!({"sender_role": "user", "text": "More"});
    for _ in 2..=5 {
        ann.make(&format!("{path}/messages"), &message).await;
    }
    let read = ann.read(&path).await["content_revision"].clone();
    assert_eq!(read, 5);
    ann.make(&format!("{path}/messages"), &message).await;
    let path = format!("{path}/summary");
    let written = ann
        .put(&path, &summary(json!({"source_content_revision": 5})))
        .expect(201)
        .await
        .json();
    assert_eq!(
        (&written["stale"], &written["stale_reason"]),
        (&json!(true), &json!("content"))
    );
    assert_eq!(written["message_count"], 6);
    let late = summary(json!({"source_content_revision": 4, "text": "Older."}));
    ann.put(&path, &late).expect(409).await.problem("older_summary");
    for impossible in [0, 7] {
        let body = summary(json!({"source_content_revision": impossible}));
        ann.put(&path, &body).expect(422).await;
    }
    assert_eq!(ann.read(&path).await, written);
}

async fn t_075_each_session_is_in_one_list(adapter: Adapter) {
    let larder = Installation::without_schema(adapter)
        .await
        .with("LARDER_CHAT__SUMMARY_CONFIG_VERSION", "2");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let ann = service.by(&ann);
    let mut sessions = Vec::new();
    for version in [None, Some(2), Some(1), Some(2)] {
        let (session, _) = ann.converse(&["One"]).await;
        if let Some(version) = version {
            let body = summary(json!({"config_version": version}));
            ann.put(&format!("/chat/sessions/{session}/summary"), &body)
                .expect(201)
                .await;
        }
        sessions.push(session);
    }
    let message = json!({"sender_role": "user", "text": "More"});
    ann.make(&format!("/chat/sessions/{}/messages", sessions[1]), &message)
        .await;
    // Nothing was ever said in it.
    ann.make("/chat/sessions", &json!({})).await;
    for (state, session) in ["missing", "content", "config", "fresh"].iter().zip(&sessions) {
        let rows = ann.list(&format!("/chat/summaries?state={state}")).await;
        assert_eq!(each(&rows, "session_id"), [session.as_str()], "{state}");
        assert_eq!(rows[0]["state"], *state);
        assert_eq!(rows[0]["summary"].is_null(), *state == "missing");
    }
    let all = ann.list("/chat/summaries").await;
    assert_eq!(
        each(&all, "session_id"),
        [1, 3, 2, 0].map(|index| sessions[index].as_str())
    );
}
