//! The store of conversations.

mod favourite;
mod file;
mod message;
mod message_edit;
mod prompt;
mod revision;
mod search;
mod session;
mod summary;
mod tag;

pub use favourite::Favourites;
pub use file::{AuditedFile, FileFilter, FilePlace, Files, MessageAudit};
pub use message::{MessageFilter, Messages, NewestMessages, Order};
pub use message_edit::{Keeping, MessageEdits};
pub use prompt::Prompts;
pub use revision::Revisions;
pub use search::{FoundMessage, MessageScope, Search, SearchFilter};
pub use session::{SessionContent, SessionFilter, Sessions, TagMatch, TaskFilter};
pub use summary::{Coverage, Summaries, SummarisedSession};
pub use tag::{TagCount, Tags};

use super::{IdempotencyKeys, OwnedRows, UnitOfWork};

/// A unit of work on the store of conversations.
pub trait ChatUnit: UnitOfWork {
    /// Conversations.
    fn sessions(&mut self) -> &mut dyn Sessions;
    /// The labels on them.
    fn tags(&mut self) -> &mut dyn Tags;
    /// Saved templates.
    fn prompts(&mut self) -> &mut dyn Prompts;
    /// Digests of conversations.
    fn summaries(&mut self) -> &mut dyn Summaries;
    /// Their messages.
    fn messages(&mut self) -> &mut dyn Messages;
    /// Writes to messages that are there.
    fn message_edits(&mut self) -> &mut dyn MessageEdits;
    /// What messages said before.
    fn revisions(&mut self) -> &mut dyn Revisions;
    /// Messages that a person marked.
    fn favourites(&mut self) -> &mut dyn Favourites;
    /// What is attached to messages.
    fn files(&mut self) -> &mut dyn Files;
    /// Search.
    fn search(&mut self) -> &mut dyn Search;
    /// The answers of repeatable requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys;
    /// All that an owner has, to erase it.
    fn owned_rows(&mut self) -> &mut dyn OwnedRows;
}
