use std::num::NonZeroU32;

use async_trait::async_trait;
use larder_domain::chat::{Session, Tag, TaskPriority, TaskStatus};
use larder_domain::{GroupId, Instant, OwnerId, SessionId, Version};

use crate::outbound::{Deleted, Place, StorageError};

/// Which sessions a list holds; conditions combine with AND (`CH-20`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionFilter {
    /// `last_update` at this instant or later.
    pub from: Option<Instant>,
    /// `last_update` before this instant.
    pub to: Option<Instant>,
    /// Tags of different folded forms; none is no condition (`CH-24`).
    pub tags: Vec<Tag>,
    /// How many of the tags a session must have.
    pub tag_match: TagMatch,
    /// Exactly this character.
    pub character: Option<String>,
    /// Sessions that are used as tasks, or that are not.
    pub task: Option<TaskFilter>,
    /// Tasks of this priority.
    pub task_priority: Option<TaskPriority>,
    /// Conversations of this group.
    pub group_id: Option<GroupId>,
    /// What they hold.
    pub content: Option<SessionContent>,
    /// Live, trashed, or both.
    pub deleted: Deleted,
}

impl SessionFilter {
    /// No condition but where the sessions are.
    pub const fn all(deleted: Deleted) -> Self {
        Self {
            from: None,
            to: None,
            tags: Vec::new(),
            tag_match: TagMatch::Any,
            character: None,
            task: None,
            task_priority: None,
            group_id: None,
            content: None,
            deleted,
        }
    }
}

/// How many of several tags a session must have (`CH-24`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum TagMatch {
    /// At least one.
    #[default]
    Any,
    /// Each of them.
    All,
}

/// Which task state a session must have (`CH-20`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TaskFilter {
    /// This one.
    Status(TaskStatus),
    /// Any: the session is a task.
    Any,
    /// None: the session is no task.
    None,
}

/// What a session must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SessionContent {
    /// Live messages.
    Messages,
    /// No live message.
    Nothing,
    /// Live messages, or a task state (`CO-11`).
    MessagesOrTask,
}

/// Conversations. Every method sees the rows of `owner_id` only: somebody else's row is answered like a missing one.
#[async_trait]
pub trait Sessions: Send {
    /// Stores a new session with its tags.
    ///
    /// Must break `SessionIdTaken` when the owner has the id already, live or in the trash. The same id of another owner is no
    /// conflict (`CH-06`). Must break `AutoKeyTaken` when a live session of the owner has its auto key (`CH-22`), after waiting for
    /// a unit that is making one.
    async fn insert(&mut self, session: &Session) -> Result<(), StorageError>;

    /// A live session.
    async fn find(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;

    /// A session, live or in the trash.
    async fn find_any(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;

    /// At most `limit` sessions after `after`, by `last_update` from the newest, then by id from the highest (`CH-20`).
    async fn list(
        &mut self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Session>, StorageError>;

    /// The place of the `count`th session of that list, behind which the rest of it lies; `None` when it is shorter (`CO-06`).
    async fn skip(
        &mut self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        count: NonZeroU32,
    ) -> Result<Option<Place>, StorageError>;

    /// Replaces the client fields and the tags of a live session with those of `session`, if the stored one still has the version
    /// `expected`; answers whether it had. `version` and `updated_at` become those of `session`; counters and positions are not
    /// touched.
    async fn update(&mut self, session: &Session, expected: Version) -> Result<bool, StorageError>;

    /// Moves a live session to the trash and answers `true`, if it is there and, where `expected` is given, has that version.
    /// Messages are not touched (`CH-46`).
    async fn delete(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        expected: Option<Version>,
        now: Instant,
    ) -> Result<bool, StorageError>;

    /// Takes a session out of the trash, with the next version, and answers it; `None` when there is none in the trash. Its messages
    /// are not touched, and its auto key stays clear (`CH-22`, `CH-46`).
    async fn restore(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        now: Instant,
    ) -> Result<Option<Session>, StorageError>;

    /// Removes a session for good, live or in the trash, with everything below it, and answers `true`, if it is there and, where
    /// `expected` is given, has that version (`CH-48`).
    async fn purge(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        expected: Option<Version>,
    ) -> Result<bool, StorageError>;
}
