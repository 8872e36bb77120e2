//! Editing messages, and removing several.

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation, at_once, each, id_of, two_people};

on_every_adapter!(
    t_040_a_patch_of_the_text_keeps_all_else,
    t_041_own_values_change_nothing,
    t_042_of_two_writers_with_one_tag_one_wins,
    t_043_a_patch_never_inserts_and_a_put_may,
    t_044_a_favourite_moves_its_message_alone,
    t_045_a_complete_message_keeps_content_and_role,
    t_046_the_original_and_the_newest_revisions_are_kept,
    t_047_attachments_appended_at_once_are_all_there,
    t_071_a_batch_deletes_what_is_of_its_session,
);

const UNKNOWN: &str = "0199d3a0-0000-7000-8000-00000000ffff";

fn path_of(message: &str) -> String {
    format!("/chat/messages/{message}")
}

async fn t_040_a_patch_of_the_text_keeps_all_else(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let message = json!({
        "sender_role": "assistant",
        "text": "Old",
        "attachments": [
            {"kind": "file", "url": "https://example.com/a.pdf", "description": "a plan"},
            {"kind": "image", "url": "https://example.com/b.png"},
        ],
        "chart_data": [{"x": 1}],
        "usage": {"input_tokens": 7},
        "model_settings": {"top_p": 1},
    });
    let made = ann.make("/chat/turns", &json!({"messages": [message]})).await;
    let before = made["messages"][0].clone();
    let path = path_of(&id_of(&before));
    let after = ann.patch(&path, &json!({"text": "New"})).expect(200).await.json();
    for (field, value) in before.as_object().unwrap() {
        match field.as_str() {
            "text" => assert_eq!(after[field], "New"),
            "revision" | "version" => assert_eq!(after[field], 2, "{field}"),
            "edited_at" | "updated_at" => assert!(after[field].is_string(), "{field}"),
            // Each revision has rows of its own.
            "attachments" => {
                for attachment in ["url", "description", "kind"] {
                    let rows = |value: &Value| each(value.as_array().unwrap(), attachment);
                    assert_eq!(rows(&after[field]), rows(value));
                }
            }
            _ => assert_eq!(&after[field], value, "{field}"),
        }
    }
    let original = ann.read(&format!("{path}/revisions/1")).await;
    assert_eq!(
        (&original["text"], &original["replaced_by"]),
        (&json!("Old"), &json!("login"))
    );
    assert_eq!(original["attachments"].as_array().unwrap().len(), 2);
    assert_eq!(original["attachments"][0]["url"], "https://example.com/a.pdf");
}

async fn t_041_own_values_change_nothing(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let message = json!({
        "sender_role": "user",
        "text": "Same",
        "attachments": [{"kind": "file", "url": "https://example.com/a.pdf"}],
        "agent_data": {"a": 100, "b": null},
        "usage": {"input_tokens": 7},
    });
    let made = ann.make("/chat/turns", &json!({"messages": [message]})).await;
    let path = path_of(&id_of(&made["messages"][0]));
    let before = ann.get(&path).expect(200).await;
    let session = format!("/chat/sessions/{}", id_of(&made["session"]));
    let session_before = ann.get(&session).expect(200).await;
    for body in [
        json!({}),
        json!({"text": "Same"}),
        json!({"attachments": message["attachments"], "agent_data": {"a": 100}, "usage": {"input_tokens": 7}}),
        json!({"sender_role": "user", "id": id_of(&made["messages"][0])}),
    ] {
        let after = ann.patch(&path, &body).expect(200).await;
        assert_eq!(
            (after.header("etag"), &after.text),
            (before.header("etag"), &before.text),
            "{body}"
        );
    }
    assert_eq!(ann.get(&path).expect(200).await.text, before.text);
    assert_eq!(ann.get(&session).expect(200).await.text, session_before.text);
}

async fn t_042_of_two_writers_with_one_tag_one_wins(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (_, messages) = ann.converse(&["Nobody's"]).await;
    let path = path_of(&messages[0]);
    for round in 1..=10 {
        let tag = ann.get(&path).expect(200).await.header("etag").to_owned();
        let texts = [format!("first of {round}"), format!("second of {round}")];
        let writes = texts.map(|text| ann.patch(&path, &json!({"text": text})).header("if-match", &tag));
        let answers = at_once(writes).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 1), "{answers:?}");
        assert_eq!(lost[0].problem("stale")["status"], 412);
        assert_eq!(ann.get(&path).expect(200).await.text, won[0].text);
    }
}

async fn t_043_a_patch_never_inserts_and_a_put_may(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (session, messages) = ann.converse(&["One", "Two"]).await;
    let (other, _) = ann.converse(&["Elsewhere"]).await;
    ann.patch(&path_of(UNKNOWN), &json!({"text": "New"})).expect(404).await;
    assert_eq!(ann.list(&format!("/chat/sessions/{session}/messages")).await.len(), 2);

    let whole = json!({"sender_role": "user", "text": "Three"});
    let path = format!("/chat/sessions/{session}/messages/{UNKNOWN}");
    let made = ann.put(&path, &whole).expect(201).await;
    assert_eq!(made.header("location"), format!("/api/v1{}", path_of(UNKNOWN)));
    assert_eq!(
        (&made.json()["id"], &made.json()["position"]),
        (&json!(UNKNOWN), &json!(3))
    );
    let again = ann.put(&path, &whole).header("if-none-match", "*").expect(412).await;
    again.problem("stale");
    let replaced = ann
        .put(&path, &json!({"sender_role": "user", "text": "3"}))
        .expect(200)
        .await
        .json();
    assert_eq!(
        (&replaced["text"], &replaced["revision"], &replaced["position"]),
        (&json!("3"), &json!(2), &json!(3))
    );
    for id in [UNKNOWN, messages[0].as_str()] {
        let elsewhere = format!("/chat/sessions/{other}/messages/{id}");
        ann.put(&elsewhere, &whole).expect(409).await.problem("id_taken");
    }
    assert_eq!(ann.list(&format!("/chat/sessions/{other}/messages")).await.len(), 1);
}

async fn t_044_a_favourite_moves_its_message_alone(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (session, messages) = ann.converse(&["Dear"]).await;
    let (path, session) = (path_of(&messages[0]), format!("/chat/sessions/{session}"));
    let before = ann.read(&session).await;
    let marked = ann.patch(&path, &json!({"favourite": true})).expect(200).await.json();
    assert_eq!((&marked["version"], &marked["revision"]), (&json!(2), &json!(1)));
    assert_eq!(ann.read(&session).await, before);
    let edited = ann
        .patch(&format!("{path}?touch=false"), &json!({"text": "Dearest"}))
        .expect(200)
        .await
        .json();
    assert_eq!((&edited["version"], &edited["revision"]), (&json!(3), &json!(2)));
    let after = ann.read(&session).await;
    assert_eq!(after["last_update"], before["last_update"]);
    assert_eq!(
        (after["version"].as_i64(), &after["content_revision"]),
        (before["version"].as_i64().map(|version| version + 1), &json!(2))
    );
    ann.patch(&path, &json!({"text": "Dear again"})).expect(200).await;
    assert!(ann.read(&session).await["last_update"].as_str() > before["last_update"].as_str());
}

async fn t_045_a_complete_message_keeps_content_and_role(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (_, messages) = ann.converse(&["All there is"]).await;
    let path = path_of(&messages[0]);
    for (body, code, pointer) in [
        (json!({"text": ""}), "empty_message", ""),
        (json!({"text": null}), "empty_message", ""),
        (json!({"sender_role": "assistant"}), "immutable_field", "/sender_role"),
        (json!({"session_id": UNKNOWN}), "immutable_field", "/session_id"),
        (json!({"position": 7}), "read_only", "/position"),
    ] {
        let problem = ann.patch(&path, &body).expect(422).await.problem(code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(ann.read(&path).await["version"], 1);
}

async fn t_046_the_original_and_the_newest_revisions_are_kept(adapter: Adapter) {
    let larder = Installation::without_schema(adapter)
        .await
        .with("LARDER_CHAT__MAX_REVISIONS", "3");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let ann = service.by(&ann);
    let (_, messages) = ann.converse(&["Text 1"]).await;
    let path = path_of(&messages[0]);
    for number in 2..=6 {
        ann.patch(&path, &json!({"text": format!("Text {number}")}))
            .expect(200)
            .await;
    }
    let revisions = ann.list(&format!("{path}/revisions")).await;
    assert_eq!(each(&revisions, "revision"), [5, 4, 1]);
    assert_eq!(each(&revisions, "text"), ["Text 5", "Text 4", "Text 1"]);
    let current = ann.read(&path).await;
    assert_eq!((&current["revision"], &current["text"]), (&json!(6), &json!("Text 6")));
    ann.get(&format!("{path}/revisions/3")).expect(404).await;
}

async fn t_047_attachments_appended_at_once_are_all_there(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let file = |number: u32| json!({"kind": "file", "url": format!("https://example.com/{number:02}.txt")});
    let message = json!({"sender_role": "user", "attachments": [file(0), file(1)]});
    let made = ann.make("/chat/turns", &json!({"messages": [message]})).await;
    let path = path_of(&id_of(&made["messages"][0]));
    let append = |number| ann.post(&format!("{path}/attachments"), &json!({"attachments": [file(number)]}));
    for answer in at_once((2..22).map(append)).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let attachments = ann.read(&path).await["attachments"].take();
    let mut urls = each(attachments.as_array().unwrap(), "url");
    assert_eq!(urls[..2], [file(0)["url"].clone(), file(1)["url"].clone()]);
    urls.sort_by_key(Value::to_string);
    assert_eq!(
        urls,
        (0..22).map(|number| file(number)["url"].clone()).collect::<Vec<_>>()
    );
}

async fn t_071_a_batch_deletes_what_is_of_its_session(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (session, own) = ann.converse(&["One", "Two", "Three"]).await;
    let (other, foreign) = ann.converse(&["Elsewhere"]).await;
    let path = format!("/chat/sessions/{session}");
    let before = ann.read(&path).await;
    let ids = json!({"ids": [own[2], foreign[0], UNKNOWN, own[0], own[2]]});
    let batch = format!("{path}/messages/batch-delete");
    let deleted = ann.post(&batch, &ids).expect(200).await.json();
    assert_eq!(deleted["deleted_ids"], json!([own[2], own[0]]));
    let after = ann.read(&path).await;
    assert_eq!(
        (&after["message_count"], &after["last_update"]),
        (&json!(1), &before["last_update"])
    );
    assert_eq!(after["content_revision"], 2);
    assert_eq!(
        each(&ann.list(&format!("{path}/messages")).await, "id"),
        [own[1].as_str()]
    );
    assert_eq!(ann.read(&format!("/chat/sessions/{other}")).await["message_count"], 1);
    let again = ann.post(&batch, &ids).expect(200).await.json();
    assert_eq!(again["deleted_ids"], json!([]));
}
