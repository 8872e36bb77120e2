use std::time::Duration;

use crate::Instant;

/// How often somebody tried to log in under a name without success, whether the name is known or not (`ID-12`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoginThrottle {
    /// Attempts that were counted.
    pub failures: i64,
    /// When the last of them was counted.
    pub last_failed_at: Instant,
    /// Until when the next one is refused.
    pub blocked_until: Option<Instant>,
}

impl LoginThrottle {
    /// A counter is forgotten after so long without an attempt.
    pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
    /// Attempts that cost nothing.
    const FREE: i64 = 5;
    const LONGEST: Duration = Duration::from_secs(15 * 60);

    /// Nothing was counted so far.
    pub fn none(now: Instant) -> Self {
        Self {
            failures: 0,
            last_failed_at: now,
            blocked_until: None,
        }
    }

    /// The counter after one more attempt, or how long to wait before one may be made. A refused attempt does not count.
    pub fn attempt(self, now: Instant) -> Result<Self, Duration> {
        if let Some(until) = self.blocked_until.filter(|until| now < *until) {
            return Err(until.since(now));
        }
        let is_forgotten = now >= self.last_failed_at.plus(Self::FORGOTTEN_AFTER);
        let failures = if is_forgotten {
            1
        } else {
            self.failures.saturating_add(1)
        };
        Ok(Self {
            failures,
            last_failed_at: now,
            blocked_until: Self::pause_after(failures).map(|pause| now.plus(pause)),
        })
    }

    /// How long the attempt after so many counted ones has to wait.
    fn pause_after(failures: i64) -> Option<Duration> {
        // Beyond 10 the pause is the longest one anyway.
        let beyond = failures.checked_sub(Self::FREE).filter(|beyond| *beyond >= 0)?.min(10);
        Some(Duration::from_secs(1 << beyond).min(Self::LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn start() -> Instant {
        Instant::from_micros(1_767_225_600_000_000).unwrap()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A counter after so many attempts, each as soon as it was let in, and the time of the last one.
    fn after(attempts: usize) -> (LoginThrottle, Instant) {
        let mut now = start();
        let mut throttle = LoginThrottle::none(now);
        for _ in 0..attempts {
            now = throttle.blocked_until.unwrap_or(now);
            throttle = throttle.attempt(now).unwrap();
        }
        (throttle, now)
    }

    #[test]
    fn id_12_five_attempts_are_free_then_the_pause_doubles() {
        for (attempts, pause) in [
            (0, None),
            (1, None),
            (4, None),
            (5, Some(1)),
            (6, Some(2)),
            (7, Some(4)),
            (14, Some(512)),
            (15, Some(900)),
            (100, Some(900)),
        ] {
            let (throttle, last) = after(attempts);
            assert_eq!(throttle.failures, attempts as i64);
            assert_eq!(
                throttle.blocked_until.map(|until| until.since(last)),
                pause.map(seconds),
                "{attempts}"
            );
        }
    }

    #[test]
    fn id_12_a_refused_attempt_is_told_how_long_and_does_not_count() {
        let (throttle, last) = after(8);
        assert_eq!(throttle.attempt(last), Err(seconds(8)));
        assert_eq!(throttle.attempt(last.plus(seconds(7))), Err(seconds(1)));
        let next = throttle.attempt(last.plus(seconds(8))).unwrap();
        assert_eq!(next.failures, 9);
    }

    #[test]
    fn id_12_a_day_without_failure_forgets() {
        let (throttle, last) = after(20);
        let almost = throttle.attempt(last.plus(seconds(DAY - 1))).unwrap();
        assert_eq!(almost.failures, 21);
        let forgotten = throttle.attempt(last.plus(seconds(DAY))).unwrap();
        assert_eq!((forgotten.failures, forgotten.blocked_until), (1, None));
    }

    proptest! {
        #[test]
        fn id_12_no_pause_is_longer_than_15_minutes(failures in 0_i64..=i64::MAX) {
            let throttle = LoginThrottle { failures, ..LoginThrottle::none(start()) };
            let next = throttle.attempt(start()).unwrap();
            prop_assert!(next.blocked_until.is_none_or(|until| until.since(start()) <= LoginThrottle::LONGEST));
            prop_assert_eq!(next.blocked_until.is_some(), next.failures >= LoginThrottle::FREE);
        }
    }
}
