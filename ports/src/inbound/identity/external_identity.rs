use async_trait::async_trait;
use larder_domain::ExternalIdentityId;
use larder_domain::identity::{ExternalIdentity, Principal};
use secrecy::SecretString;

use crate::inbound::{Done, Failure, KeyReused, ListError, Once, Page, PageRequest};

/// The external identities of an account. Somebody else's is answered like a missing one.
#[async_trait]
pub trait ExternalIdentityUseCases: Send + Sync {
    /// A page of the caller's identities, oldest first.
    async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<ExternalIdentity>, ListError>;

    /// Links the subject of an external token to the account of the caller (`ID-55`). With `once`, the request may be repeated.
    async fn link(
        &self,
        caller: &Principal,
        token: &SecretString,
        once: Option<Once<ExternalIdentity>>,
    ) -> Result<Done<ExternalIdentity>, LinkError>;

    /// Removes an identity; its tokens stop working at once.
    async fn unlink(&self, caller: &Principal, id: ExternalIdentityId) -> Result<(), UnlinkError>;
}

/// Why an identity was not linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The token is expired or never was good, or its subject was erased after it was issued.
    #[error("the external token is not valid")]
    TokenInvalid,
    /// The subject is an anonymous user of an issuer whose anonymous users are not let in (`ID-51`), or the caller's account was
    /// disabled a moment ago.
    #[error("nobody who may be linked")]
    AccountUnknown,
    /// The subject is linked to an account already.
    #[error("the identity is taken")]
    IdentityTaken,
    /// The keys of the issuer can't be had at the moment (`ID-52`).
    #[error("the keys of the issuer can't be had")]
    IssuerUnavailable,
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why an identity was not removed.
#[derive(Debug, thiserror::Error)]
pub enum UnlinkError {
    /// The account has no such identity.
    #[error("not found")]
    NotFound,
    /// Nobody could log in to the account any more (`ID-55`).
    #[error("the last means of login")]
    LastCredential,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
