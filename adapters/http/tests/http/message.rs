//! Messages and turns.

use larder_domain::chat::{
    AttachmentKind, MessageDraft, MessageFlags, MessageStatus, SenderRole, SessionDraft, SessionPatch, Usage,
};
use larder_domain::{Code, Invalid, Patch};
use larder_ports::inbound::chat::{
    AppendError, ListMessages, ListMessagesError, MessageView, NotFoundError, Turn, TurnTaken, TurnTarget,
};
use larder_ports::inbound::{BadCursor, Page, PageRequest};
use larder_ports::outbound::Deleted;
use larder_ports::outbound::chat::Order;
use poem::http::Method;
use serde_json::json;

use crate::support::{
    MESSAGE, MESSAGE_PATH, MESSAGES_PATH, OWNER, Ports, SESSION, SESSION_PATH, at, message, said, session,
};

const TURNS: &str = "/api/v1/chat/turns";

/// Every field of a message; the free JSON has white space, unsorted keys and numbers that no float holds.
const WHOLE: &str = r#"{"id":"00000000-0000-0000-0000-00000000003e","session_id":"00000000-0000-0000-0000-000000000051",
    "sender_role":"assistant","sender_name":"Bo","status":"partial","lease_seconds":60,"text":"héllo \ud83d\ude00",
    "reasoning":"because","attachments":[{"kind":"file","url":"https://example.com/a/Report.PDF?x=1","description":"d",
    "media_type":"application/pdf","size_bytes":7}],"chart_data":[ {"b":12345678901234567890.10,"a":1} ],
    "character_name":"c","responding_agent":"r","model_name":"m","model_settings":{"t":1e2},"tts_model_name":"tts",
    "image_settings":{"n":{"deep":[null]}},"image_request":{},"agent_data":{"big":123456789012345678901234567890},
    "usage":{"input_tokens":1,"output_tokens":2,"cached_tokens":null},"is_tts":true,"is_gps_location":true,
    "show_transcribe_button":true,"favourite":true,"test_mode":true,"started_at":"2026-01-01T00:00:01Z",
    "finished_at":"2026-01-01T00:00:02.5Z"}"#;

#[tokio::test]
async fn every_field_of_a_message_arrives() {
    let mut ports = Ports::new();
    ports
        .messages
        .expect_append()
        .once()
        .returning(|owner_id, session_id, draft, touch| {
            assert_eq!((owner_id, session_id, touch), (OWNER, SESSION, true));
            let expected = MessageDraft {
                id: Some(MESSAGE),
                sender_role: SenderRole::Assistant,
                sender_name: Some("Bo".into()),
                status: Some(MessageStatus::Partial),
                lease_seconds: Some(60),
                text: Some("héllo 😀".into()),
                reasoning: Some("because".into()),
                attachments: draft.attachments.clone(),
                chart_data: Some(r#"[ {"b":12345678901234567890.10,"a":1} ]"#.into()),
                character_name: Some("c".into()),
                responding_agent: Some("r".into()),
                model_name: Some("m".into()),
                model_settings: Some(r#"{"t":1e2}"#.into()),
                tts_model_name: Some("tts".into()),
                image_settings: Some(r#"{"n":{"deep":[null]}}"#.into()),
                image_request: Some("{}".into()),
                agent_data: Some(r#"{"big":123456789012345678901234567890}"#.into()),
                usage: Usage {
                    input_tokens: Some(1),
                    output_tokens: Some(2),
                    ..Usage::default()
                },
                flags: MessageFlags {
                    is_tts: true,
                    is_gps_location: true,
                    show_transcribe_button: true,
                    favourite: true,
                    test_mode: true,
                },
                started_at: Some(at(1)),
                finished_at: Some(at(2).plus(std::time::Duration::from_millis(500))),
            };
            assert_eq!(draft, expected);
            assert_eq!(draft.attachments.len(), 1);
            assert_eq!(draft.attachments[0].kind, AttachmentKind::File);
            assert_eq!(draft.attachments[0].size_bytes, Some(7));
            Ok(message(draft))
        });
    let app = ports.app();
    let reply = app.call(Method::POST, MESSAGES_PATH).json(WHOLE).send().await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.header("location"), Some(MESSAGE_PATH));
    assert_eq!(reply.header("etag"), Some("\"1\""));
    for exact in [
        r#""chart_data":[{"a":1,"b":12345678901234567890.10}]"#,
        r#""model_settings":{"t":100}"#,
        r#""image_settings":{"n":{"deep":[null]}}"#,
        r#""image_request":{}"#,
        r#""agent_data":{"big":123456789012345678901234567890}"#,
        r#""started_at":"2026-01-01T00:00:01.000000Z","finished_at":"2026-01-01T00:00:02.500000Z""#,
        r#""usage":{"input_tokens":1,"output_tokens":2,"cached_tokens":null,"reasoning_tokens":null}"#,
    ] {
        assert!(reply.body.contains(exact), "{exact} in {}", reply.body);
    }
    let attachment = json!([{
        "id": "00000000-0000-0000-0000-0000000000aa", "kind": "file", "url": "https://example.com/a/Report.PDF?x=1",
        "description": "d", "media_type": "application/pdf", "size_bytes": 7, "file_name": "Report.PDF",
        "extension": "pdf", "location": "remote"
    }]);
    assert_eq!(reply.value()["attachments"], attachment);
    assert!(reply.value().get("lease_seconds").is_none());
}

#[tokio::test]
async fn nulls_are_shown() {
    let mut ports = Ports::new();
    ports.messages.expect_get().returning(|owner_id, id| {
        assert_eq!((owner_id, id), (OWNER, MESSAGE));
        Ok(message(said("hi")))
    });
    let reply = ports.app().get(MESSAGE_PATH).send().await;
    let instant = "2026-01-01T00:00:02.000000Z";
    let expected = json!({
        "id": "00000000-0000-0000-0000-00000000003e", "session_id": "00000000-0000-0000-0000-000000000051", "position": 1,
        "sender_role": "user", "sender_name": null, "status": "complete", "text": "hi", "reasoning": null,
        "attachments": [], "chart_data": null, "character_name": null, "responding_agent": null, "model_name": null,
        "model_settings": null, "tts_model_name": null, "image_settings": null, "image_request": null,
        "agent_data": null,
        "usage": {"input_tokens": null, "output_tokens": null, "cached_tokens": null, "reasoning_tokens": null},
        "is_tts": false, "is_gps_location": false, "show_transcribe_button": false, "favourite": false,
        "test_mode": false, "started_at": null, "finished_at": null, "revision": 1, "edited_at": null,
        "created_at": instant, "updated_at": instant, "deleted_at": null, "version": 1
    });
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn absent_and_null_are_the_same_in_a_new_message() {
    let mut ports = Ports::new();
    ports.messages.expect_append().times(2).returning(|_, _, draft, touch| {
        assert_eq!(draft, said("x"));
        assert!(!touch);
        Ok(message(draft))
    });
    let app = ports.app();
    let uri = format!("{MESSAGES_PATH}?touch=false");
    for body in [
        r#"{"sender_role":"user","text":"x"}"#,
        r#"{"sender_role":"user","text":"x","id":null,"attachments":null,"chart_data":null,"agent_data":null,
            "usage":null,"is_tts":null,"started_at":null,"status":null,"lease_seconds":null,"session_id":null}"#,
    ] {
        assert_eq!(app.call(Method::POST, &uri).json(body).send().await.status, 201);
    }
}

#[tokio::test]
async fn bodies_of_messages_are_strict_however_deep() {
    let app = Ports::new().app();
    for (field, pointer, code) in [
        (r#""text":5"#, "/text", "wrong_type"),
        (r#""txt":"x""#, "/txt", "unknown_field"),
        (r#""position":1"#, "/position", "read_only"),
        (r#""created_at":null"#, "/created_at", "read_only"),
        (r#""status":"done""#, "/status", "bad_format"),
        (r#""lease_seconds":1.5"#, "/lease_seconds", "wrong_type"),
        (r#""lease_seconds":1e999"#, "/lease_seconds", "out_of_range"),
        (r#""usage":[1]"#, "/usage", "wrong_type"),
        (r#""usage":{"input_tokens":"1"}"#, "/usage/input_tokens", "wrong_type"),
        (r#""usage":{"total":1}"#, "/usage/total", "unknown_field"),
        (
            r#""usage":{"input_tokens":9223372036854775808}"#,
            "/usage/input_tokens",
            "out_of_range",
        ),
        (r#""attachments":{}"#, "/attachments", "wrong_type"),
        (r#""attachments":[["image","a.png"]]"#, "/attachments/0", "wrong_type"),
        (r#""attachments":[{"kind":"image"}]"#, "/attachments/0/url", "required"),
        (
            r#""attachments":[{"kind":"image","url":"a"},{"kind":"x","url":"b"}]"#,
            "/attachments/1/kind",
            "bad_format",
        ),
        (
            r#""attachments":[{"kind":"image","url":"a","location":"remote"}]"#,
            "/attachments/0/location",
            "read_only",
        ),
        (
            r#""attachments":[{"kind":"image","url":"a","name":"b"}]"#,
            "/attachments/0/name",
            "unknown_field",
        ),
        (r#""started_at":"2026-01-01T10:00:00""#, "/started_at", "bad_format"),
        (
            r#""session_id":"00000000-0000-0000-0000-000000000052""#,
            "/session_id",
            "immutable_field",
        ),
    ] {
        let body = format!(r#"{{"sender_role":"user",{field}}}"#);
        app.call(Method::POST, MESSAGES_PATH)
            .json(&body)
            .send()
            .await
            .refused(pointer, code);

        let turn = format!(r#"{{"messages":[{{"sender_role":"user"}},{body}]}}"#);
        let reply = app.call(Method::POST, TURNS).json(&turn).send().await;
        reply.refused(&format!("/messages/1{pointer}"), code);
    }
    let reply = app
        .call(Method::POST, MESSAGES_PATH)
        .json(r#"{"text":"x"}"#)
        .send()
        .await;
    reply.refused("/sender_role", "required");
    let reply = app
        .call(Method::POST, MESSAGES_PATH)
        .json(r#"{"sender_role":null}"#)
        .send()
        .await;
    reply.refused("/sender_role", "required");
}

#[tokio::test]
async fn bodies_of_turns_are_strict() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        ("{}", "/messages", "required"),
        (r#"{"messages":{}}"#, "/messages", "wrong_type"),
        (r#"{"messages":[7]}"#, "/messages/0", "wrong_type"),
        (r#"{"messages":[],"touch":1}"#, "/touch", "wrong_type"),
        (r#"{"messages":[],"session":[]}"#, "/session", "wrong_type"),
        (
            r#"{"messages":[],"session":{"version":1}}"#,
            "/session/version",
            "read_only",
        ),
        (
            r#"{"messages":[],"session":{"last_update":null}}"#,
            "/session/last_update",
            "read_only",
        ),
        (
            r#"{"messages":[],"session":{"nme":1}}"#,
            "/session/nme",
            "unknown_field",
        ),
        (
            r#"{"messages":[],"session":{"tags":[1]}}"#,
            "/session/tags/0",
            "wrong_type",
        ),
        (r#"{"messages":[],"version":1}"#, "/version", "unknown_field"),
        (
            r#"{"messages":[],"session_id":"00000000-0000-0000-0000-000000000051","session":{"id":"00000000-0000-0000-0000-000000000052"}}"#,
            "/session/id",
            "immutable_field",
        ),
    ] {
        app.call(Method::POST, TURNS)
            .json(body)
            .send()
            .await
            .refused(pointer, code);
    }
}

#[tokio::test]
async fn a_bad_url_is_named_where_it_is() {
    let mut ports = Ports::new();
    ports.messages.expect_take_turn().returning(|_, _| {
        let message = "must not have the scheme data, javascript or vbscript";
        Err(Invalid::one("/messages/1/attachments/0/url", Code::BadUrl, message).into())
    });
    let reply = ports
        .app()
        .call(Method::POST, TURNS)
        .json(r#"{"messages":[]}"#)
        .send()
        .await;
    reply.refused("/messages/1/attachments/0/url", "bad_url");
}

#[tokio::test]
async fn a_turn_without_a_session_makes_one() {
    let mut ports = Ports::new();
    ports.messages.expect_take_turn().once().returning(|owner_id, turn| {
        let expected = Turn {
            target: TurnTarget::New(SessionDraft {
                id: Some(SESSION),
                name: Some("Trip".into()),
                tags: Some(vec!["t".into()]),
                ..SessionDraft::default()
            }),
            messages: vec![said("hi"), said("hello")],
            touch: true,
            newest: None,
        };
        assert_eq!((owner_id, turn), (OWNER, expected));
        Ok(TurnTaken {
            session: session(SessionDraft::default()),
            messages: vec![message(said("hi")), message(said("hello"))],
            newest: None,
        })
    });
    let app = ports.app();
    let body = r#"{"session":{"id":"00000000-0000-0000-0000-000000000051","name":"Trip","tags":["t"],"model_name":null},
        "messages":[{"sender_role":"user","text":"hi"},{"sender_role":"user","text":"hello"}]}"#;
    let reply = app.call(Method::POST, TURNS).json(body).send().await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(
        (reply.header("location"), reply.header("etag")),
        (Some(SESSION_PATH), None)
    );
    let taken = reply.value();
    assert_eq!(taken["session"]["id"], "00000000-0000-0000-0000-000000000051");
    assert_eq!(taken["messages"][1]["text"], "hello");
    assert_eq!(taken.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_turn_into_a_session_changes_the_fields_that_are_present() {
    let mut ports = Ports::new();
    ports.messages.expect_take_turn().once().returning(|_, turn| {
        let patch = SessionPatch {
            name: Patch::Set("n".into()),
            tags: Patch::Clear,
            ..SessionPatch::default()
        };
        assert_eq!(turn.target, TurnTarget::Existing(SESSION, patch));
        assert!(!turn.touch);
        Ok(TurnTaken {
            session: session(SessionDraft::default()),
            messages: vec![],
            newest: None,
        })
    });
    let app = ports.app();
    let body = r#"{"session_id":"00000000-0000-0000-0000-000000000051","session":{"name":"n","tags":null},"touch":false,
        "messages":[{"sender_role":"user","text":"x","session_id":"00000000-0000-0000-0000-000000000051"}]}"#;
    assert_eq!(app.call(Method::POST, TURNS).json(body).send().await.status, 201);
}

#[tokio::test]
async fn what_an_append_refuses() {
    for (error, status, code) in [
        (|| AppendError::NotFound, 404, "not_found"),
        (|| AppendError::IdTaken, 409, "id_taken"),
        (
            || Invalid::one("", Code::EmptyMessage, "needs content").into(),
            422,
            "empty_message",
        ),
    ] as [(fn() -> AppendError, u16, &str); 3]
    {
        let mut ports = Ports::new();
        ports.messages.expect_append().returning(move |_, _, _, _| Err(error()));
        ports.messages.expect_take_turn().returning(move |_, _| Err(error()));
        let app = ports.app();
        let reply = app
            .call(Method::POST, MESSAGES_PATH)
            .json(r#"{"sender_role":"user"}"#)
            .send()
            .await;
        reply.problem(status, code);
        app.call(Method::POST, TURNS)
            .json(r#"{"messages":[]}"#)
            .send()
            .await
            .problem(status, code);
    }
}

#[tokio::test]
async fn a_list_passes_its_filters_on() {
    let mut ports = Ports::new();
    ports.messages.expect_list().once().returning(|owner_id, request| {
        let expected = ListMessages {
            session_id: SESSION,
            order: Order::Descending,
            deleted: Deleted::With,
            role: Some(SenderRole::Tool),
            status: Some(MessageStatus::Interrupted),
            page: PageRequest {
                limit: 7,
                cursor: Some("c1".into()),
            },
        };
        assert_eq!((owner_id, request), (OWNER, expected));
        Ok(Page {
            data: vec![message(said("a"))],
            next_cursor: Some("c2".into()),
        })
    });
    let app = ports.app();
    let reply = app
        .get(&format!(
            "{MESSAGES_PATH}?order=desc&deleted=with&role=tool&status=interrupted&limit=7&cursor=c1"
        ))
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.value()["data"][0]["text"], "a");
    let link = format!(
        "<{MESSAGES_PATH}?order=desc&deleted=with&role=tool&status=interrupted&limit=7&cursor=c2>; rel=\"next\""
    );
    assert_eq!(reply.header("link"), Some(link.as_str()));
}

#[tokio::test]
async fn a_list_runs_from_the_first_position_unless_asked() {
    let mut ports = Ports::new();
    ports.messages.expect_list().once().returning(|_, request| {
        assert_eq!(
            (request.order, request.role, request.status),
            (Order::Ascending, None, None)
        );
        assert_eq!(request.page, PageRequest::first());
        Err(ListMessagesError::NotFound)
    });
    ports.app().get(MESSAGES_PATH).send().await.problem(404, "not_found");
    let mut ports = Ports::new();
    ports
        .messages
        .expect_list()
        .returning(|_, _| Err(ListMessagesError::BadCursor(BadCursor)));
    ports.app().get(MESSAGES_PATH).send().await.problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_lapsed_message_reads_interrupted_under_another_tag() {
    let mut ports = Ports::new();
    ports.messages.expect_get().returning(|_, _| {
        let partial = MessageDraft {
            status: Some(MessageStatus::Partial),
            ..said("so far")
        };
        Ok(MessageView {
            status: MessageStatus::Interrupted,
            ..message(partial)
        })
    });
    let app = ports.app();
    let reply = app.get(MESSAGE_PATH).header("if-none-match", "\"1\"").send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"1-i\"")));
    assert_eq!(reply.value()["status"], "interrupted");
    let reply = app.get(MESSAGE_PATH).header("if-none-match", "\"1-i\"").send().await;
    assert_eq!(reply.status, 304);
}

#[tokio::test]
async fn a_message_that_is_not_there_is_404() {
    let mut ports = Ports::new();
    ports
        .messages
        .expect_get()
        .returning(|_, _| Err(NotFoundError::NotFound));
    ports.app().get(MESSAGE_PATH).send().await.problem(404, "not_found");
}
