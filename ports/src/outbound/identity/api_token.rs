use async_trait::async_trait;
use larder_domain::identity::{ApiToken, User};
use larder_domain::{ApiTokenId, Instant, OwnerId};

use crate::outbound::{Place, StorageError};

/// Which API tokens a list holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum ApiTokenState {
    /// Those that count now.
    #[default]
    Active,
    /// Those that ended as well.
    All,
}

/// Tokens of programs. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing one.
#[async_trait]
pub trait ApiTokens: Send {
    /// Stores a new token.
    ///
    /// Must break `ApiTokenIdTaken` when the owner has the id already, and `ApiTokenNameTaken` when a token of the owner that was
    /// not revoked has the name's compared form.
    async fn insert(&mut self, token: &ApiToken) -> Result<(), StorageError>;

    /// The token with this id, in any state.
    async fn find(&mut self, owner_id: OwnerId, id: ApiTokenId) -> Result<Option<ApiToken>, StorageError>;

    /// A token with its account, in one statement: what counts for a request (`ID-23`). In any state.
    async fn find_with_user(
        &mut self,
        owner_id: OwnerId,
        id: ApiTokenId,
    ) -> Result<Option<(ApiToken, User)>, StorageError>;

    /// At most `limit` tokens after `after`, newest first, then by id from the highest; those active at `now`, or all.
    async fn list(
        &mut self,
        owner_id: OwnerId,
        state: ApiTokenState,
        now: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<ApiToken>, StorageError>;

    /// How many tokens were neither revoked nor expired at `now`.
    async fn count_active(&mut self, owner_id: OwnerId, now: Instant) -> Result<u32, StorageError>;

    /// Revokes those that expired before or at `now`, as of then, so that their names are free.
    async fn retire(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError>;

    /// Revokes a token, unless it was revoked before; answers whether there is one.
    async fn revoke(&mut self, owner_id: OwnerId, id: ApiTokenId, now: Instant) -> Result<bool, StorageError>;

    /// Revokes every token that was not revoked before.
    async fn revoke_all(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError>;

    /// Notes a use at `now`, unless one after `before` is noted already.
    async fn note_use(
        &mut self,
        owner_id: OwnerId,
        id: ApiTokenId,
        now: Instant,
        before: Instant,
    ) -> Result<(), StorageError>;
}
