use async_trait::async_trait;
use larder_domain::identity::{RefreshToken, User};
use larder_domain::{OwnerId, RefreshTokenId};

use crate::outbound::StorageError;

/// The chains of refresh tokens that keep logins alive. The login's row is their root: it is locked
/// ([`Logins::touch_by_token`](super::Logins::touch_by_token)) before any of its tokens is judged.
#[async_trait]
pub trait RefreshTokens: Send {
    /// Stores the first token of a login. Fails when the login has a live one: the store holds that there is one (`ID-31`).
    async fn insert(&mut self, token: &RefreshToken) -> Result<(), StorageError>;

    /// A token with its account and the id of its login's live token, in one statement.
    async fn find_with_user(
        &mut self,
        owner_id: OwnerId,
        id: RefreshTokenId,
    ) -> Result<Option<KnownToken>, StorageError>;

    /// Replaces the live token of a login by `successor`, in favour of who presented `presented` (`ID-31`, `ID-33`).
    ///
    /// `presented` is used with that successor from now on; its first use stays the first. A live token that is another one is
    /// displaced: used, without successor. Used tokens of the login that expired before `successor` was issued are removed.
    async fn rotate(&mut self, presented: RefreshTokenId, successor: &RefreshToken) -> Result<(), StorageError>;
}

/// A refresh token, and what is needed to judge it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownToken {
    /// The token.
    pub token: RefreshToken,
    /// The live token of the same login.
    pub live: Option<RefreshTokenId>,
    /// The account.
    pub user: User,
}
