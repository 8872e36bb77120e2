//! Brings the schema of a store up to date. Serves every adapter: migrations run over a connection of their own, once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use larder_migrations::{Context, Dialect};
use larder_sql::target::{PostgresTarget, SqliteTarget, quoted};
use sqlx::migrate::{Migrate, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqlSafeStr, SqliteConnection};

use crate::{postgres, sqlite};

/// How long a process waits for another one that migrates.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Migrations that ran now.
    pub applied: usize,
}

/// Why the schema is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database can't be reached.
    #[error("the database can't be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The schema has migrations that this program doesn't know.
    #[error("the schema is newer than this program: it has the migration {0}")]
    Newer(i64),
    /// Another process held the lock for too long.
    #[error("another process is migrating and does not come to an end")]
    Locked,
    /// A migration failed. What it did was rolled back.
    #[error("a migration failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Applies what is missing to a PostgreSQL schema, which is made when it is missing. Any number of processes may do so at once.
pub async fn postgres(target: &PostgresTarget, contexts: &[Context]) -> Result<Report, MigrateError> {
    let mut connection = connect_postgres(target).await?;
    if pending_on_postgres(&mut connection, target, contexts).await? == 0 {
        return Ok(Report::default());
    }
    lock(&mut connection, target).await?;
    let applied = pending_on_postgres(&mut connection, target, contexts).await?;
    if applied > 0 {
        make_schema(&mut connection, target).await?;
        for context in contexts {
            apply(&mut connection, *context, Dialect::Postgres).await?;
        }
    }
    // Closing the connection releases the lock.
    connection.close().await.map_err(failed)?;
    Ok(Report { applied })
}

/// Applies what is missing to a SQLite file, which is made when it is missing. Any number of processes may do so at once.
pub async fn sqlite(target: &SqliteTarget, contexts: &[Context]) -> Result<Report, MigrateError> {
    let mut connection = sqlite::options(target)
        .connect()
        .await
        .map_err(MigrateError::Unreachable)?;
    let mut waited = Duration::ZERO;
    loop {
        let applied = pending_on_sqlite(&mut connection, contexts).await?;
        if applied == 0 {
            connection.close().await.map_err(failed)?;
            return Ok(Report::default());
        }
        let outcome = async {
            for context in contexts {
                apply(&mut connection, *context, Dialect::Sqlite).await?;
            }
            Ok(())
        };
        match outcome.await {
            Ok(()) => {
                connection.close().await.map_err(failed)?;
                return Ok(Report { applied });
            }
            // SQLite has no lock that outlives a transaction, so two processes may try the same migration. The second one fails on
            // the first one's tables or its lock, looks again and finds the work done.
            Err(error) if waited >= LOCK_PATIENCE || !is_collision(&error) => return Err(error),
            Err(_) => waited += pause().await,
        }
    }
}

/// How many migrations a PostgreSQL schema lacks. Changes nothing.
pub async fn pending_postgres(target: &PostgresTarget, contexts: &[Context]) -> Result<usize, MigrateError> {
    pending_on_postgres(&mut connect_postgres(target).await?, target, contexts).await
}

/// How many migrations a SQLite file lacks. Changes nothing; a missing file lacks them all.
pub async fn pending_sqlite(target: &SqliteTarget, contexts: &[Context]) -> Result<usize, MigrateError> {
    if !target.path.exists() {
        return Ok(contexts.iter().map(|context| context.migrations().len()).sum());
    }
    let mut connection = sqlite::options(target)
        .connect()
        .await
        .map_err(MigrateError::Unreachable)?;
    pending_on_sqlite(&mut connection, contexts).await
}

/// Undoes every migration of the contexts in a PostgreSQL schema, the newest first. The data is gone.
pub async fn undo_postgres(target: &PostgresTarget, contexts: &[Context]) -> Result<(), MigrateError> {
    let mut connection = connect_postgres(target).await?;
    lock(&mut connection, target).await?;
    for context in contexts.iter().rev() {
        migrator(*context, Dialect::Postgres)
            .undo(&mut connection, 0)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Undoes every migration of the contexts in a SQLite file, the newest first. The data is gone.
pub async fn undo_sqlite(target: &SqliteTarget, contexts: &[Context]) -> Result<(), MigrateError> {
    let mut connection = sqlite::options(target)
        .connect()
        .await
        .map_err(MigrateError::Unreachable)?;
    for context in contexts.iter().rev() {
        migrator(*context, Dialect::Sqlite)
            .undo(&mut connection, 0)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn connect_postgres(target: &PostgresTarget) -> Result<PgConnection, MigrateError> {
    let server = target.migration_server();
    let settings = [
        ("search_path", quoted(&target.schema)),
        ("lock_timeout", server.timeouts.lock.as_millis().to_string()),
    ];
    let options = postgres::address(server).options(settings);
    match tokio::time::timeout(server.pool.connect_timeout, options.connect()).await {
        Ok(connected) => connected.map_err(MigrateError::Unreachable),
        Err(_) => Err(MigrateError::Unreachable(sqlx::Error::PoolTimedOut)),
    }
}

/// Polls for the lock: a process that waits inside `pg_advisory_lock` holds a snapshot, on which a migration that builds an index
/// concurrently would wait in turn.
async fn lock(connection: &mut PgConnection, target: &PostgresTarget) -> Result<(), MigrateError> {
    let mut waited = Duration::ZERO;
    loop {
        let locked: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('larder migrations ' || $1, 0))")
                .bind(&target.schema)
                .fetch_one(&mut *connection)
                .await
                .map_err(failed)?;
        if locked {
            return Ok(());
        }
        if waited >= LOCK_PATIENCE {
            return Err(MigrateError::Locked);
        }
        waited += pause().await;
    }
}

async fn pause() -> Duration {
    let pause = Duration::from_millis(fastrand::u64(50..150));
    tokio::time::sleep(pause).await;
    pause
}

/// Makes the schema where it is missing. Asked for first, since an existing one needs no right to make any.
async fn make_schema(connection: &mut PgConnection, target: &PostgresTarget) -> Result<(), MigrateError> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
        .bind(&target.schema)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !exists {
        let create = format!("CREATE SCHEMA {}", quoted(&target.schema));
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn pending_on_postgres(
    connection: &mut PgConnection,
    target: &PostgresTarget,
    contexts: &[Context],
) -> Result<usize, MigrateError> {
    let mut pending = 0;
    for context in contexts {
        let exists: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2)")
                .bind(&target.schema)
                .bind(context.bookkeeping_table())
                .fetch_one(&mut *connection)
                .await
                .map_err(MigrateError::Unreachable)?;
        let seen: Vec<i64> = match exists {
            true => sqlx::query_scalar(AssertSqlSafe(seen_by(*context)))
                .fetch_all(&mut *connection)
                .await
                .map_err(failed)?,
            false => Vec::new(),
        };
        pending += missing(*context, &seen)?;
    }
    Ok(pending)
}

async fn pending_on_sqlite(connection: &mut SqliteConnection, contexts: &[Context]) -> Result<usize, MigrateError> {
    let mut pending = 0;
    for context in contexts {
        let exists: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)")
                .bind(context.bookkeeping_table())
                .fetch_one(&mut *connection)
                .await
                .map_err(MigrateError::Unreachable)?;
        let seen: Vec<i64> = match exists {
            true => sqlx::query_scalar(AssertSqlSafe(seen_by(*context)))
                .fetch_all(&mut *connection)
                .await
                .map_err(failed)?,
            false => Vec::new(),
        };
        pending += missing(*context, &seen)?;
    }
    Ok(pending)
}

fn seen_by(context: Context) -> String {
    format!("SELECT version FROM {} WHERE success", context.bookkeeping_table())
}

fn missing(context: Context, seen: &[i64]) -> Result<usize, MigrateError> {
    let known: BTreeSet<i64> = context.migrations().iter().map(|migration| migration.version).collect();
    let seen: BTreeSet<i64> = seen.iter().copied().collect();
    match seen.difference(&known).next() {
        Some(newer) => Err(MigrateError::Newer(*newer)),
        None => Ok(known.difference(&seen).count()),
    }
}

async fn apply<C: Migrate>(connection: &mut C, context: Context, dialect: Dialect) -> Result<(), MigrateError> {
    migrator(context, dialect)
        .run_direct(None, connection, false)
        .await
        .map_err(failed)
}

fn migrator(context: Context, dialect: Dialect) -> Migrator {
    let migrations = context.migrations().iter().flat_map(|migration| {
        [
            (MigrationType::ReversibleUp, migration.up(dialect)),
            (MigrationType::ReversibleDown, migration.down(dialect)),
        ]
        .map(|(way, script)| {
            let name = Cow::Borrowed(migration.name);
            sqlx::migrate::Migration::new(migration.version, name, way, script.into_sql_str(), false)
        })
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(context.bookkeeping_table());
    // The lock is this module's own, since sqlx waits inside the database.
    migrator.set_locking(false);
    migrator
}

fn is_collision(error: &MigrateError) -> bool {
    let MigrateError::Failed(source) = error else {
        return false;
    };
    let text = source.to_string();
    ["locked", "busy", "already exists", "UNIQUE constraint failed"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> MigrateError {
    MigrateError::Failed(error.into())
}
