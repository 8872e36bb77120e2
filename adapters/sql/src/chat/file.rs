use async_trait::async_trait;
use larder_domain::chat::{Attachment, AttachmentKind, Location, Message, SenderRole};
use larder_domain::{AttachmentId, Instant, MessageId, OwnerId, SessionId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::chat::{AuditedFile, FileFilter, FilePlace, Files, MessageAudit};
use uuid::Uuid;

use super::message;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

const TABLE: &str = "chat_attachments";

/// The columns that [`read`] reads, of an attachment `a`, its message `m` and its session `s`.
pub(crate) const COLUMNS: &str = "a.id, a.kind, a.url, a.location, a.file_name, a.extension, a.description, \
    a.media_type, a.size_bytes, a.position, a.message_id, a.sender_role, a.message_created_at, m.session_id, s.name";

/// Which attachments an audit holds: behind the place `$2`, `$3`, `$4`, `$5`, from the instant `$7` on, with local ones if `$8`, of
/// the assistant only if `$9`, and where they are not null, of the kind `$10`, the name `$11`, the extension `$12`, the session `$13`.
pub(crate) const FILTER: &str = "a.owner_id = $1 AND (a.message_created_at, a.message_id) <= ($2, $3) \
    AND ((a.message_created_at, a.message_id) < ($2, $3) OR (a.kind, a.position) > ($4, $5)) \
    AND a.message_created_at >= $7 AND ($8 OR a.location = 'remote') AND (NOT $9 OR a.sender_role = 'assistant') \
    AND ($10 IS NULL OR a.kind = $10) AND ($11 IS NULL OR a.file_name_norm = $11) \
    AND ($12 IS NULL OR a.extension = $12) AND ($13 IS NULL OR m.session_id = $13) \
    AND m.deleted_at IS NULL AND s.deleted_at IS NULL";

/// An audit by one index.
struct Audit {
    /// A page of attachments.
    files: Statement,
    /// A page of messages: behind `$15` others, with an attachment that has the URL `$14`, if there is one.
    messages: Statement,
}

/// The attachments of live messages, with both and their sessions.
macro_rules! attachments {
    () => {
        "{s}chat_attachments a \
         JOIN {s}chat_messages m ON m.owner_id = a.owner_id AND m.id = a.message_id \
         JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id "
    };
}

/// An audit by the index that `$way` leads to.
macro_rules! audit_by {
    ($audit:ident, $name:literal, $way:literal) => {
        static $audit: Audit = Audit {
            files: Statement {
                name: concat!("chat_attachments.audit_by_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "SELECT {file_columns} FROM ",
                    attachments!(),
                    "WHERE ",
                    $way,
                    "{file_filter} ORDER BY a.message_created_at DESC, a.message_id DESC, a.kind, a.position LIMIT $6"
                ),
                only: None,
            },
            messages: Statement {
                name: concat!("chat_attachments.messages_by_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "SELECT {message_columns} FROM (SELECT DISTINCT a.message_created_at, a.message_id FROM ",
                    attachments!(),
                    "WHERE ",
                    $way,
                    "{file_filter} AND ($14 IS NULL OR a.url = $14) \
                     ORDER BY a.message_created_at DESC, a.message_id DESC LIMIT $6 OFFSET $15) h \
                     JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = h.message_id \
                     ORDER BY h.message_created_at DESC, h.message_id DESC"
                ),
                only: None,
            },
        };
    };
}

audit_by!(BY_DATE, "date", "");
audit_by!(BY_EXTENSION, "extension", "a.extension = $12 AND ");
audit_by!(BY_NAME, "name", "a.file_name_norm = $11 AND ");
audit_by!(
    BY_SESSION,
    "session",
    "m.owner_id = $1 AND m.session_id = $13 AND s.owner_id = $1 AND s.id = $13 AND "
);

pub(crate) const STATEMENTS: &[&Statement] = &[
    &BY_DATE.files,
    &BY_DATE.messages,
    &BY_EXTENSION.files,
    &BY_EXTENSION.messages,
    &BY_NAME.files,
    &BY_NAME.messages,
    &BY_SESSION.files,
    &BY_SESSION.messages,
];

#[async_trait]
impl<C: Connection> Files for Unit<C> {
    async fn audit(
        &mut self,
        owner_id: OwnerId,
        filter: &FileFilter,
        after: Option<FilePlace>,
        limit: u32,
    ) -> Result<Vec<AuditedFile>, StorageError> {
        // The first page lies behind a place that no row can have.
        let start = filter.to.map_or((Instant::MAX, Uuid::max()), |to| (to, Uuid::nil()));
        let (at, id, kind, position) = match after {
            Some(place) if (place.at, place.message_id.0) < start => {
                (place.at, place.message_id.0, place.kind.as_str(), place.position)
            }
            _ => (start.0, start.1, "image", i64::MAX),
        };
        let [from, local, ai_only, of_kind, name, extension, session] = filter_values(filter);
        let (owner, limit) = (owner_id.into(), limit.into());
        let values: [Value<'_>; 13] = [
            owner,
            at.into(),
            id.into(),
            kind.into(),
            position.into(),
            limit,
            from,
            local,
            ai_only,
            of_kind,
            name,
            extension,
            session,
        ];
        let rows = self.fetch(&way_in(filter).files, &values).await?;
        rows.iter().map(read).collect()
    }

    async fn messages(&mut self, owner_id: OwnerId, audit: &MessageAudit) -> Result<Vec<Message>, StorageError> {
        let filter = &audit.files;
        let (at, id) = filter.to.map_or((Instant::MAX, Uuid::max()), |to| (to, Uuid::nil()));
        let [from, local, ai_only, of_kind, name, extension, session] = filter_values(filter);
        let values: [Value<'_>; 15] = [
            owner_id.into(),
            at.into(),
            id.into(),
            "image".into(),
            i64::MAX.into(),
            audit.limit.into(),
            from,
            local,
            ai_only,
            of_kind,
            name,
            extension,
            session,
            (&audit.url).into(),
            audit.offset.into(),
        ];
        let rows = self.fetch(&way_in(filter).messages, &values).await?;
        rows.iter().map(|row| message::read(row, owner_id)).collect()
    }
}

/// The values `$7` to `$13` of [`FILTER`].
fn filter_values(filter: &FileFilter) -> [Value<'_>; 7] {
    [
        filter.from.unwrap_or(Instant::MIN).into(),
        filter.include_local.into(),
        filter.ai_only.into(),
        filter.kind.map(AttachmentKind::as_str).into(),
        (&filter.name).into(),
        (&filter.extension).into(),
        filter.session_id.into(),
    ]
}

/// The audit whose index leads to the fewest rows.
fn way_in(filter: &FileFilter) -> &'static Audit {
    if filter.name.is_some() {
        &BY_NAME
    } else if filter.session_id.is_some() {
        &BY_SESSION
    } else if filter.extension.is_some() {
        &BY_EXTENSION
    } else {
        &BY_DATE
    }
}

fn read<R: Row>(row: &R) -> Result<AuditedFile, StorageError> {
    let mut row = Reader::new(row, TABLE);
    Ok(AuditedFile {
        attachment: Attachment {
            id: AttachmentId(row.id()?),
            kind: row.word("kind", AttachmentKind::from_word)?,
            url: row.required_text("url")?,
            location: row.word("location", Location::from_word)?,
            file_name: row.text("file_name")?,
            extension: row.text("extension")?,
            description: row.text("description")?,
            media_type: row.text("media_type")?,
            size_bytes: row.int("size_bytes")?,
        },
        position: row.required_int("position")?,
        message_id: MessageId(row.required_uuid("message_id")?),
        sender_role: row.word("sender_role", SenderRole::from_word)?,
        created_at: row.required_instant("message_created_at")?,
        session_id: SessionId(row.required_uuid("session_id")?),
        session_name: row.text("session_name")?,
    })
}
