use async_trait::async_trait;

use super::StorageError;

/// What a unit of work is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To read. Each statement sees the state committed when it began; a statement that writes is refused.
    Read,
    /// To write, atomically.
    Write,
}

/// A group of reads and writes on one context's store that is committed as a whole or not at all.
///
/// Every implementer must keep these rules; `tests/conformance/src/unit_of_work.rs` has a case for each:
///
/// 1. `Ok` from [`commit`](Self::commit) means durable, all of it.
/// 2. After any statement failed **or was cancelled** (its future dropped) the unit is spent: `commit` answers
///    [`StorageError::Aborted`] and nothing is written.
/// 3. [`StorageError::Contended`] may come from any statement or from `commit`. Nothing was written; run again from `begin`.
/// 4. [`StorageError::CommitUnknown`]: COMMIT was sent and no trustworthy answer came. Never retried blindly.
/// 5. Dropping a unit rolls back. A connection goes back to its pool only after COMMIT or ROLLBACK was answered; otherwise it
///    is closed. So a request that is cancelled at any point loses nothing of anybody else's.
/// 6. Units don't nest.
///
/// Writes run READ COMMITTED and rely on nothing more: an invariant is held by a constraint, by a condition inside the
/// statement, or by a lock on the aggregate's root row.
#[async_trait]
pub trait UnitOfWork: Send {
    /// Ends the unit by making all of it durable.
    async fn commit(self: Box<Self>) -> Result<(), StorageError>;

    /// Ends the unit by undoing all of it. Dropping the unit does the same, without waiting.
    async fn rollback(self: Box<Self>) -> Result<(), StorageError>;
}

/// Opens units of work of one kind, such as [`dyn ChatUnit`](super::chat::ChatUnit).
#[async_trait]
pub trait Store<U: UnitOfWork + ?Sized>: Send + Sync {
    /// Opens a unit.
    ///
    /// Answers [`StorageError::Unavailable`] when the store can't be reached or no connection becomes free in time.
    async fn begin(&self, access: Access) -> Result<Box<U>, StorageError>;
}

/// Tells whether a store can be used, for readiness.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Makes one round trip to the store.
    async fn probe(&self) -> Result<(), StorageError>;
}
