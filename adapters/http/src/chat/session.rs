use std::sync::Arc;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, Tag as Label, TaskPriority, TaskStatus};
use larder_domain::{GroupId, Patch, SessionId, TextRule, Violations, check_text};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ChangeSession, ResolveSession, ResolvedSession, SessionUseCases};
use larder_ports::outbound::Deleted as Trashed;
use larder_ports::outbound::chat::{SessionContent, SessionFilter, TagMatch, TaskFilter};
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check_same;
use crate::Tag;
use crate::answer::{Changed, Created, Deleted, Found, Listed, Stored};
use crate::body::{Body, Payload};
use crate::etag;
use crate::idempotency::{self, Keyed};
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, PRECONDITION_FAILED, Problem};
use crate::values::{Nullable, Optional, Timestamp, Vocabulary, Word, patch, vocabulary};

vocabulary! {
    TaskStatus, "TaskStatus", "How far a task is.";
    TaskPriority, "TaskPriority", "How urgent a task is.";
}

impl Vocabulary for Trashed {
    const NAME: &'static str = "Deleted";
    const MEANING: &'static str = "Live rows, rows in the trash, or both.";

    fn all() -> &'static [Self] {
        &[Self::Without, Self::With, Self::Only]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::With => "with",
            Self::Only => "only",
        }
    }
}

impl Vocabulary for TagMatch {
    const NAME: &'static str = "TagMatch";
    const MEANING: &'static str = "How many of several tags are needed.";

    fn all() -> &'static [Self] {
        &[Self::Any, Self::All]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
        }
    }
}

impl Vocabulary for TaskFilter {
    const NAME: &'static str = "TaskFilter";
    const MEANING: &'static str = "A task state, any, or none.";

    fn all() -> &'static [Self] {
        &[
            Self::Status(TaskStatus::Active),
            Self::Status(TaskStatus::Waiting),
            Self::Status(TaskStatus::Done),
            Self::Any,
            Self::None,
        ]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Status(status) => status.as_str(),
            Self::Any => "any",
            Self::None => "none",
        }
    }
}

/// A conversation.
#[derive(Object, Serialize)]
#[oai(rename = "Session")]
pub(super) struct SessionBody {
    /// Its id.
    id: Uuid,
    /// What it is called.
    name: Nullable<String>,
    /// The persona that answers.
    character_name: Nullable<String>,
    /// The model that answers.
    model_name: Nullable<String>,
    /// Whether answers are to be read aloud.
    auto_trigger_tts: bool,
    /// The id of an agent runtime's own conversation.
    agent_session_id: Nullable<String>,
    /// Labels, in the order of the client.
    tags: Vec<String>,
    /// Present when the session is used as a task.
    task_status: Nullable<Word<TaskStatus>>,
    /// Present when the session is used as a task.
    task_priority: Nullable<Word<TaskPriority>>,
    /// What is to be done.
    task_description: Nullable<String>,
    /// Null as long as there are no groups.
    group_id: Nullable<Uuid>,
    /// Null as long as there are no groups.
    group_name: Nullable<String>,
    /// Messages that are not in the trash.
    message_count: i64,
    /// Rises with every change of content.
    content_revision: i64,
    /// The last conversational activity, which orders lists.
    last_update: Timestamp,
    /// When it was made.
    created_at: Timestamp,
    /// When the row last changed.
    updated_at: Timestamp,
    /// When it went to the trash.
    deleted_at: Nullable<Timestamp>,
    /// Rises with every change of the row.
    version: i64,
}

impl From<Session> for SessionBody {
    fn from(session: Session) -> Self {
        let (status, priority, description) = match session.task {
            Some(task) => (Some(task.status), Some(task.priority), task.description),
            None => (None, None, None),
        };
        Self {
            id: session.id.0,
            name: session.name.into(),
            character_name: session.character_name.into(),
            model_name: session.model_name.into(),
            auto_trigger_tts: session.auto_trigger_tts,
            agent_session_id: session.agent_session_id.into(),
            tags: session.tags.iter().map(|tag| tag.text().to_owned()).collect(),
            task_status: status.map(Word).into(),
            task_priority: priority.map(Word).into(),
            task_description: description.into(),
            group_id: session.group_id.map(|id| id.0).into(),
            group_name: None.into(),
            message_count: session.message_count,
            content_revision: session.content_revision,
            last_update: Timestamp(session.last_update),
            created_at: Timestamp(session.created_at),
            updated_at: Timestamp(session.updated_at),
            deleted_at: session.deleted_at.map(Timestamp).into(),
            version: session.version,
        }
    }
}

const READ_ONLY: [&str; 8] = [
    "/group_id",
    "/group_name",
    "/message_count",
    "/content_revision",
    "/created_at",
    "/updated_at",
    "/deleted_at",
    "/version",
];

/// The client's fields of a session. Where a session is made, null and absent mean the same; where one is changed, absent keeps
/// and null clears.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "SessionFields", nullable_all)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SessionFields {
    /// An id of your own making; one is made unless sent.
    id: MaybeUndefined<Uuid>,
    /// A task without a name is named by its description.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: MaybeUndefined<String>,
    /// The persona that answers.
    #[oai(validator(min_length = 1, max_length = 100))]
    character_name: MaybeUndefined<String>,
    /// The model that answers.
    #[oai(validator(min_length = 1, max_length = 200))]
    model_name: MaybeUndefined<String>,
    /// Whether answers are to be read aloud.
    auto_trigger_tts: MaybeUndefined<bool>,
    /// The id of an agent runtime's own conversation.
    #[oai(validator(min_length = 1, max_length = 200))]
    agent_session_id: MaybeUndefined<String>,
    /// Labels of 1 to 64 characters, at most 32 different ones; case does not make a difference.
    tags: MaybeUndefined<Vec<String>>,
    /// Makes the session a task; null makes it a plain one.
    task_status: MaybeUndefined<Word<TaskStatus>>,
    /// Only for a task; `medium` unless sent.
    task_priority: MaybeUndefined<Word<TaskPriority>>,
    /// Only for a task.
    #[oai(validator(min_length = 1, max_length = 500))]
    task_description: MaybeUndefined<String>,
}

impl Payload for SessionFields {
    const EXAMPLE: &'static str = r#"{"name": "A weekend in Lisbon", "character_name": "guide", "tags": ["travel"]}"#;

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer) || pointer == "/last_update"
    }
}

impl SessionFields {
    /// The id of the client's own making.
    pub(super) fn id(&self) -> Option<SessionId> {
        self.id.value().copied().map(SessionId)
    }

    /// A change of a session with these fields.
    pub(super) fn into_patch(self) -> SessionPatch {
        SessionPatch {
            name: patch(self.name, |name| name),
            character_name: patch(self.character_name, |name| name),
            model_name: patch(self.model_name, |name| name),
            auto_trigger_tts: patch(self.auto_trigger_tts, |switch| switch),
            agent_session_id: patch(self.agent_session_id, |id| id),
            tags: patch(self.tags, |tags| tags),
            task_status: patch(self.task_status, |word| word.0),
            task_priority: patch(self.task_priority, |word| word.0),
            task_description: patch(self.task_description, |text| text),
            last_update: Patch::Keep,
        }
    }
}

impl From<SessionFields> for SessionDraft {
    fn from(fields: SessionFields) -> Self {
        let id = fields.id();
        let sent = fields.into_patch();
        Self {
            id,
            name: sent.name.apply(None),
            character_name: sent.character_name.apply(None),
            model_name: sent.model_name.apply(None),
            auto_trigger_tts: sent.auto_trigger_tts.apply(None),
            agent_session_id: sent.agent_session_id.apply(None),
            tags: sent.tags.apply(None),
            task_status: sent.task_status.apply(None),
            task_priority: sent.task_priority.apply(None),
            task_description: sent.task_description.apply(None),
        }
    }
}

/// A merge patch (RFC 7396) of a session: absent keeps, null clears, a value sets.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "SessionPatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct SessionPatchBody {
    /// If sent, the id of the session.
    id: MaybeUndefined<Uuid>,
    /// What it is called.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: MaybeUndefined<String>,
    /// The persona that answers.
    #[oai(validator(min_length = 1, max_length = 100))]
    character_name: MaybeUndefined<String>,
    /// The model that answers.
    #[oai(validator(min_length = 1, max_length = 200))]
    model_name: MaybeUndefined<String>,
    /// Null is false.
    auto_trigger_tts: MaybeUndefined<bool>,
    /// The id of an agent runtime's own conversation.
    #[oai(validator(min_length = 1, max_length = 200))]
    agent_session_id: MaybeUndefined<String>,
    /// Replaces the whole list; null empties it.
    tags: MaybeUndefined<Vec<String>>,
    /// Null clears all three task fields.
    task_status: MaybeUndefined<Word<TaskStatus>>,
    /// Null is `medium`.
    task_priority: MaybeUndefined<Word<TaskPriority>>,
    /// What is to be done.
    #[oai(validator(min_length = 1, max_length = 500))]
    task_description: MaybeUndefined<String>,
    /// Any instant, also backwards. Can't be null.
    last_update: MaybeUndefined<Timestamp>,
}

impl Payload for SessionPatchBody {
    const EXAMPLE: &'static str = r#"{"name": "Four days in Lisbon", "character_name": null}"#;
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer)
    }
}

impl From<SessionPatchBody> for SessionPatch {
    fn from(body: SessionPatchBody) -> Self {
        let fields = SessionFields {
            id: body.id,
            name: body.name,
            character_name: body.character_name,
            model_name: body.model_name,
            auto_trigger_tts: body.auto_trigger_tts,
            agent_session_id: body.agent_session_id,
            tags: body.tags,
            task_status: body.task_status,
            task_priority: body.task_priority,
            task_description: body.task_description,
        };
        Self {
            last_update: patch(body.last_update, |instant| instant.0),
            ..fields.into_patch()
        }
    }
}

/// Whose session is wanted.
#[derive(Object, Deserialize)]
#[oai(rename = "SessionResolve")]
#[serde(deny_unknown_fields)]
struct SessionResolveBody {
    /// The persona that answers, exactly.
    #[oai(validator(min_length = 1, max_length = 100))]
    character_name: String,
    /// What the session is called, should it be made.
    #[oai(validator(min_length = 1, max_length = 200))]
    #[serde(default)]
    name: Optional<String>,
}

impl Payload for SessionResolveBody {
    const EXAMPLE: &'static str = r#"{"character_name": "guide", "name": "With the guide"}"#;
}

fn created(session: &Session) -> Result<Created<SessionBody>, Problem> {
    let tag = etag::of(session.version);
    Created::new(session.clone(), location(session.id), Some(tag))
}

/// The path of a session.
pub(super) fn location(id: SessionId) -> String {
    format!("/api/v1/chat/sessions/{id}")
}

/// Operations on conversations.
pub(crate) struct SessionApi(pub(crate) Arc<dyn SessionUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Sessions")]
impl SessionApi {
    /// List sessions
    ///
    /// Newest `last_update` first; the filters combine with AND. A session whose `last_update` moves while you page may be met twice or not at all; every
    /// other one exactly once.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Only with a `last_update` at this instant or later.
        from: Query<Option<Timestamp>>,
        /// Only with a `last_update` before this instant.
        to: Query<Option<Timestamp>>,
        /// Only with this tag, in any spelling; may be repeated.
        #[oai(default)]
        tag: Query<Vec<String>>,
        /// Whether a session needs any of the tags, or all of them; `any` unless sent.
        tag_match: Query<Option<Word<TagMatch>>>,
        /// Only of exactly this character.
        character: Query<Option<String>>,
        /// Only tasks in this state, in any, or sessions that are no tasks.
        task_status: Query<Option<Word<TaskFilter>>>,
        /// Only tasks of this priority.
        task_priority: Query<Option<Word<TaskPriority>>>,
        /// Only conversations of this group.
        group_id: Query<Option<Uuid>>,
        /// Only sessions with messages, or only those without.
        has_messages: Query<Option<bool>>,
        /// Live sessions, those in the trash, or both; `without` unless sent.
        deleted: Query<Option<Word<Trashed>>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<SessionBody>>> {
        let mut violations = Violations::new();
        if let Some(character) = &character.0 {
            check_text(character, TextRule::up_to(100), "/query/character", &mut violations);
        }
        let tags = violations.keep(Label::list(&tag.0, "/query/tag"));
        let filter = violations.finish(SessionFilter {
            from: from.0.map(|instant| instant.0),
            to: to.0.map(|instant| instant.0),
            tags: tags.unwrap_or_default(),
            tag_match: tag_match.0.map(|word| word.0).unwrap_or_default(),
            character: character.0,
            task: task_status.0.map(|word| word.0),
            task_priority: task_priority.0.map(|word| word.0),
            group_id: group_id.0.map(GroupId),
            content: has_messages.0.map(|has| match has {
                true => SessionContent::Messages,
                false => SessionContent::Nothing,
            }),
            deleted: deleted.0.map(|word| word.0).unwrap_or_default(),
        })?;
        let page = self.0.list(caller.owner_id(), filter, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Make a session
    ///
    /// With a `task_status` it is a task. A session can also be made together with its first messages, see `take_turn`.
    #[oai(path = "/sessions", method = "post", operation_id = "create_session")]
    async fn create(
        &self,
        caller: Caller<ChatWrite>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<SessionFields>,
    ) -> Answer<Created<SessionBody>, CONFLICT> {
        let (fields, once) = keyed.once(created);
        let done = match once {
            None => Done::Now(self.0.create(caller.owner_id(), fields.into()).await?),
            Some(once) => self.0.create_once(caller.owner_id(), fields.into(), once).await?,
        };
        Ok(idempotency::answer(done, created)?)
    }

    /// Read a session
    #[oai(path = "/sessions/:session_id", method = "get", operation_id = "get_session")]
    async fn get(
        &self,
        caller: Caller<ChatRead>,
        /// The session.
        session_id: Path<Uuid>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<SessionBody>, NOT_FOUND> {
        let session = self.0.get(caller.owner_id(), SessionId(session_id.0)).await?;
        let tag = etag::of(session.version);
        Ok(Found::new(session, tag, if_none_match.0.as_deref())?)
    }

    /// Change a session
    ///
    /// A patch that changes nothing writes nothing: version and tag stay.
    #[oai(path = "/sessions/:session_id", method = "patch", operation_id = "change_session")]
    async fn change(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// Whether `last_update` becomes now, unless the patch sets it.
        #[oai(default)]
        touch: Query<bool>,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<SessionPatchBody>,
    ) -> Answer<Changed<SessionBody>, { NOT_FOUND | PRECONDITION_FAILED }> {
        let id = SessionId(session_id.0);
        check_same(body.id.value().copied(), Some(id), || "/id".to_owned())?;
        let change = ChangeSession {
            id,
            patch: body.into(),
            touch: touch.0,
            if_match: etag::demanded(if_match.0.as_deref())?,
        };
        let session = self.0.change(caller.owner_id(), change).await?;
        let tag = etag::of(session.version);
        Ok(Changed::new(session, tag)?)
    }

    /// Delete a session
    ///
    /// Moves it to the trash, and its messages with it out of every read; or removes it for good with everything below it.
    #[oai(path = "/sessions/:session_id", method = "delete", operation_id = "delete_session")]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// Whether to remove it for good, from live or from the trash.
        #[oai(default)]
        purge: Query<bool>,
        /// Delete only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED }> {
        let if_match = etag::demanded(if_match.0.as_deref())?;
        let (owner_id, id) = (caller.owner_id(), SessionId(session_id.0));
        match purge.0 {
            true => self.0.purge(owner_id, id, if_match).await?,
            false => self.0.delete(owner_id, id, if_match).await?,
        }
        Ok(Deleted)
    }

    /// Restore a session
    ///
    /// Takes it out of the trash, with exactly the messages that were live before. One that is not there stays as it is.
    #[oai(
        path = "/sessions/:session_id/restore",
        method = "post",
        operation_id = "restore_session"
    )]
    async fn restore(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
    ) -> Answer<Changed<SessionBody>, NOT_FOUND> {
        let session = self.0.restore(caller.owner_id(), SessionId(session_id.0)).await?;
        let tag = etag::of(session.version);
        Ok(Changed::new(session, tag)?)
    }

    /// Get the session of a character
    ///
    /// The one with the newest `last_update`. If the character has none, an empty one is made; requests at once make one.
    #[oai(path = "/sessions/resolve", method = "post", operation_id = "resolve_session")]
    async fn resolve(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<SessionResolveBody>,
    ) -> Answer<Stored<SessionBody>> {
        let request = ResolveSession {
            character_name: body.character_name,
            name: body.name.0,
        };
        let ResolvedSession { session, is_new } = self.0.resolve(caller.owner_id(), request).await?;
        let tag = etag::of(session.version);
        let location = is_new.then(|| location(session.id));
        Ok(Stored::new(session, location, tag)?)
    }
}
