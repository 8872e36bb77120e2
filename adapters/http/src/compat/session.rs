use std::sync::Arc;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, Tag as Label, TaskPriority, TaskStatus};
use larder_domain::{Code as ViolationCode, Patch, SessionId, TextRule, Violations, check_text};
use larder_ports::inbound::chat::{ChangeSession, SearchRequest, SearchUseCases, SessionUseCases};
use larder_ports::inbound::{Done, Page, PageRequest};
use larder_ports::outbound::chat::{SessionContent, SessionFilter, TaskFilter};
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::envelope::{Meta, Success};
use super::failure::Answer;
use super::values::{Field, Moment, Nulls, Sent, SentId, limit, offset};
use super::words::{REMOVED_SESSION, SESSION};
use crate::Tag;
use crate::body::{Body, Payload};
use crate::idempotency::Keyed;
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::problem::{CONFLICT, NOT_FOUND, Problem};
use crate::values::{Optional, Word};

/// A conversation.
#[derive(Object, Serialize)]
#[oai(rename = "CompatSession")]
pub(super) struct SessionBody {
    /// Its id.
    session_id: Uuid,
    /// Whose it is.
    customer_id: Uuid,
    /// What it is called.
    #[serde(skip_serializing_if = "Field::is_absent")]
    session_name: Field<String>,
    /// The persona that answers, or an empty text.
    ai_character_name: String,
    /// The model that answers, or an empty text.
    ai_text_gen_model: String,
    /// Whether answers are to be read aloud.
    auto_trigger_tts: bool,
    /// The id of an agent runtime's own conversation.
    #[serde(skip_serializing_if = "Field::is_absent")]
    claude_session_id: Field<String>,
    /// Labels.
    tags: Vec<String>,
    /// Present when the session is used as a task.
    #[serde(skip_serializing_if = "Field::is_absent")]
    task_status: Field<Word<TaskStatus>>,
    /// Present when the session is used as a task.
    #[serde(skip_serializing_if = "Field::is_absent")]
    task_priority: Field<Word<TaskPriority>>,
    /// What is to be done.
    #[serde(skip_serializing_if = "Field::is_absent")]
    task_description: Field<String>,
    /// The group of agents that converses here.
    #[serde(skip_serializing_if = "Field::is_absent")]
    group_id: Field<Uuid>,
    /// What that group is called.
    #[serde(skip_serializing_if = "Field::is_absent")]
    group_name: Field<String>,
    /// When it was made.
    created_at: Moment,
    /// The last conversational activity.
    last_update: Moment,
}

impl SessionBody {
    /// A session by the null policy of the operation.
    pub(super) fn show(session: Session, nulls: Nulls) -> Self {
        let (status, priority, description) = match session.task {
            Some(task) => (Some(task.status), Some(task.priority), task.description),
            None => (None, None, None),
        };
        Self {
            session_id: session.id.0,
            customer_id: session.owner_id.0,
            session_name: nulls.show(session.name),
            ai_character_name: session.character_name.unwrap_or_default(),
            ai_text_gen_model: session.model_name.unwrap_or_default(),
            auto_trigger_tts: session.auto_trigger_tts,
            claude_session_id: nulls.show(session.agent_session_id),
            tags: session.tags.iter().map(|tag| tag.text().to_owned()).collect(),
            task_status: nulls.show(status.map(Word)),
            task_priority: nulls.show(priority.map(Word)),
            task_description: nulls.show(description),
            group_id: nulls.show(session.group_id.map(|id| id.0)),
            group_name: nulls.show(None),
            created_at: Moment(session.created_at),
            last_update: Moment(session.last_update),
        }
    }
}

/// Some conversations.
#[derive(Object, Serialize)]
#[oai(rename = "CompatSessions")]
struct SessionsBody {
    /// They, newest `last_update` first.
    sessions: Vec<SessionBody>,
    /// How many these are.
    count: usize,
}

/// Which sessions are wanted.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatSessionList")]
#[serde(deny_unknown_fields)]
struct ListBody {
    /// Only with a `last_update` at this instant or later.
    start_date: Optional<Moment>,
    /// Only with a `last_update` before this instant.
    end_date: Optional<Moment>,
    /// Only with one of these tags, in any spelling.
    tags: Optional<Vec<String>>,
    /// Only of exactly this character.
    ai_character_name: Optional<String>,
    /// Only tasks in this state, in any, or sessions that are no tasks.
    task_status: Optional<Word<TaskFilter>>,
    /// Only tasks of this priority.
    task_priority: Optional<Word<TaskPriority>>,
    /// How many sessions are skipped: 0 to 10000.
    offset: Optional<i64>,
    /// Most sessions: 30 unless sent; 0 and whatever is above 200 mean 200.
    limit: Optional<i64>,
    /// The `next_cursor` of the page before, instead of an offset.
    cursor: Optional<String>,
}

impl Payload for ListBody {
    const EXAMPLE: &'static str = r#"{"start_date": "2026-01-01", "tags": ["travel"], "limit": 30}"#;
}

impl ListBody {
    fn filter(&self) -> Result<SessionFilter, Problem> {
        let mut violations = Violations::new();
        if let Some(character) = &self.ai_character_name.0 {
            check_text(character, TextRule::up_to(100), "/ai_character_name", &mut violations);
        }
        let tags = self.tags.0.as_deref().unwrap_or_default();
        let tags = violations.keep(Label::list(tags, "/tags"));
        Ok(violations.finish(SessionFilter {
            from: self.start_date.0.map(|moment| moment.0),
            to: self.end_date.0.map(|moment| moment.0),
            tags: tags.unwrap_or_default(),
            character: self.ai_character_name.0.clone(),
            task: self.task_status.0.map(|word| word.0),
            task_priority: self.task_priority.0.map(|word| word.0),
            ..shown()
        })?)
    }
}

/// What lists and search never hide (`CO-11`).
fn shown() -> SessionFilter {
    SessionFilter {
        content: Some(SessionContent::MessagesOrTask),
        ..SessionFilter::default()
    }
}

/// What is searched for.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatSessionSearch")]
#[serde(deny_unknown_fields)]
struct SearchBody {
    /// Words, of which the last may be the beginning of one; without any, every session is found.
    #[oai(validator(max_length = 200))]
    search_text: Optional<String>,
    /// Most sessions: 30 unless sent; 0 and whatever is above 200 mean 200.
    limit: Optional<i64>,
    /// The `next_cursor` of the page before.
    cursor: Optional<String>,
}

impl Payload for SearchBody {
    const EXAMPLE: &'static str = r#"{"search_text": "weekend lis"}"#;
}

/// Which session is deleted.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatSessionRemoval")]
#[serde(deny_unknown_fields)]
struct RemovalBody {
    /// Which session.
    session_id: SentId,
}

impl Payload for RemovalBody {
    const EXAMPLE: &'static str = r#"{"session_id": "0199d3a0-0000-7000-8000-000000000001"}"#;
}

/// What was deleted.
#[derive(Object, Serialize)]
#[oai(rename = "CompatSessionRemoved")]
struct RemovedBody {
    /// How many messages went with the session.
    removed_count: i64,
    /// Which: the newest of them, ascending.
    #[serde(skip_serializing_if = "Field::is_absent")]
    message_ids: Field<Vec<Uuid>>,
    /// The session.
    session_id: Uuid,
}

/// A change of a session. Null leaves alone; an empty text clears.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatSessionChange")]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// Which session.
    session_id: SentId,
    /// What it is called.
    session_name: Optional<String>,
    /// The persona that answers.
    ai_character_name: Optional<String>,
    /// The model that answers.
    ai_text_gen_model: Optional<String>,
    /// The id of an agent runtime's own conversation.
    claude_session_id: Optional<String>,
    /// Replaces the whole list.
    tags: Optional<Vec<String>>,
    /// Whether answers are to be read aloud.
    auto_trigger_tts: Optional<bool>,
    /// Makes the session a task.
    task_status: Optional<Word<TaskStatus>>,
    /// Only for a task.
    task_priority: Optional<Word<TaskPriority>>,
    /// Only for a task.
    task_description: Optional<String>,
    /// Makes the session a plain one, whatever else is said of the task.
    clear_task_metadata: Optional<bool>,
    /// Whether `last_update` moves; true unless sent.
    update_last_mod_time: Optional<bool>,
    /// Where `last_update` moves; now unless sent.
    last_update_override: Optional<Moment>,
}

impl Payload for ChangeBody {
    const EXAMPLE: &'static str =
        r#"{"session_id": "0199d3a0-0000-7000-8000-000000000001", "session_name": "Four days in Lisbon"}"#;
}

/// A text of a change: null leaves it alone, an empty one clears it.
fn text(sent: Optional<String>) -> Patch<String> {
    match sent.0 {
        None => Patch::Keep,
        Some(text) if text.is_empty() => Patch::Clear,
        Some(text) => Patch::Set(text),
    }
}

fn value<T>(sent: Option<T>) -> Patch<T> {
    sent.map_or(Patch::Keep, Patch::Set)
}

impl From<ChangeBody> for (SessionPatch, bool) {
    /// The patch, and whether `last_update` moves (`CO-33`).
    fn from(body: ChangeBody) -> Self {
        let touch = body.update_last_mod_time.0.unwrap_or(true);
        let (task_status, task_priority, task_description) = match body.clear_task_metadata.0 {
            Some(true) => (Patch::Clear, Patch::Keep, Patch::Keep),
            _ => (
                value(body.task_status.0.map(|word| word.0)),
                value(body.task_priority.0.map(|word| word.0)),
                text(body.task_description),
            ),
        };
        let patch = SessionPatch {
            name: text(body.session_name),
            character_name: text(body.ai_character_name),
            model_name: text(body.ai_text_gen_model),
            auto_trigger_tts: value(body.auto_trigger_tts.0),
            agent_session_id: text(body.claude_session_id),
            tags: value(body.tags.0),
            task_status,
            task_priority,
            task_description,
            last_update: match touch {
                true => value(body.last_update_override.0.map(|moment| moment.0)),
                false => Patch::Keep,
            },
        };
        (patch, touch)
    }
}

/// A new task.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatTask")]
#[serde(deny_unknown_fields)]
struct TaskBody {
    /// The persona that answers.
    #[oai(validator(min_length = 1, max_length = 100))]
    ai_character_name: String,
    /// What is to be done.
    #[oai(validator(min_length = 1, max_length = 500))]
    task_description: String,
    /// `medium` unless sent.
    task_priority: Optional<Word<TaskPriority>>,
    /// What it is called; the beginning of the description unless sent.
    #[oai(validator(max_length = 200))]
    session_name: Optional<String>,
}

impl Payload for TaskBody {
    const EXAMPLE: &'static str = r#"{"ai_character_name": "guide", "task_description": "Book the flights"}"#;
}

impl From<TaskBody> for SessionDraft {
    fn from(body: TaskBody) -> Self {
        Self {
            name: body.session_name.0.filter(|name| !name.is_empty()),
            character_name: Some(body.ai_character_name),
            task_status: Some(TaskStatus::Active),
            task_priority: body.task_priority.0.map(|word| word.0),
            task_description: Some(body.task_description),
            ..Self::default()
        }
    }
}

/// The id of the session that an operation is about.
fn required(id: SentId) -> Result<SessionId, Problem> {
    let missing = || Problem::violation("/session_id", ViolationCode::Required, "is required");
    id.0.map(SessionId).ok_or_else(missing)
}

fn task_made(session: &Session) -> Result<Success<SessionBody>, Problem> {
    let shown = SessionBody::show(session.clone(), Nulls::Stripped);
    Success::new("Task created successfully", shown)
}

/// Operations on conversations.
pub(crate) struct SessionApi {
    pub(super) sessions: Arc<dyn SessionUseCases>,
    pub(super) search: Arc<dyn SearchUseCases>,
    /// Most messages in one answer (`CO-06`).
    pub(super) max_messages: u32,
}

/// A page of sessions as it is answered.
fn show_page(message: &str, page: Page<Session>) -> Result<Success<SessionsBody>, Problem> {
    let shown = page
        .data
        .into_iter()
        .map(|session| SessionBody::show(session, Nulls::Kept));
    let sessions: Vec<SessionBody> = shown.collect();
    let meta = Meta {
        next_cursor: Field::perhaps(page.next_cursor),
        ..Meta::default()
    };
    let count = sessions.len();
    Success::with(message, SessionsBody { sessions, count }, meta)
}

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Compatibility")]
impl SessionApi {
    /// List sessions
    ///
    /// Newest `last_update` first; the filters combine with AND. A session without messages that is no task is not listed.
    #[oai(path = "/sessions/list", method = "post", operation_id = "compat_list_sessions")]
    async fn list(&self, caller: Caller<ChatRead>, Body(body): Body<Sent<ListBody>>) -> Answer<SessionsBody> {
        let (Sent(body), owner_id) = (body, caller.owner_id());
        let (filter, limit) = (body.filter()?, limit(body.limit)?);
        let page = match body.cursor.0 {
            None => {
                self.sessions
                    .list_from(owner_id, filter, offset(body.offset)?, limit)
                    .await
            }
            cursor => {
                self.sessions
                    .list(owner_id, filter, PageRequest { limit, cursor })
                    .await
            }
        };
        let page = page.map_err(Problem::from)?;
        Ok(show_page("Sessions retrieved successfully", page)?)
    }

    /// Search sessions
    ///
    /// Those that match themselves or by a message, newest `last_update` first.
    #[oai(path = "/sessions/search", method = "post", operation_id = "compat_search_sessions")]
    async fn search(&self, caller: Caller<ChatRead>, Body(body): Body<Sent<SearchBody>>) -> Answer<SessionsBody> {
        let (Sent(body), owner_id) = (body, caller.owner_id());
        let page = PageRequest {
            limit: limit(body.limit)?,
            cursor: body.cursor.0,
        };
        let query = body.search_text.0.unwrap_or_default();
        let page = match query.trim().is_empty() {
            true => self
                .sessions
                .list(owner_id, shown(), page)
                .await
                .map_err(Problem::from)?,
            false => {
                let request = SearchRequest {
                    query,
                    content: shown().content,
                    ..SearchRequest::default()
                };
                let found = self.search.sessions(owner_id, request, page).await;
                found.map_err(|error| SESSION.refuse(error))?
            }
        };
        Ok(show_page("Sessions matched successfully", page)?)
    }

    /// Change a session
    ///
    /// Nothing but the id moves `last_update`.
    #[oai(path = "/sessions", method = "patch", operation_id = "compat_change_session")]
    async fn change(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<Sent<ChangeBody>>,
    ) -> Answer<SessionBody, NOT_FOUND> {
        let Sent(body) = body;
        let id = required(body.session_id)?;
        let (patch, touch) = body.into();
        let change = ChangeSession {
            id,
            patch,
            touch,
            if_match: None,
        };
        let changed = self.sessions.change(caller.owner_id(), change).await;
        let session = changed.map_err(|error| SESSION.refuse(error))?;
        let shown = SessionBody::show(session, Nulls::Stripped);
        Ok(Success::new("Session updated successfully", shown)?)
    }

    /// Make a task
    #[oai(path = "/sessions/create-task", method = "post", operation_id = "compat_create_task")]
    async fn create_task(
        &self,
        caller: Caller<ChatWrite>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<Sent<TaskBody>>,
    ) -> Answer<SessionBody, CONFLICT> {
        let (Sent(body), once) = keyed.kept(|session| task_made(session).map(Success::keep));
        let (owner_id, draft) = (caller.owner_id(), body.into());
        let made = match once {
            None => self.sessions.create(owner_id, draft).await.map(Done::Now),
            Some(once) => self.sessions.create_once(owner_id, draft, once).await,
        };
        let done = made.map_err(|error| SESSION.refuse(error))?;
        Ok(Success::once(done, task_made)?)
    }

    /// Delete a session
    ///
    /// Moves it to the trash, and its messages with it out of every read.
    #[oai(path = "/sessions", method = "delete", operation_id = "compat_delete_session")]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<Sent<RemovalBody>>,
    ) -> Answer<RemovedBody, NOT_FOUND> {
        let id = required(body.0.session_id)?;
        let removed = self.sessions.remove(caller.owner_id(), id, self.max_messages).await;
        let removed = removed.map_err(|error| REMOVED_SESSION.refuse(error))?;
        let is_truncated = usize::try_from(removed.message_count).is_ok_and(|count| count > removed.message_ids.len());
        let ids: Vec<Uuid> = removed.message_ids.iter().map(|id| id.0).collect();
        let shown = RemovedBody {
            removed_count: removed.message_count,
            message_ids: Field::perhaps((!ids.is_empty()).then_some(ids)),
            session_id: id.0,
        };
        let meta = Meta {
            truncated: Field::perhaps(is_truncated.then_some(true)),
            ..Meta::default()
        };
        Ok(Success::with("Session removed successfully", shown, meta)?)
    }
}
