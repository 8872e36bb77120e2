use async_trait::async_trait;
use larder_domain::chat::Revision;
use larder_domain::{MessageId, OwnerId};

use crate::outbound::StorageError;

/// What messages said before. Every method sees the rows of `owner_id` only, and none of what is not live.
#[async_trait]
pub trait Revisions: Send {
    /// At most `limit` revisions of a live message with a number below `before`, newest first; `None` when there is no such live
    /// message.
    async fn list(
        &mut self,
        owner_id: OwnerId,
        id: MessageId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<Revision>>, StorageError>;

    /// One revision of a live message.
    async fn find(&mut self, owner_id: OwnerId, id: MessageId, revision: i64)
    -> Result<Option<Revision>, StorageError>;
}
