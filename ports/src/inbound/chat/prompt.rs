use async_trait::async_trait;
use larder_domain::chat::{Prompt, PromptDraft, PromptPatch};
use larder_domain::{Invalid, OwnerId, PromptId, Version};

use crate::inbound::{Done, Failure, KeyReused, ListError, NotFoundError, Once, Page, PageRequest};
use crate::outbound::Deleted;

/// Saved templates. Somebody else's is answered like a missing one (`CH-51`).
#[async_trait]
pub trait PromptUseCases: Send + Sync {
    /// Makes a prompt (`CH-50`).
    async fn create(&self, owner_id: OwnerId, draft: PromptDraft) -> Result<Prompt, CreatePromptError>;

    /// The same for a request that may be repeated.
    async fn create_once(
        &self,
        owner_id: OwnerId,
        draft: PromptDraft,
        once: Once<Prompt>,
    ) -> Result<Done<Prompt>, CreatePromptError>;

    /// A page of prompts, by `created_at` from the oldest, then by id (`CH-50`).
    async fn list(&self, owner_id: OwnerId, deleted: Deleted, page: PageRequest) -> Result<Page<Prompt>, ListError>;

    /// Every live prompt, in the order of the list: there are only so many (`CH-50`, `CO-40`).
    async fn all(&self, owner_id: OwnerId) -> Result<Vec<Prompt>, Failure>;

    /// A live prompt.
    async fn get(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, NotFoundError>;

    /// Changes a live prompt by a merge patch. A patch that changes nothing writes nothing.
    async fn change(&self, owner_id: OwnerId, change: ChangePrompt) -> Result<Prompt, ChangePromptError>;

    /// Moves a live prompt to the trash. With `if_match`, only that version.
    async fn delete(&self, owner_id: OwnerId, id: PromptId, if_match: Option<Version>)
    -> Result<(), ChangePromptError>;

    /// Removes a prompt for good, from live or from the trash. With `if_match`, only that version.
    async fn purge(&self, owner_id: OwnerId, id: PromptId, if_match: Option<Version>) -> Result<(), ChangePromptError>;

    /// Takes a prompt out of the trash; a live one stays as it is (`CH-45`).
    async fn restore(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, RestorePromptError>;
}

/// What is sent to change a prompt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangePrompt {
    /// Which.
    pub id: PromptId,
    /// What changes.
    pub patch: PromptPatch,
    /// The version that the client read; another one is refused as stale (`CH-51`).
    pub if_match: Option<Version>,
}

/// Why no prompt was made.
#[derive(Debug, thiserror::Error)]
pub enum CreatePromptError {
    /// The draft breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The owner has the id already.
    #[error("the id is taken")]
    IdTaken,
    /// The owner has as many live prompts as may be.
    #[error("there are too many")]
    LimitReached,
    /// The key of the request is another request's.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePromptError {
    /// The patch breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is none, or it is in the trash, or somebody else's.
    #[error("not found")]
    NotFound,
    /// The stored version is not the one the client read.
    #[error("the resource changed meanwhile")]
    Stale,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestorePromptError {
    /// There is none, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// The owner has as many live prompts as may be.
    #[error("there are too many")]
    LimitReached,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
