use std::marker::PhantomData;

use async_trait::async_trait;
use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult, TimeoutType};
use larder_ports::outbound::{Access, Outage, StorageError};
use larder_sql::target::{PoolOptions, PostgresServer, SqliteTarget};
use sqlx::{ConnectOptions, Connection};

use crate::connection::{Driver, PooledConnection};
use crate::{postgres, sqlite};

/// Makes connections for a pool.
pub(crate) struct Manager<C: Connection> {
    options: C::Options,
    connection: PhantomData<fn() -> C>,
}

impl<C: Driver> managed::Manager for Manager<C> {
    type Type = C;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<C, sqlx::Error> {
        self.options.connect().await
    }

    /// Nothing is sent: a connection comes back only after COMMIT or ROLLBACK was answered, and is closed otherwise.
    async fn recycle(&self, connection: &mut C, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if connection.is_broken() {
            Err(RecycleError::message("the connection broke"))
        } else {
            Ok(())
        }
    }
}

fn pool<C: Driver>(
    options: C::Options,
    pool: PoolOptions,
    size: usize,
) -> Result<managed::Pool<Manager<C>>, StorageError> {
    managed::Pool::builder(Manager {
        options,
        connection: PhantomData,
    })
    .max_size(size)
    .wait_timeout(Some(pool.acquire_timeout))
    .create_timeout(Some(pool.connect_timeout))
    .recycle_timeout(Some(pool.connect_timeout))
    .runtime(deadpool::Runtime::Tokio1)
    .build()
    .map_err(|error| StorageError::Internal(error.into()))
}

async fn acquire<C: Driver>(pool: &managed::Pool<Manager<C>>) -> Result<PooledConnection<C>, StorageError> {
    pool.get().await.map(PooledConnection::new).map_err(|error| {
        let outage = match &error {
            PoolError::Timeout(TimeoutType::Wait) => Outage::PoolExhausted,
            _ => Outage::Unreachable,
        };
        StorageError::Unavailable(outage, Some(error.into()))
    })
}

/// The connections of a [`PostgresStore`](crate::PostgresStore).
#[derive(Clone)]
pub struct PostgresPool(managed::Pool<Manager<sqlx::PgConnection>>);

impl PostgresPool {
    /// Makes a pool whose connections have this search path. No connection is made yet, so this succeeds while the database is
    /// away.
    pub fn open(server: &PostgresServer, search_path: &[String]) -> Result<Self, StorageError> {
        pool(postgres::options(server, search_path), server.pool, server.pool.size).map(Self)
    }
}

#[async_trait]
impl larder_sql::Pool for PostgresPool {
    type Connection = PooledConnection<sqlx::PgConnection>;

    async fn acquire(&self, _: Access) -> Result<Self::Connection, StorageError> {
        acquire(&self.0).await
    }

    async fn close(&self) {
        self.0.close();
    }
}

/// The connections of a [`SqliteStore`](crate::SqliteStore).
#[derive(Clone)]
pub struct SqlitePool {
    /// A single connection: units that write wait for each other here, in order, instead of in the file's lock.
    writer: managed::Pool<Manager<sqlx::SqliteConnection>>,
    /// Connections that can't write.
    readers: managed::Pool<Manager<sqlx::SqliteConnection>>,
}

impl SqlitePool {
    /// Makes a pool. The file is not touched yet.
    pub fn open(target: &SqliteTarget) -> Result<Self, StorageError> {
        let options = sqlite::options(target);
        Ok(Self {
            writer: pool(options.clone(), target.pool, 1)?,
            readers: pool(
                options.read_only(true).create_if_missing(false),
                target.pool,
                target.pool.size,
            )?,
        })
    }
}

#[async_trait]
impl larder_sql::Pool for SqlitePool {
    type Connection = PooledConnection<sqlx::SqliteConnection>;

    async fn acquire(&self, access: Access) -> Result<Self::Connection, StorageError> {
        match access {
            Access::Read => acquire(&self.readers).await,
            Access::Write => acquire(&self.writer).await,
        }
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}
