//! Running a unit of work again when another one was in the way.

use std::time::Duration;

use larder_ports::inbound::Failure;
use larder_ports::outbound::{StorageError, UnitOfWork};

/// How often, and after which pauses, a contended unit is run again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Most attempts after the first.
    pub retries: u32,
    /// The longest pause before the first retry. It doubles with every further one.
    pub first_pause: Duration,
    /// No pause is longer.
    pub max_pause: Duration,
}

impl Default for RetryPolicy {
    /// 5 retries, after at most 10, 20, 40, 80 and 160 ms.
    fn default() -> Self {
        Self {
            retries: 5,
            first_pause: Duration::from_millis(10),
            max_pause: Duration::from_millis(200),
        }
    }
}

impl RetryPolicy {
    /// The pause before a retry, counted from 0: between half and all of its longest, so that units which met don't meet again.
    fn pause(&self, retry: u32) -> Duration {
        let longest = self
            .first_pause
            .saturating_mul(2_u32.saturating_pow(retry))
            .min(self.max_pause);
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Why a unit of work was not brought to its end.
///
/// `?` makes a [`Failed`](Self::Failed) of every storage error. Nothing but an explicit `match` on an expected rule makes a
/// [`Refused`](Self::Refused), so nothing unexpected can be answered as the caller's fault.
#[derive(Debug)]
pub enum Unfinished<E> {
    /// The use case has its outcome, and it is not success.
    Refused(E),
    /// The store failed.
    Failed(StorageError),
}

impl<E> From<StorageError> for Unfinished<E> {
    fn from(error: StorageError) -> Self {
        Self::Failed(error)
    }
}

/// Undoes `unit`, for an outcome that leaves nothing behind. Waiting for the rollback gives the connection back to its pool.
pub(crate) async fn refuse<U, T, E>(unit: Box<U>, outcome: E) -> Result<T, Unfinished<E>>
where
    U: UnitOfWork + ?Sized,
{
    undo(unit).await;
    Err(Unfinished::Refused(outcome))
}

/// Undoes a unit that has nothing to write. When that fails the unit is gone all the same, so the outcome stands.
pub(crate) async fn undo<U: UnitOfWork + ?Sized>(unit: Box<U>) {
    if let Err(error) = unit.rollback().await {
        tracing::debug!(%error, "a unit was dropped because it could not be rolled back");
    }
}

/// Runs `unit`, and runs it again while the store answers that another unit was in the way.
///
/// `unit` opens its own unit of work and ends it. It takes what it writes, ids and instants included, from outside, so that every
/// attempt writes the same. `operation` names it in the log. The error of the last attempt is the one that is answered; a storage
/// error becomes the [`Failure`] that it is.
pub async fn retrying<T, E, F, A>(policy: &RetryPolicy, operation: &'static str, unit: F) -> Result<T, E>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, Unfinished<E>>>,
    E: From<Failure>,
{
    let mut retries = 0;
    loop {
        let error = match unit().await {
            Ok(done) => return Ok(done),
            Err(Unfinished::Refused(outcome)) => return Err(outcome),
            Err(Unfinished::Failed(error)) => error,
        };
        if !error.is_retryable() {
            return Err(Failure::of(error).into());
        }
        if retries == policy.retries {
            tracing::warn!(operation, retries, %error, "gave up");
            return Err(Failure::of(error).into());
        }
        let pause = policy.pause(retries);
        retries += 1;
        tracing::debug!(operation, retries, ?pause, %error, "running the unit again");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const QUICK: RetryPolicy = RetryPolicy {
        retries: 5,
        first_pause: Duration::from_micros(10),
        max_pause: Duration::from_micros(100),
    };

    async fn run(answer: impl Fn(u32) -> Result<u32, Unfinished<Failure>>) -> (Result<u32, Failure>, u32) {
        let attempts = AtomicU32::new(0);
        let outcome = retrying(&QUICK, "test", || async {
            answer(attempts.fetch_add(1, Ordering::SeqCst))
        })
        .await;
        (outcome, attempts.into_inner())
    }

    #[tokio::test]
    async fn a_contended_unit_is_run_again() {
        let (outcome, attempts) = run(|attempt| match attempt {
            0..3 => Err(StorageError::Contended.into()),
            _ => Ok(attempt),
        })
        .await;
        assert!(matches!(outcome, Ok(3)));
        assert_eq!(attempts, 4);
    }

    #[tokio::test]
    async fn gives_up_after_five_retries() {
        let (outcome, attempts) = run(|_| Err(StorageError::Contended.into())).await;
        assert!(matches!(outcome, Err(Failure::Contended)));
        assert_eq!(attempts, 6);
    }

    #[tokio::test]
    async fn nothing_but_contention_is_run_again() {
        for error in [
            || StorageError::CommitUnknown("lost".into()),
            || StorageError::Aborted,
            || StorageError::Internal("bug".into()),
        ] {
            let (outcome, attempts) = run(|_| Err(error().into())).await;
            assert!(matches!(
                outcome,
                Err(Failure::OutcomeUnknown(_) | Failure::Internal(_))
            ));
            assert_eq!(attempts, 1);
        }
        let (outcome, attempts) = run(|_| Err(Unfinished::Refused(Failure::Contended))).await;
        assert!(matches!(outcome, Err(Failure::Contended)));
        assert_eq!(attempts, 1);
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_never_vanish() {
        let policy = RetryPolicy::default();
        for (retry, longest) in [(0, 10), (1, 20), (4, 160), (5, 200), (40, 200)] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let pause = policy.pause(retry);
                assert!(longest / 2 <= pause && pause <= longest, "{retry}: {pause:?}");
            }
        }
    }
}
