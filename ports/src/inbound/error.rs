use super::BadCursor;
use crate::outbound::{BoxError, HashingError, Outage, StorageError, TokenError};

/// What can go wrong in any use case without being the caller's fault.
///
/// There is deliberately no `From<StorageError>`: every use case says with a `match` which broken rules it expects, and hands the
/// rest to [`Failure::of`]. So no `?` can turn something unexpected into a client error.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A store or a worker pool can't be used at the moment; nothing was written. The same request may be sent again later.
    #[error("temporarily unavailable: {0:?}")]
    Unavailable(Outage, #[source] Option<BoxError>),
    /// Others were in the way time and again; nothing was written. The same request may be sent again.
    #[error("too much contention")]
    Contended,
    /// The connection broke during COMMIT: all of it was written or nothing. Look before repeating it, or repeat it under ids of
    /// your own.
    #[error("the outcome is unknown")]
    OutcomeUnknown(#[source] BoxError),
    /// A bug, or data that can't be read.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl Failure {
    /// The failure behind a storage error whose broken rules, if any, the use case doesn't expect.
    pub fn of(error: StorageError) -> Self {
        match error {
            StorageError::Unavailable(outage, source) => Self::Unavailable(outage, source),
            StorageError::Contended => Self::Contended,
            StorageError::CommitUnknown(source) => Self::OutcomeUnknown(source),
            error @ (StorageError::Broken(_)
            | StorageError::Aborted
            | StorageError::Corrupt { .. }
            | StorageError::Internal(_)) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<HashingError> for Failure {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded => {
                Self::Unavailable(Outage::PoolExhausted, Some(Box::new(HashingError::Overloaded)))
            }
            HashingError::Internal(source) => Self::Internal(source),
        }
    }
}

impl From<TokenError> for Failure {
    /// A token that could not be *made*; a presented token is judged by its own use case.
    fn from(error: TokenError) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor does not belong to this list.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum NotFoundError {
    /// There is none, or it is in the trash, or somebody else's.
    #[error("not found")]
    NotFound,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
