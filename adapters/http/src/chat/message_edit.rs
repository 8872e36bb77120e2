use std::sync::Arc;

use larder_domain::chat::{
    AttachmentDraft, Chunk, Editor, MessageDraft, MessagePatch, MessageStatus, Revision, SenderRole, UrlPatch,
    UsagePatch,
};
use larder_domain::identity::PrincipalKind;
use larder_domain::{Code, MessageId, SessionId};
use larder_ports::inbound::chat::{
    AttachToMessage, ChangeMessage, DeleteMessage, Grown, MessageEditUseCases, PutMessage,
};
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check_same;
use super::message::{AttachmentBody, MessageBody, NewAttachmentBody, NewMessageBody, is_read_only, tag_of, yes};
use crate::Tag;
use crate::answer::{Changed, Deleted, Listed, Shown, Stored};
use crate::body::{Body, Payload};
use crate::etag;
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, PRECONDITION_FAILED, Problem};
use crate::values::{JsonObject, JsonObjects, Nullable, Optional, Strict, Timestamp, Word, patch, vocabulary};

vocabulary! {
    Editor, "Editor", "By what kind of caller content was replaced.";
}

/// Who edits, as a revision keeps it.
pub(super) fn editor(caller: &Caller<ChatWrite>) -> Editor {
    match caller.0.kind {
        PrincipalKind::Login(_) => Editor::Login,
        PrincipalKind::ApiToken(..) => Editor::ApiToken,
        PrincipalKind::External(_) => Editor::External,
    }
}

/// A merge patch of the tokens of a message: absent keeps, null clears, a value sets.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "UsagePatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct UsagePatchBody {
    /// Read by the model.
    #[oai(validator(minimum(value = "0")))]
    input_tokens: MaybeUndefined<i64>,
    /// Written by the model.
    #[oai(validator(minimum(value = "0")))]
    output_tokens: MaybeUndefined<i64>,
    /// Of the input, those that came from a cache.
    #[oai(validator(minimum(value = "0")))]
    cached_tokens: MaybeUndefined<i64>,
    /// Of the output, those that were reasoning.
    #[oai(validator(minimum(value = "0")))]
    reasoning_tokens: MaybeUndefined<i64>,
}

impl From<UsagePatchBody> for UsagePatch {
    fn from(body: UsagePatchBody) -> Self {
        let same = |tokens| tokens;
        Self {
            input_tokens: patch(body.input_tokens, same),
            output_tokens: patch(body.output_tokens, same),
            cached_tokens: patch(body.cached_tokens, same),
            reasoning_tokens: patch(body.reasoning_tokens, same),
        }
    }
}

/// A merge patch (RFC 7396) of a message: absent keeps, null clears, a value sets. Attachments and chart data are replaced as a
/// whole, free JSON objects merge.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "MessagePatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct MessagePatchBody {
    /// If sent, the id of the message.
    id: MaybeUndefined<Uuid>,
    /// If sent, the id of its session.
    session_id: MaybeUndefined<Uuid>,
    /// If sent, the role that it has.
    sender_role: MaybeUndefined<Word<SenderRole>>,
    /// A free display name.
    #[oai(validator(min_length = 1, max_length = 255))]
    sender_name: MaybeUndefined<String>,
    /// `complete` or `interrupted` ends a partial message; there is no way back. Can't be null.
    status: MaybeUndefined<Word<MessageStatus>>,
    /// What it says.
    #[oai(validator(max_length = 500_000))]
    text: MaybeUndefined<String>,
    /// What the model thought before.
    #[oai(validator(max_length = 500_000))]
    reasoning: MaybeUndefined<String>,
    /// Replaces all images and files, at most 50.
    attachments: MaybeUndefined<Vec<Strict<NewAttachmentBody>>>,
    /// Replaces all of it.
    chart_data: MaybeUndefined<JsonObjects>,
    /// The persona that answered.
    #[oai(validator(min_length = 1, max_length = 100))]
    character_name: MaybeUndefined<String>,
    /// The agent of a group that answered.
    #[oai(validator(min_length = 1, max_length = 100))]
    responding_agent: MaybeUndefined<String>,
    /// The model that answered.
    #[oai(validator(min_length = 1, max_length = 200))]
    model_name: MaybeUndefined<String>,
    /// Merges into what is there.
    model_settings: MaybeUndefined<JsonObject>,
    /// The model that reads aloud.
    #[oai(validator(min_length = 1, max_length = 200))]
    tts_model_name: MaybeUndefined<String>,
    /// Merges into what is there.
    image_settings: MaybeUndefined<JsonObject>,
    /// Merges into what is there.
    image_request: MaybeUndefined<JsonObject>,
    /// Merges into what is there.
    agent_data: MaybeUndefined<JsonObject>,
    /// Merges into what is there; null clears all four.
    usage: MaybeUndefined<Strict<UsagePatchBody>>,
    /// Null is false.
    is_tts: MaybeUndefined<bool>,
    /// Null is false.
    is_gps_location: MaybeUndefined<bool>,
    /// Null is false.
    show_transcribe_button: MaybeUndefined<bool>,
    /// Null is false.
    favourite: MaybeUndefined<bool>,
    /// Null is false.
    test_mode: MaybeUndefined<bool>,
    /// When the answer began.
    started_at: MaybeUndefined<Timestamp>,
    /// When the answer ended, not before it began.
    finished_at: MaybeUndefined<Timestamp>,
}

impl Payload for MessagePatchBody {
    const EXAMPLE: &'static str =
        r#"{"text": "What should we see first, and where do we eat?", "model_settings": {"top_p": null}}"#;
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn is_read_only(pointer: &str) -> bool {
        pointer == "/lease_seconds" || is_read_only(pointer)
    }
}

impl From<MessagePatchBody> for MessagePatch {
    fn from(body: MessagePatchBody) -> Self {
        let text = |text| text;
        let json = |json: JsonObject| json.0;
        let flag = |flag| flag;
        let instant = |instant: Timestamp| instant.0;
        Self {
            text: patch(body.text, text),
            reasoning: patch(body.reasoning, text),
            attachments: patch(body.attachments, drafts),
            images: UrlPatch::Keep,
            files: UrlPatch::Keep,
            chart_data: patch(body.chart_data, |json| json.0),
            sender_name: patch(body.sender_name, text),
            status: patch(body.status, |word| word.0),
            character_name: patch(body.character_name, text),
            responding_agent: patch(body.responding_agent, text),
            model_name: patch(body.model_name, text),
            model_settings: patch(body.model_settings, json),
            tts_model_name: patch(body.tts_model_name, text),
            image_settings: patch(body.image_settings, json),
            image_request: patch(body.image_request, json),
            agent_data: patch(body.agent_data, json),
            usage: patch(body.usage, |usage| usage.0.into()),
            is_tts: patch(body.is_tts, flag),
            is_gps_location: patch(body.is_gps_location, flag),
            show_transcribe_button: patch(body.show_transcribe_button, flag),
            favourite: patch(body.favourite, flag),
            test_mode: patch(body.test_mode, flag),
            started_at: patch(body.started_at, instant),
            finished_at: patch(body.finished_at, instant),
            replaces_objects: false,
        }
    }
}

fn drafts(bodies: Vec<Strict<NewAttachmentBody>>) -> Vec<AttachmentDraft> {
    bodies.into_iter().map(|body| body.0.into()).collect()
}

/// Further attachments of a message.
#[derive(Object, Deserialize)]
#[oai(rename = "NewAttachments")]
#[serde(deny_unknown_fields)]
struct NewAttachmentsBody {
    /// They follow those of their kind; a message has at most 50.
    attachments: Vec<Strict<NewAttachmentBody>>,
}

impl Payload for NewAttachmentsBody {
    const EXAMPLE: &'static str = r#"{"attachments": [{"kind": "image", "url": "https://example.com/map.png"}]}"#;

    fn is_read_only(pointer: &str) -> bool {
        is_read_only(pointer)
    }
}

/// A piece of a growing answer. Each offset is sent together with its text.
#[derive(Object, Deserialize)]
#[oai(rename = "Chunk")]
#[serde(deny_unknown_fields)]
struct ChunkBody {
    /// How many characters of the text come before this piece.
    #[oai(validator(minimum(value = "0")))]
    offset: Optional<i64>,
    /// A piece of the text.
    #[oai(validator(max_length = 500_000))]
    text: Optional<String>,
    /// How many characters of the reasoning come before this piece.
    #[oai(validator(minimum(value = "0")))]
    reasoning_offset: Optional<i64>,
    /// A piece of the reasoning.
    #[oai(validator(max_length = 500_000))]
    reasoning: Optional<String>,
}

impl Payload for ChunkBody {
    const EXAMPLE: &'static str = r#"{"offset": 12, "text": " early in the morning."}"#;
}

impl From<ChunkBody> for Chunk {
    fn from(body: ChunkBody) -> Self {
        Self {
            offset: body.offset.0,
            text: body.text.0,
            reasoning_offset: body.reasoning_offset.0,
            reasoning: body.reasoning.0,
        }
    }
}

/// How far a partial message has grown.
#[derive(Object, Serialize)]
#[oai(rename = "Grown")]
struct GrownBody {
    /// Characters of its text.
    length: i64,
    /// Characters of its reasoning.
    reasoning_length: i64,
    /// Its version now.
    version: i64,
}

impl From<Grown> for GrownBody {
    fn from(grown: Grown) -> Self {
        Self {
            length: grown.lengths.text,
            reasoning_length: grown.lengths.reasoning,
            version: grown.version,
        }
    }
}

/// Messages that are to go to the trash.
#[derive(Object, Deserialize)]
#[oai(rename = "MessageIds")]
#[serde(deny_unknown_fields)]
struct BatchBody {
    /// 1 to 200 ids.
    #[oai(validator(min_items = 1, max_items = 200))]
    ids: Vec<Uuid>,
}

impl Payload for BatchBody {
    const EXAMPLE: &'static str = r#"{"ids": ["01970000-0000-7000-8000-000000000001"]}"#;
}

/// Messages that went to the trash.
#[derive(Object, Serialize)]
#[oai(rename = "DeletedMessages")]
struct DeletedBody {
    /// Those that were there, in the order asked.
    deleted_ids: Vec<Uuid>,
}

/// What a message said before an edit.
#[derive(Object, Serialize)]
#[oai(rename = "Revision")]
struct RevisionBody {
    /// The message.
    message_id: Uuid,
    /// Its number, 1 for the original.
    revision: i64,
    /// What the message said.
    text: Nullable<String>,
    /// What the model thought before.
    reasoning: Nullable<String>,
    /// Images and files.
    attachments: Vec<AttachmentBody>,
    /// Charts, in the client's own form.
    chart_data: Nullable<JsonObjects>,
    /// When it was replaced.
    replaced_at: Timestamp,
    /// By what kind of caller.
    replaced_by: Word<Editor>,
}

impl From<Revision> for RevisionBody {
    fn from(revision: Revision) -> Self {
        let content = revision.content;
        Self {
            message_id: revision.message_id.0,
            revision: revision.revision,
            text: content.text.into(),
            reasoning: content.reasoning.into(),
            attachments: content.attachments.into_iter().map(Into::into).collect(),
            chart_data: content.chart_data.map(Into::into).into(),
            replaced_at: Timestamp(revision.replaced_at),
            replaced_by: Word(revision.replaced_by),
        }
    }
}

/// Operations that change messages.
pub(crate) struct MessageEditApi(pub(crate) Arc<dyn MessageEditUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Messages")]
impl MessageEditApi {
    /// Change a message
    ///
    /// A patch that changes nothing writes nothing. A change of text, reasoning, attachments or chart data keeps what was there as a
    /// revision; everything else is metadata.
    #[oai(path = "/messages/:message_id", method = "patch", operation_id = "change_message")]
    async fn change(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        /// Whether a change of content moves the session's `last_update`.
        #[oai(default = "yes")]
        touch: Query<bool>,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<MessagePatchBody>,
    ) -> Answer<Changed<MessageBody>, { NOT_FOUND | CONFLICT | PRECONDITION_FAILED }> {
        check_id(body.id.value().copied(), message_id.0)?;
        let change = ChangeMessage {
            id: MessageId(message_id.0),
            session_id: body.session_id.value().copied().map(SessionId),
            sender_role: body.sender_role.value().map(|word| word.0),
            patch: body.into(),
            touch: touch.0,
            if_match: etag::demanded_message(if_match.0.as_deref())?,
            by: editor(&caller),
        };
        let view = self.0.change(caller.owner_id(), change).await?;
        let tag = tag_of(&view);
        Ok(Changed::new(view, tag)?)
    }

    /// Store a whole message
    ///
    /// Under an id of your own making: at the end of the session if you have no message with it, else in place of the one that is
    /// there. `If-None-Match: *` only inserts, `If-Match` only replaces. An id of another session, or in the trash, is 409.
    #[oai(
        path = "/sessions/:session_id/messages/:message_id",
        method = "put",
        operation_id = "put_message"
    )]
    #[allow(clippy::too_many_arguments, reason = "one per parameter of the operation")]
    async fn put(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// The message.
        message_id: Path<Uuid>,
        /// Whether the session's `last_update` moves.
        #[oai(default = "yes")]
        touch: Query<bool>,
        /// Replace only this version, or any with `*`; another one, or none, is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// Only `*`: insert only; 412 if there is a message.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        Body(body): Body<NewMessageBody>,
    ) -> Answer<Stored<MessageBody>, { NOT_FOUND | CONFLICT | PRECONDITION_FAILED }> {
        let session_id = SessionId(session_id.0);
        check_id(body.id(), message_id.0)?;
        check_same(body.session_id(), Some(session_id), || "/session_id".to_owned())?;
        let put = PutMessage {
            session_id,
            id: MessageId(message_id.0),
            draft: MessageDraft::from(body),
            touch: touch.0,
            condition: etag::condition(if_match.0.as_deref(), if_none_match.0.as_deref())?,
            by: editor(&caller),
        };
        let stored = self.0.put(caller.owner_id(), put).await?;
        let location = stored
            .is_new
            .then(|| format!("/api/v1/chat/messages/{}", stored.view.message.id));
        let tag = tag_of(&stored.view);
        Ok(Stored::new(stored.view, location, tag)?)
    }

    /// Add attachments to a message
    ///
    /// Those that are there need not be sent again.
    #[oai(
        path = "/messages/:message_id/attachments",
        method = "post",
        operation_id = "attach_to_message"
    )]
    async fn attach(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        /// Whether the session's `last_update` moves.
        #[oai(default = "yes")]
        touch: Query<bool>,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<NewAttachmentsBody>,
    ) -> Answer<Changed<MessageBody>, { NOT_FOUND | PRECONDITION_FAILED }> {
        let attach = AttachToMessage {
            id: MessageId(message_id.0),
            attachments: drafts(body.attachments),
            touch: touch.0,
            if_match: etag::demanded_message(if_match.0.as_deref())?,
            by: editor(&caller),
        };
        let view = self.0.attach(caller.owner_id(), attach).await?;
        let tag = tag_of(&view);
        Ok(Changed::new(view, tag)?)
    }

    /// Grow a partial message
    ///
    /// Appends what is not there yet and renews the lease, also when the chunk is empty. Repeating a chunk is harmless.
    #[oai(
        path = "/messages/:message_id/chunks",
        method = "post",
        operation_id = "grow_message"
    )]
    async fn grow(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        Body(body): Body<ChunkBody>,
    ) -> Answer<Shown<GrownBody>, { NOT_FOUND | CONFLICT }> {
        let grown = self
            .0
            .grow(caller.owner_id(), MessageId(message_id.0), body.into())
            .await?;
        Ok(Shown::new(&grown.into())?)
    }

    /// Delete a message
    ///
    /// Moves it to the trash; with `purge`, removes it for good, from wherever it is.
    #[oai(path = "/messages/:message_id", method = "delete", operation_id = "delete_message")]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        /// Whether it is removed for good, with its revisions and attachments.
        #[oai(default)]
        purge: Query<bool>,
        /// Delete only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED }> {
        let delete = DeleteMessage {
            id: MessageId(message_id.0),
            purge: purge.0,
            if_match: etag::demanded_message(if_match.0.as_deref())?,
        };
        self.0.delete(caller.owner_id(), delete).await?;
        Ok(Deleted)
    }

    /// Restore a message
    ///
    /// Brings it back from the trash; a live one stays as it is.
    #[oai(
        path = "/messages/:message_id/restore",
        method = "post",
        operation_id = "restore_message"
    )]
    async fn restore(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
    ) -> Answer<Changed<MessageBody>, NOT_FOUND> {
        let view = self.0.restore(caller.owner_id(), MessageId(message_id.0)).await?;
        let tag = tag_of(&view);
        Ok(Changed::new(view, tag)?)
    }

    /// Delete messages of a session
    ///
    /// Moves those that are there to the trash, in one commit; the others are skipped.
    #[oai(
        path = "/sessions/:session_id/messages/batch-delete",
        method = "post",
        operation_id = "delete_messages"
    )]
    async fn delete_batch(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        Body(body): Body<BatchBody>,
    ) -> Answer<Shown<DeletedBody>, NOT_FOUND> {
        let ids = body.ids.into_iter().map(MessageId).collect();
        let session_id = SessionId(session_id.0);
        let deleted = self.0.delete_batch(caller.owner_id(), session_id, ids).await?;
        Ok(Shown::new(&DeletedBody {
            deleted_ids: deleted.into_iter().map(|id| id.0).collect(),
        })?)
    }

    /// List the revisions of a message
    ///
    /// What it said before each edit, newest first. The original and the newest ones are kept.
    #[oai(
        path = "/messages/:message_id/revisions",
        method = "get",
        operation_id = "list_revisions"
    )]
    async fn revisions(
        &self,
        caller: Caller<ChatRead>,
        /// The message.
        message_id: Path<Uuid>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<RevisionBody>>, NOT_FOUND> {
        let page = limit.0.page(cursor.0);
        let page = self
            .0
            .revisions(caller.owner_id(), MessageId(message_id.0), page)
            .await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Read a revision of a message
    #[oai(
        path = "/messages/:message_id/revisions/:revision",
        method = "get",
        operation_id = "get_revision"
    )]
    async fn revision(
        &self,
        caller: Caller<ChatRead>,
        /// The message.
        message_id: Path<Uuid>,
        /// Its number.
        revision: Path<i64>,
    ) -> Answer<Shown<RevisionBody>, NOT_FOUND> {
        let id = MessageId(message_id.0);
        let revision = self.0.revision(caller.owner_id(), id, revision.0).await?;
        Ok(Shown::new(&revision.into())?)
    }
}

/// Refuses an id in a body that isn't the message's (`CH-15`).
fn check_id(sent: Option<Uuid>, id: Uuid) -> Result<(), Problem> {
    if sent.is_some_and(|sent| sent != id) {
        let message = "must be the id of the message that the request is about";
        return Err(Problem::violation("/id", Code::ImmutableField, message));
    }
    Ok(())
}
