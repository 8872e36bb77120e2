use async_trait::async_trait;
use larder_domain::identity::Principal;

use crate::inbound::Failure;

/// Tells who is calling.
#[async_trait]
pub trait Authentication: Send + Sync {
    /// The caller behind a bearer token: the signature is checked first, then the live state of the login and its account counts
    /// (`ID-20` to `ID-23`). That state may be as old as the configured cache time. A subject of an external issuer that is seen
    /// for the first time may get an account by it (`ID-50` to `ID-56`).
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
    /// The token is good, and its login was revoked. Whoever logs out finds it so when the answer to the first time was lost
    /// (`ID-35`).
    #[error("the login of the token has ended")]
    LoginEnded,
    /// A good token of an external issuer, whose subject has no account and gets none (`ID-51`, `ID-54`).
    #[error("the subject has no account")]
    AccountUnknown,
    /// A good token of an external issuer, whose email belongs to an account that must be linked by its holder (`ID-55`).
    #[error("the email belongs to an account that is not linked")]
    IdentityLinkRequired,
    /// The keys of the token's issuer can't be had at the moment (`ID-52`).
    #[error("the keys of the issuer can't be had")]
    IssuerUnavailable,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
