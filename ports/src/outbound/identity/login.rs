use async_trait::async_trait;
use larder_domain::identity::{Login, RevokeReason, User};
use larder_domain::{Instant, LoginId, OwnerId, RefreshTokenId};

use crate::outbound::{Place, StorageError};

/// Signed-in devices.
#[async_trait]
pub trait Logins: Send {
    /// Stores a new login.
    async fn insert(&mut self, login: &Login) -> Result<(), StorageError>;

    /// A login with its account, in one statement: what counts for an access token (`ID-23`). Revoked and expired logins are
    /// answered too.
    async fn find_with_user(&mut self, owner_id: OwnerId, id: LoginId) -> Result<Option<(Login, User)>, StorageError>;

    /// Notes a use at `now` of the login that a refresh token belongs to, and answers the login as it is then. Its row stays locked
    /// until the unit ends, so that the tokens of one login are judged one after another. Revoked and expired logins are answered
    /// too.
    async fn touch_by_token(
        &mut self,
        owner_id: OwnerId,
        token_id: RefreshTokenId,
        now: Instant,
    ) -> Result<Option<Login>, StorageError>;

    /// The logins of `owner_id` that are neither revoked nor expired at `now`, newest first, then by id. `after` is the last one of
    /// the page before.
    async fn list(
        &mut self,
        owner_id: OwnerId,
        now: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Login>, StorageError>;

    /// Ends a login and answers `true`; answers `false`, and changes nothing, when it is revoked or expired at `now`, or there is
    /// none.
    async fn revoke(
        &mut self,
        owner_id: OwnerId,
        id: LoginId,
        reason: RevokeReason,
        now: Instant,
    ) -> Result<bool, StorageError>;

    /// Ends every login of `owner_id` that is not revoked yet, and answers their ids.
    async fn revoke_all(
        &mut self,
        owner_id: OwnerId,
        reason: RevokeReason,
        now: Instant,
    ) -> Result<Vec<LoginId>, StorageError>;

    /// Makes room for one more login of `owner_id` (`ID-14`): of its logins that are neither revoked nor expired at `now`, all but
    /// the `keep` used most recently are revoked as `evicted`. Answers the ids of those revoked.
    async fn evict(&mut self, owner_id: OwnerId, keep: u32, now: Instant) -> Result<Vec<LoginId>, StorageError>;

    /// Removes logins of `owner_id` that expired or were revoked before `before` (`ID-14`).
    async fn sweep(&mut self, owner_id: OwnerId, before: Instant) -> Result<(), StorageError>;
}
