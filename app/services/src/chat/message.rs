use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::chat::{
    MAX_TURN, Message, MessageDraft, MessageStatus, SenderRole, Session, SessionPatch, Stamp, check_turn,
};
use larder_domain::{AttachmentId, Instant, Invalid, MessageId, OwnerId, SessionId, Violations};
use larder_ports::inbound::chat::{
    AppendError, ListMessages, ListMessagesError, MessageUseCases, MessageView, NotFoundError, Turn, TurnTaken,
    TurnTarget,
};
use larder_ports::inbound::{Failure, Page};
use larder_ports::outbound::chat::{ChatUnit, MessageFilter, Order};
use larder_ports::outbound::{Access, Clock, IdGenerator, Rule, Seal, StorageError, Store};

use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// How conversations are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChatConfig {
    /// The lease of a partial message that asks for none (`CH-81`).
    pub partial_lease: Duration,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            partial_lease: Duration::from_secs(120),
        }
    }
}

/// The use cases of messages.
pub struct ChatMessages {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    config: ChatConfig,
    retry: RetryPolicy,
}

impl ChatMessages {
    /// Over these ports.
    pub fn new(
        store: Arc<dyn Store<dyn ChatUnit>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        seal: Arc<dyn Seal>,
        config: ChatConfig,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            seal,
            config,
            retry: RetryPolicy::default(),
        }
    }

    /// Makes the message at place `ordinal`, from 1, of a turn.
    fn message(
        &self,
        draft: MessageDraft,
        owner_id: OwnerId,
        session_id: SessionId,
        ordinal: i64,
        now: Instant,
        prefix: &str,
    ) -> Result<Message, Violations> {
        let stamp = Stamp {
            owner_id,
            session_id,
            id: draft.id.unwrap_or_else(|| MessageId(self.ids.next())),
            attachment_ids: draft
                .attachments
                .iter()
                .map(|_| AttachmentId(self.ids.next()))
                .collect(),
            ordinal,
            now,
            default_lease: self.config.partial_lease,
        };
        Message::create(draft, stamp, prefix)
    }

    /// Writes a turn in one unit.
    ///
    /// The append comes first: it locks the session's row, so the patch is judged on a session that nobody else can change, and
    /// two turns into one session wait for each other instead of being run again.
    async fn write(&self, plan: Plan) -> Result<TurnTaken, AppendError> {
        let owner_id = plan.owner_id;
        let session = retrying(&self.retry, "append messages", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if let Some(session) = &plan.new_session {
                match unit.sessions().insert(session).await {
                    Err(StorageError::Broken(Rule::SessionIdTaken)) => {
                        return refuse(unit, AppendError::IdTaken).await;
                    }
                    inserted => inserted?,
                }
            }
            let appended = unit
                .messages()
                .append(owner_id, plan.session_id, &plan.messages, plan.touch, plan.now)
                .await;
            let appended = match appended {
                Err(StorageError::Broken(Rule::MessageIdTaken)) => return refuse(unit, AppendError::IdTaken).await,
                appended => appended?,
            };
            let session = match appended {
                Some(session) => session,
                None if plan.new_session.is_some() => {
                    return Err(StorageError::Internal("a session just stored is not there".into()).into());
                }
                None => return refuse(unit, AppendError::NotFound).await,
            };
            let session = match session.change(plan.patch.clone(), false, plan.now, "/session") {
                Err(invalid) => return refuse(unit, invalid.into()).await,
                Ok(None) => session,
                Ok(Some(changed)) => {
                    // A turn is one change of its session, and the append has raised the version already.
                    let changed = Session {
                        version: session.version,
                        ..changed
                    };
                    if !unit.sessions().update(&changed, session.version).await? {
                        return Err(StorageError::Contended.into());
                    }
                    changed
                }
            };
            unit.commit().await?;
            Ok(session)
        })
        .await?;
        let before = session.last_position - plan.messages.len() as i64;
        let messages = plan
            .messages
            .into_iter()
            .map(|message| {
                let position = before + message.position;
                view(Message { position, ..message }, plan.now)
            })
            .collect();
        Ok(TurnTaken { session, messages })
    }
}

/// What a turn writes, made before a unit is open.
struct Plan {
    owner_id: OwnerId,
    session_id: SessionId,
    /// The session, when the turn makes it.
    new_session: Option<Session>,
    /// What changes on a session that exists.
    patch: SessionPatch,
    /// At least one; `position` is the place in the turn.
    messages: Vec<Message>,
    touch: bool,
    now: Instant,
}

#[async_trait]
impl MessageUseCases for ChatMessages {
    async fn append(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
    ) -> Result<MessageView, AppendError> {
        let now = self.clock.now();
        let message = self
            .message(draft, owner_id, session_id, 1, now, "")
            .map_err(Invalid::from)?;
        let plan = Plan {
            owner_id,
            session_id,
            new_session: None,
            patch: SessionPatch::default(),
            messages: vec![message],
            touch,
            now,
        };
        let mut taken = self.write(plan).await?;
        taken
            .messages
            .pop()
            .ok_or_else(|| Failure::Internal("a message that was appended is not there".into()).into())
    }

    async fn take_turn(&self, owner_id: OwnerId, turn: Turn) -> Result<TurnTaken, AppendError> {
        let now = self.clock.now();
        let mut violations = Violations::new();
        violations.keep(check_turn(&turn.messages).map_err(Violations::from));
        let (session_id, new_session, patch) = match turn.target {
            TurnTarget::Existing(id, patch) => (id, None, patch),
            TurnTarget::New(draft) => {
                let id = draft.id.unwrap_or_else(|| SessionId(self.ids.next()));
                let session = Session::create(draft, owner_id, id, now, "/session").map_err(Violations::from);
                (id, violations.keep(session), SessionPatch::default())
            }
        };
        let messages = (1..)
            .zip(turn.messages.into_iter().take(MAX_TURN))
            .filter_map(|(ordinal, draft)| {
                let prefix = format!("/messages/{}", ordinal - 1);
                violations.keep(self.message(draft, owner_id, session_id, ordinal, now, &prefix))
            })
            .collect();
        let plan = violations.finish(Plan {
            owner_id,
            session_id,
            new_session,
            patch,
            messages,
            touch: turn.touch,
            now,
        })?;
        self.write(plan).await
    }

    async fn get(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError> {
        let now = self.clock.now();
        retrying(&self.retry, "get message", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.messages().find(owner_id, id).await?;
            undo(unit).await;
            let message = found.ok_or(Unfinished::Refused(NotFoundError::NotFound))?;
            Ok(view(message, now))
        })
        .await
    }

    async fn list(&self, owner_id: OwnerId, request: ListMessages) -> Result<Page<MessageView>, ListMessagesError> {
        let now = self.clock.now();
        let seal = self.seal.as_ref();
        let paging = Paging::new(seal, "chat.messages", owner_id, &encode(&request), &request.page)?;
        let filter = MessageFilter {
            role: request.role,
            status: request.status.map(|status| (status, now)),
        };
        retrying(&self.retry, "list messages", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let (after, limit) = (paging.after(), paging.fetch());
            let found = unit
                .messages()
                .list(owner_id, request.session_id, filter, request.order, after, limit)
                .await?;
            undo(unit).await;
            let rows = found.ok_or(Unfinished::Refused(ListMessagesError::NotFound))?;
            let views = rows.into_iter().map(|message| view(message, now)).collect();
            Ok(paging.page(views, |view: &MessageView| view.message.position))
        })
        .await
    }
}

/// The message as a reader sees it at `now`.
fn view(message: Message, now: Instant) -> MessageView {
    let status = message.status_at(now);
    MessageView { message, status }
}

/// Session, order and filter as a cursor is bound to them. Taken apart field by field, so that a new one can't be forgotten.
fn encode(request: &ListMessages) -> Vec<u8> {
    let ListMessages {
        session_id,
        order,
        role,
        status,
        page: _,
    } = request;
    let order = match order {
        Order::Ascending => "ascending",
        Order::Descending => "descending",
    };
    let role = role.map_or("", SenderRole::as_str);
    let status = status.map_or("", MessageStatus::as_str);
    format!("{session_id} {order} {role} {status}").into_bytes()
}
