use async_trait::async_trait;
use larder_domain::identity::Invitation;
use larder_domain::{Instant, InvitationId, OwnerId};
use larder_ports::outbound::identity::Invitations;
use larder_ports::outbound::{Place, StorageError};
use uuid::Uuid;

use super::user::{read_roles, roles_json};
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str = "i.id, i.secret_hash, i.email_norm, CAST(i.roles AS text), i.created_by, i.created_at, \
    i.expires_at, i.used_at, i.used_by, i.revoked_at";

static INSERT: Statement = Statement {
    name: "identity_invitations.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_invitations (id, secret_hash, email_norm, roles, created_by, created_at, expires_at, \
           used_at, used_by, revoked_at) VALUES ($1, $2, $3, $4{json}, $5, $6, $7, $8, $9, $10)",
    only: None,
};
static FIND: Statement = Statement {
    name: "identity_invitations.find",
    effect: Effect::Reads,
    text: "SELECT {invitation_columns} FROM {s}identity_invitations i WHERE i.id = $1",
    only: None,
};
static CONSUME: Statement = Statement {
    name: "identity_invitations.consume",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_invitations SET used_at = $3, used_by = $2 \
           WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3 RETURNING id",
    only: None,
};
static LIST: Statement = Statement {
    name: "identity_invitations.list",
    effect: Effect::Reads,
    text: "SELECT {invitation_columns} FROM {s}identity_invitations i WHERE (i.created_at, i.id) < ($1, $2) \
           ORDER BY i.created_at DESC, i.id DESC LIMIT $3",
    only: None,
};
static REVOKE: Statement = Statement {
    name: "identity_invitations.revoke",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_invitations SET revoked_at = CASE WHEN used_at IS NULL THEN COALESCE(revoked_at, $2) \
           ELSE revoked_at END WHERE id = $1 RETURNING id",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&INSERT, &FIND, &CONSUME, &LIST, &REVOKE];

#[async_trait]
impl<C: Connection> Invitations for Unit<C> {
    async fn insert(&mut self, invitation: &Invitation) -> Result<(), StorageError> {
        let roles = roles_json(&invitation.roles);
        let values: [Value<'_>; 10] = [
            invitation.id.into(),
            (&invitation.secret_hash).into(),
            (&invitation.email_norm).into(),
            (&roles).into(),
            invitation.created_by.into(),
            invitation.created_at.into(),
            invitation.expires_at.into(),
            invitation.used.map(|(at, _)| at).into(),
            invitation.used.map(|(_, by)| by).into(),
            invitation.revoked_at.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find(&mut self, id: InvitationId) -> Result<Option<Invitation>, StorageError> {
        let row = self.fetch_optional(&FIND, &[id.into()]).await?;
        row.map(|row| read(&row)).transpose()
    }

    async fn consume(&mut self, id: InvitationId, user_id: OwnerId, now: Instant) -> Result<bool, StorageError> {
        self.execute(&CONSUME, &[id.into(), user_id.into(), now.into()]).await
    }

    async fn list(&mut self, after: Option<Place>, limit: u32) -> Result<Vec<Invitation>, StorageError> {
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MAX, Uuid::max()), |place| (place.at, place.id));
        let rows = self.fetch(&LIST, &[at.into(), id.into(), limit.into()]).await?;
        rows.iter().map(read).collect()
    }

    async fn revoke(&mut self, id: InvitationId, now: Instant) -> Result<bool, StorageError> {
        self.execute(&REVOKE, &[id.into(), now.into()]).await
    }
}

fn read<R: Row>(row: &R) -> Result<Invitation, StorageError> {
    let mut row = Reader::new(row, "identity_invitations");
    Ok(Invitation {
        id: InvitationId(row.id()?),
        secret_hash: row.digest("secret_hash")?,
        email_norm: row.text("email_norm")?,
        roles: read_roles(&mut row)?,
        created_by: OwnerId(row.required_uuid("created_by")?),
        created_at: row.required_instant("created_at")?,
        expires_at: row.required_instant("expires_at")?,
        used: row.instant("used_at")?.zip(row.uuid("used_by")?.map(OwnerId)),
        revoked_at: row.instant("revoked_at")?,
    })
}
