//! Prompts in the compatibility surface.

use larder_domain::Patch;
use larder_domain::PromptId;
use larder_domain::chat::{Prompt, PromptDraft, PromptPatch};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ChangePrompt, ChangePromptError};
use larder_ports::outbound::StoredAnswer;
use poem::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{OWNER, Ports, at};

const ID: PromptId = PromptId(Uuid::from_u128(9));
const PATH: &str = "/compat/api/v1/chat/prompts";

fn prompt(title: &str) -> Prompt {
    let draft = PromptDraft {
        id: None,
        title: title.into(),
        text: "text".into(),
    };
    Prompt::create(draft, OWNER, ID, at(1)).unwrap()
}

fn record(title: &str) -> Value {
    json!({"prompt_id": ID.to_string(), "customer_id": OWNER.to_string(), "title": title, "prompt": "text"})
}

#[tokio::test]
async fn co_40_every_list_gives_the_same_records() {
    let mut ports = Ports::new();
    ports.prompts.expect_all().times(7).returning(|owner_id| {
        assert_eq!(owner_id, OWNER);
        Ok(vec![prompt("a"), prompt("b")])
    });
    let app = ports.app();
    let list = "/api/v1/chat/prompts/list";
    let mounted = format!("/compat{list}");
    for (method, path, body) in [
        (Method::GET, list, ""),
        (Method::GET, &mounted, ""),
        (Method::GET, PATH, ""),
        (Method::POST, list, ""),
        (Method::POST, list, "{}"),
        (Method::POST, &mounted, r#"{"customer_id": 3}"#),
        (Method::POST, &mounted, ""),
    ] {
        let call = app.call(method, path);
        let call = match body {
            "" => call,
            body => call.json(body).header("content-length", &body.len().to_string()),
        };
        let data = call.send().await.success("Prompts retrieved successfully");
        assert_eq!(data, json!({"prompts": [record("a"), record("b")]}));
    }
}

#[tokio::test]
async fn co_40_a_prompt_is_made_under_either_name_of_its_text() {
    let mut ports = Ports::new();
    ports.prompts.expect_create().times(2).returning(|_, draft| {
        assert_eq!((draft.title.as_str(), draft.text.as_str()), ("a", "text"));
        Ok(prompt("a"))
    });
    let app = ports.app();
    let post = |body: &str| app.call(Method::POST, PATH).json(body);
    for name in ["prompt", "promptText"] {
        let reply = post(&format!(r#"{{"title": "a", "{name}": "text"}}"#)).send().await;
        assert_eq!(reply.success("Prompt created successfully"), record("a"));
    }
    let reply = post(r#"{"title": "a", "prompt": "text", "promptText": "text"}"#)
        .send()
        .await;
    reply.refused_in_envelope("promptText", "/promptText", "duplicate");
    let reply = post(r#"{"title": "a"}"#).send().await;
    reply.refused_in_envelope("prompt", "/prompt", "required");
}

#[tokio::test]
async fn co_10_a_repeated_request_is_answered_as_before() {
    let mut ports = Ports::new();
    ports.prompts.expect_create_once().times(1).returning(|_, _, once| {
        let answer = (once.answer)(&prompt("a"));
        assert_eq!((answer.status, once.request.key.as_str()), (200, "k1"));
        Ok(Done::Before(StoredAnswer {
            body: answer.body.replace("text", "kept"),
            ..answer
        }))
    });
    let app = ports.app();
    let call = app.call(Method::POST, PATH).header("idempotency-key", "k1");
    let reply = call.json(r#"{"title": "a", "prompt": "text"}"#).send().await;
    assert_eq!(reply.success("Prompt created successfully")["prompt"], "kept");
    assert_eq!(reply.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn co_40_a_change_names_the_prompt_under_either_name() {
    let mut ports = Ports::new();
    ports.prompts.expect_change().times(3).returning(|owner_id, change| {
        let title = Patch::Set("b".to_owned());
        let expected = ChangePrompt {
            id: ID,
            patch: PromptPatch {
                title: if change.if_match == Some(7) {
                    title.clone()
                } else {
                    Patch::Keep
                },
                text: Patch::Keep,
            },
            if_match: change.if_match,
        };
        assert_eq!((owner_id, change), (OWNER, expected));
        Ok(prompt("b"))
    });
    let app = ports.app();
    let put = |body: String| app.call(Method::PUT, "/api/v1/chat/prompts").json(&body);
    for body in [
        format!(r#"{{"prompt_id": "{ID}"}}"#),
        format!(r#"{{"promptId": "{ID}", "title": null, "prompt": null}}"#),
        format!(r#"{{"promptId": "{ID}", "title": "b", "version": 7}}"#),
    ] {
        let reply = put(body).send().await;
        assert_eq!(reply.success("Prompt updated successfully"), record("b"));
    }
    let reply = put(r#"{"title": "b"}"#.to_owned()).send().await;
    reply.refused_in_envelope("prompt_id", "/prompt_id", "required");
    let reply = put(format!(r#"{{"prompt_id": "{ID}", "promptId": "{ID}"}}"#))
        .send()
        .await;
    reply.refused_in_envelope("promptId", "/promptId", "duplicate");
    let reply = put(r#"{"prompt_id": 7}"#.to_owned()).send().await;
    reply.refused_in_envelope("prompt_id", "/prompt_id", "wrong_type");
}

#[tokio::test]
async fn co_40_an_old_version_is_a_conflict_and_an_unknown_prompt_is_none() {
    let mut ports = Ports::new();
    ports
        .prompts
        .expect_change()
        .returning(|_, _| Err(ChangePromptError::Stale));
    ports
        .prompts
        .expect_delete()
        .returning(|_, _, expected| match expected {
            Some(_) => Err(ChangePromptError::Stale),
            None => Err(ChangePromptError::NotFound),
        });
    let app = ports.app();
    let send = async |method, body: &str| app.call(method, "/api/v1/chat/prompts").json(body).send().await;
    let versioned = format!(r#"{{"prompt_id": "{ID}", "version": 1}}"#);
    send(Method::PUT, &versioned).await.failure(409, "Stale");
    send(Method::DELETE, &versioned).await.failure(409, "Stale");
    let unversioned = format!(r#"{{"prompt_id": "{ID}"}}"#);
    send(Method::DELETE, &unversioned)
        .await
        .failure(404, "Prompt not found");
}

#[tokio::test]
async fn co_40_a_deleted_prompt_is_named() {
    let mut ports = Ports::new();
    ports
        .prompts
        .expect_delete()
        .times(1)
        .returning(|owner_id, id, expected| {
            assert_eq!((owner_id, id, expected), (OWNER, ID, None));
            Ok(())
        });
    let body = format!(r#"{{"promptId": "{ID}"}}"#);
    let app = ports.app();
    let reply = app.call(Method::DELETE, PATH).body(body).send().await;
    let data = reply.success("Prompt removed successfully");
    assert_eq!(data, json!({"removed_count": 1, "prompt_id": ID.to_string()}));
}

#[tokio::test]
async fn t_089_without_the_mount_prompts_are_native() {
    let mut ports = Ports::new();
    ports.prompts.expect_list().times(1).returning(|_, _, _| {
        Ok(larder_ports::inbound::Page {
            data: vec![prompt("a")],
            next_cursor: None,
        })
    });
    let app = ports.app();
    let reply = app.get("/api/v1/chat/prompts").send().await;
    assert_eq!(reply.value()["data"][0]["text"], "text");
    assert!(reply.header("deprecation").is_none());
    let post = app
        .call(Method::POST, "/api/v1/chat/prompts")
        .json(r#"{"title": "a", "prompt": "x"}"#);
    post.send().await.problem(422, "invalid");
}
