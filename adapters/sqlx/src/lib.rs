//! PostgreSQL and SQLite through sqlx.
//!
//! Connections are sqlx's, the pool is deadpool's: sqlx's own pool sends a message to the database with every connection that
//! comes back, and its `begin` can leave a transaction open on a pooled connection when it is cancelled.

pub mod migrate;

mod connection;
mod pool;
mod postgres;
mod row;
mod sqlite;

pub use connection::PooledConnection;
pub use pool::{PostgresPool, SqlitePool};

use larder_sql::SqlStore;

/// A store of every context in a PostgreSQL database.
pub type PostgresStore = SqlStore<PostgresPool>;

/// A store of every context in a SQLite file: one writer, and readers that can't write.
pub type SqliteStore = SqlStore<SqlitePool>;
