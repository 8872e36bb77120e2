//! The adapters under test, each on a database of its own per case.

mod counted;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use larder_conformance::{Engine, Stores};
use larder_sql::target::PoolOptions;

use counted::Counted;
pub(crate) use postgres::{PgSqlx, PgTokio};
pub(crate) use sqlite::Sqlite;

/// Small, so that a connection that is lost shows.
const POOL: PoolOptions = PoolOptions {
    size: 4,
    max_overflow: 0,
    max_lifetime: Duration::from_secs(900),
    idle_timeout: Duration::from_secs(300),
    connect_timeout: Duration::from_secs(8),
    acquire_timeout: Duration::from_secs(8),
};

/// An adapter with a fresh, migrated database.
#[async_trait]
pub(crate) trait Adapter: Engine + Sized + 'static {
    /// Makes the database.
    async fn set_up() -> Self;

    /// The stores on it.
    fn stores(&self) -> Stores;

    /// Closes every connection and removes the database.
    async fn tear_down(&self);
}
