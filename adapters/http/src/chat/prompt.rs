use std::sync::Arc;

use larder_domain::PromptId;
use larder_domain::chat::{Prompt, PromptDraft, PromptPatch};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ChangePrompt, PromptUseCases};
use larder_ports::outbound::Deleted as Trashed;
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check_same_id;
use crate::Tag;
use crate::answer::{Changed, Created, Deleted, Found, Listed};
use crate::body::{Body, Payload};
use crate::etag;
use crate::idempotency::{self, Keyed};
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, PRECONDITION_FAILED, PRECONDITION_REQUIRED, Problem};
use crate::values::{Nullable, Optional, Timestamp, Word, patch};

/// A saved template.
#[derive(Object, Serialize)]
#[oai(rename = "Prompt")]
struct PromptBody {
    /// Its id.
    id: Uuid,
    /// What it is called.
    title: String,
    /// What it says.
    text: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
    /// When it went to the trash.
    deleted_at: Nullable<Timestamp>,
    /// Rises with every change.
    version: i64,
}

impl From<Prompt> for PromptBody {
    fn from(prompt: Prompt) -> Self {
        Self {
            id: prompt.id.0,
            title: prompt.title,
            text: prompt.text,
            created_at: Timestamp(prompt.created_at),
            updated_at: Timestamp(prompt.updated_at),
            deleted_at: prompt.deleted_at.map(Timestamp).into(),
            version: prompt.version,
        }
    }
}

const READ_ONLY: [&str; 4] = ["/created_at", "/updated_at", "/deleted_at", "/version"];

/// A new prompt.
#[derive(Object, Deserialize)]
#[oai(rename = "PromptDraft")]
#[serde(deny_unknown_fields)]
struct PromptDraftBody {
    /// An id of your own making; one is made unless sent.
    #[serde(default)]
    id: Optional<Uuid>,
    /// What it is called.
    #[oai(validator(min_length = 1, max_length = 200))]
    title: String,
    /// What it says.
    #[oai(validator(min_length = 1, max_length = 100000))]
    text: String,
}

impl Payload for PromptDraftBody {
    const EXAMPLE: &'static str = r#"{"title": "Explain simply", "text": "Explain it to a child of ten years."}"#;

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer)
    }
}

impl From<PromptDraftBody> for PromptDraft {
    fn from(body: PromptDraftBody) -> Self {
        Self {
            id: body.id.0.map(PromptId),
            title: body.title,
            text: body.text,
        }
    }
}

/// A merge patch (RFC 7396) of a prompt: absent keeps, a value sets. Neither field can be null.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "PromptPatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct PromptPatchBody {
    /// If sent, the id of the prompt.
    id: MaybeUndefined<Uuid>,
    /// What it is called.
    #[oai(validator(min_length = 1, max_length = 200))]
    title: MaybeUndefined<String>,
    /// What it says.
    #[oai(validator(min_length = 1, max_length = 100000))]
    text: MaybeUndefined<String>,
}

impl Payload for PromptPatchBody {
    const EXAMPLE: &'static str = r#"{"title": "Explain in one sentence"}"#;
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer)
    }
}

fn created(prompt: &Prompt) -> Result<Created<PromptBody>, Problem> {
    let location = format!("/api/v1/chat/prompts/{}", prompt.id);
    Created::new(prompt.clone(), location, Some(etag::of(prompt.version)))
}

fn changed(prompt: Prompt) -> Result<Changed<PromptBody>, Problem> {
    let tag = etag::of(prompt.version);
    Changed::new(prompt, tag)
}

/// Operations on saved templates.
pub(crate) struct PromptApi(pub(crate) Arc<dyn PromptUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Prompts")]
impl PromptApi {
    /// List prompts
    ///
    /// Oldest first.
    #[oai(path = "/prompts", method = "get", operation_id = "list_prompts")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Live prompts, those in the trash, or both; `without` unless sent.
        deleted: Query<Option<Word<Trashed>>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<PromptBody>>> {
        let deleted = deleted.0.map(|word| word.0).unwrap_or_default();
        let page = limit.0.page(cursor.0);
        let page = self.0.list(caller.owner_id(), deleted, page).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Make a prompt
    ///
    /// You can have 2000 that are not in the trash.
    #[oai(path = "/prompts", method = "post", operation_id = "create_prompt")]
    async fn create(
        &self,
        caller: Caller<ChatWrite>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<PromptDraftBody>,
    ) -> Answer<Created<PromptBody>, CONFLICT> {
        let (draft, once) = keyed.once(created);
        let done = match once {
            None => Done::Now(self.0.create(caller.owner_id(), draft.into()).await?),
            Some(once) => self.0.create_once(caller.owner_id(), draft.into(), once).await?,
        };
        Ok(idempotency::answer(done, created)?)
    }

    /// Read a prompt
    #[oai(path = "/prompts/:prompt_id", method = "get", operation_id = "get_prompt")]
    async fn get(
        &self,
        caller: Caller<ChatRead>,
        /// The prompt.
        prompt_id: Path<Uuid>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<PromptBody>, NOT_FOUND> {
        let prompt = self.0.get(caller.owner_id(), PromptId(prompt_id.0)).await?;
        let tag = etag::of(prompt.version);
        Ok(Found::new(prompt, tag, if_none_match.0.as_deref())?)
    }

    /// Change a prompt
    ///
    /// A patch that changes nothing writes nothing: version and tag stay.
    #[oai(path = "/prompts/:prompt_id", method = "patch", operation_id = "change_prompt")]
    async fn change(
        &self,
        caller: Caller<ChatWrite>,
        /// The prompt.
        prompt_id: Path<Uuid>,
        /// Required: the tag of the version that you read, or `*`. None is 428, another one 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<PromptPatchBody>,
    ) -> Answer<Changed<PromptBody>, { NOT_FOUND | PRECONDITION_FAILED | PRECONDITION_REQUIRED }> {
        let if_match = etag::required(if_match.0.as_deref())?;
        check_same_id(body.id.value().copied(), prompt_id.0)?;
        let change = ChangePrompt {
            id: PromptId(prompt_id.0),
            patch: PromptPatch {
                title: patch(body.title, |title| title),
                text: patch(body.text, |text| text),
            },
            if_match,
        };
        Ok(changed(self.0.change(caller.owner_id(), change).await?)?)
    }

    /// Delete a prompt
    ///
    /// Moves it to the trash, or removes it for good.
    #[oai(path = "/prompts/:prompt_id", method = "delete", operation_id = "delete_prompt")]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        /// The prompt.
        prompt_id: Path<Uuid>,
        /// Whether to remove it for good, from live or from the trash.
        #[oai(default)]
        purge: Query<bool>,
        /// Required: the tag of the version that you read, or `*`. None is 428, another one 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED | PRECONDITION_REQUIRED }> {
        let if_match = etag::required(if_match.0.as_deref())?;
        let (owner_id, id) = (caller.owner_id(), PromptId(prompt_id.0));
        match purge.0 {
            true => self.0.purge(owner_id, id, if_match).await?,
            false => self.0.delete(owner_id, id, if_match).await?,
        }
        Ok(Deleted)
    }

    /// Restore a prompt
    ///
    /// Takes it out of the trash. One that is not there stays as it is.
    #[oai(
        path = "/prompts/:prompt_id/restore",
        method = "post",
        operation_id = "restore_prompt"
    )]
    async fn restore(
        &self,
        caller: Caller<ChatWrite>,
        /// The prompt.
        prompt_id: Path<Uuid>,
    ) -> Answer<Changed<PromptBody>, { NOT_FOUND | CONFLICT }> {
        let prompt = self.0.restore(caller.owner_id(), PromptId(prompt_id.0)).await?;
        Ok(changed(prompt)?)
    }
}
