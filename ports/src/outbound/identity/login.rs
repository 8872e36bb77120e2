use async_trait::async_trait;
use larder_domain::identity::{Login, User};
use larder_domain::{Instant, LoginId, OwnerId};

use crate::outbound::StorageError;

/// Signed-in devices.
#[async_trait]
pub trait Logins: Send {
    /// Stores a new login.
    async fn insert(&mut self, login: &Login) -> Result<(), StorageError>;

    /// A login with its account, in one statement: what counts for an access token (`ID-23`). Revoked and expired logins are
    /// answered too.
    async fn find_with_user(&mut self, owner_id: OwnerId, id: LoginId) -> Result<Option<(Login, User)>, StorageError>;

    /// Makes room for one more login of `owner_id` (`ID-14`): of its logins that are neither revoked nor expired at `now`, all but
    /// the `keep` used most recently are revoked as `evicted`. Answers the ids of those revoked.
    async fn evict(&mut self, owner_id: OwnerId, keep: u32, now: Instant) -> Result<Vec<LoginId>, StorageError>;

    /// Removes logins of `owner_id` that expired or were revoked before `before` (`ID-14`).
    async fn sweep(&mut self, owner_id: OwnerId, before: Instant) -> Result<(), StorageError>;
}
