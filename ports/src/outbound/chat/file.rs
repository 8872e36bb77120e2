use async_trait::async_trait;
use larder_domain::chat::{Attachment, AttachmentKind, Message, SenderRole};
use larder_domain::{Instant, MessageId, OwnerId, SessionId};

use crate::outbound::StorageError;

/// Which attachments an audit holds; conditions combine with AND (`CH-35`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileFilter {
    /// Of messages made at this instant or later.
    pub from: Option<Instant>,
    /// Of messages made before this instant.
    pub to: Option<Instant>,
    /// The whole file name, in the form that audits compare.
    pub name: Option<String>,
    /// The extension, in the form that audits compare.
    pub extension: Option<String>,
    /// Images or files only.
    pub kind: Option<AttachmentKind>,
    /// Of messages of the assistant only.
    pub ai_only: bool,
    /// Of this session only.
    pub session_id: Option<SessionId>,
    /// Also what is neither http nor https.
    pub include_local: bool,
}

/// Which messages an audit of messages holds: those with an attachment that fits (`CO-46`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MessageAudit {
    /// What must fit.
    pub files: FileFilter,
    /// The whole URL of that attachment.
    pub url: Option<String>,
    /// How many messages are skipped.
    pub offset: u32,
    /// Most messages.
    pub limit: u32,
}

/// The place of an attachment in an audit: the last row of the page before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePlace {
    /// When the message was made.
    pub at: Instant,
    /// The message.
    pub message_id: MessageId,
    /// The kind.
    pub kind: AttachmentKind,
    /// The place among the attachments of this kind.
    pub position: i64,
}

/// An attachment as an audit finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditedFile {
    /// What is attached.
    pub attachment: Attachment,
    /// Its place among the attachments of its kind.
    pub position: i64,
    /// To which message.
    pub message_id: MessageId,
    /// Who sent it.
    pub sender_role: SenderRole,
    /// When the message was made.
    pub created_at: Instant,
    /// Where the message stands.
    pub session_id: SessionId,
    /// What that session is called.
    pub session_name: Option<String>,
}

/// The attachments of live messages of live sessions.
#[async_trait]
pub trait Files: Send {
    /// At most `limit` attachments behind `after`: of the newest message first, then of the message with the highest id, files before
    /// images, then by position (`CH-35`).
    async fn audit(
        &mut self,
        owner_id: OwnerId,
        filter: &FileFilter,
        after: Option<FilePlace>,
        limit: u32,
    ) -> Result<Vec<AuditedFile>, StorageError>;

    /// The live messages with an attachment that fits, each once: the newest first, then the one with the highest id (`CO-46`).
    async fn messages(&mut self, owner_id: OwnerId, audit: &MessageAudit) -> Result<Vec<Message>, StorageError>;
}
