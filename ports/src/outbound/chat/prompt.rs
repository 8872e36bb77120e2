use async_trait::async_trait;
use larder_domain::chat::Prompt;
use larder_domain::{Instant, OwnerId, PromptId, Version};

use crate::outbound::{Deleted, Place, StorageError};

/// Saved templates. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing one.
#[async_trait]
pub trait Prompts: Send {
    /// Whether the owner has fewer than `most` live prompts. Units that ask this for one owner wait for each other, so that what
    /// was answered holds until this unit ends (`CH-50`).
    async fn has_room(&mut self, owner_id: OwnerId, most: u32) -> Result<bool, StorageError>;

    /// Stores a new prompt.
    ///
    /// Must break `PromptIdTaken` when the owner has the id already, live or in the trash.
    async fn insert(&mut self, prompt: &Prompt) -> Result<(), StorageError>;

    /// A live prompt.
    async fn find(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError>;

    /// A prompt, live or in the trash.
    async fn find_any(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError>;

    /// At most `limit` prompts behind `after`, by `created_at` from the oldest, then by id (`CH-50`).
    async fn list(
        &mut self,
        owner_id: OwnerId,
        deleted: Deleted,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Prompt>, StorageError>;

    /// Replaces title and text of a live prompt, if the stored one still has the version `expected`; answers whether it had.
    /// `version` and `updated_at` become those of `prompt`.
    async fn update(&mut self, prompt: &Prompt, expected: Version) -> Result<bool, StorageError>;

    /// Moves a live prompt to the trash and answers `true`, if it is there and, where `expected` is given, has that version.
    async fn delete(
        &mut self,
        owner_id: OwnerId,
        id: PromptId,
        expected: Option<Version>,
        now: Instant,
    ) -> Result<bool, StorageError>;

    /// Takes a prompt out of the trash, with the next version, and answers it; `None` when there is none in the trash.
    async fn restore(&mut self, owner_id: OwnerId, id: PromptId, now: Instant) -> Result<Option<Prompt>, StorageError>;

    /// Removes a prompt for good, live or in the trash, and answers `true`, if it is there and, where `expected` is given, has that
    /// version.
    async fn purge(&mut self, owner_id: OwnerId, id: PromptId, expected: Option<Version>)
    -> Result<bool, StorageError>;
}
