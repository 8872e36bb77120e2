use async_trait::async_trait;
use larder_domain::identity::{Login, LoginMethod, RevokeReason, User};
use larder_domain::{Instant, LoginId, OwnerId, RefreshTokenId};
use larder_ports::outbound::identity::Logins;
use larder_ports::outbound::{Place, StorageError};
use uuid::Uuid;

use super::user;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str = "l.id, l.owner_id, l.method, l.user_agent, l.ip_address, l.created_at, l.last_used_at, \
    l.expires_at, l.revoked_at, l.revoke_reason";

static INSERT: Statement = Statement {
    name: "identity_logins.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_logins (owner_id, id, method, user_agent, ip_address, created_at, last_used_at, \
           expires_at, revoked_at, revoke_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    only: None,
};
static FIND_WITH_USER: Statement = Statement {
    name: "identity_logins.find_with_user",
    effect: Effect::Reads,
    text: "SELECT {login_columns}, {user_columns} FROM {s}identity_logins l JOIN {s}identity_users u ON u.id = l.owner_id \
           WHERE l.owner_id = $1 AND l.id = $2",
    only: None,
};
static EVICT: Statement = Statement {
    name: "identity_logins.evict",
    effect: Effect::Writes,
    // The inner limit only satisfies SQLite, which knows no OFFSET without LIMIT.
    text: "UPDATE {s}identity_logins SET revoked_at = $3, revoke_reason = 'evicted' \
           WHERE owner_id = $1 AND revoked_at IS NULL AND id IN (SELECT l.id FROM {s}identity_logins l \
           WHERE l.owner_id = $1 AND l.revoked_at IS NULL AND l.expires_at > $3 \
           ORDER BY l.last_used_at DESC, l.id DESC LIMIT 1000000 OFFSET $2) RETURNING id",
    only: None,
};
static SWEEP: Statement = Statement {
    name: "identity_logins.sweep",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_logins WHERE owner_id = $1 AND (expires_at < $2 OR revoked_at < $2)",
    only: None,
};

static TOUCH_BY_TOKEN: Statement = Statement {
    name: "identity_logins.touch_by_token",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_logins SET last_used_at = $3 WHERE owner_id = $1 AND id = (SELECT t.login_id \
           FROM {s}identity_refresh_tokens t WHERE t.owner_id = $1 AND t.id = $2) \
           RETURNING id, owner_id, method, user_agent, ip_address, created_at, last_used_at, expires_at, revoked_at, \
           revoke_reason",
    only: None,
};
static LIST: Statement = Statement {
    name: "identity_logins.list",
    effect: Effect::Reads,
    text: "SELECT {login_columns} FROM {s}identity_logins l \
           WHERE l.owner_id = $1 AND l.revoked_at IS NULL AND l.expires_at > $2 AND (l.created_at, l.id) < ($3, $4) \
           ORDER BY l.created_at DESC, l.id DESC LIMIT $5",
    only: None,
};
static REVOKE: Statement = Statement {
    name: "identity_logins.revoke",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_logins SET revoked_at = $4, revoke_reason = $3 \
           WHERE owner_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $4 RETURNING id",
    only: None,
};
static REVOKE_ALL: Statement = Statement {
    name: "identity_logins.revoke_all",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_logins SET revoked_at = $3, revoke_reason = $2 \
           WHERE owner_id = $1 AND revoked_at IS NULL RETURNING id",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT,
    &FIND_WITH_USER,
    &EVICT,
    &SWEEP,
    &TOUCH_BY_TOKEN,
    &LIST,
    &REVOKE,
    &REVOKE_ALL,
];

#[async_trait]
impl<C: Connection> Logins for Unit<C> {
    async fn insert(&mut self, login: &Login) -> Result<(), StorageError> {
        let values: [Value<'_>; 10] = [
            login.owner_id.into(),
            login.id.into(),
            login.method.as_str().into(),
            (&login.user_agent).into(),
            (&login.ip_address).into(),
            login.created_at.into(),
            login.last_used_at.into(),
            login.expires_at.into(),
            login.revoked.map(|(at, _)| at).into(),
            login.revoked.map(|(_, reason)| reason.as_str()).into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find_with_user(&mut self, owner_id: OwnerId, id: LoginId) -> Result<Option<(Login, User)>, StorageError> {
        let Some(row) = self
            .fetch_optional(&FIND_WITH_USER, &[owner_id.into(), id.into()])
            .await?
        else {
            return Ok(None);
        };
        let mut row = Reader::new(&row, "identity_logins");
        let login = read(&mut row)?;
        row.switch_to("identity_users");
        Ok(Some((login, user::read(&mut row)?)))
    }

    async fn evict(&mut self, owner_id: OwnerId, keep: u32, now: Instant) -> Result<Vec<LoginId>, StorageError> {
        let rows = self.fetch(&EVICT, &[owner_id.into(), keep.into(), now.into()]).await?;
        ids(&rows)
    }

    async fn sweep(&mut self, owner_id: OwnerId, before: Instant) -> Result<(), StorageError> {
        self.fetch(&SWEEP, &[owner_id.into(), before.into()]).await.map(|_| ())
    }

    async fn touch_by_token(
        &mut self,
        owner_id: OwnerId,
        token_id: RefreshTokenId,
        now: Instant,
    ) -> Result<Option<Login>, StorageError> {
        let row = self
            .fetch_optional(&TOUCH_BY_TOKEN, &[owner_id.into(), token_id.into(), now.into()])
            .await?;
        row.map(|row| read(&mut Reader::new(&row, "identity_logins")))
            .transpose()
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        now: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Login>, StorageError> {
        let (at, id) = after.map_or((Instant::MAX, Uuid::max()), |place| (place.at, place.id));
        let values: [Value<'_>; 5] = [owner_id.into(), now.into(), at.into(), id.into(), limit.into()];
        let rows = self.fetch(&LIST, &values).await?;
        rows.iter()
            .map(|row| read(&mut Reader::new(row, "identity_logins")))
            .collect()
    }

    async fn revoke(
        &mut self,
        owner_id: OwnerId,
        id: LoginId,
        reason: RevokeReason,
        now: Instant,
    ) -> Result<bool, StorageError> {
        let values: [Value<'_>; 4] = [owner_id.into(), id.into(), reason.as_str().into(), now.into()];
        self.execute(&REVOKE, &values).await
    }

    async fn revoke_all(
        &mut self,
        owner_id: OwnerId,
        reason: RevokeReason,
        now: Instant,
    ) -> Result<Vec<LoginId>, StorageError> {
        let values: [Value<'_>; 3] = [owner_id.into(), reason.as_str().into(), now.into()];
        let rows = self.fetch(&REVOKE_ALL, &values).await?;
        ids(&rows)
    }
}

fn ids<R: Row>(rows: &[R]) -> Result<Vec<LoginId>, StorageError> {
    rows.iter()
        .map(|row| Reader::new(row, "identity_logins").id().map(LoginId))
        .collect()
}

fn read<R: Row>(row: &mut Reader<'_, R>) -> Result<Login, StorageError> {
    let id = LoginId(row.id()?);
    Ok(Login {
        id,
        owner_id: OwnerId(row.required_uuid("owner_id")?),
        method: row.word("method", LoginMethod::from_word)?,
        user_agent: row.text("user_agent")?,
        ip_address: row.text("ip_address")?,
        created_at: row.required_instant("created_at")?,
        last_used_at: row.required_instant("last_used_at")?,
        expires_at: row.required_instant("expires_at")?,
        revoked: row
            .instant("revoked_at")?
            .zip(row.optional_word("revoke_reason", RevokeReason::from_word)?),
    })
}
