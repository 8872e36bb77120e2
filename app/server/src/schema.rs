//! Brings the schema of a store up to date, or tells that it isn't.

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
}

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("{0} migrations are pending; run `larder migrate`, or set database.migrate_on_start = true")]
    Pending(usize),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl SchemaError {
    /// Whether trying again may help without anybody doing anything.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Migrate(MigrateError::Unreachable(_)))
    }

    pub(crate) fn into_exit(self) -> Exit {
        let status = match &self {
            Self::Pending(_) => Status::Pending,
            Self::Migrate(MigrateError::Unreachable(_)) => Status::Unreachable,
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
                std::fs::create_dir_all(folder).map_err(|error| MigrateError::Failed(error.into()))?;
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
