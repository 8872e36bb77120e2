use std::sync::Arc;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, TaskPriority, TaskStatus};
use larder_domain::{Code as ViolationCode, Patch, SessionId};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ChangeSession, SessionUseCases};
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::envelope::Success;
use super::failure::Answer;
use super::values::{Field, Moment, Nulls, Sent, SentId};
use super::words::SESSION;
use crate::Tag;
use crate::body::{Body, Payload};
use crate::idempotency::Keyed;
use crate::identity::{Caller, ChatWrite};
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
pub(crate) struct SessionApi(pub(super) Arc<dyn SessionUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Compatibility")]
impl SessionApi {
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
        let changed = self.0.change(caller.owner_id(), change).await;
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
            None => self.0.create(owner_id, draft).await.map(Done::Now),
            Some(once) => self.0.create_once(owner_id, draft, once).await,
        };
        let done = made.map_err(|error| SESSION.refuse(error))?;
        Ok(Success::once(done, task_made)?)
    }
}
