use std::error::Error;

/// Why a store did not do what it was asked.
///
/// What the failure means for the data is part of the variant, so that retrying is written once and no caller has to guess.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A rule of the domain that the store holds was broken. Nothing was written.
    #[error("the store refused it: {0:?}")]
    Broken(Rule),
    /// Another unit was in the way (serialization failure, deadlock, busy). Nothing was written; run again from `begin`.
    #[error("another unit of work was in the way")]
    Contended,
    /// COMMIT was sent and no trustworthy answer came: the unit is either whole or not there at all. Never retry it blindly.
    #[error("the outcome of the commit is unknown")]
    CommitUnknown(#[source] BoxError),
    /// `commit` was called on a unit in which a statement had failed or had been cancelled. Nothing was written.
    #[error("a statement of the unit had failed or had been cancelled before the commit")]
    Aborted,
    /// The store can't be used at the moment. Nothing was written.
    #[error("the store is not available: {0:?}")]
    Unavailable(Outage, #[source] Option<BoxError>),
    /// What is stored can't be read. Nobody's input is to blame.
    #[error("stored data can't be read: {table}.{column} of {id}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The id of the row, or a dash where it could not be read either.
        id: String,
    },
    /// A bug: a statement that the store does not understand, an unknown constraint, a write in a reading unit.
    #[error("the store failed unexpectedly")]
    Internal(#[source] BoxError),
}

/// What a driver said, for the log. Never shown to a client.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a store can't be used at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outage {
    /// No connection became free in time.
    PoolExhausted,
    /// The database is away, or the connection broke before COMMIT was sent.
    Unreachable,
    /// A statement, or the wait for a lock, took longer than allowed.
    TimedOut,
}

/// A rule of the domain that only the store can hold, because it spans rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Rule {
    /// One account per username (`ID-01`).
    UsernameTaken,
    /// One account per email (`ID-01`).
    EmailTaken,
    /// An id that is already a user's.
    UserIdTaken,
    /// An API token id that the owner already has.
    ApiTokenIdTaken,
    /// One active API token of an owner per name (`ID-60`).
    ApiTokenNameTaken,
    /// One account per subject of an external issuer (`ID-53`).
    ExternalIdentityTaken,
    /// A session id that the owner already has, live or in the trash (`CH-06`).
    SessionIdTaken,
    /// A live session that was made for the character already (`CH-22`).
    AutoKeyTaken,
    /// A prompt id that the owner already has, live or in the trash.
    PromptIdTaken,
    /// A message id that the owner already has, live or in the trash (`CH-06`).
    MessageIdTaken,
}

impl StorageError {
    /// Whether the same unit may simply be run again from `begin`.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Contended)
    }
}
