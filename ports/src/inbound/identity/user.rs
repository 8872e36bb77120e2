use async_trait::async_trait;
use larder_domain::identity::{User, UserPatch};
use larder_domain::{Invalid, OwnerId, Version};
use secrecy::SecretString;

use crate::inbound::{Failure, ListError, NotFoundError, Page, PageRequest};
use crate::outbound::identity::UserFilter;

/// Accounts as administrators see them (`ID-42`): names, roles and states, never anybody's data. Who may ask is the driving
/// adapter's to judge.
#[async_trait]
pub trait UserUseCases: Send + Sync {
    /// A page of accounts, oldest first.
    async fn list(&self, admin: OwnerId, filter: UserFilter, page: PageRequest) -> Result<Page<User>, ListError>;

    /// An account.
    async fn get(&self, id: OwnerId) -> Result<User, NotFoundError>;

    /// Changes an account by a merge patch. A patch that changes nothing writes nothing. Disabling revokes every login; an account
    /// that is being erased is not found.
    async fn change(&self, change: ChangeUser) -> Result<User, ChangeUserError>;

    /// Gives an account a new password and ends its logins, for the command line (`ID-02`). `login` is a username or an email.
    async fn set_password(&self, login: &str, password: &SecretString) -> Result<User, SetPasswordError>;

    /// Makes an account an administrator, for the command line (`ID-03`). `login` is a username or an email.
    async fn promote(&self, login: &str) -> Result<User, NotFoundError>;
}

/// What is sent to change an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeUser {
    /// Which.
    pub id: OwnerId,
    /// What changes.
    pub patch: UserPatch,
    /// The version that the client read; another one is refused as stale.
    pub if_match: Option<Version>,
}

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// The patch breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is none, or it is being erased.
    #[error("not found")]
    NotFound,
    /// The stored version is not the one the client read.
    #[error("the resource changed meanwhile")]
    Stale,
    /// Nobody would be left who may administer (`ID-43`).
    #[error("the last administrator")]
    LastAdmin,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// The password breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such account, or it is being erased.
    #[error("not found")]
    NotFound,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
