//! How often somebody may come: buckets that fill again by and by, in bounded memory, and what is said of them.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

/// Requests that are let in before those who could come again freely are looked for and forgotten.
const CLEANED_EVERY: u32 = 1_000;

/// Most who have a bucket of their own.
const MOST: usize = 100_000;

/// When there are more, whoever comes shares one of so many buckets.
const SHARED: u64 = 4_096;

/// Who has a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder<K> {
    Own(K),
    Shared(u64),
}

type Buckets<K> = RateLimiter<Holder<K>, DefaultKeyedStateStore<Holder<K>>, DefaultClock, StateInformationMiddleware>;

/// A bucket for each key: so many requests at once, and so many more within each minute.
pub(crate) struct Rate<K: Hash + Eq + Clone> {
    buckets: Buckets<K>,
    per_minute: u32,
    most: usize,
    clock: DefaultClock,
    let_in: AtomicU32,
    is_crowded: AtomicBool,
    hasher: RandomState,
}

/// How a bucket is after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Most requests in a minute.
    pub(crate) quota: u32,
    /// How many more may come at once.
    pub(crate) remaining: u32,
    /// How long until the bucket is full, or after a refusal, until the next request may come.
    pub(crate) wait: Duration,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// `None` where `per_minute` is 0, which is any number.
    pub(crate) fn new(per_minute: u32) -> Option<Self> {
        Self::with_room(per_minute, MOST)
    }

    fn with_room(per_minute: u32, most: usize) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        Some(Self {
            buckets: RateLimiter::keyed(quota).with_middleware(),
            per_minute,
            most,
            clock: DefaultClock::default(),
            let_in: AtomicU32::new(0),
            is_crowded: AtomicBool::new(false),
            hasher: RandomState::new(),
        })
    }

    /// Counts a request. `Err` is one that came too soon.
    pub(crate) fn count(&self, key: K) -> Result<Standing, Standing> {
        if self.let_in.fetch_add(1, Ordering::Relaxed) % CLEANED_EVERY == CLEANED_EVERY - 1 {
            self.clean();
        }
        let holder = if self.is_crowded.load(Ordering::Relaxed) {
            Holder::Shared(self.hasher.hash_one(&key) % SHARED)
        } else {
            Holder::Own(key)
        };
        match self.buckets.check_key(&holder) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = self.per_minute.saturating_sub(remaining);
                Ok(Standing {
                    quota: self.per_minute,
                    remaining,
                    wait: Duration::from_secs(60) * used / self.per_minute,
                })
            }
            Err(until) => Err(Standing {
                quota: self.per_minute,
                remaining: 0,
                wait: until.wait_time_from(self.clock.now()),
            }),
        }
    }

    /// Forgets whoever could come freely. Should too many be left, whoever comes from now on shares.
    fn clean(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
        let is_crowded = self.buckets.len() > self.most;
        if is_crowded && !self.is_crowded.load(Ordering::Relaxed) {
            tracing::warn!("more clients come than can be counted one by one; they share their rates for now");
        }
        self.is_crowded.store(is_crowded, Ordering::Relaxed);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_bucket_of_their_own() {
        let rate = Rate::new(3).unwrap();
        let refusals = |key: &'static str, count: usize| (0..count).filter(|_| rate.count(key).is_err()).count();
        assert_eq!(refusals("ann", 5), 2);
        assert_eq!(refusals("bob", 3), 0);
        let refused = rate.count("ann").unwrap_err();
        assert_eq!((refused.quota, refused.remaining), (3, 0));
        assert!(
            refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(20),
            "{refused:?}"
        );
    }

    #[test]
    fn what_is_left_is_told() {
        let rate = Rate::new(6).unwrap();
        assert_eq!(
            rate.count(1),
            Ok(Standing {
                quota: 6,
                remaining: 5,
                wait: Duration::from_secs(10),
            })
        );
        assert_eq!(rate.count(1).map(|standing| standing.remaining), Ok(4));
    }

    #[test]
    fn zero_is_any_number() {
        assert!(Rate::<u32>::new(0).is_none());
    }

    #[test]
    fn whoever_could_come_freely_is_forgotten() {
        // So many a minute that a bucket is full again at once.
        let rate = Rate::new(u32::MAX).unwrap();
        for number in 0..2 * CLEANED_EVERY {
            rate.count(number).unwrap();
        }
        assert!(rate.len() < 2 * CLEANED_EVERY as usize);
    }

    #[test]
    fn memory_is_bounded_however_many_come() {
        let most = 2_000;
        let rate = Rate::with_room(1, most).unwrap();
        let mut let_in = 0;
        for number in 0..20_000_u32 {
            let_in += usize::from(rate.count(number).is_ok());
        }
        let room = most + CLEANED_EVERY as usize + SHARED as usize;
        assert!(rate.len() <= room, "{}", rate.len());
        // Whoever shares a bucket is counted all the same.
        assert!(let_in <= room, "{let_in}");
    }
}
