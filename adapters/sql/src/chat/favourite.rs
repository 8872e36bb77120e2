use async_trait::async_trait;
use larder_domain::chat::{Message, SessionHeader};
use larder_domain::{Instant, OwnerId, SessionId};
use larder_ports::outbound::chat::Favourites;
use larder_ports::outbound::{Place, StorageError};
use uuid::Uuid;

use super::{message, session};
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit};

/// What is said of the session called `s` beside one of its messages.
pub(crate) const HEADER: &str = "s.id, s.name, s.character_name, {tags}";

static NEWEST: Statement = Statement {
    name: "chat_messages.newest_favourites",
    effect: Effect::Reads,
    text: "SELECT {message_columns}, {session_header} FROM {s}chat_messages m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.favourite AND m.deleted_at IS NULL AND s.deleted_at IS NULL \
           AND (m.created_at, m.id) < ($2, $3) ORDER BY m.created_at DESC, m.id DESC LIMIT $4",
    only: None,
};
static OLDEST: Statement = Statement {
    name: "chat_messages.oldest_favourites",
    effect: Effect::Reads,
    text: "SELECT {message_columns}, {session_header} FROM {s}chat_messages m \
           JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
           WHERE m.owner_id = $1 AND m.favourite AND m.deleted_at IS NULL AND s.deleted_at IS NULL \
           AND (m.created_at, m.id) > ($2, $3) AND m.created_at <= $4 ORDER BY m.created_at, m.id LIMIT $5",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&NEWEST, &OLDEST];

#[async_trait]
impl<C: Connection> Favourites for Unit<C> {
    async fn newest(
        &mut self,
        owner_id: OwnerId,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(Message, SessionHeader)>, StorageError> {
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MAX, Uuid::max()), |place| (place.at, place.id));
        let values = [owner_id.into(), at.into(), id.into(), limit.into()];
        let rows = self.fetch(&NEWEST, &values).await?;
        rows.iter().map(|row| read(row, owner_id)).collect()
    }

    async fn oldest(
        &mut self,
        owner_id: OwnerId,
        until: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(Message, SessionHeader)>, StorageError> {
        let (at, id) = after.map_or((Instant::MIN, Uuid::nil()), |place| (place.at, place.id));
        let values = [owner_id.into(), at.into(), id.into(), until.into(), limit.into()];
        let rows = self.fetch(&OLDEST, &values).await?;
        rows.iter().map(|row| read(row, owner_id)).collect()
    }
}

fn read<R: Row>(row: &R, owner_id: OwnerId) -> Result<(Message, SessionHeader), StorageError> {
    let mut row = Reader::new(row, "chat_messages");
    let message = message::read_from(&mut row, owner_id)?;
    row.switch_to("chat_sessions");
    let session = SessionHeader {
        id: SessionId(row.id()?),
        name: row.text("name")?,
        character_name: row.text("character_name")?,
        tags: session::read_tags(&mut row)?,
    };
    Ok((message, session))
}
