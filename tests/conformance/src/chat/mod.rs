//! Conversations.

pub(crate) mod cost;
pub(crate) mod exchange;
pub(crate) mod favourite;
pub(crate) mod file;
pub(crate) mod idempotency;
pub(crate) mod message;
pub(crate) mod message_edit;
pub(crate) mod prompt;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod summary;
pub(crate) mod tag;
