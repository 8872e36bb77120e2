use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{Erasure, Principal};
use larder_domain::{ErasureId, Invalid};
use secrecy::SecretString;

use super::Throttled;
use crate::inbound::{Failure, NotFoundError};

/// The removal of accounts with all that their owners have (`ID-44`).
#[async_trait]
pub trait ErasureUseCases: Send + Sync {
    /// Disables the caller's account, ends its logins and tokens, and starts its removal, in one commit.
    async fn start(&self, caller: &Principal, request: EraseAccount) -> Result<Erasure, EraseAccountError>;

    /// How far an erasure is, for administrators.
    async fn get(&self, id: ErasureId) -> Result<Erasure, NotFoundError>;
}

/// Works erasures off. It may be stopped at any point: what was begun is gone on with by the next call, in this process or in
/// another one, and several processes may do it at once.
#[async_trait]
pub trait ErasureWork: Send + Sync {
    /// Does what can be done now for every running erasure, and answers how long to rest before the next call.
    async fn work(&self) -> Result<Duration, Failure>;

    /// Waits until a new erasure was started in this process.
    async fn started(&self);
}

/// What is sent to erase one's own account.
#[derive(Clone, Debug)]
pub struct EraseAccount {
    /// Needed where the account has a password.
    pub current_password: Option<SecretString>,
    /// The username, so that nobody erases an account by mistake.
    pub confirm: String,
}

/// Why an account is not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseAccountError {
    /// What was sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The password is missing or wrong.
    #[error("the current password is wrong")]
    CurrentPasswordWrong,
    /// Too many attempts with a wrong password.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Nobody would be left who may administer (`ID-43`).
    #[error("the last administrator")]
    LastAdmin,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
