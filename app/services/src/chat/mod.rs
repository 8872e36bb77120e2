//! Conversations.

mod message;
mod session;

pub use message::{ChatConfig, ChatMessages};
pub use session::ChatSessions;
