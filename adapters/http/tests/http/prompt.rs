//! Saved templates.

use larder_domain::chat::{Prompt, PromptDraft, PromptPatch};
use larder_domain::{Patch, PromptId};
use larder_ports::inbound::chat::{
    ChangePrompt, ChangePromptError, CreatePromptError, NotFoundError, RestorePromptError,
};
use larder_ports::inbound::{Done, Page};
use larder_ports::outbound::Deleted;
use poem::http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{OWNER, Ports, at};

const PROMPTS: &str = "/api/v1/chat/prompts";
const PROMPT_PATH: &str = "/api/v1/chat/prompts/00000000-0000-0000-0000-000000000009";
const PROMPT: PromptId = PromptId(Uuid::from_u128(9));
const DRAFT: &str = r#"{"title":"Short","text":"Say it in a sentence."}"#;

fn prompt() -> Prompt {
    let draft = PromptDraft {
        id: None,
        title: "Short".into(),
        text: "Say it in a sentence.".into(),
    };
    Prompt::create(draft, OWNER, PROMPT, at(1)).unwrap()
}

#[tokio::test]
async fn a_new_prompt_is_shown_whole() {
    let mut ports = Ports::new();
    ports.prompts.expect_create().once().returning(|owner_id, draft| {
        assert_eq!((owner_id, draft.id), (OWNER, Some(PROMPT)));
        Ok(prompt())
    });
    let app = ports.app();
    let body = r#"{"id":"00000000-0000-0000-0000-000000000009","title":"Short","text":"Say it in a sentence."}"#;
    let reply = app.call(Method::POST, PROMPTS).json(body).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (201, Some("\"1\"")));
    assert_eq!(reply.header("location"), Some(PROMPT_PATH));
    let instant = "2026-01-01T00:00:01.000000Z";
    let expected = json!({
        "id": "00000000-0000-0000-0000-000000000009", "title": "Short", "text": "Say it in a sentence.",
        "created_at": instant, "updated_at": instant, "deleted_at": null, "version": 1
    });
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn ch_50_too_many_are_409() {
    for (error, code) in [
        (CreatePromptError::LimitReached, "limit_reached"),
        (CreatePromptError::IdTaken, "id_taken"),
    ] {
        let mut ports = Ports::new();
        ports.prompts.expect_create().return_once(|_, _| Err(error));
        let reply = ports.app().call(Method::POST, PROMPTS).json(DRAFT).send().await;
        reply.problem(409, code);
    }
    let mut ports = Ports::new();
    ports
        .prompts
        .expect_restore()
        .returning(|_, _| Err(RestorePromptError::LimitReached));
    let restore = format!("{PROMPT_PATH}/restore");
    let reply = ports.app().call(Method::POST, &restore).send().await;
    reply.problem(409, "limit_reached");
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before() {
    let mut ports = Ports::new();
    ports
        .prompts
        .expect_create_once()
        .once()
        .returning(|_, _, once| Ok(Done::Before((once.answer)(&prompt()))));
    let app = ports.app();
    let call = app.call(Method::POST, PROMPTS).header("idempotency-key", "k");
    let reply = call.json(DRAFT).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("idempotency-replayed"), Some("true"));
    assert_eq!(reply.value()["title"], "Short");
}

#[tokio::test]
async fn prompts_are_listed() {
    let mut ports = Ports::new();
    ports.prompts.expect_list().once().returning(|owner_id, deleted, page| {
        assert_eq!((owner_id, deleted, page.limit), (OWNER, Deleted::With, 2));
        Ok(Page {
            data: vec![prompt()],
            next_cursor: None,
        })
    });
    let reply = ports.app().get(&format!("{PROMPTS}?deleted=with&limit=2")).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.value()["data"][0]["title"], "Short");
}

#[tokio::test]
async fn a_prompt_is_read_with_its_tag_and_not_again() {
    let mut ports = Ports::new();
    ports.prompts.expect_get().returning(|_, id| match id {
        PROMPT => Ok(prompt()),
        _ => Err(NotFoundError::NotFound),
    });
    let app = ports.app();
    let reply = app.get(PROMPT_PATH).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"1\"")));
    let reply = app.get(PROMPT_PATH).header("if-none-match", "\"1\"").send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (304, ""));
    let other = format!("{PROMPTS}/00000000-0000-0000-0000-00000000000a");
    app.get(&other).send().await.problem(404, "not_found");
    app.get(&format!("{PROMPTS}/x"))
        .send()
        .await
        .problem(400, "malformed_id");
}

#[tokio::test]
async fn t_072_changes_need_the_version_that_was_read() {
    let app = Ports::new().app();
    for uri in [PROMPT_PATH.to_owned(), format!("{PROMPT_PATH}?purge=true")] {
        let reply = app.call(Method::DELETE, &uri).send().await;
        reply.problem(428, "precondition_required");
    }
    let reply = app.call(Method::PATCH, PROMPT_PATH).json("{}").send().await;
    reply.problem(428, "precondition_required");

    let mut ports = Ports::new();
    ports
        .prompts
        .expect_change()
        .returning(|owner_id, change| match change.if_match {
            Some(1) | None => {
                let expected = PromptPatch {
                    title: Patch::Set("New".into()),
                    text: Patch::Keep,
                };
                let ChangePrompt { id, patch, .. } = change;
                assert_eq!((owner_id, id, patch), (OWNER, PROMPT, expected));
                Ok(Prompt { version: 2, ..prompt() })
            }
            Some(_) => Err(ChangePromptError::Stale),
        });
    ports
        .prompts
        .expect_delete()
        .returning(|_, _, if_match| match if_match {
            Some(1) => Ok(()),
            _ => Err(ChangePromptError::NotFound),
        });
    ports.prompts.expect_purge().returning(|_, _, _| Ok(()));
    let app = ports.app();
    let body = r#"{"title":"New"}"#;
    for (tag, status) in [("\"1\"", 200), ("*", 200), ("\"2\"", 412), ("W/\"1\"", 412), ("1", 400)] {
        let call = app.call(Method::PATCH, PROMPT_PATH).header("if-match", tag);
        assert_eq!(call.json(body).send().await.status.as_u16(), status, "{tag}");
    }
    for (uri, tag, status) in [
        (PROMPT_PATH.to_owned(), "\"1\"", 204),
        (PROMPT_PATH.to_owned(), "\"7\"", 404),
        (format!("{PROMPT_PATH}?purge=true"), "\"7\"", 204),
    ] {
        let call = app.call(Method::DELETE, &uri).header("if-match", tag);
        assert_eq!(call.send().await.status.as_u16(), status, "{uri} {tag}");
    }
}

#[tokio::test]
async fn bodies_of_prompts_are_strict() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"title":"a"}"#, "/text", "required"),
        (r#"{"title":null,"text":"x"}"#, "/title", "required"),
        (r#"{"title":"a","text":"x","version":1}"#, "/version", "read_only"),
        (r#"{"title":"a","text":"x","body":1}"#, "/body", "unknown_field"),
    ] {
        let reply = app.call(Method::POST, PROMPTS).json(body).send().await;
        reply.refused(pointer, code);
    }
    for (body, pointer, code) in [
        (r#"{"title":7}"#, "/title", "wrong_type"),
        (r#"{"created_at":null}"#, "/created_at", "read_only"),
        (
            r#"{"id":"00000000-0000-0000-0000-000000000052"}"#,
            "/id",
            "immutable_field",
        ),
    ] {
        let call = app.call(Method::PATCH, PROMPT_PATH).header("if-match", "*");
        call.json(body).send().await.refused(pointer, code);
    }
}
