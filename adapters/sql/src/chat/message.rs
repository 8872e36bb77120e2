use async_trait::async_trait;
use larder_domain::chat::{
    Attachment, AttachmentKind, Content, Location, Message, MessageFlags, MessageStatus, SenderRole, Session, Usage,
};
use larder_domain::{AttachmentId, Instant, MessageId, OwnerId, SessionId};
use larder_ports::outbound::chat::{MessageFilter, Messages, NewestMessages, Order};
use larder_ports::outbound::{BoxError, Deleted, StorageError};
use serde::Serialize;
use uuid::Uuid;

use super::{search, session};
use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Dialect, Unit, Value};

const TABLE: &str = "chat_messages";

/// The columns that [`read`] reads, of a row called `m`.
pub(crate) const COLUMNS: &str = "m.id, m.session_id, m.position, m.sender_role, m.sender_name, m.status, \
    m.lease_expires_at, m.lease_seconds, m.text, m.reasoning, {attachments}, CAST(m.chart_data AS text), m.character_name, \
    m.responding_agent, m.model_name, CAST(m.model_settings AS text), m.tts_model_name, CAST(m.image_settings AS text), \
    CAST(m.image_request AS text), CAST(m.agent_data AS text), m.usage_input_tokens, m.usage_output_tokens, \
    m.usage_cached_tokens, m.usage_reasoning_tokens, m.is_tts, m.is_gps_location, m.show_transcribe_button, m.favourite, \
    m.test_mode, m.started_at, m.finished_at, m.revision, m.edited_at, m.created_at, m.updated_at, m.deleted_at, m.version";

/// The columns that an append fills, in the order of its SELECT.
pub(crate) const FIELDS: &str = "owner_id, session_id, created_at, updated_at, id, position, sender_role, sender_name, \
    status, lease_expires_at, lease_seconds, text, reasoning, chart_data, character_name, responding_agent, model_name, \
    model_settings, tts_model_name, image_settings, image_request, agent_data, usage_input_tokens, usage_output_tokens, \
    usage_cached_tokens, usage_reasoning_tokens, is_tts, is_gps_location, show_transcribe_button, favourite, test_mode, \
    started_at, finished_at";

/// The columns of an attachment that an append fills, in the order of its SELECT.
pub(crate) const ATTACHMENT_FIELDS: &str = "owner_id, message_created_at, id, message_id, kind, position, url, location, \
    file_name, file_name_norm, extension, description, media_type, size_bytes, sender_role";

/// The attachments of a message called `m`, as a JSON array of arrays; PostgreSQL gives null for none.
pub(crate) const ATTACHMENTS: Fragment = Fragment {
    mark: "{attachments}",
    postgres: "(SELECT CAST(json_agg(json_build_array(a.id, a.kind, a.url, a.location, a.file_name, a.extension, \
               a.description, a.media_type, a.size_bytes) ORDER BY a.kind, a.position) AS text) FROM {s}chat_attachments a \
               WHERE a.owner_id = m.owner_id AND a.message_id = m.id)",
    sqlite: "(SELECT json_group_array(json_array(lower(hex(a.id)), a.kind, a.url, a.location, a.file_name, a.extension, \
             a.description, a.media_type, a.size_bytes) ORDER BY a.kind, a.position) FROM {s}chat_attachments a \
             WHERE a.owner_id = m.owner_id AND a.message_id = m.id)",
};

/// The attachments of the JSON array `$3` as rows.
pub(crate) const ATTACHMENT_ROWS: Fragment = Fragment {
    mark: "{attachment_rows}",
    postgres: "SELECT $1, $2, x.id, x.message_id, x.kind, x.position, x.url, x.location, x.file_name, x.file_name_norm, \
               x.extension, x.description, x.media_type, x.size_bytes, x.sender_role \
               FROM json_to_recordset($3::json) AS x(id uuid, message_id uuid, kind text, position bigint, url text, \
               location text, file_name text, file_name_norm text, extension text, description text, media_type text, \
               size_bytes bigint, sender_role text)",
    sqlite: "SELECT $1, $2, unhex(x.value ->> 'id'), unhex(x.value ->> 'message_id'), x.value ->> 'kind', \
             x.value ->> 'position', x.value ->> 'url', x.value ->> 'location', x.value ->> 'file_name', \
             x.value ->> 'file_name_norm', x.value ->> 'extension', x.value ->> 'description', x.value ->> 'media_type', \
             x.value ->> 'size_bytes', x.value ->> 'sender_role' FROM json_each($3) x",
};

/// The sessions of the JSON array `$2` of ids, in its order.
pub(crate) const LISTED_SESSIONS: Fragment = Fragment {
    mark: "{listed_sessions}",
    postgres: "SELECT x.ordinal, CAST(x.id AS uuid) AS id FROM json_array_elements_text($2::json) WITH ORDINALITY AS x(id, ordinal)",
    sqlite: "SELECT x.key AS ordinal, unhex(x.value) AS id FROM json_each($2) x",
};

/// Parameters of both: owner, session, number of messages, touch, now, messages, attachments and the documents that search reads as
/// JSON arrays of objects.
static APPEND: Statement = Statement {
    name: "chat_messages.append",
    effect: Effect::Writes,
    text: "WITH s AS ( \
             UPDATE {s}chat_sessions AS s SET {session_counts} \
             WHERE s.owner_id = $1 AND s.id = $2 AND s.deleted_at IS NULL RETURNING {session_row} \
           ), m AS ( \
             INSERT INTO {s}chat_messages ({message_fields}) \
             SELECT $1, $2, $5, $5, x.id, s.last_position - $3 + x.position, x.sender_role, x.sender_name, x.status, \
               x.lease_expires_at, x.lease_seconds, x.text, x.reasoning, x.chart_data::jsonb, x.character_name, x.responding_agent, \
               x.model_name, x.model_settings::jsonb, x.tts_model_name, x.image_settings::jsonb, x.image_request::jsonb, \
               x.agent_data::jsonb, x.usage_input_tokens, x.usage_output_tokens, x.usage_cached_tokens, \
               x.usage_reasoning_tokens, x.is_tts, x.is_gps_location, x.show_transcribe_button, x.favourite, x.test_mode, \
               x.started_at, x.finished_at \
             FROM s CROSS JOIN json_to_recordset($6::json) AS x(id uuid, position bigint, sender_role text, \
               sender_name text, status text, lease_expires_at timestamptz, lease_seconds bigint, text text, reasoning text, chart_data text, \
               character_name text, responding_agent text, model_name text, model_settings text, tts_model_name text, \
               image_settings text, image_request text, agent_data text, usage_input_tokens bigint, \
               usage_output_tokens bigint, usage_cached_tokens bigint, usage_reasoning_tokens bigint, is_tts boolean, \
               is_gps_location boolean, show_transcribe_button boolean, favourite boolean, test_mode boolean, \
               started_at timestamptz, finished_at timestamptz) \
           ), a AS ( \
             INSERT INTO {s}chat_attachments ({attachment_fields}) \
             SELECT $1, $5, x.id, x.message_id, x.kind, x.position, x.url, x.location, x.file_name, x.file_name_norm, \
               x.extension, x.description, x.media_type, x.size_bytes, x.sender_role \
             FROM s CROSS JOIN json_to_recordset($7::json) AS x(id uuid, message_id uuid, kind text, position bigint, \
               url text, location text, file_name text, file_name_norm text, extension text, description text, \
               media_type text, size_bytes bigint, sender_role text) \
           ), d AS ({search_append}) SELECT {session_columns} FROM s",
    only: Some(Dialect::Postgres),
};

/// SQLite has no data-modifying CTE; without a network between, three statements cost nothing.
static APPEND_COUNT: Statement = Statement {
    name: "chat_messages.append_count",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions AS s SET {session_counts} \
           WHERE s.owner_id = $1 AND s.id = $2 AND s.deleted_at IS NULL RETURNING last_position",
    only: Some(Dialect::Sqlite),
};
static APPEND_MESSAGES: Statement = Statement {
    name: "chat_messages.append_messages",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_messages ({message_fields}) \
           SELECT $1, $2, $3, $3, unhex(x.value ->> 'id'), $4 + (x.value ->> 'position'), x.value ->> 'sender_role', \
             x.value ->> 'sender_name', x.value ->> 'status', x.value ->> 'lease_expires_at', \
             x.value ->> 'lease_seconds', x.value ->> 'text', \
             x.value ->> 'reasoning', x.value ->> 'chart_data', x.value ->> 'character_name', \
             x.value ->> 'responding_agent', x.value ->> 'model_name', x.value ->> 'model_settings', \
             x.value ->> 'tts_model_name', x.value ->> 'image_settings', x.value ->> 'image_request', \
             x.value ->> 'agent_data', x.value ->> 'usage_input_tokens', x.value ->> 'usage_output_tokens', \
             x.value ->> 'usage_cached_tokens', x.value ->> 'usage_reasoning_tokens', x.value ->> 'is_tts', \
             x.value ->> 'is_gps_location', x.value ->> 'show_transcribe_button', x.value ->> 'favourite', \
             x.value ->> 'test_mode', x.value ->> 'started_at', x.value ->> 'finished_at' \
           FROM json_each($5) x",
    only: Some(Dialect::Sqlite),
};
static INSERT_ATTACHMENTS: Statement = Statement {
    name: "chat_attachments.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_attachments ({attachment_fields}) {attachment_rows}",
    only: None,
};
static FIND: Statement = Statement {
    name: "chat_messages.find",
    effect: Effect::Reads,
    text: "SELECT {message_columns} FROM {s}chat_messages m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.id = $2 AND m.deleted_at IS NULL AND s.deleted_at IS NULL",
    only: None,
};
/// Which messages a list shows: live ones if `$8`, trashed ones if `$9`. Only a list of both opens a session in the trash (`CH-47`).
pub(crate) const IN_VIEW: &str = "(($8 AND m.deleted_at IS NULL) OR ($9 AND m.deleted_at IS NOT NULL))";

/// Parameters of both: owner, session, position, limit, role, status as read, the instant of reading, live and trashed.
static LIST_ASCENDING: Statement = Statement {
    name: "chat_messages.list_ascending",
    effect: Effect::Reads,
    text: "SELECT {message_columns} FROM {s}chat_messages m \
           WHERE m.owner_id = $1 AND m.session_id = $2 AND m.position > $3 AND {message_in_view} \
           AND ($5 IS NULL OR m.sender_role = $5) AND ($6 IS NULL OR $6 = CASE \
           WHEN m.status = 'partial' AND m.lease_expires_at <= $7 THEN 'interrupted' ELSE m.status END) \
           AND EXISTS (SELECT 1 FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 \
           AND (s.deleted_at IS NULL OR ($8 AND $9))) \
           ORDER BY m.position LIMIT $4",
    only: None,
};
static LIST_DESCENDING: Statement = Statement {
    name: "chat_messages.list_descending",
    effect: Effect::Reads,
    text: "SELECT {message_columns} FROM {s}chat_messages m \
           WHERE m.owner_id = $1 AND m.session_id = $2 AND m.position < $3 AND {message_in_view} \
           AND ($5 IS NULL OR m.sender_role = $5) AND ($6 IS NULL OR $6 = CASE \
           WHEN m.status = 'partial' AND m.lease_expires_at <= $7 THEN 'interrupted' ELSE m.status END) \
           AND EXISTS (SELECT 1 FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 \
           AND (s.deleted_at IS NULL OR ($8 AND $9))) \
           ORDER BY m.position DESC LIMIT $4",
    only: None,
};
/// The newest `$3` messages of several sessions, and how many there are. At most one session is shown in part: its first message is
/// looked for by walking back from its last one.
static NEWEST: Statement = Statement {
    name: "chat_messages.newest",
    effect: Effect::Reads,
    text: "WITH x AS ({listed_sessions}), t AS ( \
             SELECT x.ordinal, s.id, s.message_count, \
               CAST(sum(s.message_count) OVER (ORDER BY x.ordinal) AS bigint) - s.message_count AS earlier \
             FROM x JOIN {s}chat_sessions s ON s.owner_id = $1 AND s.id = x.id AND s.deleted_at IS NULL \
           ), p AS ( \
             SELECT t.id, $3 - t.earlier AS shown FROM t WHERE t.earlier < $3 AND t.earlier + t.message_count > $3 \
           ) \
           SELECT {message_columns}, (SELECT CAST(sum(t.message_count) AS bigint) FROM t) FROM t \
           JOIN {s}chat_messages m ON m.owner_id = $1 AND m.session_id = t.id AND m.deleted_at IS NULL \
           AND m.position >= CASE WHEN t.earlier + t.message_count <= $3 THEN 0 ELSE \
             (SELECT l.position FROM {s}chat_messages l \
              WHERE l.owner_id = $1 AND l.session_id = (SELECT p.id FROM p) AND l.deleted_at IS NULL \
              ORDER BY l.position DESC LIMIT 1 OFFSET (SELECT p.shown - 1 FROM p)) END \
           WHERE t.earlier < $3 ORDER BY t.ordinal, m.position",
    only: None,
};
static NEWEST_IDS: Statement = Statement {
    name: "chat_messages.newest_ids",
    effect: Effect::Reads,
    text: "SELECT m.id FROM {s}chat_messages m \
           WHERE m.owner_id = $1 AND m.session_id = $2 AND m.deleted_at IS NULL ORDER BY m.position DESC LIMIT $3",
    only: None,
};
/// Whether there is a session whose messages can be listed: a live one, or any if `$3`.
static IS_LISTED: Statement = Statement {
    name: "chat_messages.is_listed",
    effect: Effect::Reads,
    text: "SELECT s.id FROM {s}chat_sessions s \
           WHERE s.owner_id = $1 AND s.id = $2 AND (s.deleted_at IS NULL OR $3)",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &IS_LISTED,
    &APPEND,
    &APPEND_COUNT,
    &APPEND_MESSAGES,
    &INSERT_ATTACHMENTS,
    &FIND,
    &LIST_ASCENDING,
    &LIST_DESCENDING,
    &NEWEST,
    &NEWEST_IDS,
];

#[async_trait]
impl<C: Connection> Messages for Unit<C> {
    async fn append(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        messages: &[Message],
        touch: bool,
        now: Instant,
    ) -> Result<Option<Session>, StorageError> {
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        let message_rows: Vec<MessageRow<'_>> = messages
            .iter()
            .map(|message| message_row(message, C::DIALECT))
            .collect();
        let attachment_rows: Vec<AttachmentRow<'_>> = messages.iter().flat_map(attachment_rows).collect();
        let message_json = json(&message_rows)?;
        let attachment_json = json(&attachment_rows)?;
        let documents = search::documents(messages, now, C::DIALECT)?;
        let key: [Value<'_>; 5] = [
            owner_id.into(),
            session_id.into(),
            count.into(),
            touch.into(),
            now.into(),
        ];
        match C::DIALECT {
            Dialect::Postgres => {
                let [owner, session, count, touch, at] = key;
                let values = [
                    owner,
                    session,
                    count,
                    touch,
                    at,
                    (&message_json).into(),
                    (&attachment_json).into(),
                    (&documents).into(),
                ];
                let row = self.fetch_optional(&APPEND, &values).await?;
                row.map(|row| session::read(&row, owner_id)).transpose()
            }
            Dialect::Sqlite => {
                let Some(row) = self.fetch_optional(&APPEND_COUNT, &key).await? else {
                    return Ok(None);
                };
                let before = Reader::new(&row, "chat_sessions").required_int("last_position")? - count;
                let [owner, session, _, _, at] = key;
                self.fetch(
                    &APPEND_MESSAGES,
                    &[owner, session, at, before.into(), (&message_json).into()],
                )
                .await?;
                if !attachment_rows.is_empty() {
                    self.fetch(&INSERT_ATTACHMENTS, &[owner, at, (&attachment_json).into()])
                        .await?;
                }
                search::index_appended(self, owner_id, now, &documents).await?;
                let row = self.fetch_optional(&session::FIND, &[owner, session]).await?;
                row.map(|row| session::read(&row, owner_id)).transpose()
            }
        }
    }

    async fn find(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError> {
        let row = self.fetch_optional(&FIND, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&row, owner_id)).transpose()
    }

    async fn newest_ids(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        limit: u32,
    ) -> Result<Vec<MessageId>, StorageError> {
        let values = [owner_id.into(), session_id.into(), limit.into()];
        let rows = self.fetch(&NEWEST_IDS, &values).await?;
        let ids = rows.iter().rev();
        ids.map(|row| Reader::new(row, "chat_messages").id().map(MessageId))
            .collect()
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        filter: MessageFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<Message>>, StorageError> {
        let (statement, start) = match order {
            Order::Ascending => (&LIST_ASCENDING, 0),
            Order::Descending => (&LIST_DESCENDING, i64::MAX),
        };
        let (live, trashed) = (filter.deleted != Deleted::Only, filter.deleted != Deleted::Without);
        let values: [Value<'_>; 9] = [
            owner_id.into(),
            session_id.into(),
            after.unwrap_or(start).into(),
            limit.into(),
            filter.role.map(SenderRole::as_str).into(),
            filter.status.map(|(status, _)| status.as_str()).into(),
            filter.status.map(|(_, now)| now).into(),
            live.into(),
            trashed.into(),
        ];
        let rows = self.fetch(statement, &values).await?;
        // Only an empty answer leaves open whether there is such a session.
        let key = [owner_id.into(), session_id.into(), (live && trashed).into()];
        if rows.is_empty() && !self.execute(&IS_LISTED, &key).await? {
            return Ok(None);
        }
        rows.iter()
            .map(|row| read(row, owner_id))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    async fn newest(
        &mut self,
        owner_id: OwnerId,
        session_ids: &[SessionId],
        most: u32,
    ) -> Result<NewestMessages, StorageError> {
        if session_ids.is_empty() {
            return Ok(NewestMessages::default());
        }
        let ids = json(&session_ids.iter().map(|id| id.0.simple()).collect::<Vec<_>>())?;
        let rows = self
            .fetch(&NEWEST, &[owner_id.into(), (&ids).into(), most.into()])
            .await?;
        let mut newest = NewestMessages::default();
        for row in &rows {
            let mut reader = Reader::new(row, TABLE);
            newest.messages.push(read_from(&mut reader, owner_id)?);
            newest.is_truncated = reader.required_int("total")? > i64::from(most);
        }
        Ok(newest)
    }
}

/// A message as an append sends it: all messages of a turn are one JSON parameter, so that a turn takes as many statements for
/// 1 message as for 20 (`CH-92`). Free JSON travels as text, so that no JSON function of an engine touches it.
#[derive(Serialize)]
struct MessageRow<'a> {
    id: uuid::fmt::Simple,
    position: i64,
    sender_role: &'static str,
    sender_name: Option<&'a str>,
    status: &'static str,
    lease_expires_at: Option<JsonInstant>,
    lease_seconds: Option<i64>,
    text: Option<&'a str>,
    reasoning: Option<&'a str>,
    chart_data: Option<&'a str>,
    character_name: Option<&'a str>,
    responding_agent: Option<&'a str>,
    model_name: Option<&'a str>,
    model_settings: Option<&'a str>,
    tts_model_name: Option<&'a str>,
    image_settings: Option<&'a str>,
    image_request: Option<&'a str>,
    agent_data: Option<&'a str>,
    usage_input_tokens: Option<i64>,
    usage_output_tokens: Option<i64>,
    usage_cached_tokens: Option<i64>,
    usage_reasoning_tokens: Option<i64>,
    is_tts: bool,
    is_gps_location: bool,
    show_transcribe_button: bool,
    favourite: bool,
    test_mode: bool,
    started_at: Option<JsonInstant>,
    finished_at: Option<JsonInstant>,
}

/// An instant inside a JSON parameter, as the dialect reads it.
#[derive(Serialize)]
#[serde(untagged)]
enum JsonInstant {
    Text(String),
    Micros(i64),
}

#[derive(Serialize)]
struct AttachmentRow<'a> {
    id: uuid::fmt::Simple,
    message_id: uuid::fmt::Simple,
    kind: &'static str,
    position: usize,
    url: &'a str,
    location: &'static str,
    file_name: Option<&'a str>,
    file_name_norm: Option<String>,
    extension: Option<&'a str>,
    description: Option<&'a str>,
    media_type: Option<&'a str>,
    size_bytes: Option<i64>,
    sender_role: &'static str,
}

fn message_row(message: &Message, dialect: Dialect) -> MessageRow<'_> {
    let instant = |instant: Instant| match dialect {
        Dialect::Postgres => JsonInstant::Text(instant.to_string()),
        Dialect::Sqlite => JsonInstant::Micros(instant.as_micros()),
    };
    MessageRow {
        id: message.id.0.simple(),
        position: message.position,
        sender_role: message.sender_role.as_str(),
        sender_name: message.sender_name.as_deref(),
        status: message.status.as_str(),
        lease_expires_at: message.lease_expires_at.map(instant),
        lease_seconds: message.lease_seconds,
        text: message.content.text.as_deref(),
        reasoning: message.content.reasoning.as_deref(),
        chart_data: message.content.chart_data.as_ref().map(|json| json.as_str()),
        character_name: message.character_name.as_deref(),
        responding_agent: message.responding_agent.as_deref(),
        model_name: message.model_name.as_deref(),
        model_settings: message.model_settings.as_ref().map(|json| json.as_str()),
        tts_model_name: message.tts_model_name.as_deref(),
        image_settings: message.image_settings.as_ref().map(|json| json.as_str()),
        image_request: message.image_request.as_ref().map(|json| json.as_str()),
        agent_data: message.agent_data.as_ref().map(|json| json.as_str()),
        usage_input_tokens: message.usage.input_tokens,
        usage_output_tokens: message.usage.output_tokens,
        usage_cached_tokens: message.usage.cached_tokens,
        usage_reasoning_tokens: message.usage.reasoning_tokens,
        is_tts: message.flags.is_tts,
        is_gps_location: message.flags.is_gps_location,
        show_transcribe_button: message.flags.show_transcribe_button,
        favourite: message.flags.favourite,
        test_mode: message.flags.test_mode,
        started_at: message.started_at.map(instant),
        finished_at: message.finished_at.map(instant),
    }
}

fn attachment_rows(message: &Message) -> impl Iterator<Item = AttachmentRow<'_>> {
    let attachments = &message.content.attachments;
    attachments
        .iter()
        .enumerate()
        .map(move |(index, attachment)| AttachmentRow {
            id: attachment.id.0.simple(),
            message_id: message.id.0.simple(),
            kind: attachment.kind.as_str(),
            position: attachments[..index]
                .iter()
                .filter(|earlier| earlier.kind == attachment.kind)
                .count(),
            url: &attachment.url,
            location: attachment.location.as_str(),
            file_name: attachment.file_name.as_deref(),
            file_name_norm: attachment.file_name_norm(),
            extension: attachment.extension.as_deref(),
            description: attachment.description.as_deref(),
            media_type: attachment.media_type.as_deref(),
            size_bytes: attachment.size_bytes,
            sender_role: message.sender_role.as_str(),
        })
}

pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<String, StorageError> {
    serde_json::to_string(rows).map_err(|error| StorageError::Internal(BoxError::from(error)))
}

/// Stores the attachments of a message that has none stored.
pub(super) async fn insert_attachments<C: Connection>(
    unit: &mut Unit<C>,
    message: &Message,
) -> Result<(), StorageError> {
    let rows: Vec<AttachmentRow<'_>> = attachment_rows(message).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows = json(&rows)?;
    let values = [message.owner_id.into(), message.created_at.into(), (&rows).into()];
    unit.fetch(&INSERT_ATTACHMENTS, &values).await.map(|_| ())
}

/// Reads the columns of [`COLUMNS`].
pub(super) fn read<R: Row>(row: &R, owner_id: OwnerId) -> Result<Message, StorageError> {
    read_from(&mut Reader::new(row, TABLE), owner_id)
}

/// The same for a row that goes on with columns of other tables.
pub(super) fn read_from<R: Row>(row: &mut Reader<'_, R>, owner_id: OwnerId) -> Result<Message, StorageError> {
    Ok(Message {
        owner_id,
        id: MessageId(row.id()?),
        session_id: SessionId(row.required_uuid("session_id")?),
        position: row.required_int("position")?,
        sender_role: row.word("sender_role", SenderRole::from_word)?,
        sender_name: row.text("sender_name")?,
        status: row.word("status", MessageStatus::from_word)?,
        lease_expires_at: row.instant("lease_expires_at")?,
        lease_seconds: row.int("lease_seconds")?,
        content: Content {
            text: row.text("text")?,
            reasoning: row.text("reasoning")?,
            attachments: read_attachments(row)?,
            chart_data: row.free_json("chart_data")?,
        },
        character_name: row.text("character_name")?,
        responding_agent: row.text("responding_agent")?,
        model_name: row.text("model_name")?,
        model_settings: row.free_json("model_settings")?,
        tts_model_name: row.text("tts_model_name")?,
        image_settings: row.free_json("image_settings")?,
        image_request: row.free_json("image_request")?,
        agent_data: row.free_json("agent_data")?,
        usage: Usage {
            input_tokens: row.int("usage_input_tokens")?,
            output_tokens: row.int("usage_output_tokens")?,
            cached_tokens: row.int("usage_cached_tokens")?,
            reasoning_tokens: row.int("usage_reasoning_tokens")?,
        },
        flags: MessageFlags {
            is_tts: row.required_bool("is_tts")?,
            is_gps_location: row.required_bool("is_gps_location")?,
            show_transcribe_button: row.required_bool("show_transcribe_button")?,
            favourite: row.required_bool("favourite")?,
            test_mode: row.required_bool("test_mode")?,
        },
        started_at: row.instant("started_at")?,
        finished_at: row.instant("finished_at")?,
        revision: row.required_int("revision")?,
        edited_at: row.instant("edited_at")?,
        created_at: row.required_instant("created_at")?,
        updated_at: row.required_instant("updated_at")?,
        deleted_at: row.instant("deleted_at")?,
        version: row.required_int("version")?,
    })
}

/// An attachment as [`ATTACHMENTS`] gives it: id, kind, url, location, file name, extension, description, media type, size.
type StoredAttachment = (
    Uuid,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

pub(super) fn read_attachments<R: Row>(row: &mut Reader<'_, R>) -> Result<Vec<Attachment>, StorageError> {
    let Some(stored) = row.optional_json::<Vec<StoredAttachment>>("attachments")? else {
        return Ok(Vec::new());
    };
    stored
        .into_iter()
        .map(
            |(id, kind, url, location, file_name, extension, description, media_type, size_bytes)| {
                Ok(Attachment {
                    id: AttachmentId(id),
                    kind: AttachmentKind::from_word(&kind).ok_or_else(|| row.corrupt("attachments.kind"))?,
                    url,
                    location: Location::from_word(&location).ok_or_else(|| row.corrupt("attachments.location"))?,
                    file_name,
                    extension,
                    description,
                    media_type,
                    size_bytes,
                })
            },
        )
        .collect()
}
