use async_trait::async_trait;
use larder_domain::identity::{Invitation, InvitationDraft};
use larder_domain::{Invalid, InvitationId, OwnerId};
use secrecy::SecretString;

use crate::inbound::{Done, Failure, KeyReused, ListError, NotFoundError, Once, Page, PageRequest};

/// Permissions to sign up, for administrators (`ID-04`).
#[async_trait]
pub trait InvitationUseCases: Send + Sync {
    /// Makes an invitation. With `once`, the request may be repeated; what is kept of the answer has no secret.
    async fn create(
        &self,
        admin: OwnerId,
        draft: InvitationDraft,
        once: Option<Once<Invitation>>,
    ) -> Result<Done<NewInvitation>, CreateInvitationError>;

    /// A page of the invitations of all administrators, in any state, newest first.
    async fn list(&self, admin: OwnerId, page: PageRequest) -> Result<Page<Invitation>, ListError>;

    /// Ends an invitation. One that was used or revoked before stays as it is.
    async fn revoke(&self, id: InvitationId) -> Result<(), NotFoundError>;
}

/// An invitation that was just made, with its text, which is never shown again.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// What is stored.
    pub invitation: Invitation,
    /// `lri_...`
    pub text: SecretString,
}

/// Why no invitation was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateInvitationError {
    /// The draft breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
