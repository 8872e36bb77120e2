//! Creating and appending.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, at_once, each, id_of, two_people};

on_every_adapter!(
    t_030_a_turn_without_session_makes_one,
    t_033_what_is_appended_at_once_is_each_in_one_piece,
    t_034_a_turn_changes_the_fields_that_it_sends,
    t_037_what_breaks_a_rule_is_refused_with_a_pointer,
    t_038_every_field_reads_the_same_on_every_adapter,
);

async fn t_030_a_turn_without_session_makes_one(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let turn = json!({"messages": [
        {"sender_role": "user", "text": "A question"},
        {"sender_role": "assistant", "text": "An answer"},
    ]});
    let made = ann.make("/chat/turns", &turn).await;
    let sessions = ann.list("/chat/sessions").await;
    assert_eq!(sessions, [made["session"].clone()]);
    assert_eq!(sessions[0]["message_count"], 2);
    let messages = made["messages"].as_array().unwrap();
    assert_eq!(each(messages, "position"), [1, 2]);
    for message in messages {
        // Instants are all written in one form, so their texts are in order.
        assert!(
            sessions[0]["last_update"].as_str() >= message["created_at"].as_str(),
            "{made}"
        );
    }
}

async fn t_033_what_is_appended_at_once_is_each_in_one_piece(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let session = id_of(&ann.make("/chat/sessions", &json!({})).await);
    let path = format!("/chat/sessions/{session}/messages");
    let message = |text: String| json!({"sender_role": "user", "text": text});
    let appends = (0..40).map(|number| ann.post(&path, &message(format!("single {number}"))));
    let turns = (0..10).map(|number| {
        let messages: Vec<Value> = (0..3).map(|_| message(format!("turn {number}"))).collect();
        ann.post("/chat/turns", &json!({"session_id": session, "messages": messages}))
    });
    for answer in at_once(appends.chain(turns)).await {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let messages = ann.list(&format!("{path}?limit=200")).await;
    assert_eq!(
        each(&messages, "position"),
        (1..=70).map(Value::from).collect::<Vec<_>>()
    );
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, message) in messages.iter().enumerate() {
        places.entry(message["text"].as_str().unwrap()).or_default().push(place);
    }
    assert_eq!(places.len(), 50);
    for (text, places) in places {
        let first = places[0];
        let count = if text.starts_with("turn") { 3 } else { 1 };
        assert_eq!(places, (first..first + count).collect::<Vec<_>>(), "{text}");
    }
    let session = ann.read(&format!("/chat/sessions/{session}")).await;
    assert_eq!(
        (&session["message_count"], &session["content_revision"]),
        (&json!(70), &json!(50))
    );
    let newest = messages
        .iter()
        .filter_map(|message| message["created_at"].as_str())
        .max();
    assert_eq!(session["last_update"].as_str(), newest);
}

async fn t_034_a_turn_changes_the_fields_that_it_sends(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let fields = json!({"tags": ["work"], "auto_trigger_tts": true, "name": "Kept"});
    let session = id_of(&ann.make("/chat/sessions", &fields).await);
    let turn = |fields: Value| {
        let messages = json!([{"sender_role": "user", "text": "Hello"}]);
        json!({"session_id": session, "session": fields, "messages": messages})
    };
    for fields in [Value::Null, json!({}), json!({"model_name": "large"})] {
        let taken = ann.make("/chat/turns", &turn(fields)).await;
        assert_eq!(taken["session"]["tags"], json!(["work"]));
        assert_eq!(taken["session"]["auto_trigger_tts"], true);
    }
    let taken = ann.make("/chat/turns", &turn(json!({"tags": null}))).await;
    assert_eq!(taken["session"]["tags"], json!([]));
    for (field, value) in [
        ("name", json!("Kept")),
        ("auto_trigger_tts", json!(true)),
        ("model_name", json!("large")),
    ] {
        assert_eq!(taken["session"][field], value);
    }
}

async fn t_037_what_breaks_a_rule_is_refused_with_a_pointer(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let session = id_of(&ann.make("/chat/sessions", &json!({})).await);
    let path = format!("/chat/sessions/{session}/messages");
    let with = |fields: Value| {
        let mut message = json!({"sender_role": "user", "text": "Hello"});
        message
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        message
    };
    let attachment = |url: &str| json!({"kind": "file", "url": url});
    let attachments: Vec<Value> = (0..51)
        .map(|n| attachment(&format!("https://example.com/{n}")))
        .collect();
    for (message, pointer, code) in [
        (with(json!({"text": "a\0b"})), "/text", "invalid"),
        (with(json!({"text": "x".repeat(500_001)})), "/text", "invalid"),
        (with(json!({"attachments": attachments})), "/attachments", "invalid"),
        (
            with(json!({"attachments": [attachment("javascript:alert(1)")]})),
            "/attachments/0/url",
            "bad_url",
        ),
        (json!({"text": "Hello"}), "/sender_role", "invalid"),
        (with(json!({"sender": "user"})), "/sender", "invalid"),
        (
            with(json!({"created_at": "2026-03-01T10:00:00Z"})),
            "/created_at",
            "read_only",
        ),
        (
            with(json!({"started_at": "2026-03-01T10:00:01Z", "finished_at": "2026-03-01T10:00:00Z"})),
            "/finished_at",
            "invalid",
        ),
        (with(json!({"is_tts": "yes"})), "/is_tts", "invalid"),
        (
            with(json!({"usage": {"input_tokens": -1}})),
            "/usage/input_tokens",
            "invalid",
        ),
        (
            with(json!({"model_settings": {"name": "a\0b"}})),
            "/model_settings",
            "invalid",
        ),
    ] {
        let refused = ann.post(&path, &message).expect(422).await;
        assert_eq!(refused.problem(code)["errors"][0]["pointer"], pointer, "{refused:?}");
        let turn = json!({"session_id": session, "messages": [with(json!({})), message]});
        let refused = ann.post("/chat/turns", &turn).expect(422).await;
        assert_eq!(
            refused.problem(code)["errors"][0]["pointer"],
            format!("/messages/1{pointer}"),
            "{refused:?}"
        );
    }
    for text in [r#""\ud800""#, "NaN", "Infinity", r#"{"#] {
        let request = ann
            .request(Method::POST, &path)
            .header("content-type", "application/json");
        let body = format!(r#"{{"sender_role": "user", "text": {text}}}"#);
        request.body(body).expect(400).await.problem("malformed_json");
    }
    assert_eq!(ann.list(&path).await, [] as [Value; 0]);
}

/// What every adapter must answer, to the byte. Ids of attachments and instants of the service are left out.
const EVERYTHING: &str = concat!(
    r#"{"id":"0199d3a0-0000-7000-8000-000000000002","session_id":"0199d3a0-0000-7000-8000-000000000001","position":1,"#,
    r#""sender_role":"assistant","sender_name":"Zoë","status":"complete","text":"Two lines\nand 🦀 \"quotes\" \\ 100%_done","#,
    r#""reasoning":"because","attachments":[{"id":"-","kind":"file","url":"file:///storage/notes.txt","description":null,"#,
    r#""media_type":null,"size_bytes":null,"file_name":"notes.txt","extension":"txt","location":"local"},{"id":"-","kind":"image","#,
    r#""url":"https://example.com/a/Cat%20One.PNG?size=2","description":"a cat","media_type":"image/png","size_bytes":9007199254740993,"#,
    r#""file_name":"Cat One.PNG","extension":"png","location":"remote"}],"chart_data":[{"nested":{"a":null,"b":[null,[{}]]},"x":[1,2.5]}],"#,
    r#""character_name":"guide","responding_agent":"agent-1","model_name":"example-large","model_settings":{"big":9007199254740993,"#,
    r#""bigger":123456789012345678901234567890,"exact":0.1234567890123456789,"temperature":0.70,"thousand":1000},"tts_model_name":"voice-1","#,
    r#""image_settings":{"size":"small"},"image_request":{"prompt":"a cat"},"agent_data":{"a":"é","b":{"y":null,"z":[]}},"#,
    r#""usage":{"input_tokens":9223372036854775807,"output_tokens":20,"cached_tokens":0,"reasoning_tokens":5},"is_tts":true,"#,
    r#""is_gps_location":true,"show_transcribe_button":true,"favourite":true,"test_mode":true,"#,
    r#""started_at":"2026-03-01T10:00:00.000001Z","finished_at":"2026-03-01T10:00:01.500000Z","revision":1,"edited_at":null,"#,
    r#""created_at":"-","updated_at":"-","deleted_at":null,"version":1}"#,
);

/// Keys in another order, numbers in other spellings, instants with other offsets.
const SENT: &str = r#"{
    "id": "0199d3a0-0000-7000-8000-000000000002", "sender_role": "assistant", "sender_name": "Zoë", "status": "complete",
    "text": "Two lines\nand \ud83e\udd80 \"quotes\" \\ 100%_done", "reasoning": "because",
    "attachments": [
        {"kind": "image", "url": "https://example.com/a/Cat%20One.PNG?size=2", "description": "a cat", "media_type": "image/png",
         "size_bytes": 9007199254740993},
        {"kind": "file", "url": "file:///storage/notes.txt"}
    ],
    "chart_data": [{"x": [1, 2.5], "nested": {"b": [null, [{}]], "a": null}}],
    "character_name": "guide", "responding_agent": "agent-1", "model_name": "example-large",
    "model_settings": {"thousand": 1e3, "temperature": 0.70, "exact": 0.1234567890123456789,
                       "big": 9007199254740993, "bigger": 123456789012345678901234567890},
    "tts_model_name": "voice-1", "image_settings": {"size": "small"}, "image_request": {"prompt": "a cat"},
    "agent_data": {"b": {"z": [], "y": null}, "a": "\u00e9"},
    "usage": {"input_tokens": 9223372036854775807, "output_tokens": 20, "cached_tokens": 0, "reasoning_tokens": 5},
    "is_tts": true, "is_gps_location": true, "show_transcribe_button": true, "favourite": true, "test_mode": true,
    "started_at": "2026-03-01T11:00:00.000001+01:00", "finished_at": "2026-03-01T10:00:01.5Z"
}"#;

async fn t_038_every_field_reads_the_same_on_every_adapter(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let session = "0199d3a0-0000-7000-8000-000000000001";
    ann.make("/chat/sessions", &json!({"id": session})).await;
    let path = format!("/chat/sessions/{session}/messages");
    let request = ann
        .request(Method::POST, &path)
        .header("content-type", "application/json");
    let made = request.body(SENT).expect(201).await;
    let read = ann.get(made.header("location")).expect(200).await;
    assert_eq!(read.text, made.text);
    let message = read.json();
    let attachments = message["attachments"].as_array().unwrap();
    let own = each(attachments, "id");
    let own = own.iter().chain([&message["created_at"], &message["updated_at"]]);
    let text = own.fold(read.text.clone(), |text, own| text.replace(&own.to_string(), r#""-""#));
    assert_eq!(text, EVERYTHING);
    let listed = ann.get(&path).expect(200).await;
    assert_eq!(listed.text, format!(r#"{{"data":[{}],"next_cursor":null}}"#, read.text));
}
