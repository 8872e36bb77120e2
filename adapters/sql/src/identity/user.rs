use async_trait::async_trait;
use larder_domain::identity::{LoginName, Role, User};
use larder_domain::{Instant, OwnerId, Version};
use larder_ports::outbound::identity::{UserFilter, Users};
use larder_ports::outbound::{Place, StorageError};
use uuid::Uuid;

use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit, Value};

pub(crate) const COLUMNS: &str = "u.id, u.username, u.email, u.email_verified_at, u.password_hash, u.password_changed_at, \
    CAST(u.roles AS text), u.disabled_at, u.last_login_at, u.created_at, u.updated_at, u.version";

static CLAIM_FIRST: Statement = Statement {
    name: "identity_users.claim_first",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_state SET first_user_id = $1 WHERE id = 1 AND first_user_id IS NULL RETURNING id",
    only: None,
};
static ANY_EVER: Statement = Statement {
    name: "identity_users.any_ever",
    effect: Effect::Reads,
    text: "SELECT id FROM {s}identity_state WHERE id = 1 AND first_user_id IS NOT NULL",
    only: None,
};
static INSERT: Statement = Statement {
    name: "identity_users.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_users (id, username, username_norm, email, email_norm, email_verified_at, \
           password_hash, password_changed_at, roles, disabled_at, last_login_at, created_at, updated_at, version) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9{json}, $10, $11, $12, $13, $14)",
    only: None,
};
static FIND: Statement = Statement {
    name: "identity_users.find",
    effect: Effect::Reads,
    text: "SELECT {user_columns} FROM {s}identity_users u WHERE u.id = $1",
    only: None,
};
static FIND_BY_USERNAME: Statement = Statement {
    name: "identity_users.find_by_username",
    effect: Effect::Reads,
    text: "SELECT {user_columns} FROM {s}identity_users u WHERE u.username_norm = $1",
    only: None,
};
static FIND_BY_EMAIL: Statement = Statement {
    name: "identity_users.find_by_email",
    effect: Effect::Reads,
    text: "SELECT {user_columns} FROM {s}identity_users u WHERE u.email_norm = $1",
    only: None,
};
static UPDATE: Statement = Statement {
    name: "identity_users.update",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_users SET username = $3, username_norm = $4, email = $5, email_norm = $6, \
           email_verified_at = $7, password_hash = $8, password_changed_at = $9, roles = $10{json}, disabled_at = $11, \
           updated_at = $12, version = $13 WHERE id = $1 AND version = $2 RETURNING id",
    only: None,
};
static NOTE_LOGIN: Statement = Statement {
    name: "identity_users.note_login",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_users SET last_login_at = $2 WHERE id = $1",
    only: None,
};
static LIST: Statement = Statement {
    name: "identity_users.list",
    effect: Effect::Reads,
    text: "SELECT {user_columns} FROM {s}identity_users u WHERE (u.created_at, u.id) > ($3, $4) \
           AND ($1 IS NULL OR {has_role}) AND ($2 IS NULL OR (u.disabled_at IS NOT NULL) = $2) \
           ORDER BY u.created_at, u.id LIMIT $5",
    only: None,
};
/// A write that changes nothing locks the row on every engine.
static LOCK: Statement = Statement {
    name: "identity_users.lock",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_users SET version = version WHERE id = $1 RETURNING id",
    only: None,
};
static LOCK_ADMINS: Statement = Statement {
    name: "identity_users.lock_admins",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_state SET first_user_id = first_user_id WHERE id = 1",
    only: None,
};
static HAS_OTHER_ADMIN: Statement = Statement {
    name: "identity_users.has_other_admin",
    effect: Effect::Reads,
    text: "SELECT u.id FROM {s}identity_users u WHERE {has_role} AND u.disabled_at IS NULL AND u.id <> $2 LIMIT 1",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &LIST,
    &LOCK,
    &LOCK_ADMINS,
    &HAS_OTHER_ADMIN,
    &CLAIM_FIRST,
    &ANY_EVER,
    &INSERT,
    &FIND,
    &FIND_BY_USERNAME,
    &FIND_BY_EMAIL,
    &UPDATE,
    &NOTE_LOGIN,
];

#[async_trait]
impl<C: Connection> Users for Unit<C> {
    async fn claim_first(&mut self, id: OwnerId) -> Result<bool, StorageError> {
        self.execute(&CLAIM_FIRST, &[id.into()]).await
    }

    async fn any_ever(&mut self) -> Result<bool, StorageError> {
        self.execute(&ANY_EVER, &[]).await
    }

    async fn insert(&mut self, user: &User) -> Result<(), StorageError> {
        let (username_norm, email_norm, roles) = (user.username_norm(), user.email_norm(), roles_json(&user.roles));
        let values: [Value<'_>; 14] = [
            user.id.into(),
            (&user.username).into(),
            (&username_norm).into(),
            (&user.email).into(),
            (&email_norm).into(),
            user.email_verified_at.into(),
            (&user.password_hash).into(),
            user.password_changed_at.into(),
            (&roles).into(),
            user.disabled_at.into(),
            user.last_login_at.into(),
            user.created_at.into(),
            user.updated_at.into(),
            user.version.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find_by_login_name(&mut self, name: &LoginName) -> Result<Option<User>, StorageError> {
        let row = match name {
            LoginName::Email(norm) => self.fetch_optional(&FIND_BY_EMAIL, &[norm.into()]).await?,
            LoginName::Username(norm) => self.fetch_optional(&FIND_BY_USERNAME, &[norm.into()]).await?,
        };
        row.map(|row| read(&mut Reader::new(&row, "identity_users")))
            .transpose()
    }

    async fn find(&mut self, id: OwnerId) -> Result<Option<User>, StorageError> {
        let row = self.fetch_optional(&FIND, &[id.into()]).await?;
        row.map(|row| read(&mut Reader::new(&row, "identity_users")))
            .transpose()
    }

    async fn update(&mut self, user: &User, expected: Version) -> Result<bool, StorageError> {
        let (username_norm, email_norm, roles) = (user.username_norm(), user.email_norm(), roles_json(&user.roles));
        let values: [Value<'_>; 13] = [
            user.id.into(),
            expected.into(),
            (&user.username).into(),
            (&username_norm).into(),
            (&user.email).into(),
            (&email_norm).into(),
            user.email_verified_at.into(),
            (&user.password_hash).into(),
            user.password_changed_at.into(),
            (&roles).into(),
            user.disabled_at.into(),
            user.updated_at.into(),
            user.version.into(),
        ];
        self.execute(&UPDATE, &values).await
    }

    async fn note_login(&mut self, id: OwnerId, at: Instant) -> Result<(), StorageError> {
        self.fetch(&NOTE_LOGIN, &[id.into(), at.into()]).await.map(|_| ())
    }

    async fn list(&mut self, filter: UserFilter, after: Option<Place>, limit: u32) -> Result<Vec<User>, StorageError> {
        // The first page lies behind a place that no row can have.
        let (at, id) = after.map_or((Instant::MIN, Uuid::nil()), |place| (place.at, place.id));
        let values: [Value<'_>; 5] = [
            filter.role.map(Role::as_str).into(),
            filter.disabled.into(),
            at.into(),
            id.into(),
            limit.into(),
        ];
        let rows = self.fetch(&LIST, &values).await?;
        rows.iter()
            .map(|row| read(&mut Reader::new(row, "identity_users")))
            .collect()
    }

    async fn lock(&mut self, id: OwnerId) -> Result<bool, StorageError> {
        self.execute(&LOCK, &[id.into()]).await
    }

    async fn lock_admins(&mut self) -> Result<(), StorageError> {
        self.fetch(&LOCK_ADMINS, &[]).await.map(|_| ())
    }

    async fn has_other_admin(&mut self, id: OwnerId) -> Result<bool, StorageError> {
        self.execute(&HAS_OTHER_ADMIN, &[Role::Admin.as_str().into(), id.into()])
            .await
    }
}

/// Reads the columns of [`COLUMNS`].
pub(super) fn read<R: Row>(row: &mut Reader<'_, R>) -> Result<User, StorageError> {
    Ok(User {
        id: OwnerId(row.id()?),
        username: row.required_text("username")?,
        email: row.text("email")?,
        email_verified_at: row.instant("email_verified_at")?,
        password_hash: row.text("password_hash")?,
        password_changed_at: row.instant("password_changed_at")?,
        roles: read_roles(row)?,
        disabled_at: row.instant("disabled_at")?,
        last_login_at: row.instant("last_login_at")?,
        created_at: row.required_instant("created_at")?,
        updated_at: row.required_instant("updated_at")?,
        version: row.required_int("version")?,
    })
}

/// Roles as they are stored: a JSON array of words.
pub(super) fn roles_json(roles: &[Role]) -> String {
    let words: Vec<String> = roles.iter().map(|role| format!("\"{}\"", role.as_str())).collect();
    format!("[{}]", words.join(","))
}

/// Reads a `roles` column.
pub(super) fn read_roles<R: Row>(row: &mut Reader<'_, R>) -> Result<Vec<Role>, StorageError> {
    let words: Vec<String> = row.json("roles")?;
    words
        .iter()
        .map(|word| Role::from_word(word).ok_or_else(|| row.corrupt("roles")))
        .collect()
}
