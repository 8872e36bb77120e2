//! The clocks of persons.

use async_trait::async_trait;
use larder_domain::{Day, Instant, OwnerId};
use larder_ports::inbound::{Clocks, Failure};

/// Everybody's day is the one in UTC: what holds as long as no context keeps zones of persons.
#[derive(Clone, Copy, Debug, Default)]
pub struct UtcClocks;

#[async_trait]
impl Clocks for UtcClocks {
    async fn day_of(&self, _owner_id: OwnerId, at: Instant) -> Result<Day, Failure> {
        Ok(Day::of_utc(at))
    }
}
