use async_trait::async_trait;
use larder_domain::chat::Tag;
use larder_domain::{Instant, OwnerId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::chat::{TagCount, Tags};

use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::Reader;
use crate::{Connection, Dialect, Unit, Value};

const TABLE: &str = "chat_session_tags";

/// The smallest spelling of a tag by code point, whatever the collation of the database.
pub(crate) const SMALLEST: Fragment = Fragment {
    mark: "{smallest_tag}",
    postgres: "min(t.tag COLLATE \"C\")",
    sqlite: "min(t.tag)",
};

static LIST: Statement = Statement {
    name: "chat_session_tags.list",
    effect: Effect::Reads,
    text: "SELECT {smallest_tag}, count(*) FROM {s}chat_session_tags t \
           JOIN {s}chat_sessions s ON s.owner_id = t.owner_id AND s.id = t.session_id \
           WHERE t.owner_id = $1 AND t.tag_norm > $2 AND s.deleted_at IS NULL \
           GROUP BY t.tag_norm ORDER BY t.tag_norm LIMIT $3",
    only: None,
};
/// In the order of ids, so that two that rename don't block each other crosswise. SQLite has one writer at a time.
static LOCK: Statement = Statement {
    name: "chat_session_tags.lock_sessions",
    effect: Effect::Writes,
    text: "SELECT count(*) FROM (SELECT s.id FROM {s}chat_sessions s WHERE s.owner_id = $1 \
           AND s.id IN (SELECT t.session_id FROM {s}chat_session_tags t WHERE t.owner_id = $1 AND t.tag_norm = $2) \
           ORDER BY s.id FOR UPDATE) AS locked",
    only: Some(Dialect::Postgres),
};
/// Parameters of this and the next: owner, old folded form, new folded form, new spelling.
static COUNT: Statement = Statement {
    name: "chat_session_tags.count",
    effect: Effect::Reads,
    text: "SELECT count(*), count(*) FILTER (WHERE t.tag_norm <> $3 OR t.tag <> $4) \
           FROM {s}chat_session_tags t WHERE t.owner_id = $1 AND t.tag_norm = $2",
    only: None,
};
static RAISE_SESSIONS: Statement = Statement {
    name: "chat_session_tags.raise_sessions",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET version = version + 1, updated_at = $5 WHERE owner_id = $1 \
           AND id IN (SELECT t.session_id FROM {s}chat_session_tags t WHERE t.owner_id = $1 AND t.tag_norm = $2 \
           AND (t.tag_norm <> $3 OR t.tag <> $4))",
    only: None,
};
/// Where both stand, the old one moves to the earlier place, then the new one goes, then the old one is renamed.
static MERGE_PLACES: Statement = Statement {
    name: "chat_session_tags.merge_places",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_session_tags AS t SET position = o.position FROM {s}chat_session_tags o \
           WHERE t.owner_id = $1 AND t.tag_norm = $2 AND o.owner_id = $1 AND o.session_id = t.session_id \
           AND o.tag_norm = $3 AND o.position < t.position",
    only: None,
};
static DROP_DOUBLES: Statement = Statement {
    name: "chat_session_tags.drop_doubles",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_session_tags WHERE owner_id = $1 AND tag_norm = $3 \
           AND session_id IN (SELECT o.session_id FROM {s}chat_session_tags o WHERE o.owner_id = $1 AND o.tag_norm = $2)",
    only: None,
};
static RENAME: Statement = Statement {
    name: "chat_session_tags.rename",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_session_tags SET tag = $4, tag_norm = $3 WHERE owner_id = $1 AND tag_norm = $2",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &LIST,
    &LOCK,
    &COUNT,
    &RAISE_SESSIONS,
    &MERGE_PLACES,
    &DROP_DOUBLES,
    &RENAME,
];

#[async_trait]
impl<C: Connection> Tags for Unit<C> {
    async fn list(
        &mut self,
        owner_id: OwnerId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<TagCount>, StorageError> {
        let after = after.unwrap_or_default();
        let rows = self
            .fetch(&LIST, &[owner_id.into(), (&after).into(), limit.into()])
            .await?;
        rows.iter()
            .map(|row| {
                let mut row = Reader::new(row, TABLE);
                Ok(TagCount {
                    tag: Tag::from_stored(row.required_text("tag")?),
                    session_count: row.required_int("count")?,
                })
            })
            .collect()
    }

    async fn rename(
        &mut self,
        owner_id: OwnerId,
        from: &Tag,
        to: &Tag,
        now: Instant,
    ) -> Result<Option<i64>, StorageError> {
        let key: [Value<'_>; 5] = [
            owner_id.into(),
            from.norm().into(),
            to.norm().into(),
            to.text().into(),
            now.into(),
        ];
        if C::DIALECT == Dialect::Postgres {
            self.fetch(&LOCK, &key[..2]).await?;
        }
        let row = self.fetch_optional(&COUNT, &key[..4]).await?;
        let Some(row) = row else { return Ok(None) };
        let mut row = Reader::new(&row, TABLE);
        let (known, changing) = (row.required_int("count")?, row.required_int("changing")?);
        if known == 0 {
            return Ok(None);
        }
        if changing > 0 {
            self.fetch(&RAISE_SESSIONS, &key).await?;
            if from.norm() != to.norm() {
                self.fetch(&MERGE_PLACES, &key[..3]).await?;
                self.fetch(&DROP_DOUBLES, &key[..3]).await?;
            }
            self.fetch(&RENAME, &key[..4]).await?;
        }
        Ok(Some(changing))
    }
}
