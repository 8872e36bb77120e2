//! Changes of messages.

use larder_domain::chat::{
    AttachmentKind, Chunk, Content, Editor, Lengths, MessageFlags, MessagePatch, MessageStatus, Revision, SenderRole,
    UsagePatch,
};
use larder_domain::{Code, FreeJson, Invalid, MessageId, Patch};
use larder_ports::inbound::Page;
use larder_ports::inbound::chat::{
    ChangeMessage, DeleteMessage, EditMessageError, Grown, ListMessagesError, MessageStored, MessageTag, NotFoundError,
    PutCondition,
};
use poem::http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{MESSAGE, MESSAGE_PATH, MESSAGES_PATH, OWNER, Ports, SESSION, at, message, said};

const PUT_PATH: &str =
    "/api/v1/chat/sessions/00000000-0000-0000-0000-000000000051/messages/00000000-0000-0000-0000-00000000003e";

fn below(path: &str) -> String {
    format!("{MESSAGE_PATH}/{path}")
}

fn state(version: i64, is_lapsed: bool) -> MessageTag {
    MessageTag { version, is_lapsed }
}

#[tokio::test]
async fn every_field_of_a_patch_arrives() {
    let mut ports = Ports::new();
    ports.edits.expect_change().once().returning(|owner_id, change| {
        assert_eq!(owner_id, OWNER);
        let text = |text: &str| Patch::Set(text.to_owned());
        let Patch::Set(attachments) = change.patch.attachments.clone() else {
            panic!("{change:?}")
        };
        assert_eq!((attachments.len(), attachments[0].kind), (1, AttachmentKind::Image));
        let patch = MessagePatch {
            text: text("t"),
            reasoning: Patch::Clear,
            attachments: change.patch.attachments.clone(),
            chart_data: text("[ {} ]"),
            sender_name: text("Bo"),
            status: Patch::Set(MessageStatus::Complete),
            character_name: text("c"),
            responding_agent: text("r"),
            model_name: text("m"),
            model_settings: text(r#"{"t":1e2, "x":null}"#),
            tts_model_name: text("tts"),
            image_settings: Patch::Clear,
            image_request: text("{}"),
            agent_data: text(r#"{"big":123456789012345678901234567890}"#),
            usage: Patch::Set(UsagePatch {
                input_tokens: Patch::Set(1),
                output_tokens: Patch::Clear,
                ..UsagePatch::default()
            }),
            is_tts: Patch::Set(true),
            is_gps_location: Patch::Set(true),
            show_transcribe_button: Patch::Set(false),
            favourite: Patch::Clear,
            test_mode: Patch::Set(true),
            started_at: Patch::Set(at(1)),
            finished_at: Patch::Clear,
            ..MessagePatch::default()
        };
        let expected = ChangeMessage {
            id: MESSAGE,
            session_id: Some(SESSION),
            sender_role: Some(SenderRole::User),
            patch,
            touch: false,
            if_match: Some(state(3, true)),
            by: Editor::Login,
        };
        assert_eq!(change, expected);
        Ok(message(said("t")))
    });
    let app = ports.app();
    let body = r#"{"id":"00000000-0000-0000-0000-00000000003e","session_id":"00000000-0000-0000-0000-000000000051",
        "sender_role":"user","text":"t","reasoning":null,"attachments":[{"kind":"image","url":"a.png"}],
        "chart_data":[ {} ],"sender_name":"Bo","status":"complete","character_name":"c","responding_agent":"r",
        "model_name":"m","model_settings":{"t":1e2, "x":null},"tts_model_name":"tts","image_settings":null,
        "image_request":{},"agent_data":{"big":123456789012345678901234567890},
        "usage":{"input_tokens":1,"output_tokens":null},"is_tts":true,"is_gps_location":true,
        "show_transcribe_button":false,"favourite":null,"test_mode":true,"started_at":"2026-01-01T00:00:01Z",
        "finished_at":null}"#;
    let reply = app
        .call(Method::PATCH, &format!("{MESSAGE_PATH}?touch=false"))
        .header("content-type", "application/merge-patch+json")
        .header("if-match", "\"3-i\"")
        .body(body.to_owned())
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(reply.value()["text"], "t");
}

#[tokio::test]
async fn ch_11_an_empty_patch_sets_nothing() {
    let mut ports = Ports::new();
    ports.edits.expect_change().once().returning(|_, change| {
        assert_eq!(
            (change.patch, change.touch, change.if_match),
            (MessagePatch::default(), true, None)
        );
        Ok(message(said("t")))
    });
    let reply = ports.app().call(Method::PATCH, MESSAGE_PATH).json("{}").send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn ch_15_what_a_patch_can_not_change() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"position":1}"#, "/position", "read_only"),
        (r#"{"revision":1}"#, "/revision", "read_only"),
        (r#"{"created_at":"2026-01-01T00:00:01Z"}"#, "/created_at", "read_only"),
        (r#"{"version":1}"#, "/version", "read_only"),
        (r#"{"lease_seconds":60}"#, "/lease_seconds", "read_only"),
        (
            r#"{"attachments":[{"kind":"file","url":"a","file_name":"a"}]}"#,
            "/attachments/0/file_name",
            "read_only",
        ),
        (
            r#"{"id":"00000000-0000-0000-0000-00000000003f"}"#,
            "/id",
            "immutable_field",
        ),
        (r#"{"text":7}"#, "/text", "wrong_type"),
        (r#"{"texts":""}"#, "/texts", "unknown_field"),
        (r#"{"owner_id":"x"}"#, "/owner_id", "unknown_field"),
        (r#"{"usage":{"cost":1}}"#, "/usage/cost", "unknown_field"),
        (r#"{"status":"done"}"#, "/status", "bad_format"),
    ] {
        let reply = app.call(Method::PATCH, MESSAGE_PATH).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn what_a_use_case_refuses_is_a_problem() {
    type Refusal = (fn() -> EditMessageError, u16, &'static str);
    let refusals: [Refusal; 5] = [
        (|| EditMessageError::NotFound, 404, "not_found"),
        (|| EditMessageError::Stale, 412, "stale"),
        (|| EditMessageError::NotPartial, 409, "message_not_partial"),
        (|| EditMessageError::IdTaken, 409, "id_taken"),
        (
            || Invalid::one("", Code::EmptyMessage, "needs content").into(),
            422,
            "empty_message",
        ),
    ];
    for (refusal, status, code) in refusals {
        let mut ports = Ports::new();
        ports.edits.expect_change().returning(move |_, _| Err(refusal()));
        ports.edits.expect_put().returning(move |_, _| Err(refusal()));
        let app = ports.app();
        let patch = app.call(Method::PATCH, MESSAGE_PATH).json("{}").send().await;
        patch.problem(status, code);
        let whole = r#"{"sender_role":"user","text":"x"}"#;
        let put = app.call(Method::PUT, PUT_PATH).json(whole).send().await;
        put.problem(status, code);
    }
}

#[tokio::test]
async fn ch_14_a_put_is_201_or_200() {
    for (headers, condition, is_new) in [
        (vec![], PutCondition::None, true),
        (vec![("if-none-match", "*")], PutCondition::Absent, true),
        (vec![("if-match", "*")], PutCondition::Present, false),
        (vec![("if-match", "\"4\"")], PutCondition::State(state(4, false)), false),
    ] {
        let mut ports = Ports::new();
        ports.edits.expect_put().once().returning(move |owner_id, put| {
            assert_eq!((owner_id, put.session_id, put.id), (OWNER, SESSION, MESSAGE));
            assert_eq!((put.condition, put.touch), (condition, true));
            Ok(MessageStored {
                view: message(put.draft),
                is_new,
            })
        });
        let app = ports.app();
        let mut call = app
            .call(Method::PUT, PUT_PATH)
            .json(r#"{"sender_role":"user","text":"x"}"#);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let reply = call.send().await;
        assert_eq!(reply.status, if is_new { 201 } else { 200 }, "{}", reply.body);
        assert_eq!(reply.header("location"), is_new.then_some(MESSAGE_PATH));
        assert_eq!(reply.header("etag"), Some("\"1\""));
    }
    let app = Ports::new().app();
    let whole = |id: &str| format!(r#"{{"sender_role":"user","text":"x","id":"{id}"}}"#);
    let other = whole("00000000-0000-0000-0000-00000000003f");
    let reply = app.call(Method::PUT, PUT_PATH).json(&other).send().await;
    reply.refused("/id", "immutable_field");
    let reply = app.call(Method::PUT, PUT_PATH).json(r#"{"text":"x"}"#).send().await;
    reply.refused("/sender_role", "required");
    let own = whole("00000000-0000-0000-0000-00000000003e");
    let call = app.call(Method::PUT, PUT_PATH).json(&own);
    let reply = call.header("if-none-match", "\"1\"").send().await;
    assert_eq!(reply.problem(400, "malformed_header"), []);
}

#[tokio::test]
async fn attachments_are_added() {
    let mut ports = Ports::new();
    ports.edits.expect_attach().once().returning(|_, attach| {
        assert_eq!(
            (attach.id, attach.touch, attach.if_match),
            (MESSAGE, false, Some(state(2, false)))
        );
        assert_eq!(attach.attachments.len(), 1);
        Ok(message(said("x")))
    });
    let app = ports.app();
    let reply = app
        .call(Method::POST, &below("attachments?touch=false"))
        .header("if-match", "\"2\"")
        .json(r#"{"attachments":[{"kind":"file","url":"a"}]}"#)
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("etag"), Some("\"1\""));
    let reply = app.call(Method::POST, &below("attachments")).json("{}").send().await;
    reply.refused("/attachments", "required");
}

#[tokio::test]
async fn ch_80_a_chunk_tells_how_far_it_goes() {
    let mut ports = Ports::new();
    let mut answers = vec![
        Err(EditMessageError::ChunkMismatch(Lengths { text: 7, reasoning: 0 })),
        Ok(Grown {
            lengths: Lengths { text: 9, reasoning: 3 },
            version: 4,
        }),
    ];
    ports.edits.expect_grow().times(2).returning(move |_, id, chunk| {
        let expected = Chunk {
            offset: Some(6),
            text: Some("abc".into()),
            reasoning_offset: Some(0),
            reasoning: Some("why".into()),
        };
        assert_eq!((id, chunk), (MESSAGE, expected));
        answers.pop().unwrap()
    });
    let app = ports.app();
    let body = r#"{"offset":6,"text":"abc","reasoning_offset":0,"reasoning":"why"}"#;
    let reply = app.call(Method::POST, &below("chunks")).json(body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.value(), json!({"length": 9, "reasoning_length": 3, "version": 4}));
    let reply = app.call(Method::POST, &below("chunks")).json(body).send().await;
    reply.problem(409, "chunk_mismatch");
    assert_eq!(
        (&reply.value()["length"], &reply.value()["reasoning_length"]),
        (&json!(7), &json!(0))
    );
}

#[tokio::test]
async fn a_deletion_may_be_for_good() {
    let mut ports = Ports::new();
    ports.edits.expect_delete().returning(|_, delete| {
        assert_eq!(delete.id, MESSAGE);
        match delete {
            DeleteMessage {
                purge: true,
                if_match: None,
                ..
            } => Ok(()),
            DeleteMessage {
                purge: false,
                if_match: Some(tag),
                ..
            } if tag == state(2, false) => Ok(()),
            _ => Err(EditMessageError::NotFound),
        }
    });
    ports.edits.expect_restore().returning(|_, id| match id {
        MESSAGE => Ok(message(said("back"))),
        _ => Err(NotFoundError::NotFound),
    });
    let app = ports.app();
    let purged = app
        .call(Method::DELETE, &format!("{MESSAGE_PATH}?purge=true"))
        .send()
        .await;
    assert_eq!((purged.status.as_u16(), purged.body.as_str()), (204, ""));
    let call = app.call(Method::DELETE, MESSAGE_PATH).header("if-match", "\"2\"");
    assert_eq!(call.send().await.status, 204);
    app.call(Method::DELETE, MESSAGE_PATH)
        .send()
        .await
        .problem(404, "not_found");
    let restored = app.call(Method::POST, &below("restore")).send().await;
    assert_eq!(
        (restored.status.as_u16(), restored.header("etag")),
        (200, Some("\"1\""))
    );
}

#[tokio::test]
async fn ch_49_a_batch_answers_what_was_deleted() {
    let mut ports = Ports::new();
    ports
        .edits
        .expect_delete_batch()
        .once()
        .returning(|_, session_id, ids| {
            assert_eq!((session_id, ids.len()), (SESSION, 2));
            Ok(ids[..1].to_vec())
        });
    let app = ports.app();
    let path = format!("{MESSAGES_PATH}/batch-delete");
    let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let body = json!({ "ids": ids }).to_string();
    let reply = app.call(Method::POST, &path).json(&body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.value(), json!({ "deleted_ids": [ids[0]] }));
    let reply = app.call(Method::POST, &path).json(r#"{"ids":["x"]}"#).send().await;
    reply.refused("/ids/0", "bad_format");
}

#[tokio::test]
async fn ch_16_revisions_are_listed_and_read() {
    let revision = |message_id: MessageId, revision| Revision {
        message_id,
        revision,
        content: Content {
            text: Some("old".into()),
            chart_data: FreeJson::from_stored("[{}]"),
            ..Content::default()
        },
        replaced_at: at(3),
        replaced_by: Editor::ApiToken,
    };
    let mut ports = Ports::new();
    ports
        .edits
        .expect_revisions()
        .returning(move |_, id, page| match page.limit {
            2 => Ok(Page {
                data: vec![revision(id, 7)],
                next_cursor: Some("c2".into()),
            }),
            _ => Err(ListMessagesError::NotFound),
        });
    ports
        .edits
        .expect_revision()
        .returning(move |_, id, number| match number {
            7 => Ok(revision(id, 7)),
            _ => Err(NotFoundError::NotFound),
        });
    let app = ports.app();
    let shown = json!({
        "message_id": "00000000-0000-0000-0000-00000000003e", "revision": 7, "text": "old", "reasoning": null,
        "attachments": [], "chart_data": [{}], "replaced_at": "2026-01-01T00:00:03.000000Z", "replaced_by": "api_token"
    });
    let list = app.get(&below("revisions?limit=2")).send().await;
    assert_eq!(list.value(), json!({"data": [shown.clone()], "next_cursor": "c2"}));
    assert!(list.header("link").unwrap().contains("cursor=c2"));
    app.get(&below("revisions")).send().await.problem(404, "not_found");
    assert_eq!(app.get(&below("revisions/7")).send().await.value(), shown);
    app.get(&below("revisions/8")).send().await.problem(404, "not_found");
    app.get(&below("revisions/x")).send().await.problem(400, "malformed_id");
}

#[tokio::test]
async fn ch_81_a_lapsed_message_has_a_tag_of_its_own() {
    let mut ports = Ports::new();
    ports.edits.expect_change().returning(|_, _| {
        let mut view = message(larder_domain::chat::MessageDraft {
            status: Some(MessageStatus::Partial),
            flags: MessageFlags::default(),
            ..said("so far")
        });
        view.status = MessageStatus::Interrupted;
        Ok(view)
    });
    let reply = ports.app().call(Method::PATCH, MESSAGE_PATH).json("{}").send().await;
    assert_eq!(reply.header("etag"), Some("\"1-i\""));
    assert_eq!(reply.value()["status"], "interrupted");
}
