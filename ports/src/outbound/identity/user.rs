use async_trait::async_trait;
use larder_domain::identity::{LoginName, User};
use larder_domain::{Instant, OwnerId, Version};

use crate::outbound::StorageError;

/// Accounts.
#[async_trait]
pub trait Users: Send {
    /// Notes `id` as the first account ever made and answers `true`; answers `false`, and changes nothing, when there was one
    /// before. Of any number of parallel units exactly one that commits gets `true` (`ID-03`).
    async fn claim_first(&mut self, id: OwnerId) -> Result<bool, StorageError>;

    /// Whether any account was ever made.
    async fn any_ever(&mut self) -> Result<bool, StorageError>;

    /// Stores a new account.
    ///
    /// Must break `UsernameTaken`, `EmailTaken` or `UserIdTaken` when another account has the name's compared form, the email's, or
    /// the id.
    async fn insert(&mut self, user: &User) -> Result<(), StorageError>;

    /// The account that a login name stands for.
    async fn find_by_login_name(&mut self, name: &LoginName) -> Result<Option<User>, StorageError>;

    /// The account with this id.
    async fn find(&mut self, id: OwnerId) -> Result<Option<User>, StorageError>;

    /// Replaces a changed account, if the stored one still has the version `expected`; answers whether it had.
    ///
    /// May break the same rules as [`insert`](Self::insert).
    async fn update(&mut self, user: &User, expected: Version) -> Result<bool, StorageError>;

    /// Notes a successful login. Not a change of the account: version and `updated_at` stay.
    async fn note_login(&mut self, id: OwnerId, at: Instant) -> Result<(), StorageError>;
}
