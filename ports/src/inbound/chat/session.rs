use async_trait::async_trait;
use larder_domain::chat::{Session, SessionDraft, SessionPatch};
use larder_domain::{Invalid, MessageId, OwnerId, SessionId, Version};

use crate::inbound::{Done, Failure, KeyReused, ListError, NotFoundError, Once, Page, PageRequest};
use crate::outbound::chat::SessionFilter;

/// Conversations. Somebody else's is answered like a missing one.
#[async_trait]
pub trait SessionUseCases: Send + Sync {
    /// Makes a session (`CH-06`, `CH-23`, `CH-25`, `CH-26`).
    async fn create(&self, owner_id: OwnerId, draft: SessionDraft) -> Result<Session, CreateSessionError>;

    /// The same for a request that may be repeated.
    async fn create_once(
        &self,
        owner_id: OwnerId,
        draft: SessionDraft,
        once: Once<Session>,
    ) -> Result<Done<Session>, CreateSessionError>;

    /// A page of sessions, newest `last_update` first, then id (`CH-20`).
    async fn list(
        &self,
        owner_id: OwnerId,
        filter: SessionFilter,
        page: PageRequest,
    ) -> Result<Page<Session>, ListError>;

    /// The same from the `offset`th session on (`CO-06`): the one list with an offset. Its `next_cursor` goes on in [`list`](Self::list).
    async fn list_from(
        &self,
        owner_id: OwnerId,
        filter: SessionFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Page<Session>, ListError>;

    /// A live session.
    async fn get(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError>;

    /// Changes a live session by a merge patch. A patch that changes nothing writes nothing (`CH-11`, `CH-21`).
    async fn change(&self, owner_id: OwnerId, change: ChangeSession) -> Result<Session, ChangeSessionError>;

    /// Moves a live session to the trash (`CH-45`, `CH-46`). With `if_match`, only that version.
    async fn delete(
        &self,
        owner_id: OwnerId,
        id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSessionError>;

    /// Moves a live session to the trash and tells what went with it: how many messages, and the ids of the newest `most` (`CO-34`).
    async fn remove(&self, owner_id: OwnerId, id: SessionId, most: u32) -> Result<RemovedSession, NotFoundError>;

    /// Removes a session for good, from live or from the trash, with everything below it (`CH-45`, `CH-48`). With `if_match`, only
    /// that version.
    async fn purge(
        &self,
        owner_id: OwnerId,
        id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSessionError>;

    /// Takes a session out of the trash, with the messages that were live before; a live one stays as it is (`CH-45`, `CH-46`).
    async fn restore(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError>;

    /// The live session of a character with the newest `last_update`; an empty one is made if there is none (`CH-22`).
    async fn resolve(&self, owner_id: OwnerId, request: ResolveSession)
    -> Result<ResolvedSession, ResolveSessionError>;
}

/// What went to the trash with a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemovedSession {
    /// Its messages that were live.
    pub message_count: i64,
    /// The newest of these, the newest last.
    pub message_ids: Vec<MessageId>,
}

/// Whose session is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResolveSession {
    /// Exactly this character.
    pub character_name: String,
    /// The name of the session, should it be made.
    pub name: Option<String>,
}

/// The session of a character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResolvedSession {
    /// It.
    pub session: Session,
    /// Whether it was made now.
    pub is_new: bool,
}

/// Why there is no session of the character.
#[derive(Debug, thiserror::Error)]
pub enum ResolveSessionError {
    /// The request breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What is sent to change a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeSession {
    /// Which.
    pub id: SessionId,
    /// What changes.
    pub patch: SessionPatch,
    /// Whether `last_update` becomes now, unless the patch sets it (`CH-09`).
    pub touch: bool,
    /// The version that the client read; another one is refused as stale (`CH-17`).
    pub if_match: Option<Version>,
}

/// Why no session was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateSessionError {
    /// The draft breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The owner has the id already.
    #[error("the id is taken")]
    IdTaken,
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeSessionError {
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
