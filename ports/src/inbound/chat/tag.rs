use async_trait::async_trait;
use larder_domain::{Invalid, OwnerId};

use crate::inbound::{Failure, ListError, Page, PageRequest};
use crate::outbound::chat::TagCount;

/// The labels on conversations (`CH-24`).
#[async_trait]
pub trait TagUseCases: Send + Sync {
    /// A page of the tags of live sessions, each folded form once, by folded form.
    async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<TagCount>, ListError>;

    /// Renames a tag in every session, trash included, and answers how many sessions changed.
    async fn rename(&self, owner_id: OwnerId, rename: RenameTag) -> Result<i64, RenameTagError>;
}

/// What is sent to rename a tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenameTag {
    /// The tag, in any spelling.
    pub from: String,
    /// What it is called from now on.
    pub to: String,
}

/// Why nothing was renamed.
#[derive(Debug, thiserror::Error)]
pub enum RenameTagError {
    /// The request breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No session of the owner has the tag.
    #[error("no session has the tag")]
    NotFound,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
