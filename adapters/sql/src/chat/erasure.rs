use async_trait::async_trait;
use larder_domain::OwnerId;
use larder_ports::outbound::{OwnedRows, StorageError};

use crate::catalogue::{Effect, Statement};
use crate::{Connection, Unit};

/// Deletes some rows of an owner from a table, whose rows the owner and this column tell apart.
macro_rules! erase {
    ($name:ident, $table:literal, $key:literal) => {
        static $name: Statement = Statement {
            name: concat!($table, ".erase"),
            effect: Effect::Writes,
            text: concat!(
                "DELETE FROM {s}",
                $table,
                " WHERE owner_id = $1 AND ",
                $key,
                " IN (SELECT d.",
                $key,
                " FROM {s}",
                $table,
                " d WHERE d.owner_id = $1 LIMIT $2) RETURNING ",
                $key
            ),
            only: None,
        };
    };
}

erase!(ATTACHMENTS, "chat_attachments", "id");
erase!(REVISIONS, "chat_message_revisions", "id");
erase!(MESSAGES, "chat_messages", "id");
erase!(SESSION_TAGS, "chat_session_tags", "id");
erase!(SUMMARIES, "chat_summaries", "id");
erase!(SESSIONS, "chat_sessions", "id");
erase!(GROUP_MEMBERS, "chat_group_members", "id");
erase!(GROUPS, "chat_groups", "id");
erase!(PROMPTS, "chat_prompts", "id");
erase!(KEPT_ANSWERS, "chat_idempotency_keys", "key");

/// Every table with rows of an owner, each before those that its rows refer to. A test compares this with the schema.
pub(crate) const STATEMENTS: &[&Statement] = &[
    &ATTACHMENTS,
    &REVISIONS,
    &MESSAGES,
    &SESSION_TAGS,
    &SUMMARIES,
    &SESSIONS,
    &GROUP_MEMBERS,
    &GROUPS,
    &PROMPTS,
    &KEPT_ANSWERS,
];

#[async_trait]
impl<C: Connection> OwnedRows for Unit<C> {
    async fn erase(&mut self, owner_id: OwnerId, limit: u32) -> Result<u64, StorageError> {
        let mut left = limit;
        for statement in STATEMENTS {
            if left == 0 {
                break;
            }
            let deleted = self.fetch(statement, &[owner_id.into(), left.into()]).await?.len();
            left = left.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
        }
        Ok(u64::from(limit - left))
    }
}
