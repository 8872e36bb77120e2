//! Requests that may be repeated: key, effect and answer in one commit (conventions §3).

use std::time::Duration;

use larder_domain::{Instant, OwnerId};
use larder_ports::inbound::{Done, Failure, KeyReused, Once};
use larder_ports::outbound::{Claim, IdempotencyKeys, StorageError, StoredAnswer};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Claims the key of a request before anything else is written in its unit. Waits for another request that has claimed it.
///
/// `None`: go on, and [`keep`] the answer before the commit. `Some`: end the unit, an earlier request was answered already.
pub(crate) async fn claim<T>(
    keys: &mut dyn IdempotencyKeys,
    owner_id: OwnerId,
    once: Option<&Once<T>>,
    now: Instant,
) -> Result<Option<Result<StoredAnswer, KeyReused>>, StorageError> {
    let Some(once) = once else { return Ok(None) };
    match keys.claim(owner_id, &once.request, now, now.minus(KEPT)).await? {
        Claim::New => Ok(None),
        Claim::Answered { fingerprint, answer } if fingerprint == once.request.fingerprint => Ok(Some(Ok(answer))),
        Claim::Answered { .. } => Ok(Some(Err(KeyReused))),
    }
}

/// Keeps the answer to what the request made, in the unit that made it.
pub(crate) async fn keep<T>(
    keys: &mut dyn IdempotencyKeys,
    owner_id: OwnerId,
    once: Option<&Once<T>>,
    made: &T,
    now: Instant,
) -> Result<(), StorageError> {
    let Some(once) = once else { return Ok(()) };
    let answer = (once.answer)(made);
    keys.keep(owner_id, &once.request.key, &answer, now.minus(KEPT)).await
}

/// What was made by a request without a key, which can't have been answered before.
pub(crate) fn made_now<T, E: From<Failure>>(done: Done<T>) -> Result<T, E> {
    match done {
        Done::Now(made) => Ok(made),
        Done::Before(_) => Err(Failure::Internal("answered from a key that was never sent".into()).into()),
    }
}
