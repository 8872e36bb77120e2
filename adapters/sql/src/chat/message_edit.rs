use async_trait::async_trait;
use larder_domain::chat::{EditKind, Message, MessageEdit};
use larder_domain::{FreeJson, Instant, MessageId, OwnerId, SessionId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::chat::{Keeping, MessageEdits};

use super::{message, search, session};
use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::Reader;
use crate::{Connection, Dialect, Unit, Value};

const TABLE: &str = "chat_messages";

/// The ids of the JSON array `$4`.
pub(crate) const IDS: Fragment = Fragment {
    mark: "{message_ids}",
    postgres: "SELECT CAST(x.id AS uuid) FROM json_array_elements_text($4::json) AS x(id)",
    sqlite: "SELECT unhex(x.value) FROM json_each($4) x",
};

/// The attachments of a message called `m` as a revision keeps them.
pub(crate) const KEPT_ATTACHMENTS: Fragment = Fragment {
    mark: "{kept_attachments}",
    postgres: "coalesce(CAST({attachments} AS jsonb), CAST('[]' AS jsonb))",
    sqlite: "{attachments}",
};

/// Makes JSON of the text parameter before it.
pub(crate) const JSON: Fragment = Fragment {
    mark: "{json}",
    postgres: "::jsonb",
    sqlite: "",
};

/// SQLite has one writer at a time, so there a look is enough: [`session::EXISTS`].
static LOCK_SESSION: Statement = Statement {
    name: "chat_messages.lock_session",
    effect: Effect::Writes,
    text: "SELECT s.id FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = $2 AND s.deleted_at IS NULL FOR UPDATE",
    only: Some(Dialect::Postgres),
};
/// The message is read by a statement of its own afterwards: what this one saw of it may be older than the lock.
static LOCK_SESSION_OF: Statement = Statement {
    name: "chat_messages.lock_session_of",
    effect: Effect::Writes,
    text: "SELECT s.id FROM {s}chat_sessions s WHERE s.owner_id = $1 AND s.id = \
           (SELECT m.session_id FROM {s}chat_messages m WHERE m.owner_id = $1 AND m.id = $2) \
           AND s.deleted_at IS NULL FOR UPDATE",
    only: Some(Dialect::Postgres),
};
static FIND_LOCKED: Statement = Statement {
    name: "chat_messages.find_locked",
    effect: Effect::Reads,
    text: "SELECT {message_columns} FROM {s}chat_messages m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.id = $2 AND s.deleted_at IS NULL",
    only: None,
};
static FIND_ANY: Statement = Statement {
    name: "chat_messages.find_any",
    effect: Effect::Reads,
    text: "SELECT {message_columns} FROM {s}chat_messages m WHERE m.owner_id = $1 AND m.id = $2",
    only: None,
};
static KEEP_REVISION: Statement = Statement {
    name: "chat_message_revisions.keep",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_message_revisions (owner_id, id, message_id, revision, text, reasoning, attachments, \
           chart_data, replaced_at, replaced_by) \
           SELECT $1, $3, m.id, m.revision, m.text, m.reasoning, {kept_attachments}, m.chart_data, $4, $5 \
           FROM {s}chat_messages m WHERE m.owner_id = $1 AND m.id = $2",
    only: None,
};
static DROP_REVISIONS: Statement = Statement {
    name: "chat_message_revisions.drop",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_message_revisions \
           WHERE owner_id = $1 AND message_id = $2 AND revision > 1 AND revision <= $3",
    only: None,
};
static UPDATE: Statement = Statement {
    name: "chat_messages.update",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_messages SET sender_name = $4, status = $5, lease_expires_at = $6, lease_seconds = $7, \
           text = $8, reasoning = $9, chart_data = $10{json}, character_name = $11, responding_agent = $12, \
           model_name = $13, model_settings = $14{json}, tts_model_name = $15, image_settings = $16{json}, \
           image_request = $17{json}, agent_data = $18{json}, usage_input_tokens = $19, usage_output_tokens = $20, \
           usage_cached_tokens = $21, usage_reasoning_tokens = $22, is_tts = $23, is_gps_location = $24, \
           show_transcribe_button = $25, favourite = $26, test_mode = $27, started_at = $28, finished_at = $29, \
           revision = $30, edited_at = $31, updated_at = $32, version = $33 \
           WHERE owner_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL RETURNING id",
    only: None,
};
static DELETE_ATTACHMENTS: Statement = Statement {
    name: "chat_attachments.delete",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_attachments WHERE owner_id = $1 AND message_id = $2",
    only: None,
};
/// How a change of messages moves their session (`CH-09`): `$3` messages became live, with touch if `$4`, at the instant `$5`.
static MOVE_SESSION: Statement = Statement {
    name: "chat_messages.move_session",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_sessions SET message_count = message_count + $3, content_revision = content_revision + 1, \
           last_update = CASE WHEN $4 AND last_update < $5 THEN $5 ELSE last_update END, updated_at = $5, \
           version = version + 1 WHERE owner_id = $1 AND id = $2 RETURNING id",
    only: None,
};
static TRASH: Statement = Statement {
    name: "chat_messages.trash",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_messages SET deleted_at = $3, updated_at = $3, version = version + 1, \
           status = CASE WHEN lease_expires_at <= $3 THEN 'interrupted' ELSE status END, \
           lease_seconds = CASE WHEN lease_expires_at <= $3 THEN NULL ELSE lease_seconds END, \
           lease_expires_at = CASE WHEN lease_expires_at <= $3 THEN NULL ELSE lease_expires_at END \
           WHERE owner_id = $1 AND session_id = $2 AND deleted_at IS NULL AND id IN ({message_ids}) RETURNING id",
    only: None,
};
static RESTORE: Statement = Statement {
    name: "chat_messages.restore",
    effect: Effect::Writes,
    text: "UPDATE {s}chat_messages SET deleted_at = NULL, updated_at = $3, version = $4, status = $5, \
           lease_expires_at = $6, lease_seconds = $7 \
           WHERE owner_id = $1 AND id = $2 AND deleted_at IS NOT NULL RETURNING id",
    only: None,
};
/// Revisions and attachments go with it.
static PURGE: Statement = Statement {
    name: "chat_messages.purge",
    effect: Effect::Writes,
    text: "DELETE FROM {s}chat_messages WHERE owner_id = $1 AND id = $2 RETURNING id",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &LOCK_SESSION,
    &LOCK_SESSION_OF,
    &FIND_LOCKED,
    &FIND_ANY,
    &KEEP_REVISION,
    &DROP_REVISIONS,
    &UPDATE,
    &DELETE_ATTACHMENTS,
    &MOVE_SESSION,
    &TRASH,
    &RESTORE,
    &PURGE,
];

#[async_trait]
impl<C: Connection> MessageEdits for Unit<C> {
    async fn lock_session(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError> {
        let statement = match C::DIALECT {
            Dialect::Postgres => &LOCK_SESSION,
            Dialect::Sqlite => &session::EXISTS,
        };
        self.execute(statement, &[owner_id.into(), session_id.into()]).await
    }

    async fn lock(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError> {
        let key = [owner_id.into(), id.into()];
        if C::DIALECT == Dialect::Postgres && !self.execute(&LOCK_SESSION_OF, &key).await? {
            return Ok(None);
        }
        let row = self.fetch_optional(&FIND_LOCKED, &key).await?;
        row.map(|row| message::read(&row, owner_id)).transpose()
    }

    async fn find_any(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError> {
        let row = self.fetch_optional(&FIND_ANY, &[owner_id.into(), id.into()]).await?;
        row.map(|row| message::read(&row, owner_id)).transpose()
    }

    async fn save(&mut self, edit: &MessageEdit, keeping: &Keeping) -> Result<(), StorageError> {
        let message = &edit.message;
        let (owner, id, now) = (message.owner_id.into(), message.id.into(), message.updated_at);
        let touches = match edit.kind {
            EditKind::Metadata | EditKind::Chunk => None,
            EditKind::Content => Some(keeping.touch),
            EditKind::End => Some(true),
        };
        if let Some(touch) = touches {
            move_session(self, message, 0, touch, now).await?;
        }
        if edit.keeps_revision {
            let by = keeping.by.as_str().into();
            let values = [owner, id, keeping.revision_id.into(), now.into(), by];
            self.fetch(&KEEP_REVISION, &values).await?;
            // The one just kept has the number before the message's; it and those next to it are the newest.
            let dropped = message.revision - i64::from(keeping.max_revisions);
            if dropped > 1 {
                self.fetch(&DROP_REVISIONS, &[owner, id, dropped.into()]).await?;
            }
        }
        if !self.execute(&UPDATE, &update_values(message)).await? {
            return Err(StorageError::Contended);
        }
        if edit.changes_attachments {
            self.fetch(&DELETE_ATTACHMENTS, &[owner, id]).await?;
            message::insert_attachments(self, message).await?;
        }
        if edit.kind != EditKind::Metadata {
            search::index_message(self, message).await?;
        }
        Ok(())
    }

    async fn trash(
        &mut self,
        owner_id: OwnerId,
        session_id: SessionId,
        ids: &[MessageId],
        now: Instant,
    ) -> Result<Vec<MessageId>, StorageError> {
        let ids = message::json(&ids.iter().map(|id| id.0.simple()).collect::<Vec<_>>())?;
        let values = [owner_id.into(), session_id.into(), now.into(), (&ids).into()];
        let rows = self.fetch(&TRASH, &values).await?;
        let trashed = rows
            .iter()
            .map(|row| Reader::new(row, TABLE).id().map(MessageId))
            .collect::<Result<Vec<_>, _>>()?;
        if let Ok(count @ 1..) = i64::try_from(trashed.len()) {
            let values = [
                owner_id.into(),
                session_id.into(),
                (-count).into(),
                false.into(),
                now.into(),
            ];
            self.execute(&MOVE_SESSION, &values).await?;
        }
        Ok(trashed)
    }

    async fn restore(&mut self, message: &Message) -> Result<(), StorageError> {
        let values = [
            message.owner_id.into(),
            message.id.into(),
            message.updated_at.into(),
            message.version.into(),
            message.status.as_str().into(),
            message.lease_expires_at.into(),
            message.lease_seconds.into(),
        ];
        if !self.execute(&RESTORE, &values).await? {
            return Err(StorageError::Contended);
        }
        move_session(self, message, 1, false, message.updated_at).await
    }

    async fn purge(&mut self, message: &Message, now: Instant) -> Result<(), StorageError> {
        let key = [message.owner_id.into(), message.id.into()];
        if !self.execute(&PURGE, &key).await? {
            return Err(StorageError::Contended);
        }
        let became_live = if message.deleted_at.is_none() { -1 } else { 0 };
        move_session(self, message, became_live, false, now).await
    }
}

async fn move_session<C: Connection>(
    unit: &mut Unit<C>,
    message: &Message,
    became_live: i64,
    touch: bool,
    now: Instant,
) -> Result<(), StorageError> {
    let values = [
        message.owner_id.into(),
        message.session_id.into(),
        became_live.into(),
        touch.into(),
        now.into(),
    ];
    unit.execute(&MOVE_SESSION, &values).await.map(|_| ())
}

/// The parameters of [`UPDATE`]. The version before is the one that every edit raises by one.
fn update_values(message: &Message) -> [Value<'_>; 33] {
    [
        message.owner_id.into(),
        message.id.into(),
        (message.version - 1).into(),
        (&message.sender_name).into(),
        message.status.as_str().into(),
        message.lease_expires_at.into(),
        message.lease_seconds.into(),
        (&message.content.text).into(),
        (&message.content.reasoning).into(),
        message.content.chart_data.as_ref().map(FreeJson::as_str).into(),
        (&message.character_name).into(),
        (&message.responding_agent).into(),
        (&message.model_name).into(),
        message.model_settings.as_ref().map(FreeJson::as_str).into(),
        (&message.tts_model_name).into(),
        message.image_settings.as_ref().map(FreeJson::as_str).into(),
        message.image_request.as_ref().map(FreeJson::as_str).into(),
        message.agent_data.as_ref().map(FreeJson::as_str).into(),
        message.usage.input_tokens.into(),
        message.usage.output_tokens.into(),
        message.usage.cached_tokens.into(),
        message.usage.reasoning_tokens.into(),
        message.flags.is_tts.into(),
        message.flags.is_gps_location.into(),
        message.flags.show_transcribe_button.into(),
        message.flags.favourite.into(),
        message.flags.test_mode.into(),
        message.started_at.into(),
        message.finished_at.into(),
        message.revision.into(),
        message.edited_at.into(),
        message.updated_at.into(),
        message.version.into(),
    ]
}
