use async_trait::async_trait;
use larder_domain::chat::{Message, MessageDraft, MessageStatus, SenderRole, Session, SessionDraft, SessionPatch};
use larder_domain::{Invalid, MessageId, OwnerId, SessionId};

use super::NotFoundError;
use crate::inbound::{BadCursor, Done, Failure, KeyReused, Once, Page, PageRequest};
use crate::outbound::Deleted;
use crate::outbound::chat::Order;

/// Messages. Somebody else's is answered like a missing one.
#[async_trait]
pub trait MessageUseCases: Send + Sync {
    /// Appends one message to a live session (`CH-02` to `CH-07`). With `touch`, the session's `last_update` moves (`CH-09`).
    /// Pointers of violations start at the message.
    async fn append(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
    ) -> Result<MessageView, AppendError>;

    /// The same for a request that may be repeated.
    async fn append_once(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
        once: Once<MessageView>,
    ) -> Result<Done<MessageView>, AppendError>;

    /// Appends a turn in one commit, and makes its session where it names none (`CH-01` to `CH-07`). Pointers of violations start at
    /// the turn: `/messages/1/text`, `/session/name`.
    async fn take_turn(&self, owner_id: OwnerId, turn: Turn) -> Result<TurnTaken, AppendError>;

    /// The same for a request that may be repeated (`CH-08`).
    async fn take_turn_once(
        &self,
        owner_id: OwnerId,
        turn: Turn,
        once: Once<TurnTaken>,
    ) -> Result<Done<TurnTaken>, AppendError>;

    /// A live message.
    async fn get(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError>;

    /// A page of the messages of a live session. Only asked for live and trashed messages, it opens a session in the trash too
    /// (`CH-47`).
    async fn list(&self, owner_id: OwnerId, request: ListMessages) -> Result<Page<MessageView>, ListMessagesError>;

    /// The newest messages of live sessions, `most` of them together. The sessions, each named once, are filled in their order, and
    /// the messages of each come by ascending position (`CO-06`).
    async fn newest(
        &self,
        owner_id: OwnerId,
        session_ids: Vec<SessionId>,
        most: u32,
    ) -> Result<NewestMessages, Failure>;
}

/// The newest messages of several sessions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewestMessages {
    /// Session by session.
    pub messages: Vec<MessageView>,
    /// Whether the sessions have more messages than these.
    pub is_truncated: bool,
}

/// 1 to 20 messages for one commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Where they go.
    pub target: TurnTarget,
    /// In the order in which they are appended.
    pub messages: Vec<MessageDraft>,
    /// Whether the session's `last_update` moves (`CH-09`).
    pub touch: bool,
    /// If set, at most so many of the session's newest messages are answered besides, those of the turn included (`CO-06`).
    pub newest: Option<u32>,
}

/// Where the messages of a turn go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TurnTarget {
    /// Into a new session (`CH-01`).
    New(SessionDraft),
    /// Into a live session, of which exactly the fields present in the patch change (`CH-02`, `CH-05`).
    Existing(SessionId, SessionPatch),
}

/// What a turn left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TurnTaken {
    /// The session afterwards.
    pub session: Session,
    /// The messages in order.
    pub messages: Vec<MessageView>,
    /// The newest messages of the session, if they were asked for.
    pub newest: Option<NewestMessages>,
}

/// A message as a reader sees it at the time of the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageView {
    /// What is stored.
    pub message: Message,
    /// What the reader sees: a partial message whose lease ran out reads `interrupted` (`CH-81`).
    pub status: MessageStatus,
}

impl MessageView {
    /// Whether the reader sees another status than the stored one, so that its ETag differs from the version (`CH-81`).
    pub fn is_lapsed(&self) -> bool {
        self.status != self.message.status
    }
}

/// Which messages are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListMessages {
    /// Of which session.
    pub session_id: SessionId,
    /// From the first or from the last.
    pub order: Order,
    /// Live messages, trashed ones, or both.
    pub deleted: Deleted,
    /// By this role only.
    pub role: Option<SenderRole>,
    /// With this status as readers see it only.
    pub status: Option<MessageStatus>,
    /// Which page.
    pub page: PageRequest,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// What was sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such live session of the owner.
    #[error("not found")]
    NotFound,
    /// The owner has one of the ids already.
    #[error("the id is taken")]
    IdTaken,
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why there is no page of messages.
#[derive(Debug, thiserror::Error)]
pub enum ListMessagesError {
    /// There is no such live session of the owner.
    #[error("not found")]
    NotFound,
    /// The cursor does not belong to this list.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
