//! Where a store lies and how it is reached, as the configuration says.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    /// The server.
    pub host: Host,
    /// 5432 unless configured.
    pub port: u16,
    /// Who connects.
    pub user: String,
    /// Never shown.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// The schema in which the tables lie; every statement names it.
    pub schema: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Shown by the server's views.
    pub application_name: String,
    /// How connections are shared.
    pub pool: PoolOptions,
    /// Enforced by the server.
    pub statement_timeout: Duration,
    /// Enforced by the server.
    pub lock_timeout: Duration,
    /// Enforced by the server.
    pub idle_in_transaction_timeout: Duration,
}

/// Where a PostgreSQL server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A name or an address.
    Tcp(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tls {
    /// Not at all: for loopback and sockets.
    Off,
    /// Encrypted, with a certificate that the system trusts and that names the host.
    VerifyFull,
}

/// How connections are shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolOptions {
    /// Most connections; for SQLite, most readers.
    pub size: usize,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// Longest wait for a new connection.
    pub connect_timeout: Duration,
}

/// A SQLite file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqliteTarget {
    /// The file; made when it is missing.
    pub path: PathBuf,
    /// One writer, and so many readers as it says.
    pub pool: PoolOptions,
    /// How long a statement waits for another process to release the file.
    pub busy_timeout: Duration,
}

impl PartialEq for PostgresTarget {
    fn eq(&self, other: &Self) -> bool {
        let password = |target: &Self| target.password.as_ref().map(|secret| secret.expose_secret().to_owned());
        password(self) == password(other)
            && (
                &self.host,
                self.port,
                &self.user,
                &self.database,
                &self.schema,
                self.tls,
            ) == (
                &other.host,
                other.port,
                &other.user,
                &other.database,
                &other.schema,
                other.tls,
            )
            && (&self.application_name, self.pool) == (&other.application_name, other.pool)
            && (
                self.statement_timeout,
                self.lock_timeout,
                self.idle_in_transaction_timeout,
            ) == (
                other.statement_timeout,
                other.lock_timeout,
                other.idle_in_transaction_timeout,
            )
    }
}

impl Eq for PostgresTarget {}

impl PostgresTarget {
    /// The server settings of every connection, as start-up options.
    pub fn session_settings(&self) -> [(&'static str, String); 4] {
        [
            ("statement_timeout", self.statement_timeout.as_millis().to_string()),
            ("lock_timeout", self.lock_timeout.as_millis().to_string()),
            (
                "idle_in_transaction_session_timeout",
                self.idle_in_transaction_timeout.as_millis().to_string(),
            ),
            ("TimeZone", "UTC".to_owned()),
        ]
    }
}
