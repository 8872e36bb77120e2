use async_trait::async_trait;
use larder_domain::chat::Prompt;
use larder_domain::{Instant, OwnerId, PromptId, Version};
use larder_ports::outbound::chat::Prompts;
use larder_ports::outbound::{Deleted, Place, StorageError};
use uuid::Uuid;

use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Dialect, Unit, Value};

const TABLE: &str = "chat_prompts";

/// The columns that [`read`] reads, of a row called `p`.
pub(crate) const COLUMNS: &str = "p.id, p.title, p.text, p.created_at, p.updated_at, p.deleted_at, p.version";

/// The prompts of an owner have no common row to lock, so those who add one queue for a lock of the transaction instead. SQLite has
/// one writer at a time.
static QUEUE: Statement = Statement {
    name: "chat_prompts.queue",
    effect: Effect::Reads,
    text: "SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended('chat_prompts ' || CAST($1 AS text), 0)) \
           FROM (SELECT count(*) FROM {s}chat_prompts WHERE owner_id = $1 AND id = $1) AS none) AS locked",
    only: Some(Dialect::Postgres),
};
static COUNT: Statement = Statement {
    name: "chat_prompts.count",
    effect: Effect::Reads,
    text: "SELECT count(*) FROM (SELECT 1 FROM {s}chat_prompts WHERE owner_id = $1 AND deleted_at IS NULL LIMIT $2) AS p",
    only: None,
};
static INSERT: Statement = Statement {
    name: "chat_prompts.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_prompts (owner_id, id, title, text, created_at, updated_at, deleted_at, version) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    only: None,
};
static FIND: Statement = Statement {
    name: "chat_prompts.find",
    effect: Effect::Reads,
    text: "SELECT {prompt_columns} FROM {s}chat_prompts p WHERE p.owner_id = $1 AND p.id = $2 AND p.deleted_at IS NULL",
    only: None,
};
static FIND_ANY: Statement = Statement {
    name: "chat_prompts.find_any",
    effect: Effect::Reads,
    text: "SELECT {prompt_columns} FROM {s}chat_prompts p WHERE p.owner_id = $1 AND p.id = $2",
    only: None,
};
static LIST_LIVE: Statement = Statement {
    name: "chat_prompts.list_live",
    effect: Effect::Reads,
    text: "SELECT {prompt_columns} FROM {s}chat_prompts p WHERE p.owner_id = $1 AND p.deleted_at IS NULL \
           AND (p.created_at, p.id) > ($2, $3) ORDER BY p.created_at, p.id LIMIT $4",
    only: None,
};
static LIST_TRASH: Statement = Statement {
    name: "chat_prompts.list_trash",
    effect: Effect::Reads,
    text: "SELECT {prompt_columns} FROM {s}chat_prompts p WHERE p.owner_id = $1 AND p.deleted_at IS NOT NULL \
           AND (p.created_at, p.id) > ($2, $3) ORDER BY p.created_at, p.id LIMIT $4",
    only: None,
};
static LIST_ALL: Statement = Statement {
    name: "chat_prompts.list_all",
    effect: Effect::Reads,
    text: "SELECT {prompt_columns} FROM ( \
             SELECT * FROM (SELECT p.* FROM {s}chat_prompts p WHERE p.owner_id = $1 AND p.deleted_at IS NULL \
               AND (p.created_at, p.id) > ($2, $3) ORDER BY p.created_at, p.id LIMIT $4) AS l \
             UNION ALL SELECT * FROM (SELECT p.* FROM {s}chat_prompts p WHERE p.owner_id = $1 \
               AND p.deleted_at IS NOT NULL AND (p.created_at, p.id) > ($2, $3) \
               ORDER BY p.created_at, p.id LIMIT $4) AS t \
           ) AS p ORDER BY p.created_at, p.id LIMIT $4",
    only: None,
};
static UPDATE: Statement = Statement {
    name: "chat_prompts.update",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_prompts SET title = $4, text = $5, updated_at = $6, version = $7 \
           WHERE owner_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL RETURNING id",
    only: None,
};
static DELETE: Statement = Statement {
    name: "chat_prompts.delete",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_prompts SET deleted_at = $3, updated_at = $3, version = version + 1 \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version = $4) RETURNING id",
    only: None,
};
static RESTORE: Statement = Statement {
    name: "chat_prompts.restore",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_prompts SET deleted_at = NULL, updated_at = $3, version = version + 1 \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NOT NULL RETURNING id",
    only: None,
};
static PURGE: Statement = Statement {
    name: "chat_prompts.purge",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_prompts WHERE owner_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3) RETURNING id",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &QUEUE,
    &COUNT,
    &INSERT,
    &FIND,
    &FIND_ANY,
    &LIST_LIVE,
    &LIST_TRASH,
    &LIST_ALL,
    &UPDATE,
    &DELETE,
    &RESTORE,
    &PURGE,
];

#[async_trait]
impl<C: Connection> Prompts for Unit<C> {
    async fn has_room(&mut self, owner_id: OwnerId, most: u32) -> Result<bool, StorageError> {
        if C::DIALECT == Dialect::Postgres {
            self.fetch(&QUEUE, &[owner_id.into()]).await?;
        }
        // A statement of its own: it sees what those before it in the queue committed.
        let row = self.fetch_optional(&COUNT, &[owner_id.into(), most.into()]).await?;
        let row = row.ok_or_else(|| StorageError::Internal("a count without a row".into()))?;
        Ok(Reader::new(&row, TABLE).required_int("count")? < i64::from(most))
    }

    async fn insert(&mut self, prompt: &Prompt) -> Result<(), StorageError> {
        let values: [Value<'_>; 8] = [
            prompt.owner_id.into(),
            prompt.id.into(),
            (&prompt.title).into(),
            (&prompt.text).into(),
            prompt.created_at.into(),
            prompt.updated_at.into(),
            prompt.deleted_at.into(),
            prompt.version.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError> {
        let row = self.fetch_optional(&FIND, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&row, owner_id)).transpose()
    }

    async fn find_any(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError> {
        let row = self.fetch_optional(&FIND_ANY, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&row, owner_id)).transpose()
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        deleted: Deleted,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Prompt>, StorageError> {
        let statement = match deleted {
            Deleted::Without => &LIST_LIVE,
            Deleted::Only => &LIST_TRASH,
            Deleted::With => &LIST_ALL,
        };
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MIN, Uuid::nil()), |place| (place.at, place.id));
        let rows = self
            .fetch(statement, &[owner_id.into(), at.into(), id.into(), limit.into()])
            .await?;
        rows.iter().map(|row| read(row, owner_id)).collect()
    }

    async fn update(&mut self, prompt: &Prompt, expected: Version) -> Result<bool, StorageError> {
        let values: [Value<'_>; 7] = [
            prompt.owner_id.into(),
            prompt.id.into(),
            expected.into(),
            (&prompt.title).into(),
            (&prompt.text).into(),
            prompt.updated_at.into(),
            prompt.version.into(),
        ];
        self.execute(&UPDATE, &values).await
    }

    async fn delete(
        &mut self,
        owner_id: OwnerId,
        id: PromptId,
        expected: Option<Version>,
        now: Instant,
    ) -> Result<bool, StorageError> {
        self.execute(&DELETE, &[owner_id.into(), id.into(), now.into(), expected.into()])
            .await
    }

    async fn restore(&mut self, owner_id: OwnerId, id: PromptId, now: Instant) -> Result<Option<Prompt>, StorageError> {
        if !self
            .execute(&RESTORE, &[owner_id.into(), id.into(), now.into()])
            .await?
        {
            return Ok(None);
        }
        Prompts::find(self, owner_id, id).await
    }

    async fn purge(
        &mut self,
        owner_id: OwnerId,
        id: PromptId,
        expected: Option<Version>,
    ) -> Result<bool, StorageError> {
        self.execute(&PURGE, &[owner_id.into(), id.into(), expected.into()])
            .await
    }
}

/// Reads the columns of [`COLUMNS`].
fn read<R: Row>(row: &R, owner_id: OwnerId) -> Result<Prompt, StorageError> {
    let mut row = Reader::new(row, TABLE);
    Ok(Prompt {
        owner_id,
        id: PromptId(row.id()?),
        title: row.required_text("title")?,
        text: row.required_text("text")?,
        created_at: row.required_instant("created_at")?,
        updated_at: row.required_instant("updated_at")?,
        deleted_at: row.instant("deleted_at")?,
        version: row.required_int("version")?,
    })
}
