use super::{Content, Editor};
use crate::{Instant, MessageId};

/// The content of a message before an edit (`CH-12`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Of which message.
    pub message_id: MessageId,
    /// Its number, 1 for the original.
    pub revision: i64,
    /// What the message said.
    pub content: Content,
    /// When it was replaced.
    pub replaced_at: Instant,
    /// By what kind of caller.
    pub replaced_by: Editor,
}
