use async_trait::async_trait;
use larder_domain::identity::Invitation;
use larder_domain::{Instant, InvitationId, OwnerId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::Invitations;

use super::user::{read_roles, roles_json};
use crate::catalogue::{Effect, Statement};
use crate::row::Reader;
use crate::{Connection, Unit, Value};

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
    text: "SELECT i.id, i.secret_hash, i.email_norm, CAST(i.roles AS text), i.created_by, i.created_at, i.expires_at, \
           i.used_at, i.used_by, i.revoked_at FROM {s}identity_invitations i WHERE i.id = $1",
    only: None,
};
static CONSUME: Statement = Statement {
    name: "identity_invitations.consume",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_invitations SET used_at = $3, used_by = $2 \
           WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3 RETURNING id",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&INSERT, &FIND, &CONSUME];

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
        let Some(row) = self.fetch_optional(&FIND, &[id.into()]).await? else {
            return Ok(None);
        };
        let mut row = Reader::new(&row, "identity_invitations");
        Ok(Some(Invitation {
            id: InvitationId(row.id()?),
            secret_hash: row.digest("secret_hash")?,
            email_norm: row.text("email_norm")?,
            roles: read_roles(&mut row)?,
            created_by: OwnerId(row.required_uuid("created_by")?),
            created_at: row.required_instant("created_at")?,
            expires_at: row.required_instant("expires_at")?,
            used: row.instant("used_at")?.zip(row.uuid("used_by")?.map(OwnerId)),
            revoked_at: row.instant("revoked_at")?,
        }))
    }

    async fn consume(&mut self, id: InvitationId, user_id: OwnerId, now: Instant) -> Result<bool, StorageError> {
        self.execute(&CONSUME, &[id.into(), user_id.into(), now.into()]).await
    }
}
