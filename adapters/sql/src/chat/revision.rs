use async_trait::async_trait;
use larder_domain::chat::{Content, Editor, Revision};
use larder_domain::{MessageId, OwnerId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::chat::Revisions;

use super::message;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit};

const TABLE: &str = "chat_message_revisions";

/// The columns that [`read`] reads, of a row called `r`.
pub(crate) const COLUMNS: &str = "r.id, r.message_id, r.revision, r.text, r.reasoning, CAST(r.attachments AS text), \
    CAST(r.chart_data AS text), r.replaced_at, r.replaced_by";

/// That the message of a row called `r` is live, and so its session.
pub(crate) const OF_LIVE: &str = "EXISTS (SELECT 1 FROM {s}chat_messages m \
    JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
    WHERE m.owner_id = $1 AND m.id = $2 AND m.deleted_at IS NULL AND s.deleted_at IS NULL)";

static LIST: Statement = Statement {
    name: "chat_message_revisions.list",
    effect: Effect::Reads,
    text: "SELECT {revision_columns} FROM {s}chat_message_revisions r \
           WHERE r.owner_id = $1 AND r.message_id = $2 AND r.revision < $3 AND {of_live_message} \
           ORDER BY r.revision DESC LIMIT $4",
    only: None,
};
static FIND: Statement = Statement {
    name: "chat_message_revisions.find",
    effect: Effect::Reads,
    text: "SELECT {revision_columns} FROM {s}chat_message_revisions r \
           WHERE r.owner_id = $1 AND r.message_id = $2 AND r.revision = $3 AND {of_live_message}",
    only: None,
};
static IS_LIVE: Statement = Statement {
    name: "chat_message_revisions.is_live",
    effect: Effect::Reads,
    text: "SELECT m.id FROM {s}chat_messages m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.id = $2 AND m.deleted_at IS NULL AND s.deleted_at IS NULL",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&LIST, &FIND, &IS_LIVE];

#[async_trait]
impl<C: Connection> Revisions for Unit<C> {
    async fn list(
        &mut self,
        owner_id: OwnerId,
        id: MessageId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<Revision>>, StorageError> {
        let before = before.unwrap_or(i64::MAX);
        let values = [owner_id.into(), id.into(), before.into(), limit.into()];
        let rows = self.fetch(&LIST, &values).await?;
        // Only an empty answer leaves open whether there is such a message.
        if rows.is_empty() && !self.execute(&IS_LIVE, &values[..2]).await? {
            return Ok(None);
        }
        rows.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    async fn find(
        &mut self,
        owner_id: OwnerId,
        id: MessageId,
        revision: i64,
    ) -> Result<Option<Revision>, StorageError> {
        let values = [owner_id.into(), id.into(), revision.into()];
        let row = self.fetch_optional(&FIND, &values).await?;
        row.map(|row| read(&row)).transpose()
    }
}

fn read<R: Row>(row: &R) -> Result<Revision, StorageError> {
    let mut row = Reader::new(row, TABLE);
    row.id()?;
    Ok(Revision {
        message_id: MessageId(row.required_uuid("message_id")?),
        revision: row.required_int("revision")?,
        content: Content {
            text: row.text("text")?,
            reasoning: row.text("reasoning")?,
            attachments: message::read_attachments(&mut row)?,
            chart_data: row.free_json("chart_data")?,
        },
        replaced_at: row.required_instant("replaced_at")?,
        replaced_by: row.word("replaced_by", Editor::from_word)?,
    })
}
