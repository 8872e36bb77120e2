use std::sync::Arc;

use async_trait::async_trait;
use larder_sql::target::SqliteTarget;
use larder_sql::{Dialect, Failure, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use crate::connection::Driver;
use crate::row::SqlxRow;

/// How a connection is made: a commit is durable when it is answered, and readers don't wait for the writer.
pub(crate) fn options(target: &SqliteTarget) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&target.path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(target.busy_timeout)
        .disable_statement_logging()
}

#[async_trait]
impl Driver for SqliteConnection {
    const DIALECT: Dialect = Dialect::Sqlite;
    /// Takes the write lock at once: a plain BEGIN would fail in the middle of the unit, despite the busy timeout.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";

    type Answer = SqlxRow<sqlx::sqlite::SqliteRow>;

    async fn fetch(
        &mut self,
        text: AssertSqlSafe<Arc<str>>,
        values: &[Value<'_>],
    ) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let mut query = sqlx::query(text);
        for value in values {
            query = match *value {
                Value::Uuid(id) => query.bind(id),
                Value::Text(text) => query.bind(text.map(str::to_owned)),
                Value::Int(number) => query.bind(number),
                Value::Bool(flag) => query.bind(flag),
                Value::Instant(instant) => query.bind(instant.map(|instant| instant.as_micros())),
                Value::Bytes(bytes) => query.bind(bytes.map(<[u8]>::to_vec)),
            };
        }
        Ok(query.fetch_all(self).await?.into_iter().map(SqlxRow).collect())
    }

    async fn send(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(text).execute(self).await.map(|_| ())
    }

    fn reported(error: sqlx::Error) -> Failure {
        let reported = error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref::<SqliteError>());
        let code = reported
            .and_then(|error| sqlx::error::DatabaseError::code(error)?.parse().ok())
            .unwrap_or(0);
        let message = reported
            .map(|error| sqlx::error::DatabaseError::message(error).to_owned())
            .unwrap_or_default();
        Failure::sqlite(code, &message, error.into())
    }

    /// An embedded engine has no connection to lose.
    fn is_broken(&self) -> bool {
        false
    }
}
