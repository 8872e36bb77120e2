//! Conversations.

mod message;
mod session;

pub use message::{
    AppendError, ListMessages, ListMessagesError, MessageUseCases, MessageView, Turn, TurnTaken, TurnTarget,
};
pub use session::{ChangeSession, ChangeSessionError, CreateSessionError, ListError, NotFoundError, SessionUseCases};
