//! Conversations.

use larder_domain::chat::{SessionDraft, SessionPatch, TaskPriority, TaskStatus};
use larder_domain::{Code, GroupId, Invalid, Patch, SessionId};
use larder_ports::inbound::chat::{ChangeSessionError, CreateSessionError, ListError, NotFoundError, ResolvedSession};
use larder_ports::inbound::{BadCursor, Page, PageRequest};
use larder_ports::outbound::Deleted;
use larder_ports::outbound::chat::{SessionContent, SessionFilter, TagMatch, TaskFilter};
use poem::http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{OWNER, Ports, SESSION, SESSION_PATH, at, session};

const SESSIONS: &str = "/api/v1/chat/sessions";

/// Sends a patch and answers what the use case was asked for.
async fn patched(body: &'static str) -> SessionPatch {
    let mut ports = Ports::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    ports.sessions.expect_change().once().returning(move |_, change| {
        sender.send(change.patch).unwrap();
        Ok(session(SessionDraft::default()))
    });
    let app = ports.app();
    assert_eq!(
        app.call(Method::PATCH, SESSION_PATH).json(body).send().await.status,
        200
    );
    receiver.recv().unwrap()
}

#[tokio::test]
async fn a_new_session_is_shown_whole() {
    let mut ports = Ports::new();
    ports.sessions.expect_create().once().returning(|owner_id, draft| {
        assert_eq!(owner_id, OWNER);
        assert_eq!(draft.id, Some(SESSION));
        Ok(session(draft))
    });
    let app = ports.app();
    let body = r#"{"id":"00000000-0000-0000-0000-000000000051","name":"Trip","tags":["Work","Ünï"],"task_status":"active","model_name":null}"#;
    let reply = app.call(Method::POST, SESSIONS).json(body).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), Some(SESSION_PATH));
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let instant = "2026-01-01T00:00:01.000000Z";
    let expected = json!({
        "id": "00000000-0000-0000-0000-000000000051", "name": "Trip", "character_name": null, "model_name": null,
        "auto_trigger_tts": false, "agent_session_id": null, "tags": ["Work", "Ünï"], "task_status": "active",
        "task_priority": "medium", "task_description": null, "group_id": null, "group_name": null, "message_count": 0,
        "content_revision": 0, "last_update": instant, "created_at": instant, "updated_at": instant, "deleted_at": null,
        "version": 1
    });
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn a_taken_id_is_409() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_create()
        .returning(|_, _| Err(CreateSessionError::IdTaken));
    let reply = ports.app().call(Method::POST, SESSIONS).json("{}").send().await;
    reply.problem(409, "id_taken");
}

#[tokio::test]
async fn every_violation_of_the_domain_is_shown() {
    let mut ports = Ports::new();
    ports.sessions.expect_create().returning(|_, draft| {
        Err(larder_domain::chat::Session::create(draft, OWNER, SESSION, at(0), "")
            .unwrap_err()
            .into())
    });
    let body = format!(
        r#"{{"name":"","character_name":"{}","task_priority":"high"}}"#,
        "x".repeat(101)
    );
    let reply = ports.app().call(Method::POST, SESSIONS).json(&body).send().await;
    let expected = [
        ("/name", "too_short"),
        ("/character_name", "too_long"),
        ("/task_priority", "task_without_status"),
    ];
    let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    assert_eq!(reply.problem(422, "invalid"), expected);
}

#[tokio::test]
async fn a_particular_violation_names_the_problem() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_create()
        .returning(|_, _| Err(Invalid::one("/task_priority", Code::TaskWithoutStatus, "needs a task_status").into()));
    let reply = ports.app().call(Method::POST, SESSIONS).json("{}").send().await;
    reply.refused("/task_priority", "task_without_status");
}

#[tokio::test]
async fn bodies_of_sessions_are_strict() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        ("[]", "", "wrong_type"),
        ("null", "", "required"),
        (r#"{"name":7}"#, "/name", "wrong_type"),
        (r#"{"tags":"x"}"#, "/tags", "wrong_type"),
        (r#"{"tags":["a",null]}"#, "/tags/1", "required"),
        (r#"{"auto_trigger_tts":"yes"}"#, "/auto_trigger_tts", "wrong_type"),
        (r#"{"task_status":"open"}"#, "/task_status", "bad_format"),
        (r#"{"task_status":3}"#, "/task_status", "wrong_type"),
        (r#"{"id":"x"}"#, "/id", "bad_format"),
        (r#"{"id":5}"#, "/id", "wrong_type"),
        (r#"{"titel":"x"}"#, "/titel", "unknown_field"),
        (r#"{"owner_id":"x"}"#, "/owner_id", "unknown_field"),
        (r#"{"a/b~c":1}"#, "/a~1b~0c", "unknown_field"),
        (r#"{"group_id":null}"#, "/group_id", "read_only"),
        (r#"{"message_count":1}"#, "/message_count", "read_only"),
        (r#"{"created_at":"2026-01-01T00:00:00Z"}"#, "/created_at", "read_only"),
        (r#"{"version":1}"#, "/version", "read_only"),
        (r#"{"last_update":"2026-01-01T00:00:00Z"}"#, "/last_update", "read_only"),
    ] {
        let reply = app.call(Method::POST, SESSIONS).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn a_very_long_unknown_field_is_reported_without_its_name() {
    let app = Ports::new().app();
    let reply = app
        .call(Method::POST, SESSIONS)
        .json(&format!(r#"{{"{}":1}}"#, "x".repeat(101)))
        .send()
        .await;
    reply.refused("", "unknown_field");
}

#[tokio::test]
async fn a_page_names_the_next_one() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().once().returning(|owner_id, filter, page| {
        assert_eq!((owner_id, filter.deleted), (OWNER, Deleted::With));
        assert_eq!((page.limit, page.cursor.as_deref()), (2, Some("c1")));
        Ok(Page {
            data: vec![session(SessionDraft::default())],
            next_cursor: Some("c2".into()),
        })
    });
    let app = ports.app();
    let reply = app
        .get("/api/v1/chat/sessions?limit=2&cursor=c1&deleted=with")
        .send()
        .await;
    assert_eq!(reply.status, 200);
    let link = "</api/v1/chat/sessions?limit=2&deleted=with&cursor=c2>; rel=\"next\"";
    assert_eq!(reply.header("link"), Some(link));
    assert_eq!(reply.value()["next_cursor"], "c2");
    assert_eq!(reply.value()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_page_has_a_null_cursor_and_no_link() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().once().returning(|_, filter, page| {
        assert_eq!((filter.deleted, page), (Deleted::Without, PageRequest::first()));
        Ok(Page {
            data: vec![],
            next_cursor: None,
        })
    });
    let reply = ports.app().get(SESSIONS).send().await;
    assert_eq!(
        (reply.body.as_str(), reply.header("link")),
        (r#"{"data":[],"next_cursor":null}"#, None)
    );
}

#[tokio::test]
async fn a_forged_cursor_is_400() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_list()
        .returning(|_, _, _| Err(ListError::BadCursor(BadCursor)));
    let reply = ports.app().get("/api/v1/chat/sessions?cursor=forged").send().await;
    reply.problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_session_is_read_with_its_tag_and_not_again() {
    let mut ports = Ports::new();
    ports.sessions.expect_get().returning(|owner_id, id| {
        assert_eq!((owner_id, id), (OWNER, SESSION));
        Ok(session(SessionDraft::default()))
    });
    let app = ports.app();
    let reply = app.get(SESSION_PATH).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"1\"")));
    let reply = app
        .get(SESSION_PATH)
        .header("if-none-match", "\"0\", W/\"1\"")
        .send()
        .await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (304, Some("\"1\"")));
    assert_eq!((reply.body.as_str(), reply.header("content-type")), ("", None));
    let reply = app.get(SESSION_PATH).header("if-none-match", "\"2\"").send().await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_session_that_is_not_there_is_404() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_get()
        .returning(|_, _| Err(NotFoundError::NotFound));
    ports
        .sessions
        .expect_change()
        .returning(|_, _| Err(ChangeSessionError::NotFound));
    ports
        .sessions
        .expect_delete()
        .returning(|_, _, _| Err(ChangeSessionError::NotFound));
    let app = ports.app();
    app.get(SESSION_PATH).send().await.problem(404, "not_found");
    app.call(Method::PATCH, SESSION_PATH)
        .json("{}")
        .send()
        .await
        .problem(404, "not_found");
    app.call(Method::DELETE, SESSION_PATH)
        .send()
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_merge_patch_tells_absent_null_and_value_apart() {
    assert_eq!(patched("{}").await, SessionPatch::default());
    let nulls = patched(
        r#"{"name":null,"character_name":null,"model_name":null,"auto_trigger_tts":null,"agent_session_id":null,
            "tags":null,"task_status":null,"task_priority":null,"task_description":null,"last_update":null}"#,
    );
    let cleared = SessionPatch {
        name: Patch::Clear,
        character_name: Patch::Clear,
        model_name: Patch::Clear,
        auto_trigger_tts: Patch::Clear,
        agent_session_id: Patch::Clear,
        tags: Patch::Clear,
        task_status: Patch::Clear,
        task_priority: Patch::Clear,
        task_description: Patch::Clear,
        last_update: Patch::Clear,
    };
    assert_eq!(nulls.await, cleared);
    let values = patched(
        r#"{"id":"00000000-0000-0000-0000-000000000051","name":"n","character_name":"c","model_name":"m",
            "auto_trigger_tts":true,"agent_session_id":"a","tags":["t"],"task_status":"waiting","task_priority":"low",
            "task_description":"d","last_update":"2026-01-01T01:00:07+01:00"}"#,
    );
    let set = SessionPatch {
        name: Patch::Set("n".into()),
        character_name: Patch::Set("c".into()),
        model_name: Patch::Set("m".into()),
        auto_trigger_tts: Patch::Set(true),
        agent_session_id: Patch::Set("a".into()),
        tags: Patch::Set(vec!["t".into()]),
        task_status: Patch::Set(TaskStatus::Waiting),
        task_priority: Patch::Set(TaskPriority::Low),
        task_description: Patch::Set("d".into()),
        last_update: Patch::Set(at(7)),
    };
    assert_eq!(values.await, set);
}

#[tokio::test]
async fn a_patch_carries_touch_and_version() {
    for (uri, if_match, touch, version) in [
        (SESSION_PATH.to_owned(), None, false, None),
        (format!("{SESSION_PATH}?touch=true"), Some("\"7\""), true, Some(7)),
        (format!("{SESSION_PATH}?touch=false"), Some("*"), false, None),
    ] {
        let mut ports = Ports::new();
        ports
            .sessions
            .expect_change()
            .once()
            .returning(move |owner_id, change| {
                assert_eq!((owner_id, change.id), (OWNER, SESSION));
                assert_eq!((change.touch, change.if_match), (touch, version));
                let changed = session(SessionDraft::default());
                Ok(larder_domain::chat::Session { version: 8, ..changed })
            });
        let app = ports.app();
        let call = app
            .call(Method::PATCH, &uri)
            .header("content-type", "application/merge-patch+json")
            .body("{}");
        let call = match if_match {
            Some(tag) => call.header("if-match", tag),
            None => call,
        };
        let reply = call.send().await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"8\"")));
    }
}

#[tokio::test]
async fn a_stale_or_impossible_tag_is_412_and_a_malformed_one_400() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_change()
        .returning(|_, _| Err(ChangeSessionError::Stale));
    ports
        .sessions
        .expect_delete()
        .returning(|_, _, _| Err(ChangeSessionError::Stale));
    let app = ports.app();
    for tag in ["\"1\"", "\"1-i\"", "W/\"1\""] {
        let reply = app
            .call(Method::PATCH, SESSION_PATH)
            .json("{}")
            .header("if-match", tag)
            .send()
            .await;
        reply.problem(412, "stale");
        app.call(Method::DELETE, SESSION_PATH)
            .header("if-match", tag)
            .send()
            .await
            .problem(412, "stale");
    }
    let reply = app
        .call(Method::DELETE, SESSION_PATH)
        .header("if-match", "1")
        .send()
        .await;
    reply.problem(400, "malformed_header");
}

#[tokio::test]
async fn patches_are_strict() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"last_update":"2026-01-01T00:00:00"}"#, "/last_update", "bad_format"),
        (r#"{"last_update":"2026-01-01"}"#, "/last_update", "bad_format"),
        (
            r#"{"last_update":"0000-01-01T00:00:00Z"}"#,
            "/last_update",
            "out_of_range",
        ),
        (r#"{"last_update":1767225600}"#, "/last_update", "wrong_type"),
        (r#"{"updated_at":null}"#, "/updated_at", "read_only"),
        (r#"{"nme":null}"#, "/nme", "unknown_field"),
        (
            r#"{"id":"00000000-0000-0000-0000-000000000052"}"#,
            "/id",
            "immutable_field",
        ),
    ] {
        let reply = app.call(Method::PATCH, SESSION_PATH).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn deleting_answers_204() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_delete()
        .once()
        .returning(|owner_id, id, if_match| {
            assert_eq!(
                (owner_id, id, if_match),
                (OWNER, SessionId(Uuid::from_u128(0x51)), Some(4))
            );
            Ok(())
        });
    let reply = ports
        .app()
        .call(Method::DELETE, SESSION_PATH)
        .header("if-match", "\"4\"")
        .send()
        .await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
    assert_eq!(reply.header("content-type"), None);
}

#[tokio::test]
async fn ch_20_filters_arrive_as_they_were_meant() {
    let mut ports = Ports::new();
    ports.sessions.expect_list().once().returning(|_, filter, _| {
        let norms: Vec<&str> = filter.tags.iter().map(|tag| tag.norm()).collect();
        assert_eq!(norms, ["strasse", "b c"]);
        let expected = SessionFilter {
            from: Some(at(0)),
            to: Some(at(60)),
            tags: filter.tags.clone(),
            tag_match: TagMatch::All,
            character: Some("Ada & Bob".into()),
            task: Some(TaskFilter::Status(TaskStatus::Waiting)),
            task_priority: Some(TaskPriority::High),
            group_id: Some(GroupId(Uuid::from_u128(7))),
            content: Some(SessionContent::Messages),
            deleted: Deleted::Only,
        };
        assert_eq!(filter, expected);
        Ok(Page {
            data: vec![],
            next_cursor: None,
        })
    });
    let query = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:01:00%2B01:00&tag=Stra%C3%9Fe&tag=b%20c&tag=STRASSE&tag_match=all\
                 &character=Ada%20%26%20Bob&task_status=waiting&task_priority=high\
                 &group_id=00000000-0000-0000-0000-000000000007&has_messages=true&deleted=only";
    let reply = ports.app().get(&format!("{SESSIONS}?{query}")).send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn ch_20_bad_filters_are_refused_with_their_name() {
    let app = Ports::new().app();
    for (query, pointer, code) in [
        ("from=2026-01-01T00:00:00", "/query/from", "bad_format"),
        ("to=yesterday", "/query/to", "bad_format"),
        ("tag_match=some", "/query/tag_match", "bad_format"),
        ("task_status=open", "/query/task_status", "bad_format"),
        ("task_priority=urgent", "/query/task_priority", "bad_format"),
        ("group_id=7", "/query/group_id", "bad_format"),
        ("has_messages=perhaps", "/query/has_messages", "bad_format"),
        ("deleted=maybe", "/query/deleted", "bad_format"),
        ("character=a%00b", "/query/character", "nul_character"),
        ("character=", "/query/character", "too_short"),
        ("tag=a&tag=%20", "/query/tag/1", "too_short"),
        ("tag=a%00b", "/query/tag/0", "nul_character"),
    ] {
        let reply = app.get(&format!("{SESSIONS}?{query}")).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn ch_22_resolving_answers_201_for_a_new_session_and_200_for_a_known_one() {
    for is_new in [true, false] {
        let mut ports = Ports::new();
        ports
            .sessions
            .expect_resolve()
            .once()
            .returning(move |owner_id, request| {
                assert_eq!(owner_id, OWNER);
                assert_eq!((request.character_name.as_str(), request.name), ("Ada", None));
                Ok(ResolvedSession {
                    session: session(SessionDraft::default()),
                    is_new,
                })
            });
        let app = ports.app();
        let call = app.call(Method::POST, "/api/v1/chat/sessions/resolve");
        let reply = call.json(r#"{"character_name":"Ada","name":null}"#).send().await;
        let (status, location) = if is_new { (201, Some(SESSION_PATH)) } else { (200, None) };
        assert_eq!((reply.status.as_u16(), reply.header("location")), (status, location));
        assert_eq!(reply.header("etag"), Some("\"1\""));
    }
    let app = Ports::new().app();
    let call = app.call(Method::POST, "/api/v1/chat/sessions/resolve");
    call.json("{}").send().await.refused("/character_name", "required");
}

#[tokio::test]
async fn ch_45_purge_and_restore() {
    let mut ports = Ports::new();
    ports
        .sessions
        .expect_purge()
        .once()
        .returning(|owner_id, id, if_match| {
            assert_eq!((owner_id, id, if_match), (OWNER, SESSION, Some(4)));
            Ok(())
        });
    ports.sessions.expect_restore().once().returning(|owner_id, id| {
        assert_eq!((owner_id, id), (OWNER, SESSION));
        Ok(session(SessionDraft::default()))
    });
    ports
        .sessions
        .expect_restore()
        .returning(|_, _| Err(NotFoundError::NotFound));
    let app = ports.app();
    let call = app.call(Method::DELETE, &format!("{SESSION_PATH}?purge=true"));
    assert_eq!(call.header("if-match", "\"4\"").send().await.status, 204);
    let restore = format!("{SESSION_PATH}/restore");
    let reply = app.call(Method::POST, &restore).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"1\"")));
    app.call(Method::POST, &restore).send().await.problem(404, "not_found");
}
