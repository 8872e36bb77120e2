use async_trait::async_trait;
use larder_domain::chat::Session;
use larder_domain::{Instant, OwnerId, SessionId, Version};

use crate::outbound::{Deleted, Place, StorageError};

/// Which sessions a list holds; conditions combine with AND (`CH-20`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionFilter {
    /// Live, trashed, or both.
    pub deleted: Deleted,
}

/// Conversations. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing one.
#[async_trait]
pub trait Sessions: Send {
    /// Stores a new session with its tags.
    ///
    /// Must break `SessionIdTaken` when the owner has the id already, live or in the trash. The same id of another owner is no
    /// conflict (`CH-06`).
    async fn insert(&mut self, session: &Session) -> Result<(), StorageError>;

    /// A live session.
    async fn find(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;

    /// At most `limit` sessions after `after`, by `last_update` from the newest, then by id from the highest (`CH-20`).
    async fn list(
        &mut self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Session>, StorageError>;

    /// Replaces the client fields and the tags of a live session with those of `session`, if the stored one still has the version
    /// `expected`; answers whether it had. `version` and `updated_at` become those of `session`; counters and positions are not
    /// touched.
    async fn update(&mut self, session: &Session, expected: Version) -> Result<bool, StorageError>;

    /// Moves a live session to the trash and answers `true`, if it is there and, where `expected` is given, has that version.
    /// Messages are not touched (`CH-46`).
    async fn delete(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        expected: Option<Version>,
        now: Instant,
    ) -> Result<bool, StorageError>;
}
