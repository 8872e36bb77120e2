use async_trait::async_trait;
use larder_domain::chat::{Summary, SummaryState};
use larder_domain::{Instant, OwnerId, SessionId, Version};

use crate::outbound::{Place, StorageError};

/// Whether a summary may cover a session up to a content revision (`CH-60`, `CH-61`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// Yes, and the session is noted as covered up to this content revision.
    Covered(i64),
    /// The owner has no such live session.
    NoSession,
    /// The session never had that content revision, or never had content.
    OutOfRange,
    /// The summary that is stored covers more.
    Older,
}

/// A session in the list of summaries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummarisedSession {
    /// Which.
    pub id: SessionId,
    /// What it is called.
    pub name: Option<String>,
    /// What orders the list.
    pub last_update: Instant,
    /// What its summary is compared with.
    pub content_revision: i64,
    /// Its summary, if it has one.
    pub summary: Option<Summary>,
}

/// The digests of conversations. Every method sees the rows of `owner_id` and of live sessions only.
#[async_trait]
pub trait Summaries: Send {
    /// Locks the session's row and notes that a summary covers it up to `source`, the current content revision unless given.
    /// Whoever goes on calls [`put`](Self::put) in the same unit.
    async fn cover(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        source: Option<i64>,
    ) -> Result<Coverage, StorageError>;

    /// Stores the summary of a session that this unit covered, in place of the one it may have. Answers what is stored, and the
    /// content revision of the session: id and `created_at` are those of the first summary, the version is the next, counts and
    /// times are computed from the live messages. With `expected`, only in place of that version; `None` when it is not stored.
    async fn put(
        &mut self,
        summary: &Summary,
        expected: Option<Version>,
    ) -> Result<Option<(Summary, i64)>, StorageError>;

    /// The summary of a live session, and the content revision of the session.
    async fn find(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<Option<(Summary, i64)>, StorageError>;

    /// Locks the session's row and notes that no summary covers it any more; `false` when it is no live session with a summary.
    /// Whoever goes on calls [`delete`](Self::delete) in the same unit.
    async fn uncover(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError>;

    /// Removes the summary of a session that this unit uncovered, if it has the version `expected`, where that is given.
    async fn delete(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        expected: Option<Version>,
    ) -> Result<bool, StorageError>;

    /// At most `limit` live sessions behind `after` whose summary is in that state under the configuration `config_version`, or that
    /// are in any state; by `last_update` from the newest, then by id from the highest (`CH-63`).
    async fn list(
        &mut self,
        owner_id: OwnerId,
        state: Option<SummaryState>,
        config_version: i64,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<SummarisedSession>, StorageError>;
}
