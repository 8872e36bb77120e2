use async_trait::async_trait;
use larder_domain::{Day, Instant, OwnerId};

use super::Failure;

/// The clocks of persons. They belong to the household context; every other context asks here (conventions §6).
#[async_trait]
pub trait Clocks: Send + Sync {
    /// The person's own day at an instant.
    async fn day_of(&self, owner_id: OwnerId, at: Instant) -> Result<Day, Failure>;
}
