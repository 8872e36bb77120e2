//! Conversations.

mod erasure;
mod exchange;
mod favourite;
mod file;
mod message;
mod message_edit;
mod prompt;
mod search;
mod session;
mod summary;
mod tag;

pub use erasure::ChatErasure;
pub use exchange::ChatExchanges;
pub use favourite::ChatFavourites;
pub use file::ChatFiles;
pub use message::{ChatConfig, ChatMessages};
pub use message_edit::ChatMessageEdits;
pub use prompt::ChatPrompts;
pub use search::ChatSearch;
pub use session::ChatSessions;
pub use summary::ChatSummaries;
pub use tag::ChatTags;
