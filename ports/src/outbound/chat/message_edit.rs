use async_trait::async_trait;
use larder_domain::chat::{Editor, Message, MessageEdit};
use larder_domain::{Instant, MessageId, OwnerId, SessionId};
use uuid::Uuid;

use crate::outbound::StorageError;

/// Writes to messages that are there. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing
/// one.
///
/// A unit first locks, then writes what it decided under the lock: the session's row is always locked before any of its messages
/// (`CH-09`), and a session in the trash is never written below (`CH-47`).
#[async_trait]
pub trait MessageEdits: Send {
    /// Locks the row of a live session until the unit ends; answers whether there is one.
    async fn lock_session(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError>;

    /// Locks the row of a message's session, then reads the message, live or in the trash; `None` when there is no such message or
    /// its session is not live.
    async fn lock(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;

    /// A message in whatever state, in whichever session, live or in the trash: whether an id is taken (`CH-14`).
    async fn find_any(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;

    /// Stores an edit of a locked message: its row, its attachments where they changed, a revision where one is kept, and what
    /// moves on its session (`CH-09`, `CH-12`, `CH-16`).
    ///
    /// Answers [`StorageError::Contended`] when the stored version is not the one before the edit.
    async fn save(&mut self, edit: &MessageEdit, keeping: &Keeping) -> Result<(), StorageError>;

    /// Moves those of `ids` that are live messages of a locked session to the trash, and answers them in any order. A partial message
    /// whose lease ran out is stored as interrupted. The session moves once, and only if any was moved.
    async fn trash(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        ids: &[MessageId],
        now: Instant,
    ) -> Result<Vec<MessageId>, StorageError>;

    /// Stores a locked message that was in the trash as live again, with its new version.
    async fn restore(&mut self, message: &Message) -> Result<(), StorageError>;

    /// Removes a locked message for good, with its revisions, attachments and search rows (`CH-48`).
    async fn purge(&mut self, message: &Message, now: Instant) -> Result<(), StorageError>;
}

/// How an edit is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keeping {
    /// Whether an edit of content moves the session's `last_update`.
    pub touch: bool,
    /// The id of the revision, if one is kept.
    pub revision_id: Uuid,
    /// Who replaces the content.
    pub by: Editor,
    /// Most revisions that stay: the original and the newest ones (`CH-16`).
    pub max_revisions: u32,
}
