//! PostgreSQL through tokio-postgres and deadpool.
//!
//! What this driver adds over the other one is pipelining: BEGIN travels in the same flush as the first statement of a unit, so
//! a unit costs its statements plus one round trip for COMMIT.

mod connection;
mod row;
mod tls;

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime};
use larder_ports::outbound::{Access, Outage, StorageError};
use larder_sql::SqlStore;
use larder_sql::target::{Host, PostgresTarget, Tls};
use secrecy::ExposeSecret;
use tokio_postgres::{Config, NoTls};

use connection::PooledConnection;

/// A store of every context in a PostgreSQL database.
pub type PostgresStore = SqlStore<PostgresPool>;

/// The connections of a [`PostgresStore`].
#[derive(Clone)]
pub struct PostgresPool(deadpool_postgres::Pool);

fn config(target: &PostgresTarget) -> Config {
    let mut config = Config::new();
    match &target.host {
        Host::Tcp(host) => config.host(host),
        Host::Socket(folder) => config.host_path(folder),
    };
    config
        .port(target.port)
        .user(&target.user)
        .dbname(&target.database)
        .application_name(&target.application_name)
        .connect_timeout(target.pool.connect_timeout)
        .keepalives_idle(Duration::from_secs(60))
        .options(options(target));
    if let Some(password) = &target.password {
        config.password(password.expose_secret());
    }
    config.ssl_mode(match target.tls {
        Tls::Off => tokio_postgres::config::SslMode::Disable,
        Tls::VerifyFull => tokio_postgres::config::SslMode::Require,
    });
    config
}

fn options(target: &PostgresTarget) -> String {
    let settings = target
        .session_settings()
        .map(|(name, value)| format!("-c {name}={value}"));
    settings.join(" ")
}

#[async_trait]
impl larder_sql::Pool for PostgresPool {
    type Connection = PooledConnection;
    type Target = PostgresTarget;

    fn open(target: &PostgresTarget) -> Result<Self, StorageError> {
        // Fast only looks whether the connection is closed. No more is needed: a connection comes back only after COMMIT or
        // ROLLBACK was answered, and is closed otherwise.
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let config = config(target);
        let manager = match target.tls {
            Tls::Off => Manager::from_config(config, NoTls, recycling),
            Tls::VerifyFull => Manager::from_config(config, tls::connector()?, recycling),
        };
        deadpool_postgres::Pool::builder(manager)
            .max_size(target.pool.size)
            .wait_timeout(Some(target.pool.acquire_timeout))
            .create_timeout(Some(target.pool.connect_timeout))
            .recycle_timeout(Some(target.pool.connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| StorageError::Internal(error.into()))
    }

    fn schema(target: &PostgresTarget) -> &str {
        &target.schema
    }

    async fn acquire(&self, _: Access) -> Result<PooledConnection, StorageError> {
        self.0.get().await.map(PooledConnection::new).map_err(|error| {
            let outage = match &error {
                PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Outage::PoolExhausted,
                _ => Outage::Unreachable,
            };
            StorageError::Unavailable(outage, Some(error.into()))
        })
    }

    async fn close(&self) {
        self.0.close();
    }
}
