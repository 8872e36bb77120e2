use async_trait::async_trait;
use larder_domain::identity::{LoginName, Role, User};
use larder_domain::{Instant, OwnerId, Version};

use crate::outbound::{Place, StorageError};

/// Which accounts a list holds; conditions combine with AND.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserFilter {
    /// Those with this role.
    pub role: Option<Role>,
    /// The disabled ones, or the enabled ones.
    pub disabled: Option<bool>,
}

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

    /// At most `limit` accounts after `after`, oldest first, then by id from the lowest.
    async fn list(&mut self, filter: UserFilter, after: Option<Place>, limit: u32) -> Result<Vec<User>, StorageError>;

    /// Locks an account until the unit ends, so that what is counted below it stays as it is; answers whether there is one.
    async fn lock(&mut self, id: OwnerId) -> Result<bool, StorageError>;

    /// Makes every other unit that calls this wait until this one ends. Whoever takes a role or the use of an account away calls
    /// it first, so that [`has_other_admin`](Self::has_other_admin) still holds at the commit (`ID-43`).
    async fn lock_admins(&mut self) -> Result<(), StorageError>;

    /// Whether an enabled administrator other than `id` exists.
    async fn has_other_admin(&mut self, id: OwnerId) -> Result<bool, StorageError>;
}
