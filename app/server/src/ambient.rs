//! Time and identifiers: the only place that reads the clock and makes ids.

use larder_domain::Instant;
use larder_ports::outbound::{Clock, IdGenerator};
use uuid::Uuid;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter of the Clock port")]
    fn now(&self) -> Instant {
        chrono::Utc::now().into()
    }
}

/// UUIDv7: rising within the process, sortable by time across processes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UuidV7Generator;

impl IdGenerator for UuidV7Generator {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter of the IdGenerator port")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise() {
        let ids: Vec<Uuid> = (0..10_000).map(|_| UuidV7Generator.next()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn the_clock_has_no_more_than_microseconds() {
        let now = SystemClock.now();
        assert_eq!(Instant::parse(&now.to_string()), Ok(now));
    }
}
