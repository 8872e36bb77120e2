use async_trait::async_trait;
use larder_domain::identity::{ErasedSubject, Erasure};
use larder_domain::{ErasureId, OwnerId};

use crate::outbound::StorageError;

/// The removal of accounts (`ID-44`).
#[async_trait]
pub trait Erasures: Send {
    /// Stores a new erasure.
    async fn insert(&mut self, erasure: &Erasure) -> Result<(), StorageError>;

    /// The erasure with this id.
    async fn find(&mut self, id: ErasureId) -> Result<Option<Erasure>, StorageError>;

    /// The running erasure of an account.
    async fn find_running_of(&mut self, user_id: OwnerId) -> Result<Option<Erasure>, StorageError>;

    /// At most `limit` running erasures, oldest first.
    async fn list_running(&mut self, limit: u32) -> Result<Vec<Erasure>, StorageError>;

    /// Keeps how far `erasure` is, if it is stored as `read`; answers whether it was.
    async fn advance(&mut self, erasure: &Erasure, read: &Erasure) -> Result<bool, StorageError>;

    /// The subjects under which issuers know the account, as pairs of issuer and subject.
    async fn subjects_of(&mut self, user_id: OwnerId) -> Result<Vec<(String, String)>, StorageError>;

    /// Deletes the account with its logins, tokens and identities, the invitations that it made or used, and its kept answers.
    async fn delete_account(&mut self, user_id: OwnerId) -> Result<(), StorageError>;

    /// Notes who was erased. A subject that was noted before is noted anew.
    async fn remember(&mut self, subject: &ErasedSubject) -> Result<(), StorageError>;

    /// Whether an id was an account's that was erased.
    async fn was_erased(&mut self, user_id: OwnerId) -> Result<bool, StorageError>;
}
