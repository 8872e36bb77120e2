//! What the use cases need from the outside: a store, time, identifiers, and secrets' keepers.

pub mod chat;
pub mod identity;

mod ambient;
mod erasure;
mod error;
mod idempotency;
mod observer;
mod security;
mod unit_of_work;

pub use ambient::{Clock, IdGenerator};
pub use erasure::{ErasableContext, OwnedRows};
pub use error::{BoxError, Outage, Rule, StorageError};
pub use idempotency::{Claim, IdempotencyKeys, RequestKey, StoredAnswer};
pub use observer::{Event, LogInEnd, Observer, TokenRefusal, UnitEnd, Unobserved};
pub use security::{
    AccessClaims, ExternalTokenError, ExternalTokenVerifier, HashingError, KeyedDigest, PasswordHasher, Seal,
    SecretSource, TokenError, TokenIssuer, TokenVerifier,
};
pub use unit_of_work::{Access, Probe, Store, UnitOfWork};

use larder_domain::Instant;
use uuid::Uuid;

/// A place in a list that is ordered by an instant, then by id: the last row of the page before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The instant that orders the list.
    pub at: Instant,
    /// The id that breaks ties.
    pub id: Uuid,
}

/// Which rows of a table with a trash are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Deleted {
    /// Live rows.
    #[default]
    Without,
    /// Live rows and rows in the trash.
    With,
    /// Rows in the trash.
    Only,
}
