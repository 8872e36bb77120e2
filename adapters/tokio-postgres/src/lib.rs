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
use larder_sql::target::{Host, PostgresServer, Tls, quoted_list};
use tokio_postgres::{Config, NoTls};

use connection::PooledConnection;

/// A store of every context in a PostgreSQL database.
pub type PostgresStore = SqlStore<PostgresPool>;

/// The connections of a [`PostgresStore`].
#[derive(Clone)]
pub struct PostgresPool(deadpool_postgres::Pool);

fn config(server: &PostgresServer, search_path: &[String]) -> Config {
    let mut config = Config::new();
    match &server.host {
        Host::Tcp(host) => config.host(host),
        Host::Socket(folder) => config.host_path(folder),
    };
    config
        .port(server.port)
        .user(&server.user)
        .dbname(&server.database)
        .application_name(&server.application_name)
        .connect_timeout(server.pool.connect_timeout)
        .keepalives_idle(Duration::from_secs(60))
        .options(options(server, search_path));
    if let Some(password) = &server.password {
        config.password(password.expose());
    }
    config.ssl_mode(match server.tls {
        Tls::Off => tokio_postgres::config::SslMode::Disable,
        Tls::Verified { .. } => tokio_postgres::config::SslMode::Require,
    });
    config
}

/// Settings as the server reads them from the start-up message: backslash and space escaped.
fn options(server: &PostgresServer, search_path: &[String]) -> String {
    let path = quoted_list(search_path).replace('\\', "\\\\").replace(' ', "\\ ");
    let settings = server.timeouts.settings();
    let settings = settings
        .into_iter()
        .chain([("search_path", path), ("TimeZone", "UTC".to_owned())]);
    let settings: Vec<String> = settings.map(|(name, value)| format!("-c {name}={value}")).collect();
    settings.join(" ")
}

impl PostgresPool {
    /// Makes a pool whose connections have this search path. No connection is made yet, so this succeeds while the database is
    /// away.
    ///
    /// Answers [`StorageError::Internal`] when the server can't be used at all, as when TLS is asked for on a system without
    /// trusted certificates.
    pub fn open(server: &PostgresServer, search_path: &[String]) -> Result<Self, StorageError> {
        // Fast only looks whether the connection is closed. No more is needed: a connection comes back only after COMMIT or
        // ROLLBACK was answered, and is closed otherwise.
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let config = config(server, search_path);
        let manager = match &server.tls {
            Tls::Off => Manager::from_config(config, NoTls, recycling),
            Tls::Verified { .. } => Manager::from_config(config, tls::connector()?, recycling),
        };
        deadpool_postgres::Pool::builder(manager)
            .max_size(server.pool.size)
            .wait_timeout(Some(server.pool.acquire_timeout))
            .create_timeout(Some(server.pool.connect_timeout))
            .recycle_timeout(Some(server.pool.connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| StorageError::Internal(error.into()))
    }
}

#[async_trait]
impl larder_sql::Pool for PostgresPool {
    type Connection = PooledConnection;

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
