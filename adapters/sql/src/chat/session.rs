use std::num::NonZeroU32;

use async_trait::async_trait;
use larder_domain::chat::{Session, Tag, Task, TaskPriority, TaskStatus};
use larder_domain::{GroupId, Instant, OwnerId, SessionId, Version};
use larder_ports::outbound::chat::{SessionContent, SessionFilter, Sessions, TagMatch, TaskFilter};
use larder_ports::outbound::{BoxError, Deleted, Place, StorageError};
use serde::Serialize;
use uuid::Uuid;

use super::search;
use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Dialect, Unit, Value};

const TABLE: &str = "chat_sessions";

/// The columns that [`read`] reads, of a row called `s`.
pub(crate) const COLUMNS: &str = "s.id, s.name, s.character_name, s.model_name, s.auto_trigger_tts, s.agent_session_id, \
    {tags}, s.task_status, s.task_priority, s.task_description, s.group_id, s.message_count, s.last_position, \
    s.content_revision, s.summarised_revision, s.last_update, s.auto_key, s.created_at, s.updated_at, s.deleted_at, s.version";

/// The stored columns of a row called `s`, for a CTE that [`COLUMNS`] are read from.
pub(crate) const ROW: &str = "s.owner_id, s.id, s.name, s.character_name, s.model_name, s.auto_trigger_tts, \
    s.agent_session_id, s.task_status, s.task_priority, s.task_description, s.group_id, s.message_count, s.last_position, \
    s.content_revision, s.summarised_revision, s.last_update, s.auto_key, s.created_at, s.updated_at, s.deleted_at, s.version";

/// The tags of a session called `s`, as a JSON array of texts.
pub(crate) const TAGS: Fragment = Fragment {
    mark: "{tags}",
    postgres: "(SELECT CAST(coalesce(json_agg(t.tag ORDER BY t.position), '[]') AS text) FROM {s}chat_session_tags t \
               WHERE t.owner_id = s.owner_id AND t.session_id = s.id)",
    sqlite: "(SELECT json_group_array(t.tag ORDER BY t.position) FROM {s}chat_session_tags t \
             WHERE t.owner_id = s.owner_id AND t.session_id = s.id)",
};

/// The same for the RETURNING of an UPDATE, where SQLite knows no alias.
pub(crate) const KEPT_TAGS: Fragment = Fragment {
    mark: "{kept_tags}",
    postgres: "(SELECT CAST(coalesce(json_agg(t.tag ORDER BY t.position), '[]') AS text) FROM {s}chat_session_tags t \
               WHERE t.owner_id = chat_sessions.owner_id AND t.session_id = chat_sessions.id)",
    sqlite: "(SELECT json_group_array(t.tag ORDER BY t.position) FROM {s}chat_session_tags t \
             WHERE t.owner_id = chat_sessions.owner_id AND t.session_id = chat_sessions.id)",
};

/// The tags of the JSON array `$3` as rows.
pub(crate) const TAG_ROWS: Fragment = Fragment {
    mark: "{tag_rows}",
    postgres: "SELECT $1, x.id, $2, x.tag, x.tag_norm, x.position \
               FROM json_to_recordset($3::json) AS x(id uuid, tag text, tag_norm text, position bigint)",
    sqlite: "SELECT $1, unhex(x.value ->> 'id'), $2, x.value ->> 'tag', x.value ->> 'tag_norm', x.value ->> 'position' \
             FROM json_each($3) x",
};

/// How an append moves the counters of a session called `s` (`CH-09`): `$3` messages at the instant `$5`, with touch if `$4`.
pub(crate) const COUNTS: &str = "message_count = s.message_count + $3, last_position = s.last_position + $3, \
    content_revision = s.content_revision + 1, \
    last_update = CASE WHEN $4 AND s.last_update < $5 THEN $5 ELSE s.last_update END, \
    updated_at = $5, version = s.version + 1";

static INSERT: Statement = Statement {
    name: "chat_sessions.insert",
    effect: Effect::Writes,
    text: "{with_inserted}INSERT INTO {s}chat_sessions (owner_id, id, name, character_name, model_name, auto_trigger_tts, \
           agent_session_id, task_status, task_priority, task_description, group_id, message_count, last_position, \
           content_revision, summarised_revision, last_update, auto_key, created_at, updated_at, deleted_at, version) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) \
           {and_document}",
    only: None,
};
static INSERT_TAGS: Statement = Statement {
    name: "chat_sessions.insert_tags",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_session_tags (owner_id, id, session_id, tag, tag_norm, position) {tag_rows}",
    only: None,
};
static DELETE_TAGS: Statement = Statement {
    name: "chat_sessions.delete_tags",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_session_tags WHERE owner_id = $1 AND session_id = $2",
    only: None,
};
pub(super) static FIND: Statement = Statement {
    name: "chat_sessions.find",
    effect: Effect::Reads,
    text: "SELECT {session_columns} FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 AND s.deleted_at IS NULL",
    only: None,
};
pub(super) static FIND_ANY: Statement = Statement {
    name: "chat_sessions.find_any",
    effect: Effect::Reads,
    text: "SELECT {session_columns} FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2",
    only: None,
};

/// Which sessions called `s` a list holds: those of `$1` behind the place `$2`, `$3`, from the instant `$5` on, and where they are not
/// null, of the character `$6`, the task state `$7`, the priority `$8`, the group `$9`, and with the content `$10`.
pub(crate) const FILTER: &str = "s.owner_id = $1 AND (s.last_update, s.id) < ($2, $3) AND s.last_update >= $5 \
    AND ($6 IS NULL OR s.character_name = $6) \
    AND ($7 IS NULL OR CASE $7 WHEN 'any' THEN s.task_status IS NOT NULL WHEN 'none' THEN s.task_status IS NULL \
      ELSE s.task_status = $7 END) \
    AND ($8 IS NULL OR s.task_priority = $8) AND ($9 IS NULL OR s.group_id = $9) \
    AND {session_content}";

/// Whether a session called `s` holds what `$10` says, where that is not null.
pub(crate) const CONTENT: &str = "($10 IS NULL OR CASE $10 WHEN 'some' THEN s.message_count > 0 \
    WHEN 'none' THEN s.message_count = 0 ELSE s.message_count > 0 OR s.task_status IS NOT NULL END)";

/// The sessions that have at least `$12` of the tags whose folded forms are the JSON array `$11`, found by the index of tags.
pub(crate) const TAGGED: Fragment = Fragment {
    mark: "{tagged_sessions}",
    postgres: "SELECT t.session_id FROM {s}chat_session_tags t WHERE t.owner_id = $1 \
               AND t.tag_norm = ANY (ARRAY(SELECT json_array_elements_text($11::json))) \
               GROUP BY t.session_id HAVING count(*) >= $12",
    sqlite: "SELECT t.session_id FROM {s}chat_session_tags t INDEXED BY ix_chat_session_tags__tag WHERE t.owner_id = $1 \
             AND t.tag_norm IN (SELECT x.value FROM json_each($11) x) \
             GROUP BY t.session_id HAVING count(*) >= $12",
};

/// The index by which SQLite is to read: it keeps no statistics unless asked to, and would take the one whose order fits. A
/// statement that an index doesn't fit is refused by SQLite, so this can't be wrong unnoticed.
pub(crate) const BY_RECENT: Fragment = by("{by_recent}", "INDEXED BY ix_chat_sessions__recent");
pub(crate) const BY_CHARACTER: Fragment = by("{by_character}", "INDEXED BY ix_chat_sessions__character");
pub(crate) const BY_GROUP: Fragment = by("{by_group}", "INDEXED BY ix_chat_sessions__group");
pub(crate) const BY_TASK: Fragment = by("{by_task}", "INDEXED BY ix_chat_sessions__task");
pub(crate) const BY_TRASH: Fragment = by("{by_trash}", "INDEXED BY ix_chat_sessions__trash");
pub(crate) const BY_UNSUMMARISED: Fragment = by("{by_unsummarised}", "INDEXED BY ix_chat_sessions__unsummarised");

const fn by(mark: &'static str, sqlite: &'static str) -> Fragment {
    Fragment {
        mark,
        postgres: "",
        sqlite,
    }
}

/// A list of sessions: its pages, and the way to a place far down.
struct List {
    /// `$4` sessions.
    page: Statement,
    /// The place of the `$4`th session.
    skip: Statement,
}

/// `$4` sessions by one index: `$ways` are the index and the conditions that lead to it.
macro_rules! page_by {
    ($ways:literal) => {
        concat!(
            "SELECT s.* FROM {s}chat_sessions s ",
            $ways,
            " AND {session_filter} ORDER BY s.last_update DESC, s.id DESC LIMIT $4"
        )
    };
}

/// The same by several indexes.
macro_rules! pages_by {
    ($ways:literal) => {
        concat!("SELECT * FROM (", page_by!($ways), ") AS p")
    };
    ($ways:literal, $($more:literal),+) => {
        concat!("SELECT * FROM (", page_by!($ways), ") AS p UNION ALL ", pages_by!($($more),+))
    };
}

/// A list that is merged from pages by several indexes.
macro_rules! merged {
    ($name:expr, $($ways:literal),+) => {
        List {
            page: Statement {
                name: concat!("chat_sessions.list_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "SELECT {session_columns} FROM (",
                    pages_by!($($ways),+),
                    ") AS s ORDER BY s.last_update DESC, s.id DESC LIMIT $4"
                ),
                only: None,
            },
            skip: Statement {
                name: concat!("chat_sessions.skip_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "SELECT s.id, s.last_update FROM (",
                    pages_by!($($ways),+),
                    ") AS s ORDER BY s.last_update DESC, s.id DESC LIMIT 1 OFFSET $4 - 1"
                ),
                only: None,
            },
        }
    };
}

/// A list of the sessions that have tags, by the index of tags.
macro_rules! by_tags {
    ($name:literal, $deleted:literal) => {
        List {
            page: Statement {
                name: concat!("chat_sessions.list_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "WITH h AS MATERIALIZED ({tagged_sessions}) SELECT {session_columns} FROM h CROSS JOIN {s}chat_sessions s \
                     WHERE s.id = h.session_id AND ",
                    $deleted,
                    " AND {session_filter} ORDER BY s.last_update DESC, s.id DESC LIMIT $4"
                ),
                only: None,
            },
            skip: Statement {
                name: concat!("chat_sessions.skip_", $name),
                effect: Effect::Reads,
                text: concat!(
                    "WITH h AS MATERIALIZED ({tagged_sessions}) SELECT s.id, s.last_update FROM h CROSS JOIN {s}chat_sessions s \
                     WHERE s.id = h.session_id AND ",
                    $deleted,
                    " AND {session_filter} ORDER BY s.last_update DESC, s.id DESC LIMIT 1 OFFSET $4 - 1"
                ),
                only: None,
            },
        }
    };
}

/// The lists: for each way in, that of live sessions, and that of all.
macro_rules! lists {
    ($($live:ident, $all:ident, $name:literal: $($ways:literal),+;)+) => {
        $(
            static $live: List = merged!(concat!("live_by_", $name), $($ways),+);
            static $all: List =
                merged!(concat!("all_by_", $name), $($ways,)+ "{by_trash} WHERE s.deleted_at IS NOT NULL");
        )+
    };
}

lists! {
    LIVE_BY_TIME, ALL_BY_TIME, "time": "{by_recent} WHERE s.deleted_at IS NULL";
    LIVE_BY_CHARACTER, ALL_BY_CHARACTER, "character":
        "{by_character} WHERE s.deleted_at IS NULL AND s.character_name = $6";
    LIVE_BY_GROUP, ALL_BY_GROUP, "group": "{by_group} WHERE s.deleted_at IS NULL AND s.group_id = $9";
    LIVE_BY_TASK, ALL_BY_TASK, "task": "{by_task} WHERE s.deleted_at IS NULL AND s.task_status = $7";
    LIVE_BY_ANY_TASK, ALL_BY_ANY_TASK, "any_task":
        "{by_task} WHERE s.deleted_at IS NULL AND s.task_status = 'active'",
        "{by_task} WHERE s.deleted_at IS NULL AND s.task_status = 'waiting'",
        "{by_task} WHERE s.deleted_at IS NULL AND s.task_status = 'done'";
}
static TRASH: List = merged!("trash", "{by_trash} WHERE s.deleted_at IS NOT NULL");
static LIVE_BY_TAGS: List = by_tags!("live_by_tags", "s.deleted_at IS NULL");
static ALL_BY_TAGS: List = by_tags!("all_by_tags", "s.owner_id = $1");
static TRASH_BY_TAGS: List = by_tags!("trash_by_tags", "s.deleted_at IS NOT NULL");

static UPDATE: Statement = Statement {
    name: "chat_sessions.update",
    effect: Effect::Writes,
    text: "{with_updated}UPDATE {s}chat_sessions SET name = $4, character_name = $5, model_name = $6, auto_trigger_tts = $7, \
           agent_session_id = $8, task_status = $9, task_priority = $10, task_description = $11, last_update = $12, \
           auto_key = $13, updated_at = $14, version = $15 \
           WHERE owner_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL RETURNING id, {kept_tags} \
           {and_changed_document}",
    only: None,
};
static DELETE: Statement = Statement {
    name: "chat_sessions.delete",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET deleted_at = $3, updated_at = $3, auto_key = NULL, version = version + 1 \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version = $4) RETURNING id",
    only: None,
};
static RESTORE: Statement = Statement {
    name: "chat_sessions.restore",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET deleted_at = NULL, updated_at = $3, version = version + 1 \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NOT NULL RETURNING id",
    only: None,
};
/// What is below the session goes with it, by the foreign keys.
static PURGE: Statement = Statement {
    name: "chat_sessions.purge",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_sessions WHERE owner_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3) RETURNING id",
    only: None,
};
pub(super) static EXISTS: Statement = Statement {
    name: "chat_sessions.exists",
    effect: Effect::Reads,
    text: "SELECT s.id FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 AND s.deleted_at IS NULL",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT,
    &INSERT_TAGS,
    &DELETE_TAGS,
    &FIND,
    &FIND_ANY,
    &LIVE_BY_TIME.page,
    &LIVE_BY_TIME.skip,
    &ALL_BY_TIME.page,
    &ALL_BY_TIME.skip,
    &LIVE_BY_CHARACTER.page,
    &LIVE_BY_CHARACTER.skip,
    &ALL_BY_CHARACTER.page,
    &ALL_BY_CHARACTER.skip,
    &LIVE_BY_GROUP.page,
    &LIVE_BY_GROUP.skip,
    &ALL_BY_GROUP.page,
    &ALL_BY_GROUP.skip,
    &LIVE_BY_TASK.page,
    &LIVE_BY_TASK.skip,
    &ALL_BY_TASK.page,
    &ALL_BY_TASK.skip,
    &LIVE_BY_ANY_TASK.page,
    &LIVE_BY_ANY_TASK.skip,
    &ALL_BY_ANY_TASK.page,
    &ALL_BY_ANY_TASK.skip,
    &TRASH.page,
    &TRASH.skip,
    &LIVE_BY_TAGS.page,
    &LIVE_BY_TAGS.skip,
    &ALL_BY_TAGS.page,
    &ALL_BY_TAGS.skip,
    &TRASH_BY_TAGS.page,
    &TRASH_BY_TAGS.skip,
    &UPDATE,
    &DELETE,
    &RESTORE,
    &PURGE,
    &EXISTS,
];

#[async_trait]
impl<C: Connection> Sessions for Unit<C> {
    async fn insert(&mut self, session: &Session) -> Result<(), StorageError> {
        let (status, priority, description) = task_values(session.task.as_ref());
        let values: [Value<'_>; 21] = [
            session.owner_id.into(),
            session.id.into(),
            (&session.name).into(),
            (&session.character_name).into(),
            (&session.model_name).into(),
            session.auto_trigger_tts.into(),
            (&session.agent_session_id).into(),
            status,
            priority,
            description,
            session.group_id.into(),
            session.message_count.into(),
            session.last_position.into(),
            session.content_revision.into(),
            session.summarised_revision.into(),
            session.last_update.into(),
            (&session.auto_key).into(),
            session.created_at.into(),
            session.updated_at.into(),
            session.deleted_at.into(),
            session.version.into(),
        ];
        match C::DIALECT {
            Dialect::Postgres => {
                let document = search::session_lexemes(session, C::DIALECT);
                let values = [values.as_slice(), &[(&document).into()]].concat();
                self.fetch(&INSERT, &values).await?;
            }
            Dialect::Sqlite => {
                self.fetch(&INSERT, &values).await?;
                search::index_session(self, session).await?;
            }
        }
        insert_tags(self, session).await
    }

    async fn find(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError> {
        let row = self.fetch_optional(&FIND, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&row, owner_id)).transpose()
    }

    async fn find_any(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError> {
        let row = self.fetch_optional(&FIND_ANY, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&row, owner_id)).transpose()
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Session>, StorageError> {
        let rows = fetch(self, &way_in(filter).page, owner_id, filter, after, limit).await?;
        rows.iter().map(|row| read(row, owner_id)).collect()
    }

    async fn skip(
        &mut self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        count: NonZeroU32,
    ) -> Result<Option<Place>, StorageError> {
        let rows = fetch(self, &way_in(filter).skip, owner_id, filter, None, count.get()).await?;
        let place = rows.first().map(|row| {
            let mut row = Reader::new(row, TABLE);
            let id = row.id()?;
            let at = row.required_instant("last_update")?;
            Ok(Place { at, id })
        });
        place.transpose()
    }

    async fn update(&mut self, session: &Session, expected: Version) -> Result<bool, StorageError> {
        let (status, priority, description) = task_values(session.task.as_ref());
        let values: [Value<'_>; 15] = [
            session.owner_id.into(),
            session.id.into(),
            expected.into(),
            (&session.name).into(),
            (&session.character_name).into(),
            (&session.model_name).into(),
            session.auto_trigger_tts.into(),
            (&session.agent_session_id).into(),
            status,
            priority,
            description,
            session.last_update.into(),
            (&session.auto_key).into(),
            session.updated_at.into(),
            session.version.into(),
        ];
        let updated = match C::DIALECT {
            Dialect::Postgres => {
                let document = search::session_lexemes(session, C::DIALECT);
                let values = [values.as_slice(), &[(&document).into()]].concat();
                self.fetch_optional(&UPDATE, &values).await?
            }
            Dialect::Sqlite => self.fetch_optional(&UPDATE, &values).await?,
        };
        let Some(tags) = updated.map(|row| read_kept_tags(&row)).transpose()? else {
            return Ok(false);
        };
        if C::DIALECT == Dialect::Sqlite {
            search::index_session(self, session).await?;
        }
        if tags != session.tags {
            self.execute(&DELETE_TAGS, &[session.owner_id.into(), session.id.into()])
                .await?;
            insert_tags(self, session).await?;
        }
        Ok(true)
    }

    async fn delete(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        expected: Option<Version>,
        now: Instant,
    ) -> Result<bool, StorageError> {
        self.execute(&DELETE, &[owner_id.into(), id.into(), now.into(), expected.into()])
            .await
    }

    async fn restore(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        now: Instant,
    ) -> Result<Option<Session>, StorageError> {
        if !self
            .execute(&RESTORE, &[owner_id.into(), id.into(), now.into()])
            .await?
        {
            return Ok(None);
        }
        Sessions::find(self, owner_id, id).await
    }

    async fn purge(
        &mut self,
        owner_id: OwnerId,
        id: SessionId,
        expected: Option<Version>,
    ) -> Result<bool, StorageError> {
        self.execute(&PURGE, &[owner_id.into(), id.into(), expected.into()])
            .await
    }
}

/// Asks for sessions that fit a filter by a statement of its [`way_in`].
async fn fetch<C: Connection>(
    unit: &mut Unit<C>,
    statement: &'static Statement,
    owner_id: OwnerId,
    filter: &SessionFilter,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<C::Row>, StorageError> {
    // The first page lies behind a place that no row can have.
    let start = filter.to.map_or((Instant::MAX, Uuid::max()), |to| (to, Uuid::nil()));
    let (at, id) = after.map_or(start, |place| (place.at, place.id).min(start));
    let norms: Vec<&str> = filter.tags.iter().map(Tag::norm).collect();
    let norms = serde_json::to_string(&norms).map_err(|error| StorageError::Internal(BoxError::from(error)))?;
    let demanded: i64 = match filter.tag_match {
        TagMatch::Any => 1,
        TagMatch::All => i64::try_from(filter.tags.len()).unwrap_or(i64::MAX),
    };
    let values: [Value<'_>; 12] = [
        owner_id.into(),
        at.into(),
        id.into(),
        limit.into(),
        filter.from.unwrap_or(Instant::MIN).into(),
        (&filter.character).into(),
        filter.task.map(task_word).into(),
        filter.task_priority.map(TaskPriority::as_str).into(),
        filter.group_id.into(),
        filter.content.map(content_word).into(),
        (&norms).into(),
        demanded.into(),
    ];
    match filter.tags.is_empty() {
        true => unit.fetch(statement, &values[..10]).await,
        false => unit.fetch(statement, &values).await,
    }
}

/// The list whose index fits a filter best. The conditions that the index doesn't know are checked on top of it.
fn way_in(filter: &SessionFilter) -> &'static List {
    if !filter.tags.is_empty() {
        return match filter.deleted {
            Deleted::Without => &LIVE_BY_TAGS,
            Deleted::With => &ALL_BY_TAGS,
            Deleted::Only => &TRASH_BY_TAGS,
        };
    }
    let (live, all) = if filter.group_id.is_some() {
        (&LIVE_BY_GROUP, &ALL_BY_GROUP)
    } else if filter.character.is_some() {
        (&LIVE_BY_CHARACTER, &ALL_BY_CHARACTER)
    } else {
        match filter.task {
            Some(TaskFilter::Status(_)) => (&LIVE_BY_TASK, &ALL_BY_TASK),
            Some(TaskFilter::Any) => (&LIVE_BY_ANY_TASK, &ALL_BY_ANY_TASK),
            None if filter.task_priority.is_some() => (&LIVE_BY_ANY_TASK, &ALL_BY_ANY_TASK),
            Some(TaskFilter::None) | None => (&LIVE_BY_TIME, &ALL_BY_TIME),
        }
    };
    match filter.deleted {
        Deleted::Without => live,
        Deleted::With => all,
        Deleted::Only => &TRASH,
    }
}

fn task_word(task: TaskFilter) -> &'static str {
    match task {
        TaskFilter::Status(status) => status.as_str(),
        TaskFilter::Any => "any",
        TaskFilter::None => "none",
    }
}

pub(super) fn content_word(content: SessionContent) -> &'static str {
    match content {
        SessionContent::Messages => "some",
        SessionContent::Nothing => "none",
        SessionContent::MessagesOrTask => "some_or_task",
    }
}

async fn insert_tags<C: Connection>(unit: &mut Unit<C>, session: &Session) -> Result<(), StorageError> {
    #[derive(Serialize)]
    struct TagRow<'a> {
        id: uuid::fmt::Simple,
        tag: &'a str,
        tag_norm: &'a str,
        position: usize,
    }
    if session.tags.is_empty() {
        return Ok(());
    }
    let rows: Vec<TagRow<'_>> = session
        .tags
        .iter()
        .enumerate()
        // A tag stands once in a session, so its row's id follows from both; a unit that runs again writes the same.
        .map(|(position, tag)| TagRow {
            id: Uuid::new_v5(&session.id.0, tag.norm().as_bytes()).simple(),
            tag: tag.text(),
            tag_norm: tag.norm(),
            position,
        })
        .collect();
    let rows = serde_json::to_string(&rows).map_err(|error| StorageError::Internal(BoxError::from(error)))?;
    unit.fetch(
        &INSERT_TAGS,
        &[session.owner_id.into(), session.id.into(), (&rows).into()],
    )
    .await
    .map(|_| ())
}

fn task_values(task: Option<&Task>) -> (Value<'_>, Value<'_>, Value<'_>) {
    (
        task.map(|task| task.status.as_str()).into(),
        task.map(|task| task.priority.as_str()).into(),
        task.and_then(|task| task.description.as_deref()).into(),
    )
}

pub(super) fn read_tags<R: Row>(row: &mut Reader<'_, R>) -> Result<Vec<Tag>, StorageError> {
    let tags: Vec<String> = row.json("tags")?;
    Ok(tags.into_iter().map(Tag::from_stored).collect())
}

/// Reads what [`UPDATE`] returns.
fn read_kept_tags<R: Row>(row: &R) -> Result<Vec<Tag>, StorageError> {
    let mut row = Reader::new(row, TABLE);
    row.id()?;
    read_tags(&mut row)
}

/// Reads the columns of [`COLUMNS`].
pub(super) fn read<R: Row>(row: &R, owner_id: OwnerId) -> Result<Session, StorageError> {
    read_from(&mut Reader::new(row, TABLE), owner_id)
}

/// The same for a row that has columns of another table before.
pub(super) fn read_from<R: Row>(row: &mut Reader<'_, R>, owner_id: OwnerId) -> Result<Session, StorageError> {
    Ok(Session {
        owner_id,
        id: SessionId(row.id()?),
        name: row.text("name")?,
        character_name: row.text("character_name")?,
        model_name: row.text("model_name")?,
        auto_trigger_tts: row.required_bool("auto_trigger_tts")?,
        agent_session_id: row.text("agent_session_id")?,
        tags: read_tags(row)?,
        task: read_task(row)?,
        group_id: row.uuid("group_id")?.map(GroupId),
        message_count: row.required_int("message_count")?,
        last_position: row.required_int("last_position")?,
        content_revision: row.required_int("content_revision")?,
        summarised_revision: row.required_int("summarised_revision")?,
        last_update: row.required_instant("last_update")?,
        auto_key: row.text("auto_key")?,
        created_at: row.required_instant("created_at")?,
        updated_at: row.required_instant("updated_at")?,
        deleted_at: row.instant("deleted_at")?,
        version: row.required_int("version")?,
    })
}

fn read_task<R: Row>(row: &mut Reader<'_, R>) -> Result<Option<Task>, StorageError> {
    let status = row.optional_word("task_status", TaskStatus::from_word)?;
    let priority = row.optional_word("task_priority", TaskPriority::from_word)?;
    let description = row.text("task_description")?;
    Ok(status.map(|status| Task {
        status,
        priority: priority.unwrap_or(TaskPriority::Medium),
        description,
    }))
}
