use async_trait::async_trait;
use larder_domain::{Instant, OwnerId};
use larder_migrations::Context;
use larder_ports::outbound::{Claim, IdempotencyKeys, RequestKey, StorageError, StoredAnswer};

use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Dialect, Unit};

/// The statements of one context, whose records lie in a table of its own: so they are in the same store as the rows that the
/// repeated request made.
struct Statements {
    table: &'static str,
    claim: &'static Statement,
    keep: &'static Statement,
    sweep: &'static Statement,
}

macro_rules! of_context {
    ($name:ident, $table:literal) => {
        mod $name {
            use super::*;

            /// A key that is there already is locked and answered as it is; one that expired is made anew.
            static CLAIM: Statement = Statement {
                name: concat!($table, ".claim"),
                effect: Effect::Writes,
                text: concat!(
                    "INSERT INTO {s}",
                    $table,
                    " (owner_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4) ",
                    "ON CONFLICT (owner_id, key) DO UPDATE SET ",
                    "fingerprint = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN excluded.fingerprint ELSE ",
                    $table,
                    ".fingerprint END, ",
                    "status = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN NULL ELSE ",
                    $table,
                    ".status END, ",
                    "location = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN NULL ELSE ",
                    $table,
                    ".location END, ",
                    "etag = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN NULL ELSE ",
                    $table,
                    ".etag END, ",
                    "body = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN NULL ELSE ",
                    $table,
                    ".body END, ",
                    "created_at = CASE WHEN ",
                    $table,
                    ".created_at < $5 THEN excluded.created_at ELSE ",
                    $table,
                    ".created_at END ",
                    "RETURNING fingerprint, status, location, etag, body"
                ),
                only: None,
            };
            static KEEP: Statement = Statement {
                name: concat!($table, ".keep"),
                effect: Effect::Writes,
                text: concat!(
                    "WITH swept AS (DELETE FROM {s}",
                    $table,
                    " WHERE owner_id = $1 AND created_at < $7) ",
                    "UPDATE {s}",
                    $table,
                    " SET status = $3, location = $4, etag = $5, body = $6 ",
                    "WHERE owner_id = $1 AND key = $2"
                ),
                only: Some(Dialect::Postgres),
            };
            static KEEP_ALONE: Statement = Statement {
                name: concat!($table, ".keep_alone"),
                effect: Effect::Writes,
                text: concat!(
                    "UPDATE {s}",
                    $table,
                    " SET status = $3, location = $4, etag = $5, body = $6 ",
                    "WHERE owner_id = $1 AND key = $2"
                ),
                only: Some(Dialect::Sqlite),
            };
            static SWEEP: Statement = Statement {
                name: concat!($table, ".sweep"),
                effect: Effect::Writes,
                text: concat!(
                    "DELETE FROM {s}",
                    $table,
                    " WHERE owner_id = $1 AND created_at < $2"
                ),
                only: Some(Dialect::Sqlite),
            };

            pub(super) const STATEMENTS: &[&Statement] = &[&CLAIM, &KEEP, &KEEP_ALONE, &SWEEP];

            pub(super) fn of(dialect: Dialect) -> Statements {
                let keep = match dialect {
                    Dialect::Postgres => &KEEP,
                    Dialect::Sqlite => &KEEP_ALONE,
                };
                Statements {
                    table: $table,
                    claim: &CLAIM,
                    keep,
                    sweep: &SWEEP,
                }
            }
        }
    };
}

of_context!(identity, "identity_idempotency_keys");
of_context!(chat, "chat_idempotency_keys");

/// Every statement, by context.
pub(crate) fn statements() -> &'static [&'static [&'static Statement]] {
    &[identity::STATEMENTS, chat::STATEMENTS]
}

fn of(context: Context, dialect: Dialect) -> Statements {
    match context {
        Context::Identity => identity::of(dialect),
        Context::Chat => chat::of(dialect),
    }
}

#[async_trait]
impl<C: Connection> IdempotencyKeys for Unit<C> {
    async fn claim(
        &mut self,
        owner_id: OwnerId,
        request: &RequestKey,
        now: Instant,
        expired: Instant,
    ) -> Result<Claim, StorageError> {
        let of = of(self.context(), C::DIALECT);
        let values = [
            owner_id.into(),
            (&request.key).into(),
            (&request.fingerprint).into(),
            now.into(),
            expired.into(),
        ];
        let row = self.fetch_optional(of.claim, &values).await?;
        row.map_or(Ok(Claim::New), |row| read(&row, of.table))
    }

    async fn keep(
        &mut self,
        owner_id: OwnerId,
        key: &str,
        answer: &StoredAnswer,
        expired: Instant,
    ) -> Result<(), StorageError> {
        let of = of(self.context(), C::DIALECT);
        let values = [
            owner_id.into(),
            key.into(),
            answer.status.into(),
            (&answer.location).into(),
            (&answer.etag).into(),
            (&answer.body).into(),
            expired.into(),
        ];
        match C::DIALECT {
            Dialect::Postgres => self.execute(of.keep, &values).await?,
            Dialect::Sqlite => {
                self.execute(of.keep, &values[..6]).await?;
                self.execute(of.sweep, &[owner_id.into(), expired.into()]).await?
            }
        };
        Ok(())
    }
}

fn read<R: Row>(row: &R, table: &'static str) -> Result<Claim, StorageError> {
    let mut row = Reader::new(row, table);
    let fingerprint = row.digest("fingerprint")?;
    // Only the unit that claimed the key sees it without an answer: nothing is committed before the answer is there.
    let Some(status) = row.int("status")? else {
        return Ok(Claim::New);
    };
    let answer = StoredAnswer {
        status,
        location: row.text("location")?,
        etag: row.text("etag")?,
        body: row.required_text("body")?,
    };
    Ok(Claim::Answered { fingerprint, answer })
}
