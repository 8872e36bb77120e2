use async_trait::async_trait;
use larder_domain::chat::{Message, MessageStatus, SenderRole, Session};
use larder_domain::{Instant, MessageId, OwnerId, SessionId};

use crate::outbound::{Deleted, StorageError};

/// Which way a list of messages runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Order {
    /// From the first position.
    #[default]
    Ascending,
    /// From the last position.
    Descending,
}

/// Which messages a list holds; conditions combine with AND.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageFilter {
    /// Live messages, trashed ones, or both; both are shown of a session in the trash too (`CH-47`).
    pub deleted: Deleted,
    /// By this role only.
    pub role: Option<SenderRole>,
    /// With this status as a reader at this instant sees it (`CH-81`).
    pub status: Option<(MessageStatus, Instant)>,
}

/// Messages. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing one.
#[async_trait]
pub trait Messages: Send {
    /// Appends 1 to 20 messages to a live session, in the order given, and answers the session as it is afterwards; `None`, and
    /// nothing written, when there is no such live session (`CH-02`, `CH-03`, `CH-09`).
    ///
    /// All messages belong to `session_id`, and their `position` counts from 1 within the turn: message *i* gets the position
    /// `last_position - n + i` of the answered session. Appends to one session are serialised by its row lock, so those positions
    /// are consecutive and never given twice. With `touch`, `last_update` becomes `now` unless it is later already.
    ///
    /// Must break `MessageIdTaken` when the owner has one of the ids already, live or in the trash (`CH-06`). Takes the same number
    /// of statements for 1 message as for 20 (`CH-92`).
    async fn append(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        messages: &[Message],
        touch: bool,
        now: Instant,
    ) -> Result<Option<Session>, StorageError>;

    /// A live message: neither it nor its session is in the trash (`CH-46`).
    async fn find(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;

    /// The ids of the newest messages of a session that are not in the trash themselves, wherever the session is: at most `limit`,
    /// the newest last (`CO-34`).
    async fn newest_ids(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        limit: u32,
    ) -> Result<Vec<MessageId>, StorageError>;

    /// At most `limit` messages of a live session whose position lies behind `after` in the given order; `None` when there is no
    /// such session. Where the filter asks for live and trashed messages, the session may be in the trash itself.
    async fn list(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        filter: MessageFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<Message>>, StorageError>;

    /// The newest messages of live sessions, `most` of them together. `session_ids` are distinct; they are filled in that order, so
    /// that a later session gets what the earlier ones have left, and the messages of each come by ascending position (`CO-06`).
    ///
    /// One statement, whatever the number of sessions, and one moment of the store.
    async fn newest(
        &mut self,
        owner_id: OwnerId,
        session_ids: &[SessionId],
        most: u32,
    ) -> Result<NewestMessages, StorageError>;
}

/// The newest messages of several sessions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewestMessages {
    /// Session by session.
    pub messages: Vec<Message>,
    /// Whether the sessions have more live messages than these.
    pub is_truncated: bool,
}
