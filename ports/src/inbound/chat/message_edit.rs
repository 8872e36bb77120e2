use async_trait::async_trait;
use larder_domain::chat::{AttachmentDraft, Chunk, Editor, Lengths, MessageDraft, MessagePatch, Revision, SenderRole};
use larder_domain::{Invalid, MessageId, OwnerId, SessionId, Version};

use super::{ListMessagesError, MessageView, NotFoundError};
use crate::inbound::{Failure, Page, PageRequest};

/// Changing messages that are there. Somebody else's, and those below a session in the trash, are answered like missing ones.
#[async_trait]
pub trait MessageEditUseCases: Send + Sync {
    /// Changes a live message by a merge patch, and keeps a revision where the content changes. A patch that changes nothing writes
    /// nothing (`CH-09` to `CH-13`, `CH-16`, `CH-82`).
    async fn change(&self, owner_id: OwnerId, change: ChangeMessage) -> Result<MessageView, EditMessageError>;

    /// Stores a whole message under an id of the client's: at the end of the session where there is none yet, else in place of the
    /// one that is there (`CH-14`, `CH-15`).
    async fn put(&self, owner_id: OwnerId, put: PutMessage) -> Result<MessageStored, EditMessageError>;

    /// Adds attachments to a live message, behind those of their kind (`CH-10`). Pointers of violations start at `/attachments`.
    async fn attach(&self, owner_id: OwnerId, attach: AttachToMessage) -> Result<MessageView, EditMessageError>;

    /// Grows a partial message by a chunk and renews its lease (`CH-80`, `CH-81`, `CH-83`).
    async fn grow(&self, owner_id: OwnerId, id: MessageId, chunk: Chunk) -> Result<Grown, EditMessageError>;

    /// Moves a live message to the trash, or removes a live or trashed one for good (`CH-45`, `CH-48`).
    async fn delete(&self, owner_id: OwnerId, delete: DeleteMessage) -> Result<(), EditMessageError>;

    /// Brings a message back from the trash; a live one stays as it is (`CH-45`).
    async fn restore(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError>;

    /// Moves messages of one live session to the trash, those that are there and live, and answers them in the order asked
    /// (`CH-49`).
    async fn delete_batch(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        ids: Vec<MessageId>,
    ) -> Result<Vec<MessageId>, EditMessageError>;

    /// A page of what a live message said before, newest first (`CH-16`).
    async fn revisions(
        &self,
        owner_id: OwnerId,
        id: MessageId,
        page: PageRequest,
    ) -> Result<Page<Revision>, ListMessagesError>;

    /// What a live message said at one revision before the current one.
    async fn revision(&self, owner_id: OwnerId, id: MessageId, revision: i64) -> Result<Revision, NotFoundError>;
}

/// A state of a message as its entity tag tells it: the version, and whether it reads interrupted because its lease ran out
/// (`CH-81`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageTag {
    /// The version.
    pub version: Version,
    /// Whether the lease ran out since.
    pub is_lapsed: bool,
}

/// What is sent to change a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeMessage {
    /// Which.
    pub id: MessageId,
    /// If sent, the session that it must be of (`CH-15`).
    pub session_id: Option<SessionId>,
    /// If sent, the role that it must have (`CH-15`).
    pub sender_role: Option<SenderRole>,
    /// What changes.
    pub patch: MessagePatch,
    /// Whether an edit of content moves the session's `last_update` (`CH-09`).
    pub touch: bool,
    /// The state that the client read; another one is refused as stale (`CH-17`).
    pub if_match: Option<MessageTag>,
    /// Who replaces the content.
    pub by: Editor,
}

/// What is sent to store a whole message under an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutMessage {
    /// Of which session.
    pub session_id: SessionId,
    /// Under which id; the draft's own id does not count.
    pub id: MessageId,
    /// The whole message.
    pub draft: MessageDraft,
    /// Whether the session's `last_update` moves (`CH-09`).
    pub touch: bool,
    /// What must be there, or not.
    pub condition: PutCondition,
    /// Who replaces the content.
    pub by: Editor,
}

/// What must be there for a whole message to be stored (`CH-14`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PutCondition {
    /// Nothing in particular.
    #[default]
    None,
    /// No message: insert only.
    Absent,
    /// A message: replace only.
    Present,
    /// A message in this state: replace only.
    State(MessageTag),
}

/// What storing a whole message came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageStored {
    /// The message as it is now.
    pub view: MessageView,
    /// Whether it was inserted rather than replaced.
    pub is_new: bool,
}

/// What is sent to add attachments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachToMessage {
    /// To which message.
    pub id: MessageId,
    /// What is added.
    pub attachments: Vec<AttachmentDraft>,
    /// Whether the session's `last_update` moves (`CH-09`).
    pub touch: bool,
    /// The state that the client read; another one is refused as stale (`CH-17`).
    pub if_match: Option<MessageTag>,
    /// Who replaces the content.
    pub by: Editor,
}

/// What is sent to delete a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteMessage {
    /// Which.
    pub id: MessageId,
    /// Whether it goes for good.
    pub purge: bool,
    /// The state that the client read; another one is refused as stale (`CH-17`).
    pub if_match: Option<MessageTag>,
}

/// How far a partial message has grown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grown {
    /// Characters that are stored.
    pub lengths: Lengths,
    /// Its version now.
    pub version: Version,
}

/// Why a message was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditMessageError {
    /// What was sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is none, or it or its session is in the trash, or somebody else's.
    #[error("not found")]
    NotFound,
    /// The stored state is not the one that the client demands.
    #[error("the resource changed meanwhile")]
    Stale,
    /// The owner has the id already, in another session or in the trash.
    #[error("the id is taken")]
    IdTaken,
    /// The message has ended, and there is no way back (`CH-82`).
    #[error("the message is not partial")]
    NotPartial,
    /// The chunk leaves a gap or contradicts what is stored (`CH-80`).
    #[error("the chunk does not continue what is stored")]
    ChunkMismatch(Lengths),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
