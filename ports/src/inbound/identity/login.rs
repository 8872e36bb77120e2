use std::time::Duration;

use async_trait::async_trait;
use larder_domain::LoginId;
use larder_domain::identity::{Login, Principal};
use secrecy::SecretString;

use super::Tokens;
use crate::inbound::{Failure, ListError, NotFoundError, Page, PageRequest};

/// Signed-in devices: staying signed in, seeing where one is, signing out.
#[async_trait]
pub trait LoginUseCases: Send + Sync {
    /// A new pair of tokens for the refresh token of a pair, which is used up by that (`ID-30` to `ID-34`).
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, RefreshError>;

    /// Ends the caller's login, or every login of the caller's account; API tokens go on. What has ended already is no error
    /// (`ID-35`).
    async fn log_out(&self, caller: &Principal, all: bool) -> Result<(), LogOutError>;

    /// A page of the caller's logins that are neither revoked nor expired, newest first, then by id.
    async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<Login>, ListError>;

    /// Ends one of the caller's logins; one that has ended already is not found.
    async fn end(&self, caller: &Principal, id: LoginId) -> Result<(), NotFoundError>;
}

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token is none, or has expired, or its login or account has ended (`ID-30`, `ID-34`).
    #[error("the refresh token is not valid")]
    Invalid,
    /// The token was used before: two parties have it, and its login has ended (`ID-32`).
    #[error("the refresh token was used before")]
    Reused,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nobody was signed out.
#[derive(Debug, thiserror::Error)]
pub enum LogOutError {
    /// The caller is no signed-in device.
    #[error("the caller has no login")]
    InteractiveLoginRequired,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Too many attempts with a wrong password: the next one may be made after this time (`ID-12`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many attempts with a wrong password")]
pub struct Throttled(pub Duration);
