use async_trait::async_trait;
use larder_domain::{Instant, OwnerId};

use super::StorageError;

/// What a client said to make a request safe to repeat: its `Idempotency-Key`, and what the request was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestKey {
    /// 1 to 255 characters, unique among the owner's requests of the last 24 hours.
    pub key: String,
    /// SHA-256 of method, path and body: the same key with another request is a mistake of the client.
    pub fingerprint: [u8; 32],
}

/// An answer that is kept, so that a repeated request gets it again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoredAnswer {
    /// A success status, such as 201.
    pub status: i64,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The body. It never holds a secret (`ID-60`).
    pub body: String,
}

/// What is known about a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Nothing so far: this unit has it now, and must [`keep`](IdempotencyKeys::keep) an answer before it commits.
    New,
    /// An earlier request was answered under it.
    Answered {
        /// What that request was.
        fingerprint: [u8; 32],
        /// What it was answered.
        answer: StoredAnswer,
    },
}

/// The answers of repeatable requests. Key, effect and answer are in one commit, since they are in one unit of work.
#[async_trait]
pub trait IdempotencyKeys: Send {
    /// Claims a key of `owner_id`. Waits for a unit that has claimed it and not ended yet; records made before `expired` count as
    /// absent. Of any number of parallel units exactly one that commits is answered [`Claim::New`].
    async fn claim(
        &mut self,
        owner_id: OwnerId,
        request: &RequestKey,
        now: Instant,
        expired: Instant,
    ) -> Result<Claim, StorageError>;

    /// Keeps the answer under a key that this unit has claimed, and removes the owner's records made before `expired`.
    async fn keep(
        &mut self,
        owner_id: OwnerId,
        key: &str,
        answer: &StoredAnswer,
        expired: Instant,
    ) -> Result<(), StorageError>;
}
