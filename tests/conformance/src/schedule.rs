//! Tools that bring about the moment a case is about, instead of hoping for it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use larder_ports::outbound::{Access, StorageError, Store, UnitOfWork};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a unit stays open for another one to run into it. An engine with a single writer makes the other one wait for its whole
/// unit, so nobody may wait for it to get anywhere.
const HOLD: Duration = Duration::from_millis(150);

/// Polls a future at most `times`, then drops it. `None` when it was dropped unfinished.
pub(crate) async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Lets a future run for a span, then drops it. `None` when it was dropped unfinished.
pub(crate) async fn for_a_while<F: Future>(span: Duration, future: F) -> Option<F::Output> {
    timeout(span, future).await.ok()
}

/// Runs two writing units that overlap as far as the engine lets them: the second one sends its statements after the first one's
/// were answered and before the first one commits. Answers what each did if it committed.
pub(crate) async fn overlap<U, T, A, B>(store: &dyn Store<U>, first: A, second: B) -> [Result<T, StorageError>; 2]
where
    U: UnitOfWork + ?Sized,
    A: AsyncFnOnce(&mut U) -> Result<T, StorageError>,
    B: AsyncFnOnce(&mut U) -> Result<T, StorageError>,
{
    let both = overlap_then(store, first, Ending::Commit, second).await;
    both.map(|done| done.map(|value| value.expect("both units commit")))
}

/// How the first of two overlapping units ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Commit,
    Drop,
}

/// As [`overlap`], but the first unit may be dropped instead; it then answers `None`.
pub(crate) async fn overlap_then<U, T, A, B>(
    store: &dyn Store<U>,
    first: A,
    ending: Ending,
    second: B,
) -> [Result<Option<T>, StorageError>; 2]
where
    U: UnitOfWork + ?Sized,
    A: AsyncFnOnce(&mut U) -> Result<T, StorageError>,
    B: AsyncFnOnce(&mut U) -> Result<T, StorageError>,
{
    let first_answered = Notify::new();
    let second_answered = Notify::new();
    let hold = async {
        let worked = async {
            let mut unit = store.begin(Access::Write).await?;
            let value = first(&mut unit).await?;
            Ok((unit, value))
        }
        .await;
        first_answered.notify_one();
        let (unit, value) = worked?;
        let _ = timeout(HOLD, second_answered.notified()).await;
        match ending {
            Ending::Commit => unit.commit().await.map(|()| Some(value)),
            Ending::Drop => {
                drop(unit);
                Ok(None)
            }
        }
    };
    let challenge = async {
        first_answered.notified().await;
        let worked = async {
            let mut unit = store.begin(Access::Write).await?;
            let value = second(&mut unit).await?;
            Ok((unit, value))
        }
        .await;
        second_answered.notify_one();
        let (unit, value) = worked?;
        unit.commit().await.map(|()| Some(value))
    };
    let (first, second) = tokio::join!(hold, challenge);
    [first, second]
}

/// Runs a unit again as long as it answers [`StorageError::Contended`], as every use case does.
pub(crate) async fn retrying<T>(unit: impl AsyncFn() -> Result<T, StorageError>) -> Result<T, StorageError> {
    let mut pause = Duration::from_millis(1);
    for _ in 0..50 {
        match unit().await {
            Err(StorageError::Contended) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause += Duration::from_millis(1);
    }
    Err(StorageError::Contended)
}

/// Runs so many futures at once.
pub(crate) async fn at_once<T>(count: usize, make: impl AsyncFn(usize) -> T) -> Vec<T> {
    futures_util::future::join_all((0..count).map(|number| make(number))).await
}
