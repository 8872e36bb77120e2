//! Conversations in the compatibility surface.

use larder_domain::chat::{SessionDraft, SessionPatch, Tag, TaskPriority, TaskStatus};
use larder_domain::{MessageId, Patch, SessionId};
use larder_ports::inbound::chat::{ChangeSession, ChangeSessionError, NotFoundError, RemovedSession, SearchRequest};
use larder_ports::inbound::{Done, Page};
use larder_ports::outbound::chat::{SessionContent, SessionFilter, TaskFilter};
use poem::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{OWNER, Ports, SESSION, at, session};

const SESSIONS: &str = "/api/v1/chat/sessions";
const LIST: &str = "/api/v1/chat/sessions/list";
const SEARCH: &str = "/api/v1/chat/sessions/search";

fn page(cursor: Option<&str>) -> Page<larder_domain::chat::Session> {
    Page {
        data: vec![session(SessionDraft::default())],
        next_cursor: cursor.map(str::to_owned),
    }
}

/// What lists and search never hide.
fn shown() -> SessionFilter {
    SessionFilter {
        content: Some(SessionContent::MessagesOrTask),
        ..SessionFilter::default()
    }
}

fn about(fields: &str) -> String {
    format!(r#"{{"session_id": "{SESSION}"{fields}}}"#)
}

#[tokio::test]
async fn co_30_a_list_hides_nothing_but_what_is_empty_and_keeps_nulls() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_list_from()
        .times(1)
        .returning(|owner_id, filter, offset, limit| {
            assert_eq!((owner_id, filter, offset, limit), (OWNER, shown(), 0, 30));
            Ok(page(Some("c2")))
        });
    let reply = ports.app().call(Method::POST, LIST).json("{}").send().await;
    let data = reply.success("Sessions retrieved successfully");
    let expected = json!({
        "session_id": SESSION.to_string(), "customer_id": OWNER.to_string(), "session_name": null,
        "ai_character_name": "", "ai_text_gen_model": "", "auto_trigger_tts": false, "claude_session_id": null,
        "tags": [], "task_status": null, "task_priority": null, "task_description": null,
        "group_id": null, "group_name": null,
        "created_at": "2026-01-01T00:00:01+00:00", "last_update": "2026-01-01T00:00:01+00:00",
    });
    assert_eq!(data, json!({"sessions": [expected], "count": 1}));
    assert_eq!(reply.value()["meta"], json!({"next_cursor": "c2"}));
}

#[tokio::test]
async fn co_30_filters_are_translated() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_list_from()
        .times(1)
        .returning(|_, filter, offset, limit| {
            let expected = SessionFilter {
                from: Some(at(0)),
                to: Some(at(60)),
                tags: Tag::list(&["Work".to_owned(), "b".to_owned()], "").unwrap(),
                character: Some("guide".into()),
                task: Some(TaskFilter::Any),
                task_priority: Some(TaskPriority::High),
                ..shown()
            };
            assert_eq!((filter, offset, limit), (expected, 40, 200));
            Ok(page(None))
        });
    let body = r#"{
        "start_date": "2026-01-01", "end_date": "2026-01-01T01:01:00+01:00", "tags": ["Work", "b"],
        "ai_character_name": "guide", "task_status": "any", "task_priority": "high", "offset": 40, "limit": 0
    }"#;
    let reply = ports.app().call(Method::POST, LIST).json(body).send().await;
    reply.success("Sessions retrieved successfully");
    assert_eq!(reply.value()["meta"], Value::Null);
}

#[tokio::test]
async fn co_06_a_cursor_takes_the_place_of_an_offset() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().times(1).returning(|_, filter, request| {
        assert_eq!((filter, request.limit), (shown(), 7));
        assert_eq!(request.cursor.as_deref(), Some("c1"));
        Ok(page(None))
    });
    let body = r#"{"cursor": "c1", "limit": 7}"#;
    let reply = ports.app().call(Method::POST, LIST).json(body).send().await;
    reply.success("Sessions retrieved successfully");
}

#[tokio::test]
async fn co_07_co_30_a_bad_filter_names_its_field() {
    let app = Ports::new().app();
    for (body, field, code) in [
        (r#"{"start_date": "2026-01-01T00:00:00"}"#, "start_date", "bad_format"),
        (r#"{"end_date": 7}"#, "end_date", "wrong_type"),
        (r#"{"offset": 10001}"#, "offset", "out_of_range"),
        (r#"{"offset": -1}"#, "offset", "out_of_range"),
        (r#"{"limit": -1}"#, "limit", "out_of_range"),
        (r#"{"limit": "30"}"#, "limit", "wrong_type"),
        (r#"{"task_status": "open"}"#, "task_status", "bad_format"),
        (r#"{"ai_character_name": ""}"#, "ai_character_name", "too_short"),
        (r#"{"group": 1}"#, "group", "unknown_field"),
    ] {
        let reply = app.call(Method::POST, LIST).json(body).send().await;
        reply.refused_in_envelope(field, &format!("/{field}"), code);
    }
    let reply = app.call(Method::POST, LIST).json(r#"{"tags": ["a", ""]}"#).send().await;
    reply.refused_in_envelope("tags.1", "/tags/1", "too_short");
}

#[tokio::test]
async fn co_32_a_search_without_text_is_the_list() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().times(3).returning(|_, filter, request| {
        assert_eq!((filter, request.limit, request.cursor), (shown(), 30, None));
        Ok(page(None))
    });
    ports
        .search
        .expect_sessions()
        .times(1)
        .returning(|owner_id, request, page_request| {
            let expected = SearchRequest {
                query: "weekend lis".into(),
                content: Some(SessionContent::MessagesOrTask),
                ..SearchRequest::default()
            };
            assert_eq!((owner_id, request), (OWNER, expected));
            assert_eq!((page_request.limit, page_request.cursor.as_deref()), (200, Some("c1")));
            Ok(page(Some("c2")))
        });
    let app = ports.app();
    for body in ["{}", r#"{"search_text": ""}"#, r#"{"search_text": null}"#] {
        let reply = app.call(Method::POST, SEARCH).json(body).send().await;
        assert_eq!(reply.success("Sessions matched successfully")["count"], 1);
    }
    let body = r#"{"search_text": "weekend lis", "limit": 900, "cursor": "c1"}"#;
    let reply = app.call(Method::POST, SEARCH).json(body).send().await;
    reply.success("Sessions matched successfully");
    assert_eq!(reply.value()["meta"], json!({"next_cursor": "c2"}));
}

#[tokio::test]
async fn co_33_null_leaves_alone_and_an_empty_text_clears() {
    let mut ports = Ports::new();
    ports.sessions.expect_change().times(1).returning(|owner_id, change| {
        let expected = ChangeSession {
            id: SESSION,
            patch: SessionPatch {
                name: Patch::Clear,
                character_name: Patch::Set("guide".into()),
                tags: Patch::Set(vec!["a".into()]),
                auto_trigger_tts: Patch::Set(true),
                last_update: Patch::Set(at(60)),
                ..SessionPatch::default()
            },
            touch: true,
            if_match: None,
        };
        assert_eq!((owner_id, change), (OWNER, expected));
        Ok(session(SessionDraft::default()))
    });
    let body = about(
        r#", "session_name": "", "ai_character_name": "guide", "ai_text_gen_model": null, "tags": ["a"],
        "auto_trigger_tts": true, "task_status": null, "last_update_override": "2026-01-01T00:01:00Z""#,
    );
    let reply = ports.app().call(Method::PATCH, SESSIONS).json(&body).send().await;
    let data = reply.success("Session updated successfully");
    // Nulls are stripped here.
    assert!(
        data.get("session_name").is_none() && data["ai_character_name"] == "",
        "{data}"
    );
}

#[tokio::test]
async fn co_33_what_moves_last_update() {
    for (fields, touch, last_update) in [
        ("", true, Patch::Keep),
        (r#", "update_last_mod_time": false"#, false, Patch::Keep),
        (
            r#", "update_last_mod_time": false, "last_update_override": "2026-01-01""#,
            false,
            Patch::Keep,
        ),
        (r#", "last_update_override": "2026-01-01""#, true, Patch::Set(at(0))),
    ] {
        let mut ports = Ports::new();
        ports.sessions.expect_change().times(1).returning(move |_, change| {
            assert_eq!((change.touch, &change.patch.last_update), (touch, &last_update));
            Ok(session(SessionDraft::default()))
        });
        let reply = ports
            .app()
            .call(Method::PATCH, SESSIONS)
            .json(&about(fields))
            .send()
            .await;
        reply.success("Session updated successfully");
    }
}

#[tokio::test]
async fn co_33_clearing_the_task_wins_over_its_fields() {
    let mut ports = Ports::new();
    ports.sessions.expect_change().times(2).returning(|_, change| {
        let patch = change.patch;
        match patch.task_status {
            Patch::Clear => assert_eq!(
                (patch.task_priority, patch.task_description),
                (Patch::Keep, Patch::Keep)
            ),
            status => {
                assert_eq!(status, Patch::Set(TaskStatus::Done));
                assert_eq!(patch.task_priority, Patch::Set(TaskPriority::Low));
                assert_eq!(patch.task_description, Patch::Clear);
            }
        }
        Ok(session(SessionDraft::default()))
    });
    let app = ports.app();
    for clear in ["true", "false"] {
        let body = about(&format!(
            r#", "task_status": "done", "task_priority": "low", "task_description": "", "clear_task_metadata": {clear}"#
        ));
        let reply = app.call(Method::PATCH, SESSIONS).json(&body).send().await;
        reply.success("Session updated successfully");
    }
}

#[tokio::test]
async fn co_05_co_33_a_session_must_be_named_and_rules_are_told_in_old_names() {
    let mut ports = Ports::new();
    ports.sessions.expect_change().returning(|_, _| {
        let invalid =
            larder_domain::Invalid::one("/name", larder_domain::Code::TooLong, "has more than 200 characters");
        Err(ChangeSessionError::Invalid(invalid))
    });
    let app = ports.app();
    let patch = async |body: &str| app.call(Method::PATCH, SESSIONS).json(body).send().await;
    for (body, code) in [
        ("{}", "required"),
        (r#"{"session_id": ""}"#, "required"),
        (r#"{"session_id": 7}"#, "wrong_type"),
        (r#"{"session_id": "7"}"#, "bad_format"),
    ] {
        patch(body).await.refused_in_envelope("session_id", "/session_id", code);
    }
    let reply = patch(&about("")).await;
    reply.failure(422, "session_name has more than 200 characters");
    reply.refused_in_envelope("session_name", "/session_name", "too_long");
}

#[tokio::test]
async fn co_34_a_deleted_session_tells_what_went_with_it() {
    let ids = [MessageId(Uuid::from_u128(3)), MessageId(Uuid::from_u128(4))];
    let mut ports = Ports::new();
    ports.options.compat.max_messages = 2;
    ports
        .sessions
        .expect_remove()
        .times(3)
        .returning(move |owner_id, id, most| {
            assert_eq!((owner_id, most), (OWNER, 2));
            match id {
                SESSION => Ok(RemovedSession {
                    message_count: 5,
                    message_ids: ids.to_vec(),
                }),
                SessionId(id) if id == Uuid::from_u128(1) => Ok(RemovedSession::default()),
                _ => Err(NotFoundError::NotFound),
            }
        });
    let app = ports.app();
    let delete = async |id: &str| {
        let body = format!(r#"{{"session_id": "{id}"}}"#);
        app.call(Method::DELETE, SESSIONS).body(body).send().await
    };
    let reply = delete(&SESSION.to_string()).await;
    let data = reply.success("Session removed successfully");
    let ids = ids.map(|id| id.to_string());
    assert_eq!(
        data,
        json!({"removed_count": 5, "message_ids": ids, "session_id": SESSION.to_string()})
    );
    assert_eq!(reply.value()["meta"], json!({"truncated": true}));
    let empty = Uuid::from_u128(1).to_string();
    let reply = delete(&empty).await;
    assert_eq!(
        reply.success("Session removed successfully"),
        json!({"removed_count": 0, "session_id": empty})
    );
    assert_eq!(reply.value()["meta"], Value::Null);
    let reply = delete(&Uuid::from_u128(2).to_string()).await;
    reply.failure(404, "Session not found");
}

#[tokio::test]
async fn co_35_a_task_is_an_active_session() {
    let mut ports = Ports::new();
    ports.sessions.expect_create().times(2).returning(|owner_id, draft| {
        assert_eq!(owner_id, OWNER);
        assert_eq!(draft.task_status, Some(TaskStatus::Active));
        assert_eq!(draft.name, None);
        Ok(session(draft))
    });
    ports
        .sessions
        .expect_create_once()
        .times(1)
        .returning(|_, draft, once| {
            assert_eq!(once.request.key, "k1");
            Ok(Done::Now(session(draft)))
        });
    let app = ports.app();
    let description = "x".repeat(500);
    let task = |more: &str| format!(r#"{{"ai_character_name": "guide", "task_description": "{description}"{more}}}"#);
    let post = |body: String| {
        let call = app.call(Method::POST, "/api/v1/chat/sessions/create-task");
        call.json(&body)
    };
    let data = post(task("")).send().await.success("Task created successfully");
    assert_eq!(data["session_name"], "x".repeat(200));
    assert_eq!(
        (&data["task_status"], &data["task_priority"]),
        (&"active".into(), &"medium".into())
    );
    let data = post(task(r#", "session_name": "", "task_priority": "high""#))
        .send()
        .await;
    assert_eq!(data.success("Task created successfully")["task_priority"], "high");
    let reply = post(task("")).header("idempotency-key", "k1").send().await;
    reply.success("Task created successfully");
    let reply = post(r#"{"task_description": "x"}"#.to_owned()).send().await;
    reply.refused_in_envelope("ai_character_name", "/ai_character_name", "required");
}
