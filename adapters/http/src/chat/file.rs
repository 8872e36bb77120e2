use std::sync::Arc;

use larder_domain::SessionId;
use larder_domain::chat::{AttachmentKind, SenderRole};
use larder_ports::inbound::chat::{AuditFiles, FileUseCases};
use larder_ports::outbound::chat::AuditedFile;
use poem::http::Uri;
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::message::AttachmentBody;
use crate::Tag;
use crate::answer::Listed;
use crate::identity::{Caller, ChatRead};
use crate::page::{Limit, PageBody};
use crate::problem::Answer;
use crate::values::{Nullable, Timestamp, Word};

/// An attachment and where it stands.
#[derive(Object, Serialize)]
#[oai(rename = "File")]
struct FileBody {
    /// What is attached.
    attachment: AttachmentBody,
    /// The message that it is attached to.
    message_id: Uuid,
    /// Who sent it.
    sender_role: Word<SenderRole>,
    /// When the message was stored.
    created_at: Timestamp,
    /// The conversation.
    session_id: Uuid,
    /// What the conversation is called.
    session_name: Nullable<String>,
}

impl From<AuditedFile> for FileBody {
    fn from(file: AuditedFile) -> Self {
        Self {
            attachment: file.attachment.into(),
            message_id: file.message_id.0,
            sender_role: Word(file.sender_role),
            created_at: Timestamp(file.created_at),
            session_id: file.session_id.0,
            session_name: file.session_name.into(),
        }
    }
}

/// Operations on what is attached to messages.
pub(crate) struct FileApi(pub(crate) Arc<dyn FileUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Files")]
impl FileApi {
    /// List attachments
    ///
    /// Of the newest message first; within a message files before images. The filters combine with AND.
    #[oai(path = "/files", method = "get", operation_id = "list_files")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Only of messages stored at this instant or later.
        from: Query<Option<Timestamp>>,
        /// Only of messages stored before this instant.
        to: Query<Option<Timestamp>>,
        /// Only with this whole file name, in any case.
        name: Query<Option<String>>,
        /// Only with this extension, in any case, with or without its dot.
        extension: Query<Option<String>>,
        /// Only images, or only other files.
        kind: Query<Option<Word<AttachmentKind>>>,
        /// Only of messages of the assistant.
        #[oai(default)]
        ai_only: Query<bool>,
        /// Only of this session.
        session_id: Query<Option<Uuid>>,
        /// Also what is neither http nor https.
        #[oai(default)]
        include_local: Query<bool>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<FileBody>>> {
        let request = AuditFiles {
            from: from.0.map(|instant| instant.0),
            to: to.0.map(|instant| instant.0),
            name: name.0,
            extension: extension.0,
            kind: kind.0.map(|word| word.0),
            ai_only: ai_only.0,
            session_id: session_id.0.map(SessionId),
            include_local: include_local.0,
        };
        let page = self.0.audit(caller.owner_id(), request, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }
}
