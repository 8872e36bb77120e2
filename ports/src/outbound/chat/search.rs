use async_trait::async_trait;
use larder_domain::chat::{SenderRole, Session, Tag};
use larder_domain::search::Query;
use larder_domain::{Instant, MessageId, OwnerId, SessionId};

use super::{SessionContent, TagMatch};
use crate::outbound::{Place, StorageError};

/// Which hits are wanted; conditions combine with AND (`CH-43`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchFilter {
    /// Messages made, sessions last active, at this instant or later.
    pub from: Option<Instant>,
    /// Messages made, sessions last active, before this instant.
    pub to: Option<Instant>,
    /// Tags of different folded forms that the session has; none is no condition (`CH-24`).
    pub tags: Vec<Tag>,
    /// How many of the tags the session must have.
    pub tag_match: TagMatch,
    /// Exactly this character of the session.
    pub character: Option<String>,
    /// What sessions must hold; hits in messages always are in one that holds something.
    pub content: Option<SessionContent>,
}

/// Of messages, those that a search finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageScope {
    /// By this role only.
    pub role: Option<SenderRole>,
    /// In this session only.
    pub session_id: Option<SessionId>,
}

/// A message that matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundMessage {
    /// Its id.
    pub id: MessageId,
    /// Its place in the session.
    pub position: i64,
    /// Who speaks.
    pub sender_role: SenderRole,
    /// A free display name.
    pub sender_name: Option<String>,
    /// What it says.
    pub text: String,
    /// When it was made.
    pub created_at: Instant,
}

/// Search. What matches is said by [`Query::matches`]; how a store finds it is its own affair. A document is found in the unit that
/// writes its row, and as soon as that unit is committed.
#[async_trait]
pub trait Search: Send {
    /// At most `limit` live messages that match, with their live sessions: by `created_at` from the newest, then by id from the
    /// highest, behind `after` (`CH-42`).
    async fn messages(
        &mut self,
        owner_id: OwnerId,
        query: &Query,
        filter: &SearchFilter,
        scope: MessageScope,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(FoundMessage, Session)>, StorageError>;

    /// At most `limit` live sessions that match themselves or by a live message, each once: by `last_update` from the newest, then by
    /// id from the highest, behind `after` (`CH-42`).
    async fn sessions(
        &mut self,
        owner_id: OwnerId,
        query: &Query,
        filter: &SearchFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Session>, StorageError>;
}
