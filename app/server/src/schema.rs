//! Brings the schema of a store up to date, or tells that it isn't.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use larder_migrations::Context;
use larder_sqlx::migrate::{self, MigrateError};

use crate::config::StoreTarget;
use crate::exit::{Exit, Status};

/// A store, and what is to be done with the schema of each context that lies in it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) target: StoreTarget,
    /// Contexts whose pending migrations are applied.
    pub(crate) migrate: Vec<Context>,
    /// Contexts whose pending migrations are an error.
    pub(crate) check: Vec<Context>,
    /// How long the start waits for the store; `None`: it goes on without (`CF-52`).
    pub(crate) require_within: Option<Duration>,
}

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("{0} migrations are pending; run `larder migrate`, or set database.migrate_on_start = true")]
    Pending(usize),
    #[error("the folder {} can't be made", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl SchemaError {
    /// Whether trying again may help without anybody doing anything: a server comes back by itself, a file that can't be opened
    /// does not.
    pub(crate) fn is_outage_of(&self, target: &StoreTarget) -> bool {
        matches!(self, Self::Migrate(MigrateError::Unreachable(_))) && !matches!(target, StoreTarget::Sqlite(_))
    }

    pub(crate) fn into_exit(self) -> Exit {
        let status = match &self {
            Self::Pending(_) => Status::Pending,
            Self::Folder(..) | Self::Migrate(MigrateError::Unreachable(_)) => Status::Unreachable,
            Self::Migrate(MigrateError::Newer(_)) => Status::SchemaNewer,
            Self::Migrate(MigrateError::Locked) => Status::Locked,
            Self::Migrate(MigrateError::Failed(_)) => Status::MigrationFailed,
        };
        Exit::of(status, &self)
    }
}

/// Applies what the plan says and checks the rest. Answers how many migrations were applied.
pub(crate) async fn prepare(plan: &Plan) -> Result<usize, SchemaError> {
    let applied = apply(&plan.target, &plan.migrate).await?;
    if applied > 0 {
        tracing::info!(applied, store = %plan.target, "the schema was brought up to date");
    }
    match pending(&plan.target, &plan.check).await? {
        0 => Ok(applied),
        count => Err(SchemaError::Pending(count)),
    }
}

async fn apply(target: &StoreTarget, contexts: &[Context]) -> Result<usize, SchemaError> {
    if contexts.is_empty() {
        return Ok(0);
    }
    let report = match target {
        StoreTarget::Sqlite(target) => {
            if let Some(folder) = target.path.parent() {
                fs::create_dir_all(folder).map_err(|error| SchemaError::Folder(folder.to_owned(), error))?;
            }
            migrate::sqlite(target, contexts).await?
        }
        StoreTarget::PgSqlx(target) | StoreTarget::PgTokio(target) => migrate::postgres(target, contexts).await?,
    };
    Ok(report.applied)
}

async fn pending(target: &StoreTarget, contexts: &[Context]) -> Result<usize, SchemaError> {
    if contexts.is_empty() {
        return Ok(0);
    }
    Ok(match target {
        StoreTarget::Sqlite(target) => migrate::pending_sqlite(target, contexts).await?,
        StoreTarget::PgSqlx(target) | StoreTarget::PgTokio(target) => {
            migrate::pending_postgres(target, contexts).await?
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_sql::target::{PoolOptions, SqliteTarget};
    use tempfile::TempDir;

    use super::*;

    fn plan(path: PathBuf, migrate: &[Context], check: &[Context]) -> Plan {
        let second = Duration::from_secs(1);
        Plan {
            target: StoreTarget::Sqlite(SqliteTarget {
                path,
                pool: PoolOptions {
                    size: 1,
                    acquire_timeout: second,
                    connect_timeout: second,
                    ..PoolOptions::default()
                },
                busy_timeout: second,
                log_sql: false,
            }),
            migrate: migrate.to_vec(),
            check: check.to_vec(),
            require_within: None,
        }
    }

    #[tokio::test]
    async fn cf_53_pending_migrations_are_applied_or_an_error() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new/larder.db");
        let refused = prepare(&plan(path.clone(), &[], Context::ALL)).await.unwrap_err();
        assert!(matches!(refused, SchemaError::Pending(1..)), "{refused}");
        assert!(!path.exists(), "a check makes nothing");

        let applied = prepare(&plan(path.clone(), Context::ALL, &[])).await.unwrap();
        assert!(applied >= Context::ALL.len());
        assert_eq!(prepare(&plan(path, &[], Context::ALL)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_made_is_not_waited_for() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let plan = plan(folder.path().join("file/larder.db"), Context::ALL, &[]);
        let error = prepare(&plan).await.unwrap_err();
        assert!(!error.is_outage_of(&plan.target));
        assert_eq!(error.into_exit().status(), Status::Unreachable);
    }
}
