//! A conversation over HTTP, on every storage.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation, Person, Service};

on_every_adapter!(
    a_conversation_is_stored_and_read_back,
    t_031_a_turn_that_is_refused_leaves_nothing_behind,
    everything_that_was_sent_is_read_back_unchanged,
    sessions_are_paged_newest_first,
    a_stale_change_is_refused_and_an_empty_one_changes_nothing,
    a_deleted_session_is_gone_for_every_reader,
    ids_of_the_client_are_honoured_once,
);

const SESSIONS: &str = "/api/v1/chat/sessions";
const TURNS: &str = "/api/v1/chat/turns";

async fn a_conversation_is_stored_and_read_back(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;

    let turn = json!({
        "session": {"name": "Trip to London", "tags": ["travel"]},
        "messages": [
            {"sender_role": "user", "text": "What should I see in London?"},
            {"sender_role": "assistant", "text": "Start with the Tower.", "model_name": "example-large"},
        ],
    });
    let taken = service.post(TURNS, &turn).bearer_auth(&ann.token).expect(201).await;
    let session = taken.json()["session"].clone();
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    assert_eq!(taken.header("location"), path);
    assert_eq!(session["message_count"], 2);
    assert_eq!(positions(&taken.json()["messages"]), [1, 2]);

    let more = json!({"sender_role": "user", "text": "And after that?"});
    let appended = service
        .post(&format!("{path}/messages"), &more)
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    assert_eq!(appended.json()["position"], 3);
    let message = appended.header("location").to_owned();
    assert_eq!(
        service.get(&message).bearer_auth(&ann.token).expect(200).await.json(),
        appended.json()
    );

    let messages = service
        .get(&format!("{path}/messages"))
        .bearer_auth(&ann.token)
        .expect(200)
        .await
        .json();
    assert_eq!(
        texts(&messages["data"]),
        [
            "What should I see in London?",
            "Start with the Tower.",
            "And after that?"
        ]
    );
    assert_eq!(messages["next_cursor"], Value::Null);
    let newest = format!("{path}/messages?order=desc&limit=2");
    let newest = service.get(&newest).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(positions(&newest["data"]), [3, 2]);

    let read = service.get(&path).bearer_auth(&ann.token).expect(200).await;
    assert_eq!(read.json()["message_count"], 3);
    assert_eq!(read.json()["last_update"], appended.json()["created_at"]);
    let patch = json!({"name": "London", "tags": null});
    let patched = service
        .request(Method::PATCH, &path)
        .header("content-type", "application/merge-patch+json")
        .header("if-match", read.header("etag"))
        .body(patch.to_string())
        .bearer_auth(&ann.token)
        .expect(200)
        .await;
    assert_eq!(
        (&patched.json()["name"], &patched.json()["tags"]),
        (&json!("London"), &json!([]))
    );
    assert_ne!(patched.header("etag"), read.header("etag"));

    let sessions = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(sessions["data"], json!([patched.json()]));
}

async fn t_031_a_turn_that_is_refused_leaves_nothing_behind(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    let turn = json!({"messages": [
        {"sender_role": "user", "text": "A question"},
        {"sender_role": "assistant", "text": ""},
    ]});
    let refused = service.post(TURNS, &turn).bearer_auth(&ann.token).expect(422).await;
    let problem = refused.problem("empty_message");
    assert_eq!(problem["errors"][0]["pointer"], "/messages/1", "{problem}");
    let sessions = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(sessions["data"], json!([]));
}

async fn everything_that_was_sent_is_read_back_unchanged(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    let session = create_session(&service, &ann, &json!({"name": "Everything"})).await;
    let sent = json!({
        "sender_role": "assistant",
        "sender_name": "Zoë",
        "status": "complete",
        "text": "Two lines\nand \u{1F980} \"quotes\" \\ 100%_done",
        "reasoning": "because",
        "attachments": [
            {"kind": "image", "url": "https://example.com/a/cat.png?size=2", "description": "a cat",
             "media_type": "image/png", "size_bytes": 12345},
            {"kind": "file", "url": "file:///storage/notes.txt", "description": null, "media_type": null,
             "size_bytes": null},
        ],
        "chart_data": [{"x": [1, 2.5], "nested": {"a": null}}],
        "character_name": "guide",
        "responding_agent": "agent-1",
        "model_name": "example-large",
        "model_settings": {"temperature": 0.7, "big": 9007199254740993_i64},
        "tts_model_name": "voice-1",
        "image_settings": {"size": "small"},
        "image_request": {"prompt": "a cat"},
        "agent_data": {"steps": []},
        "usage": {"input_tokens": 10, "output_tokens": 20, "cached_tokens": 0, "reasoning_tokens": 5},
        "is_tts": true,
        "is_gps_location": true,
        "show_transcribe_button": true,
        "favourite": true,
        "test_mode": true,
        "started_at": "2026-03-01T10:00:00.000001Z",
        "finished_at": "2026-03-01T10:00:01.5Z",
    });
    let made = service
        .post(&format!("{session}/messages"), &sent)
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    let path = made.header("location").to_owned();
    let read = service.get(&path).bearer_auth(&ann.token).expect(200).await;
    assert_eq!(read.text, made.text);
    let read = read.json();
    for (field, value) in sent.as_object().unwrap() {
        match field.as_str() {
            "attachments" => {
                // Files come before images, whatever the order between the kinds was.
                let read = read[field].as_array().unwrap().iter().rev();
                for (read, sent) in read.zip(value.as_array().unwrap()) {
                    for (field, value) in sent.as_object().unwrap() {
                        assert_eq!(&read[field], value, "{field} of {read}");
                    }
                }
            }
            "finished_at" => assert_eq!(read[field], "2026-03-01T10:00:01.500000Z"),
            _ => assert_eq!(&read[field], value, "{field}"),
        }
    }
}

/// CH-20, T-051, conventions §4.
async fn sessions_are_paged_newest_first(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    for n in 0..5 {
        create_session(&service, &ann, &json!({"name": format!("Session {n}")})).await;
    }
    let mut names = Vec::new();
    let mut page = format!("{SESSIONS}?limit=2");
    for expected in [2, 2, 1] {
        let answer = service.get(&page).bearer_auth(&ann.token).expect(200).await;
        let body = answer.json();
        let data = body["data"].as_array().unwrap();
        assert_eq!(data.len(), expected);
        names.extend(data.iter().map(|session| session["name"].as_str().unwrap().to_owned()));
        match body["next_cursor"].as_str() {
            Some(cursor) => {
                let link = answer.header("link");
                assert!(link.ends_with("; rel=\"next\"") && link.contains(cursor), "{link}");
                page = format!("{SESSIONS}?limit=2&cursor={cursor}");
            }
            None => assert!(answer.headers.get("link").is_none()),
        }
    }
    assert_eq!(names, ["Session 4", "Session 3", "Session 2", "Session 1", "Session 0"]);
    let cursor = page.split_once("cursor=").unwrap().1;
    let bob = service.sign_up("bob").await;
    for (query, token) in [
        ("cursor=nonsense".to_owned(), &ann.token),
        (format!("cursor={cursor}&deleted=with"), &ann.token),
        (format!("cursor={cursor}"), &bob.token),
    ] {
        let path = format!("{SESSIONS}?{query}");
        let refused = service.get(&path).bearer_auth(token).expect(400).await;
        refused.problem("bad_cursor");
    }
    service
        .get(&format!("{SESSIONS}?limit=201"))
        .bearer_auth(&ann.token)
        .expect(422)
        .await;
}

/// CH-11, CH-17.
async fn a_stale_change_is_refused_and_an_empty_one_changes_nothing(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    let path = create_session(&service, &ann, &json!({"name": "First"})).await;
    let first = service.get(&path).bearer_auth(&ann.token).expect(200).await;
    let etag = first.header("etag").to_owned();
    let patch = |etag: &str, body: Value| {
        service
            .request(Method::PATCH, &path)
            .header("if-match", etag)
            .json(&body)
            .bearer_auth(&ann.token)
    };
    let same = patch(&etag, json!({})).expect(200).await;
    assert_eq!((same.header("etag"), &same.text), (etag.as_str(), &first.text));
    let second = patch(&etag, json!({"name": "Second"})).expect(200).await;
    patch(&etag, json!({"name": "Third"}))
        .expect(412)
        .await
        .problem("stale");
    let stale = service
        .request(Method::DELETE, &path)
        .header("if-match", &etag)
        .bearer_auth(&ann.token);
    stale.expect(412).await.problem("stale");
    let read = service.get(&path).bearer_auth(&ann.token).expect(200).await;
    assert_eq!(read.text, second.text);
    let unchanged = service
        .get(&path)
        .header("if-none-match", read.header("etag"))
        .bearer_auth(&ann.token);
    assert_eq!(unchanged.expect(304).await.text, "");
}

/// CH-45 to CH-47.
async fn a_deleted_session_is_gone_for_every_reader(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    let path = create_session(&service, &ann, &json!({"name": "Doomed"})).await;
    let message = json!({"sender_role": "user", "text": "Hello"});
    let message = service
        .post(&format!("{path}/messages"), &message)
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    let message = message.header("location").to_owned();
    let deleted = service
        .request(Method::DELETE, &path)
        .bearer_auth(&ann.token)
        .expect(204)
        .await;
    assert_eq!(deleted.text, "");
    let append = json!({"sender_role": "user", "text": "Still there?"});
    for request in [
        service.get(&path),
        service.get(&format!("{path}/messages")),
        service.get(&message),
        service.post(&format!("{path}/messages"), &append),
        service.request(Method::PATCH, &path).json(&json!({"name": "Back"})),
        service.request(Method::DELETE, &path),
    ] {
        request.bearer_auth(&ann.token).expect(404).await.problem("not_found");
    }
    let sessions = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(sessions["data"], json!([]));
}

/// CH-06.
async fn ids_of_the_client_are_honoured_once(adapter: Adapter) {
    let (_larder, service, ann) = conversation_partner(adapter).await;
    let id = "0199d3a0-0000-7000-8000-000000000001";
    let path = create_session(&service, &ann, &json!({"id": id})).await;
    assert_eq!(path, format!("{SESSIONS}/{id}"));
    service
        .post(SESSIONS, &json!({"id": id}))
        .bearer_auth(&ann.token)
        .expect(409)
        .await
        .problem("id_taken");
    let message = json!({"id": id, "sender_role": "user", "text": "Hello"});
    let messages = format!("{path}/messages");
    service
        .post(&messages, &message)
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    service
        .post(&messages, &message)
        .bearer_auth(&ann.token)
        .expect(409)
        .await
        .problem("id_taken");
    let session = service.get(&path).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!((&session["message_count"], &session["version"]), (&json!(1), &json!(2)));
}

async fn conversation_partner(adapter: Adapter) -> (Installation, Service, Person) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    (larder, service, ann)
}

/// Makes a session and gives its path.
async fn create_session(service: &Service, owner: &Person, body: &Value) -> String {
    let made = service.post(SESSIONS, body).bearer_auth(&owner.token).expect(201).await;
    made.header("location").to_owned()
}

fn positions(messages: &Value) -> Vec<i64> {
    messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["position"].as_i64().unwrap())
        .collect()
}

fn texts(messages: &Value) -> Vec<&str> {
    messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect()
}
