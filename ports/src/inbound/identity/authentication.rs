use async_trait::async_trait;
use larder_domain::identity::Principal;

use crate::inbound::Failure;

/// Tells who is calling.
#[async_trait]
pub trait Authentication: Send + Sync {
    /// The caller behind a bearer token: the signature is checked first, then the live state of the login and its account counts
    /// (`ID-20` to `ID-23`). That state may be as old as the configured cache time.
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError>;
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The token was good once.
    #[error("the token has expired")]
    Expired,
    /// The token never was good, or its login or account is gone.
    #[error("the token is not valid")]
    Invalid,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
