use async_trait::async_trait;
use larder_domain::identity::{ApiToken, Scope, Scopes, User};
use larder_domain::{ApiTokenId, Instant, OwnerId};
use larder_ports::outbound::identity::{ApiTokenState, ApiTokens};
use larder_ports::outbound::{Place, StorageError};
use uuid::Uuid;

use super::user;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str = "t.id, t.owner_id, t.name, t.secret_hash, CAST(t.scopes AS text), t.created_at, \
    t.expires_at, t.last_used_at, t.revoked_at";
const TABLE: &str = "identity_api_tokens";

static INSERT: Statement = Statement {
    name: "identity_api_tokens.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_api_tokens (owner_id, id, name, name_norm, secret_hash, scopes, created_at, \
           expires_at, last_used_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6{json}, $7, $8, $9, $10)",
    only: None,
};
static FIND: Statement = Statement {
    name: "identity_api_tokens.find",
    effect: Effect::Reads,
    text: "SELECT {api_token_columns} FROM {s}identity_api_tokens t WHERE t.owner_id = $1 AND t.id = $2",
    only: None,
};
static FIND_WITH_USER: Statement = Statement {
    name: "identity_api_tokens.find_with_user",
    effect: Effect::Reads,
    text: "SELECT {api_token_columns}, {user_columns} FROM {s}identity_api_tokens t \
           JOIN {s}identity_users u ON u.id = t.owner_id WHERE t.owner_id = $1 AND t.id = $2",
    only: None,
};
static LIST_ACTIVE: Statement = Statement {
    name: "identity_api_tokens.list_active",
    effect: Effect::Reads,
    text: "SELECT {api_token_columns} FROM {s}identity_api_tokens t WHERE t.owner_id = $1 \
           AND (t.created_at, t.id) < ($2, $3) AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $5) \
           ORDER BY t.created_at DESC, t.id DESC LIMIT $4",
    only: None,
};
static LIST_ALL: Statement = Statement {
    name: "identity_api_tokens.list_all",
    effect: Effect::Reads,
    text: "SELECT {api_token_columns} FROM {s}identity_api_tokens t WHERE t.owner_id = $1 \
           AND (t.created_at, t.id) < ($2, $3) ORDER BY t.created_at DESC, t.id DESC LIMIT $4",
    only: None,
};
static COUNT_ACTIVE: Statement = Statement {
    name: "identity_api_tokens.count_active",
    effect: Effect::Reads,
    text: "SELECT COUNT(*) FROM {s}identity_api_tokens t WHERE t.owner_id = $1 AND t.revoked_at IS NULL \
           AND (t.expires_at IS NULL OR t.expires_at > $2)",
    only: None,
};
static RETIRE: Statement = Statement {
    name: "identity_api_tokens.retire",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_api_tokens SET revoked_at = expires_at \
           WHERE owner_id = $1 AND revoked_at IS NULL AND expires_at <= $2",
    only: None,
};
static REVOKE: Statement = Statement {
    name: "identity_api_tokens.revoke",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_api_tokens SET revoked_at = COALESCE(revoked_at, $3) \
           WHERE owner_id = $1 AND id = $2 RETURNING id",
    only: None,
};
static REVOKE_ALL: Statement = Statement {
    name: "identity_api_tokens.revoke_all",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_api_tokens SET revoked_at = $2 WHERE owner_id = $1 AND revoked_at IS NULL",
    only: None,
};
static NOTE_USE: Statement = Statement {
    name: "identity_api_tokens.note_use",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_api_tokens SET last_used_at = $3 \
           WHERE owner_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT,
    &FIND,
    &FIND_WITH_USER,
    &LIST_ACTIVE,
    &LIST_ALL,
    &COUNT_ACTIVE,
    &RETIRE,
    &REVOKE,
    &REVOKE_ALL,
    &NOTE_USE,
];

#[async_trait]
impl<C: Connection> ApiTokens for Unit<C> {
    async fn insert(&mut self, token: &ApiToken) -> Result<(), StorageError> {
        let (name_norm, scopes) = (token.name_norm(), scopes_json(token.scopes));
        let values: [Value<'_>; 10] = [
            token.owner_id.into(),
            token.id.into(),
            (&token.name).into(),
            (&name_norm).into(),
            (&token.secret_hash).into(),
            (&scopes).into(),
            token.created_at.into(),
            token.expires_at.into(),
            token.last_used_at.into(),
            token.revoked_at.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find(&mut self, owner_id: OwnerId, id: ApiTokenId) -> Result<Option<ApiToken>, StorageError> {
        let row = self.fetch_optional(&FIND, &[owner_id.into(), id.into()]).await?;
        row.map(|row| read(&mut Reader::new(&row, TABLE))).transpose()
    }

    async fn find_with_user(
        &mut self,
        owner_id: OwnerId,
        id: ApiTokenId,
    ) -> Result<Option<(ApiToken, User)>, StorageError> {
        let values = [owner_id.into(), id.into()];
        let Some(row) = self.fetch_optional(&FIND_WITH_USER, &values).await? else {
            return Ok(None);
        };
        let mut row = Reader::new(&row, TABLE);
        let token = read(&mut row)?;
        row.switch_to("identity_users");
        Ok(Some((token, user::read(&mut row)?)))
    }

    async fn list(
        &mut self,
        owner_id: OwnerId,
        state: ApiTokenState,
        now: Instant,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<ApiToken>, StorageError> {
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MAX, Uuid::max()), |place| (place.at, place.id));
        let values = [owner_id.into(), at.into(), id.into(), limit.into(), now.into()];
        let rows = match state {
            ApiTokenState::Active => self.fetch(&LIST_ACTIVE, &values).await?,
            ApiTokenState::All => self.fetch(&LIST_ALL, &values[..4]).await?,
        };
        rows.iter().map(|row| read(&mut Reader::new(row, TABLE))).collect()
    }

    async fn count_active(&mut self, owner_id: OwnerId, now: Instant) -> Result<u32, StorageError> {
        let row = self
            .fetch_optional(&COUNT_ACTIVE, &[owner_id.into(), now.into()])
            .await?;
        let count = row
            .map(|row| Reader::new(&row, TABLE).required_int("count"))
            .transpose()?;
        Ok(count.and_then(|count| u32::try_from(count).ok()).unwrap_or(u32::MAX))
    }

    async fn retire(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError> {
        self.fetch(&RETIRE, &[owner_id.into(), now.into()]).await.map(|_| ())
    }

    async fn revoke(&mut self, owner_id: OwnerId, id: ApiTokenId, now: Instant) -> Result<bool, StorageError> {
        self.execute(&REVOKE, &[owner_id.into(), id.into(), now.into()]).await
    }

    async fn revoke_all(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError> {
        self.fetch(&REVOKE_ALL, &[owner_id.into(), now.into()])
            .await
            .map(|_| ())
    }

    async fn note_use(
        &mut self,
        owner_id: OwnerId,
        id: ApiTokenId,
        now: Instant,
        before: Instant,
    ) -> Result<(), StorageError> {
        let values = [owner_id.into(), id.into(), now.into(), before.into()];
        self.fetch(&NOTE_USE, &values).await.map(|_| ())
    }
}

/// Reads the columns of [`COLUMNS`].
fn read<R: Row>(row: &mut Reader<'_, R>) -> Result<ApiToken, StorageError> {
    Ok(ApiToken {
        id: ApiTokenId(row.id()?),
        owner_id: OwnerId(row.required_uuid("owner_id")?),
        name: row.required_text("name")?,
        secret_hash: row.digest("secret_hash")?,
        scopes: read_scopes(row)?,
        created_at: row.required_instant("created_at")?,
        expires_at: row.instant("expires_at")?,
        last_used_at: row.instant("last_used_at")?,
        revoked_at: row.instant("revoked_at")?,
    })
}

/// Scopes as they are stored: a sorted JSON array of words.
fn scopes_json(scopes: Scopes) -> String {
    let words: Vec<String> = scopes.iter().map(|scope| format!("\"{}\"", scope.as_str())).collect();
    format!("[{}]", words.join(","))
}

fn read_scopes<R: Row>(row: &mut Reader<'_, R>) -> Result<Scopes, StorageError> {
    let words: Vec<String> = row.json("scopes")?;
    words
        .iter()
        .map(|word| Scope::from_word(word).ok_or_else(|| row.corrupt("scopes")))
        .collect()
}
