use std::sync::Arc;

use larder_domain::chat::{Prompt, PromptDraft, PromptPatch};
use larder_domain::{Code as ViolationCode, Patch, PromptId, Version};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ChangePrompt, ChangePromptError, PromptUseCases};
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::envelope::Success;
use super::failure::{Answer, Refused};
use super::values::Sent;
use super::words::PROMPT;
use crate::Tag;
use crate::body::{Body, MaybeBody, Payload};
use crate::idempotency::Keyed;
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::problem::{CONFLICT, NOT_FOUND, Problem};
use crate::values::Optional;

/// A saved template.
#[derive(Object, Serialize)]
#[oai(rename = "CompatPrompt")]
struct PromptBody {
    /// Its id.
    prompt_id: Uuid,
    /// Whose it is.
    customer_id: Uuid,
    /// What it is called.
    title: String,
    /// What it says.
    prompt: String,
}

impl From<Prompt> for PromptBody {
    fn from(prompt: Prompt) -> Self {
        Self {
            prompt_id: prompt.id.0,
            customer_id: prompt.owner_id.0,
            title: prompt.title,
            prompt: prompt.text,
        }
    }
}

/// Your saved templates.
#[derive(Object, Serialize)]
#[oai(rename = "CompatPrompts")]
struct PromptsBody {
    /// All of them, oldest first.
    prompts: Vec<PromptBody>,
}

/// What is asked of the list: nothing.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "CompatPromptList")]
#[serde(deny_unknown_fields)]
struct ListBody {}

impl Payload for ListBody {
    const EXAMPLE: &'static str = "{}";
}

/// A new prompt.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatNewPrompt")]
#[serde(deny_unknown_fields)]
struct NewPromptBody {
    /// What it is called.
    #[oai(validator(min_length = 1, max_length = 200))]
    title: String,
    /// What it says.
    #[oai(validator(min_length = 1, max_length = 100000))]
    prompt: Optional<String>,
    /// Another name of `prompt`.
    #[oai(rename = "promptText", validator(min_length = 1, max_length = 100000))]
    #[serde(rename = "promptText")]
    prompt_text: Optional<String>,
}

impl Payload for NewPromptBody {
    const EXAMPLE: &'static str = r#"{"title": "Explain simply", "prompt": "Explain it to a child of ten years."}"#;
}

/// A change of a prompt.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatPromptChange")]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// Which prompt.
    prompt_id: Optional<Uuid>,
    /// Another name of `prompt_id`.
    #[oai(rename = "promptId")]
    #[serde(rename = "promptId")]
    other_prompt_id: Optional<Uuid>,
    /// What it is called.
    #[oai(validator(min_length = 1, max_length = 200))]
    title: Optional<String>,
    /// What it says.
    #[oai(validator(min_length = 1, max_length = 100000))]
    prompt: Optional<String>,
    /// Another name of `prompt`.
    #[oai(rename = "promptText", validator(min_length = 1, max_length = 100000))]
    #[serde(rename = "promptText")]
    prompt_text: Optional<String>,
    /// Change only this version; another one is 409.
    version: Optional<i64>,
}

impl Payload for ChangeBody {
    const EXAMPLE: &'static str =
        r#"{"prompt_id": "0199d3a0-0000-7000-8000-000000000009", "title": "Explain in one sentence"}"#;
}

/// What prompt is deleted.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatPromptRemoval")]
#[serde(deny_unknown_fields)]
struct RemovalBody {
    /// Which prompt.
    prompt_id: Optional<Uuid>,
    /// Another name of `prompt_id`.
    #[oai(rename = "promptId")]
    #[serde(rename = "promptId")]
    other_prompt_id: Optional<Uuid>,
    /// Delete only this version; another one is 409.
    version: Optional<i64>,
}

impl Payload for RemovalBody {
    const EXAMPLE: &'static str = r#"{"prompt_id": "0199d3a0-0000-7000-8000-000000000009"}"#;
}

/// What was deleted.
#[derive(Object, Serialize)]
#[oai(rename = "CompatPromptRemoved")]
struct RemovedBody {
    /// How many prompts: 1.
    removed_count: u32,
    /// Which.
    prompt_id: Uuid,
}

/// A value under either of its names, of which one alone may be sent (`CO-40`).
fn either<T>(sent: Optional<T>, other: Optional<T>, other_name: &str) -> Result<Option<T>, Problem> {
    match (sent.0, other.0) {
        (Some(_), Some(_)) => Err(Problem::violation(
            format!("/{other_name}"),
            ViolationCode::Duplicate,
            "is another name of a field that is there too",
        )),
        (sent, other) => Ok(sent.or(other)),
    }
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::violation(format!("/{name}"), ViolationCode::Required, "is required"))
}

fn id(sent: Optional<Uuid>, other: Optional<Uuid>) -> Result<PromptId, Problem> {
    required(either(sent, other, "promptId")?, "prompt_id").map(PromptId)
}

/// A version that was sent and isn't the stored one is a conflict here.
fn refuse(error: ChangePromptError) -> Refused {
    match error {
        ChangePromptError::Stale => PROMPT.refuse(error).into_conflict(),
        error => PROMPT.refuse(error),
    }
}

fn made(prompt: &Prompt) -> Result<Success<PromptBody>, Problem> {
    Success::new("Prompt created successfully", prompt.clone().into())
}

/// Operations on saved templates.
pub(crate) struct PromptApi(pub(super) Arc<dyn PromptUseCases>);

impl PromptApi {
    async fn prompts(&self, caller: &Caller<ChatRead>) -> Answer<PromptsBody> {
        let prompts = self.0.all(caller.owner_id()).await.map_err(Problem::from)?;
        let prompts = prompts.into_iter().map(Into::into).collect();
        Ok(Success::new("Prompts retrieved successfully", PromptsBody { prompts })?)
    }
}

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Compatibility")]
impl PromptApi {
    /// List prompts, by GET
    ///
    /// All of yours: you can have 2000 that are not in the trash.
    #[oai(path = "/prompts/list", method = "get", operation_id = "compat_get_prompts")]
    async fn get_list(&self, caller: Caller<ChatRead>) -> Answer<PromptsBody> {
        self.prompts(&caller).await
    }

    /// List prompts, by POST
    ///
    /// All of yours: you can have 2000 that are not in the trash.
    #[oai(path = "/prompts/list", method = "post", operation_id = "compat_list_prompts")]
    async fn post_list(&self, caller: Caller<ChatRead>, _body: MaybeBody<Sent<ListBody>>) -> Answer<PromptsBody> {
        self.prompts(&caller).await
    }

    /// List prompts
    ///
    /// All of yours: you can have 2000 that are not in the trash.
    #[oai(path = "/prompts", method = "get", operation_id = "compat_prompts")]
    async fn list(&self, caller: Caller<ChatRead>) -> Answer<PromptsBody> {
        self.prompts(&caller).await
    }

    /// Make a prompt
    #[oai(path = "/prompts", method = "post", operation_id = "compat_create_prompt")]
    async fn create(
        &self,
        caller: Caller<ChatWrite>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<Sent<NewPromptBody>>,
    ) -> Answer<PromptBody, CONFLICT> {
        let (Sent(body), once) = keyed.kept(|prompt| made(prompt).map(Success::keep));
        let text = either(body.prompt, body.prompt_text, "promptText")?;
        let draft = PromptDraft {
            id: None,
            title: body.title,
            text: required(text, "prompt")?,
        };
        let created = match once {
            None => self.0.create(caller.owner_id(), draft).await.map(Done::Now),
            Some(once) => self.0.create_once(caller.owner_id(), draft, once).await,
        };
        let done = created.map_err(|error| PROMPT.refuse(error))?;
        Ok(Success::once(done, made)?)
    }

    /// Change a prompt
    #[oai(path = "/prompts", method = "put", operation_id = "compat_change_prompt")]
    async fn change(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<Sent<ChangeBody>>,
    ) -> Answer<PromptBody, { NOT_FOUND | CONFLICT }> {
        let Sent(body) = body;
        let value = |sent: Option<String>| sent.map_or(Patch::Keep, Patch::Set);
        let change = ChangePrompt {
            id: id(body.prompt_id, body.other_prompt_id)?,
            patch: PromptPatch {
                title: value(body.title.0),
                text: value(either(body.prompt, body.prompt_text, "promptText")?),
            },
            if_match: body.version.0,
        };
        let changed = self.0.change(caller.owner_id(), change).await;
        let prompt = changed.map_err(refuse)?;
        Ok(Success::new("Prompt updated successfully", prompt.into())?)
    }

    /// Delete a prompt
    ///
    /// Moves it to the trash.
    #[oai(path = "/prompts", method = "delete", operation_id = "compat_delete_prompt")]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<Sent<RemovalBody>>,
    ) -> Answer<RemovedBody, { NOT_FOUND | CONFLICT }> {
        let Sent(body) = body;
        let id = id(body.prompt_id, body.other_prompt_id)?;
        let expected: Option<Version> = body.version.0;
        self.0.delete(caller.owner_id(), id, expected).await.map_err(refuse)?;
        let removed = RemovedBody {
            removed_count: 1,
            prompt_id: id.0,
        };
        Ok(Success::new("Prompt removed successfully", removed)?)
    }
}
