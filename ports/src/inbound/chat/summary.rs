use async_trait::async_trait;
use larder_domain::chat::{Summary, SummaryDraft, SummaryState};
use larder_domain::{Invalid, OwnerId, SessionId, Version};

use crate::inbound::{Failure, ListError, NotFoundError, Page, PageRequest};

/// Digests of conversations. That of somebody else's session, or of one in the trash, is answered like a missing one.
#[async_trait]
pub trait SummaryUseCases: Send + Sync {
    /// The summary of a live session.
    async fn get(&self, owner_id: OwnerId, session_id: SessionId) -> Result<SummaryView, NotFoundError>;

    /// Makes the summary of a live session, or replaces it (`CH-60`, `CH-61`).
    async fn put(&self, owner_id: OwnerId, put: PutSummary) -> Result<SummaryStored, ChangeSummaryError>;

    /// Removes the summary of a live session. With `if_match`, only that version.
    async fn delete(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSummaryError>;

    /// A page of live sessions with messages or a summary, newest `last_update` first, in one state or in any (`CH-63`).
    async fn list(
        &self,
        owner_id: OwnerId,
        state: Option<SummaryState>,
        page: PageRequest,
    ) -> Result<Page<SummaryEntry>, ListError>;
}

/// A summary as a reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummaryView {
    /// What is stored.
    pub summary: Summary,
    /// Whether it still fits, computed when it was read (`CH-62`).
    pub state: SummaryState,
}

/// What is sent to store a summary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutSummary {
    /// The session.
    pub session_id: SessionId,
    /// The summary.
    pub draft: SummaryDraft,
    /// The version that the client read; nothing but that one is replaced (`CH-17`).
    pub if_match: Option<Version>,
}

/// A summary that was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummaryStored {
    /// It.
    pub view: SummaryView,
    /// Whether the session had none before.
    pub is_new: bool,
}

/// A session in the list of summaries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummaryEntry {
    /// Which.
    pub session_id: SessionId,
    /// What it is called.
    pub session_name: Option<String>,
    /// The state of its summary.
    pub state: SummaryState,
    /// Its summary, unless the state is [`SummaryState::Missing`].
    pub summary: Option<Summary>,
}

/// Why no summary was stored or removed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeSummaryError {
    /// What was sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such live session, or no summary to remove.
    #[error("not found")]
    NotFound,
    /// The stored version is not the one the client read.
    #[error("the resource changed meanwhile")]
    Stale,
    /// The stored summary covers more of the session (`CH-61`).
    #[error("a newer summary is stored")]
    Older,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
