use async_trait::async_trait;
use larder_domain::identity::ExternalIdentity;
use larder_domain::{ExternalIdentityId, Instant, OwnerId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::{ExternalIdentities, KnownSubject, Subject};

use super::user;
use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str = "e.id, e.user_id, e.issuer, e.subject, e.email, e.created_at, e.last_seen_at";

static INSERT: Statement = Statement {
    name: "identity_external_identities.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_external_identities (id, user_id, issuer, subject, email, created_at, last_seen_at) \
           VALUES ($1, $2, $3, $4, $5, $6, $7)",
    only: None,
};
static FIND_WITH_USER: Statement = Statement {
    name: "identity_external_identities.find_with_user",
    effect: Effect::Reads,
    text: "SELECT {external_identity_columns}, {user_columns}, s.erased_at FROM {s}identity_external_identities e \
           JOIN {s}identity_users u ON u.id = e.user_id \
           LEFT JOIN {s}identity_erased_subjects s ON s.issuer = e.issuer AND s.subject_hash = $3 \
           WHERE e.issuer = $1 AND e.subject = $2",
    only: None,
};
static ERASED_AT: Statement = Statement {
    name: "identity_external_identities.erased_at",
    effect: Effect::Reads,
    text: "SELECT s.erased_at FROM {s}identity_erased_subjects s WHERE s.issuer = $1 AND s.subject_hash = $2",
    only: None,
};
static LIST: Statement = Statement {
    name: "identity_external_identities.list",
    effect: Effect::Reads,
    text: "SELECT {external_identity_columns} FROM {s}identity_external_identities e \
           WHERE e.user_id = $1 ORDER BY e.id LIMIT $2",
    only: None,
};
static LIST_AFTER: Statement = Statement {
    name: "identity_external_identities.list_after",
    effect: Effect::Reads,
    text: "SELECT {external_identity_columns} FROM {s}identity_external_identities e \
           WHERE e.user_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3",
    only: None,
};
static HAS_OTHERS: Statement = Statement {
    name: "identity_external_identities.has_others",
    effect: Effect::Reads,
    text: "SELECT e.id FROM {s}identity_external_identities e WHERE e.user_id = $1 AND e.id <> $2 LIMIT 1",
    only: None,
};
static DELETE: Statement = Statement {
    name: "identity_external_identities.delete",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_external_identities WHERE user_id = $1 AND id = $2 \
           RETURNING id, user_id, issuer, subject, email, created_at, last_seen_at",
    only: None,
};
static NOTE_SIGHT: Statement = Statement {
    name: "identity_external_identities.note_sight",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_external_identities SET email = $2, last_seen_at = $3 WHERE id = $1 AND last_seen_at < $3",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT,
    &FIND_WITH_USER,
    &ERASED_AT,
    &LIST,
    &LIST_AFTER,
    &HAS_OTHERS,
    &DELETE,
    &NOTE_SIGHT,
];

const TABLE: &str = "identity_external_identities";

#[async_trait]
impl<C: Connection> ExternalIdentities for Unit<C> {
    async fn insert(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError> {
        let values: [Value<'_>; 7] = [
            identity.id.into(),
            identity.user_id.into(),
            (&identity.issuer).into(),
            (&identity.subject).into(),
            (&identity.email).into(),
            identity.created_at.into(),
            identity.last_seen_at.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find_with_user(&mut self, subject: &Subject) -> Result<Option<KnownSubject>, StorageError> {
        let values = [
            (&subject.issuer).into(),
            (&subject.subject).into(),
            (&subject.hash).into(),
        ];
        let Some(row) = self.fetch_optional(&FIND_WITH_USER, &values).await? else {
            return Ok(None);
        };
        let mut row = Reader::new(&row, TABLE);
        let identity = read(&mut row)?;
        row.switch_to("identity_users");
        let user = user::read(&mut row)?;
        row.switch_to("identity_erased_subjects");
        Ok(Some(KnownSubject {
            identity,
            user,
            erased_at: row.instant("erased_at")?,
        }))
    }

    async fn erased_at(&mut self, subject: &Subject) -> Result<Option<Instant>, StorageError> {
        let row = self
            .fetch_optional(&ERASED_AT, &[(&subject.issuer).into(), (&subject.hash).into()])
            .await?;
        row.map(|row| Reader::new(&row, "identity_erased_subjects").required_instant("erased_at"))
            .transpose()
    }

    async fn list(
        &mut self,
        user_id: OwnerId,
        after: Option<ExternalIdentityId>,
        limit: u32,
    ) -> Result<Vec<ExternalIdentity>, StorageError> {
        let rows = match after {
            None => self.fetch(&LIST, &[user_id.into(), limit.into()]).await?,
            Some(after) => {
                self.fetch(&LIST_AFTER, &[user_id.into(), after.into(), limit.into()])
                    .await?
            }
        };
        rows.iter().map(|row| read(&mut Reader::new(row, TABLE))).collect()
    }

    async fn has_others(&mut self, user_id: OwnerId, id: ExternalIdentityId) -> Result<bool, StorageError> {
        self.execute(&HAS_OTHERS, &[user_id.into(), id.into()]).await
    }

    async fn delete(
        &mut self,
        user_id: OwnerId,
        id: ExternalIdentityId,
    ) -> Result<Option<ExternalIdentity>, StorageError> {
        let row = self.fetch_optional(&DELETE, &[user_id.into(), id.into()]).await?;
        row.map(|row| read(&mut Reader::new(&row, TABLE))).transpose()
    }

    async fn note_sight(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError> {
        let values = [
            identity.id.into(),
            (&identity.email).into(),
            identity.last_seen_at.into(),
        ];
        self.fetch(&NOTE_SIGHT, &values).await.map(|_| ())
    }
}

/// Reads the columns of [`COLUMNS`].
fn read<R: Row>(row: &mut Reader<'_, R>) -> Result<ExternalIdentity, StorageError> {
    Ok(ExternalIdentity {
        id: ExternalIdentityId(row.id()?),
        user_id: OwnerId(row.required_uuid("user_id")?),
        issuer: row.required_text("issuer")?,
        subject: row.required_text("subject")?,
        email: row.text("email")?,
        created_at: row.required_instant("created_at")?,
        last_seen_at: row.required_instant("last_seen_at")?,
    })
}
