use async_trait::async_trait;
use larder_domain::chat::Tag;
use larder_domain::{Instant, OwnerId};

use crate::outbound::StorageError;

/// A tag and how much it is used (`CH-24`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagCount {
    /// In the smallest spelling by code point that a live session has.
    pub tag: Tag,
    /// Live sessions with it.
    pub session_count: i64,
}

/// The labels on conversations, over all sessions of an owner. Those of one session are written with it.
#[async_trait]
pub trait Tags: Send {
    /// At most `limit` tags of live sessions behind the folded form `after`, each folded form once, by folded form.
    async fn list(
        &mut self,
        owner_id: OwnerId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<TagCount>, StorageError>;

    /// Renames a tag in every session, trash included, and answers how many sessions changed; `None` when no session has `from`.
    ///
    /// Where a session has `to` already, the two merge at the earlier place. The spelling becomes that of `to`. Sessions that change
    /// get the next version (`CH-24`). The rows of all sessions with `from` are locked first.
    async fn rename(
        &mut self,
        owner_id: OwnerId,
        from: &Tag,
        to: &Tag,
        now: Instant,
    ) -> Result<Option<i64>, StorageError>;
}
