//! Conversations.

pub(crate) mod idempotency;
pub(crate) mod message;
pub(crate) mod session;
