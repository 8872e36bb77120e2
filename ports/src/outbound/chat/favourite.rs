use async_trait::async_trait;
use larder_domain::chat::{Message, SessionHeader};
use larder_domain::{Instant, OwnerId};

use crate::outbound::{Place, StorageError};

/// Live messages of live sessions that their owner marked, by `created_at`, then id.
#[async_trait]
pub trait Favourites: Send {
    /// At most `limit` favourites behind `after`, newest first (`CH-30`).
    async fn newest(
        &mut self,
        owner_id: OwnerId,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(Message, SessionHeader)>, StorageError>;

    /// At most `limit` favourites behind `after`, oldest first, none of them made later than `until` (`CH-31`).
    async fn oldest(
        &mut self,
        owner_id: OwnerId,
        until: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(Message, SessionHeader)>, StorageError>;
}
