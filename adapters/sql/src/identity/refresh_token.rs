use async_trait::async_trait;
use larder_domain::identity::{RefreshToken, Use};
use larder_domain::{LoginId, OwnerId, RefreshTokenId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::{KnownToken, RefreshTokens};

use super::user;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str =
    "t.id, t.owner_id, t.login_id, t.secret_hash, t.issued_at, t.expires_at, t.used_at, t.successor_id";

static INSERT: Statement = Statement {
    name: "identity_refresh_tokens.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_refresh_tokens (owner_id, id, login_id, secret_hash, issued_at, expires_at, used_at, \
           successor_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    only: None,
};
static FIND_WITH_USER: Statement = Statement {
    name: "identity_refresh_tokens.find_with_user",
    effect: Effect::Reads,
    text: "SELECT {refresh_token_columns}, v.id, {user_columns} FROM {s}identity_refresh_tokens t \
           JOIN {s}identity_users u ON u.id = t.owner_id \
           LEFT JOIN {s}identity_refresh_tokens v ON v.owner_id = t.owner_id AND v.login_id = t.login_id \
           AND v.used_at IS NULL WHERE t.owner_id = $1 AND t.id = $2",
    only: None,
};
static USE: Statement = Statement {
    name: "identity_refresh_tokens.use",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_refresh_tokens SET used_at = coalesce(used_at, $5), \
           successor_id = CASE WHEN id = $3 THEN $4 ELSE successor_id END \
           WHERE owner_id = $1 AND login_id = $2 AND (id = $3 OR used_at IS NULL)",
    only: None,
};
static SWEEP: Statement = Statement {
    name: "identity_refresh_tokens.sweep",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_refresh_tokens \
           WHERE owner_id = $1 AND login_id = $2 AND used_at IS NOT NULL AND expires_at < $3",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&INSERT, &FIND_WITH_USER, &USE, &SWEEP];

#[async_trait]
impl<C: Connection> RefreshTokens for Unit<C> {
    async fn insert(&mut self, token: &RefreshToken) -> Result<(), StorageError> {
        let values: [Value<'_>; 8] = [
            token.owner_id.into(),
            token.id.into(),
            token.login_id.into(),
            (&token.secret_hash).into(),
            token.issued_at.into(),
            token.expires_at.into(),
            token.used.map(|used| used.at).into(),
            token.used.and_then(|used| used.successor_id).into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find_with_user(
        &mut self,
        owner_id: OwnerId,
        id: RefreshTokenId,
    ) -> Result<Option<KnownToken>, StorageError> {
        let Some(row) = self
            .fetch_optional(&FIND_WITH_USER, &[owner_id.into(), id.into()])
            .await?
        else {
            return Ok(None);
        };
        let mut row = Reader::new(&row, "identity_refresh_tokens");
        let token = read(&mut row)?;
        let live = row.uuid("id")?.map(RefreshTokenId);
        row.switch_to("identity_users");
        let user = user::read(&mut row)?;
        Ok(Some(KnownToken { token, live, user }))
    }

    async fn rotate(&mut self, presented: RefreshTokenId, successor: &RefreshToken) -> Result<(), StorageError> {
        let RefreshToken {
            owner_id,
            id,
            login_id,
            issued_at,
            ..
        } = *successor;
        let values: [Value<'_>; 5] = [
            owner_id.into(),
            login_id.into(),
            presented.into(),
            id.into(),
            issued_at.into(),
        ];
        self.fetch(&USE, &values).await?;
        RefreshTokens::insert(self, successor).await?;
        let values: [Value<'_>; 3] = [owner_id.into(), login_id.into(), issued_at.into()];
        self.fetch(&SWEEP, &values).await.map(|_| ())
    }
}

fn read<R: Row>(row: &mut Reader<'_, R>) -> Result<RefreshToken, StorageError> {
    Ok(RefreshToken {
        id: RefreshTokenId(row.id()?),
        owner_id: OwnerId(row.required_uuid("owner_id")?),
        login_id: LoginId(row.required_uuid("login_id")?),
        secret_hash: row.digest("secret_hash")?,
        issued_at: row.required_instant("issued_at")?,
        expires_at: row.required_instant("expires_at")?,
        used: match (row.instant("used_at")?, row.uuid("successor_id")?) {
            (Some(at), successor_id) => Some(Use {
                at,
                successor_id: successor_id.map(RefreshTokenId),
            }),
            (None, _) => None,
        },
    })
}
