use async_trait::async_trait;
use larder_domain::identity::{ApiToken, ApiTokenDraft};
use larder_domain::{ApiTokenId, Invalid, OwnerId};
use secrecy::SecretString;

use crate::inbound::{Done, Failure, KeyReused, ListError, NotFoundError, Once, Page, PageRequest};
use crate::outbound::identity::ApiTokenState;

/// Tokens of programs. Somebody else's is answered like a missing one.
#[async_trait]
pub trait ApiTokenUseCases: Send + Sync {
    /// Makes a token (`ID-60`, `ID-61`). With `once`, the request may be repeated; what is kept of the answer has no secret.
    async fn create(
        &self,
        owner_id: OwnerId,
        draft: ApiTokenDraft,
        once: Option<Once<ApiToken>>,
    ) -> Result<Done<NewApiToken>, CreateApiTokenError>;

    /// A page of tokens, newest first.
    async fn list(
        &self,
        owner_id: OwnerId,
        state: ApiTokenState,
        page: PageRequest,
    ) -> Result<Page<ApiToken>, ListError>;

    /// A token in any state.
    async fn get(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<ApiToken, NotFoundError>;

    /// Ends a token at once (`ID-63`). One that was revoked before stays so.
    async fn revoke(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<(), NotFoundError>;
}

/// A token that was just made, with its text, which is never shown again.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// What is stored.
    pub token: ApiToken,
    /// `lrd_...`
    pub text: SecretString,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateApiTokenError {
    /// The draft breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The owner has the id already.
    #[error("the id is taken")]
    IdTaken,
    /// An active token of the owner has the name.
    #[error("the name is taken")]
    NameTaken,
    /// The owner has as many active tokens as allowed.
    #[error("there are as many tokens as allowed")]
    LimitReached,
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
