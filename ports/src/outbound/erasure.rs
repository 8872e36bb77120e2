use async_trait::async_trait;
use larder_domain::OwnerId;

use super::StorageError;

/// A context that can delete all that an owner has in it (`ID-44`).
#[async_trait]
pub trait ErasableContext: Send + Sync {
    /// The name of the context: `chat`.
    fn name(&self) -> &'static str;

    /// Deletes some of the owner's rows in one commit and answers how many; 0 once there is none. Each batch is bounded, and
    /// deleting what is gone already does no harm, so this may be called again after any failure.
    async fn erase_batch(&self, owner_id: OwnerId) -> Result<u64, StorageError>;
}

/// Every row of a context that an owner has, whatever its table.
#[async_trait]
pub trait OwnedRows: Send {
    /// Deletes at most `limit` rows of the owner, live or not, and answers how many; fewer than `limit` once no more are left. What
    /// refers to a row goes before it, so nothing is deleted uncounted.
    async fn erase(&mut self, owner_id: OwnerId, limit: u32) -> Result<u64, StorageError>;
}
