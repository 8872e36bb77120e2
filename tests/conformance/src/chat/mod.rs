//! Conversations.

pub(crate) mod idempotency;
pub(crate) mod favourite;
pub(crate) mod message;
pub(crate) mod message_edit;
pub(crate) mod session;
pub(crate) mod tag;
pub(crate) mod summary;
pub(crate) mod prompt;
