use async_trait::async_trait;
use larder_domain::chat::{AttachmentKind, Message};
use larder_domain::{Instant, Invalid, OwnerId, SessionId};

use crate::inbound::{BadCursor, Failure, Page, PageRequest};
use crate::outbound::chat::AuditedFile;

/// Audits of attachments.
#[async_trait]
pub trait FileUseCases: Send + Sync {
    /// A page of the attachments of live messages: newest message first, then its id, files before images, then by position
    /// (`CH-35`).
    async fn audit(
        &self,
        owner_id: OwnerId,
        request: AuditFiles,
        page: PageRequest,
    ) -> Result<Page<AuditedFile>, AuditError>;

    /// The live messages with an attachment that fits, each once and whole, newest first (`CO-46`). At most 200, and one to tell
    /// whether there are more.
    async fn audit_messages(&self, owner_id: OwnerId, request: AuditMessages) -> Result<Vec<Message>, AuditError>;
}

/// Which messages are wanted by what is attached to them; conditions combine with AND.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditMessages {
    /// Made at this instant or later.
    pub from: Option<Instant>,
    /// Made at this instant or earlier.
    pub until: Option<Instant>,
    /// The file name of an attachment, in any case, or its whole URL.
    pub name_or_url: Option<String>,
    /// The extension of an attachment, with or without its dot; case makes no difference.
    pub extension: Option<String>,
    /// Messages of the assistant only.
    pub ai_only: bool,
    /// Whether images count beside files.
    pub with_images: bool,
    /// How many messages are skipped.
    pub offset: u32,
    /// Most messages.
    pub limit: u32,
}

/// Which attachments are wanted; conditions combine with AND.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFiles {
    /// Of messages made at this instant or later.
    pub from: Option<Instant>,
    /// Of messages made before this instant.
    pub to: Option<Instant>,
    /// The whole file name; case makes no difference.
    pub name: Option<String>,
    /// The extension, with or without its dot; case makes no difference.
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

/// Why there is no page of attachments.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A filter breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The cursor does not belong to this list.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
