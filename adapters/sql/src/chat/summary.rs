use async_trait::async_trait;
use larder_domain::chat::{Summary, SummaryState};
use larder_domain::{Instant, OwnerId, SessionId, SummaryId, Version};
use larder_ports::outbound::chat::{Coverage, Summaries, SummarisedSession};
use larder_ports::outbound::{BoxError, Place, StorageError};
use uuid::Uuid;

use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

const TABLE: &str = "chat_summaries";

/// The columns that [`read`] reads, of a row called `m`.
pub(crate) const COLUMNS: &str = "m.id, m.session_id, m.text, CAST(m.key_topics AS text), CAST(m.entities AS text), \
    m.model_name, m.config_version, m.source_content_revision, m.message_count, m.first_message_at, m.last_message_at, \
    m.generated_at, m.created_at, m.updated_at, m.version";

/// Key topics and entities as they are stored.
pub(crate) const ARRAYS: Fragment = Fragment {
    mark: "{summary_arrays}",
    postgres: "$5::jsonb, $6::jsonb",
    sqlite: "$5, $6",
};

static COVER: Statement = Statement {
    name: "chat_summaries.cover",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET summarised_revision = coalesce($3, content_revision) \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NULL \
           AND coalesce($3, content_revision) BETWEEN 1 AND content_revision \
           AND coalesce($3, content_revision) >= summarised_revision RETURNING summarised_revision",
    only: None,
};
static REVISIONS: Statement = Statement {
    name: "chat_summaries.revisions",
    effect: Effect::Reads,
    text: "SELECT content_revision, summarised_revision FROM {s}chat_sessions \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NULL",
    only: None,
};
/// The number of live messages is kept with the session; the first and the last one are found by their position.
static PUT: Statement = Statement {
    name: "chat_summaries.put",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_summaries (owner_id, session_id, id, text, key_topics, entities, model_name, \
             config_version, source_content_revision, generated_at, created_at, updated_at, message_count, \
             first_message_at, last_message_at) \
           SELECT $1, $2, $3, $4, {summary_arrays}, $7, $8, $9, $10, $10, $10, s.message_count, \
             (SELECT m.created_at FROM {s}chat_messages m WHERE m.owner_id = $1 AND m.session_id = $2 \
               AND m.deleted_at IS NULL ORDER BY m.position LIMIT 1), \
             (SELECT m.created_at FROM {s}chat_messages m WHERE m.owner_id = $1 AND m.session_id = $2 \
               AND m.deleted_at IS NULL ORDER BY m.position DESC LIMIT 1) \
           FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 \
           AND ($11 IS NULL OR $11 = (SELECT m.version FROM {s}chat_summaries m \
             WHERE m.owner_id = $1 AND m.session_id = $2)) \
           ON CONFLICT (owner_id, session_id) DO UPDATE SET text = excluded.text, key_topics = excluded.key_topics, \
             entities = excluded.entities, model_name = excluded.model_name, config_version = excluded.config_version, \
             source_content_revision = excluded.source_content_revision, generated_at = excluded.generated_at, \
             updated_at = excluded.updated_at, message_count = excluded.message_count, \
             first_message_at = excluded.first_message_at, last_message_at = excluded.last_message_at, \
             version = chat_summaries.version + 1 RETURNING id",
    only: None,
};
static FIND: Statement = Statement {
    name: "chat_summaries.find",
    effect: Effect::Reads,
    text: "SELECT {summary_columns}, s.content_revision FROM {s}chat_summaries m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.session_id = $2 AND s.deleted_at IS NULL",
    only: None,
};
static UNCOVER: Statement = Statement {
    name: "chat_summaries.uncover",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET summarised_revision = 0 WHERE owner_id = $1 AND id = $2 \
           AND deleted_at IS NULL AND summarised_revision > 0 RETURNING id",
    only: None,
};
static DELETE: Statement = Statement {
    name: "chat_summaries.delete",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_summaries WHERE owner_id = $1 AND session_id = $2 \
           AND ($3 IS NULL OR version = $3) RETURNING id",
    only: None,
};

/// A list of live sessions with their summaries, by the index that leads to the sessions in their order.
macro_rules! by_session {
    ($index:literal, $join:literal, $state:literal) => {
        concat!(
            "SELECT s.id, s.name, s.last_update, s.content_revision, {summary_columns} FROM {s}chat_sessions s ",
            $index,
            $join,
            " WHERE s.owner_id = $1 AND s.deleted_at IS NULL AND (s.last_update, s.id) < ($2, $3) AND ",
            $state,
            " ORDER BY s.last_update DESC, s.id DESC LIMIT $4"
        )
    };
    ($index:literal with $state:literal) => {
        by_session!($index, " CROSS JOIN {s}chat_summaries m", $state)
    };
    ($index:literal maybe_with $state:literal) => {
        by_session!(
            $index,
            " LEFT JOIN {s}chat_summaries m ON m.owner_id = s.owner_id AND m.session_id = s.id",
            $state
        )
    };
}

static LIST_ANY: Statement = Statement {
    name: "chat_summaries.list_any",
    effect: Effect::Reads,
    text: by_session!("{by_recent}" maybe_with "(s.message_count > 0 OR s.summarised_revision > 0)"),
    only: None,
};
static LIST_MISSING: Statement = Statement {
    name: "chat_summaries.list_missing",
    effect: Effect::Reads,
    text: by_session!("{by_unsummarised}" maybe_with "s.content_revision > s.summarised_revision AND s.summarised_revision = 0 \
                                  AND s.message_count > 0"),
    only: None,
};
static LIST_CONTENT: Statement = Statement {
    name: "chat_summaries.list_content",
    effect: Effect::Reads,
    text: by_session!("{by_unsummarised}" with "m.owner_id = $1 AND m.session_id = s.id AND s.content_revision > s.summarised_revision \
                            AND s.summarised_revision > 0"),
    only: None,
};
static LIST_FRESH: Statement = Statement {
    name: "chat_summaries.list_fresh",
    effect: Effect::Reads,
    text: by_session!("{by_recent}" with "m.owner_id = $1 AND m.session_id = s.id AND s.content_revision <= s.summarised_revision \
                            AND m.config_version >= $5"),
    only: None,
};
/// By the index of configurations: those of an older one are few, or soon will be.
static LIST_CONFIG: Statement = Statement {
    name: "chat_summaries.list_config",
    effect: Effect::Reads,
    text: "WITH c AS MATERIALIZED (SELECT m.session_id FROM {s}chat_summaries m WHERE m.owner_id = $1 \
             AND m.config_version < $5) \
           SELECT s.id, s.name, s.last_update, s.content_revision, {summary_columns} FROM c \
           CROSS JOIN {s}chat_sessions s CROSS JOIN {s}chat_summaries m WHERE s.owner_id = $1 \
           AND s.id = c.session_id AND m.owner_id = $1 AND m.session_id = c.session_id AND s.deleted_at IS NULL \
           AND s.content_revision <= s.summarised_revision AND (s.last_update, s.id) < ($2, $3) \
           ORDER BY s.last_update DESC, s.id DESC LIMIT $4",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &COVER,
    &REVISIONS,
    &PUT,
    &FIND,
    &UNCOVER,
    &DELETE,
    &LIST_ANY,
    &LIST_MISSING,
    &LIST_CONTENT,
    &LIST_FRESH,
    &LIST_CONFIG,
];

#[async_trait]
impl<C: Connection> Summaries for Unit<C> {
    async fn cover(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        source: Option<i64>,
    ) -> Result<Coverage, StorageError> {
        let key: [Value<'_>; 3] = [owner_id.into(), session_id.into(), source.into()];
        if let Some(row) = self.fetch_optional(&COVER, &key).await? {
            let covered = Reader::new(&row, "chat_sessions").required_int("summarised_revision")?;
            return Ok(Coverage::Covered(covered));
        }
        let Some(row) = self.fetch_optional(&REVISIONS, &key[..2]).await? else {
            return Ok(Coverage::NoSession);
        };
        let mut row = Reader::new(&row, "chat_sessions");
        let current = row.required_int("content_revision")?;
        let covered = row.required_int("summarised_revision")?;
        let source = source.unwrap_or(current);
        if !(1..=current).contains(&source) {
            Ok(Coverage::OutOfRange)
        } else if source < covered {
            Ok(Coverage::Older)
        } else {
            // The session changed between the two statements, so that it could be covered now.
            Err(StorageError::Contended)
        }
    }

    async fn put(
        &mut self,
        summary: &Summary,
        expected: Option<Version>,
    ) -> Result<Option<(Summary, i64)>, StorageError> {
        let json = |entries: &[String]| {
            serde_json::to_string(entries).map_err(|error| StorageError::Internal(BoxError::from(error)))
        };
        let (key_topics, entities) = (json(&summary.key_topics)?, json(&summary.entities)?);
        let values: [Value<'_>; 11] = [
            summary.owner_id.into(),
            summary.session_id.into(),
            summary.id.into(),
            (&summary.text).into(),
            (&key_topics).into(),
            (&entities).into(),
            (&summary.model_name).into(),
            summary.config_version.into(),
            summary.source_content_revision.into(),
            summary.generated_at.into(),
            expected.into(),
        ];
        if !self.execute(&PUT, &values).await? {
            return Ok(None);
        }
        Summaries::find(self, summary.owner_id, summary.session_id).await
    }

    async fn find(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<Option<(Summary, i64)>, StorageError> {
        let row = self
            .fetch_optional(&FIND, &[owner_id.into(), session_id.into()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut row = Reader::new(&row, TABLE);
        let id = row.id()?;
        let summary = read(&mut row, owner_id, id)?;
        row.switch_to("chat_sessions");
        Ok(Some((summary, row.required_int("content_revision")?)))
    }

    async fn uncover(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError> {
        self.execute(&UNCOVER, &[owner_id.into(), session_id.into()]).await
    }

    async fn delete(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        expected: Option<Version>,
    ) -> Result<bool, StorageError> {
        self.execute(&DELETE, &[owner_id.into(), session_id.into(), expected.into()])
            .await
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        state: Option<SummaryState>,
        config_version: i64,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<SummarisedSession>, StorageError> {
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MAX, Uuid::max()), |place| (place.at, place.id));
        let values: [Value<'_>; 5] = [
            owner_id.into(),
            at.into(),
            id.into(),
            limit.into(),
            config_version.into(),
        ];
        let rows = match state {
            None => self.fetch(&LIST_ANY, &values[..4]).await?,
            Some(SummaryState::Missing) => self.fetch(&LIST_MISSING, &values[..4]).await?,
            Some(SummaryState::Content) => self.fetch(&LIST_CONTENT, &values[..4]).await?,
            Some(SummaryState::Fresh) => self.fetch(&LIST_FRESH, &values).await?,
            Some(SummaryState::Config) => self.fetch(&LIST_CONFIG, &values).await?,
        };
        rows.iter()
            .map(|row| {
                let mut row = Reader::new(row, "chat_sessions");
                let id = SessionId(row.id()?);
                let name = row.text("name")?;
                let last_update = row.required_instant("last_update")?;
                let content_revision = row.required_int("content_revision")?;
                row.switch_to(TABLE);
                let summary = row.uuid("id")?.map(|id| read(&mut row, owner_id, id)).transpose()?;
                Ok(SummarisedSession {
                    id,
                    name,
                    last_update,
                    content_revision,
                    summary,
                })
            })
            .collect()
    }
}

/// Reads the columns of [`COLUMNS`] behind the id.
fn read<R: Row>(row: &mut Reader<'_, R>, owner_id: OwnerId, id: Uuid) -> Result<Summary, StorageError> {
    Ok(Summary {
        owner_id,
        id: SummaryId(id),
        session_id: SessionId(row.required_uuid("session_id")?),
        text: row.required_text("text")?,
        key_topics: row.json("key_topics")?,
        entities: row.json("entities")?,
        model_name: row.required_text("model_name")?,
        config_version: row.required_int("config_version")?,
        source_content_revision: row.required_int("source_content_revision")?,
        message_count: row.required_int("message_count")?,
        first_message_at: row.instant("first_message_at")?,
        last_message_at: row.instant("last_message_at")?,
        generated_at: row.required_instant("generated_at")?,
        created_at: row.required_instant("created_at")?,
        updated_at: row.required_instant("updated_at")?,
        version: row.required_int("version")?,
    })
}
