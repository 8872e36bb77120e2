use async_trait::async_trait;
use larder_domain::chat::Session;
use larder_domain::search::Excerpt;
use larder_domain::{Instant, Invalid, OwnerId};

use crate::inbound::{BadCursor, Failure, Page, PageRequest};
use crate::outbound::chat::{FoundMessage, MessageScope, SessionContent, TagMatch};

/// Search in conversations.
#[async_trait]
pub trait SearchUseCases: Send + Sync {
    /// A page of the live messages that match, newest first (`CH-42`).
    async fn messages(
        &self,
        owner_id: OwnerId,
        request: SearchRequest,
        scope: MessageScope,
        page: PageRequest,
    ) -> Result<Page<MessageHit>, SearchError>;

    /// A page of the live sessions that match, themselves or by a live message, the last active first (`CH-42`).
    async fn sessions(
        &self,
        owner_id: OwnerId,
        request: SearchRequest,
        page: PageRequest,
    ) -> Result<Page<Session>, SearchError>;
}

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchRequest {
    /// Words, of which the last may be the beginning of one (`CH-41`).
    pub query: String,
    /// Messages made, sessions last active, at this instant or later.
    pub from: Option<Instant>,
    /// Messages made, sessions last active, before this instant.
    pub to: Option<Instant>,
    /// Tags that the session has; none is no condition.
    pub tags: Vec<String>,
    /// How many of the tags the session must have.
    pub tag_match: TagMatch,
    /// Exactly this character of the session.
    pub character: Option<String>,
    /// What sessions must hold; of no meaning where messages are searched.
    pub content: Option<SessionContent>,
}

/// A message that matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageHit {
    /// The message.
    pub message: FoundMessage,
    /// Where it stands.
    pub session: Session,
    /// A piece of its text around the first hit.
    pub excerpt: Excerpt,
}

/// Why nothing was searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query or a filter breaks a rule (`CH-41`).
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The cursor does not belong to this search.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
