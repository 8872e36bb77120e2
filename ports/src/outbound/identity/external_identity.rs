use async_trait::async_trait;
use larder_domain::identity::{ExternalIdentity, User};
use larder_domain::{ExternalIdentityId, Instant, OwnerId};

use crate::outbound::StorageError;

/// A subject of an external issuer, as it is looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `sub` of its tokens.
    pub subject: String,
    /// The SHA-256 of the `sub`, under which an erased one is remembered.
    pub hash: [u8; 32],
}

/// A subject that has an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSubject {
    /// How the issuer knows the account.
    pub identity: ExternalIdentity,
    /// The account.
    pub user: User,
    /// When an earlier account of the subject was erased (`ID-56`).
    pub erased_at: Option<Instant>,
}

/// Subjects of external issuers.
#[async_trait]
pub trait ExternalIdentities: Send {
    /// Stores a new identity.
    ///
    /// Must break `ExternalIdentityTaken` when the pair of issuer and subject is there already.
    async fn insert(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError>;

    /// What counts for a token of this subject, in one statement (`ID-53`).
    async fn find_with_user(&mut self, subject: &Subject) -> Result<Option<KnownSubject>, StorageError>;

    /// When the account of a subject was erased, if it ever was.
    async fn erased_at(&mut self, subject: &Subject) -> Result<Option<Instant>, StorageError>;

    /// At most `limit` identities of an account after `after`, by id.
    async fn list(
        &mut self,
        user_id: OwnerId,
        after: Option<ExternalIdentityId>,
        limit: u32,
    ) -> Result<Vec<ExternalIdentity>, StorageError>;

    /// Whether the account has another identity than this one.
    async fn has_others(&mut self, user_id: OwnerId, id: ExternalIdentityId) -> Result<bool, StorageError>;

    /// Removes an identity of the account and answers it; `None` when the account has no such identity.
    async fn delete(
        &mut self,
        user_id: OwnerId,
        id: ExternalIdentityId,
    ) -> Result<Option<ExternalIdentity>, StorageError>;

    /// Keeps `email` and `last_seen_at` of an identity, unless it was seen later.
    async fn note_sight(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError>;
}
