//! Where a store lies and how it is reached, as the configuration says.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// A store in a PostgreSQL database: a schema, and the server on which it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresTarget {
    /// Where requests go. Stores whose servers are equal share one pool, whatever their schema (`CF-44`).
    pub server: PostgresServer,
    /// Where migrations go instead, when that is another address: past a pooler, for one.
    pub migrate: Option<PostgresServer>,
    /// The schema in which the tables lie; every statement names it.
    pub schema: String,
    /// The search path. No statement of ours rests on it (`CF-42`).
    pub search_path: Vec<String>,
    /// Whether every statement is logged, without the values of its parameters.
    pub log_sql: bool,
}

/// How a PostgreSQL database is reached, by whom, and with how many connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresServer {
    /// The server, or the pooler in front of it.
    pub host: Host,
    /// 5432 unless configured.
    pub port: u16,
    /// Who connects.
    pub user: String,
    /// Never shown.
    pub password: Option<Password>,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Shown by the server's views.
    pub application_name: String,
    /// What stands between here and the server.
    pub mode: PoolerMode,
    /// How statements are prepared.
    pub prepared: Prepared,
    /// How connections are shared.
    pub pool: PoolOptions,
    /// What the server ends by itself.
    pub timeouts: Timeouts,
    /// The context that has these connections to itself, where one does.
    pub dedicated: Option<&'static str>,
}

/// Where a PostgreSQL server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A name or an address.
    Tcp(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

/// A password. It is never shown, and wiped when it is dropped.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// How a connection is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// Not at all: for loopback and sockets.
    Off,
    /// Encrypted, with a certificate that is trusted. Nothing ever falls back to less.
    Verified {
        /// Whether the certificate must name the host (`verify-full`) or not (`verify-ca`).
        host_name: bool,
        /// The certificates (PEM) that are trusted instead of the system's.
        ca_file: Option<PathBuf>,
    },
}

/// What stands between Larder and the server (`CF-40`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolerMode {
    /// Nothing.
    Direct,
    /// A pooler that gives each connection a server process of its own.
    Session,
    /// A pooler that gives each transaction a server process, so that nothing outlives one.
    Transaction,
}

/// How statements are prepared (`CF-41`, `CF-43`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prepared {
    /// Once per connection, under a name.
    Named,
    /// With every use and without a name, which is what a transaction-mode pooler can bear.
    Unnamed,
}

/// How connections are shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolOptions {
    /// Connections that are kept; for SQLite, readers.
    pub size: usize,
    /// Connections beyond those, which are closed when they have been idle for 10 s. SQLite has none.
    pub max_overflow: usize,
    /// A connection is closed when it is so old, give or take 10 %.
    pub max_lifetime: Duration,
    /// A connection is closed when nobody used it for so long.
    pub idle_timeout: Duration,
    /// Longest wait for a new connection.
    pub connect_timeout: Duration,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
}

/// What the server ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Longest time of a statement.
    pub statement: Duration,
    /// Longest wait for a lock.
    pub lock: Duration,
    /// Longest pause between two statements of a transaction.
    pub idle_in_transaction: Duration,
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
    /// Whether every statement is logged, without the values of its parameters.
    pub log_sql: bool,
}

impl PostgresTarget {
    /// Where migrations go.
    pub fn migration_server(&self) -> &PostgresServer {
        self.migrate.as_ref().unwrap_or(&self.server)
    }
}

impl Password {
    /// The password itself, for the driver.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for Password {
    fn from(password: SecretString) -> Self {
        Self(password)
    }
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Self(password.into())
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Password {}

impl Tls {
    /// A certificate that the system trusts and that names the host.
    pub const VERIFY_FULL: Self = Self::Verified {
        host_name: true,
        ca_file: None,
    };
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 10,
            max_overflow: 10,
            max_lifetime: Duration::from_secs(900),
            idle_timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(10),
            lock: Duration::from_secs(3),
            idle_in_transaction: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// The settings of the server that say the same, in milliseconds.
    pub fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("statement_timeout", self.statement),
            ("lock_timeout", self.lock),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction),
        ]
        .map(|(name, time)| (name, time.as_millis().to_string()))
    }
}

/// The search path of connections that these stores share: the schemas of all of them, each once.
pub fn shared_search_path<'a>(targets: impl IntoIterator<Item = &'a PostgresTarget>) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for schema in targets.into_iter().flat_map(|target| &target.search_path) {
        if !path.contains(schema) {
            path.push(schema.clone());
        }
    }
    path
}

/// Schema names as the value of the setting `search_path`.
pub fn quoted_list<S: AsRef<str>>(schemas: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = schemas.into_iter().map(|schema| quoted(schema.as_ref())).collect();
    quoted.join(", ")
}

/// A name as SQL spells it whatever characters it has.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(search_path: &[&str]) -> PostgresTarget {
        PostgresTarget {
            server: PostgresServer {
                host: Host::Tcp("db.example.com".into()),
                port: 5432,
                user: "larder".into(),
                password: Some("secret".into()),
                database: "larder".into(),
                tls: Tls::VERIFY_FULL,
                application_name: "larder".into(),
                mode: PoolerMode::Direct,
                prepared: Prepared::Named,
                pool: PoolOptions::default(),
                timeouts: Timeouts::default(),
                dedicated: None,
            },
            migrate: None,
            schema: search_path[0].to_owned(),
            search_path: search_path.iter().map(|&schema| schema.to_owned()).collect(),
            log_sql: false,
        }
    }

    #[test]
    fn cf_44_servers_are_equal_whatever_the_schema() {
        let (one, other) = (target(&["one"]), target(&["other", "public"]));
        assert_eq!(one.server, other.server);
        let mut dedicated = other.server.clone();
        dedicated.dedicated = Some("health");
        assert_ne!(one.server, dedicated);
        let mut of_another = other.server.clone();
        of_another.password = Some("another".into());
        assert_ne!(one.server, of_another);
    }

    #[test]
    fn a_shared_search_path_names_every_schema_once_and_quoted() {
        let targets = [target(&["Mixed-\"Case", "public"]), target(&["other", "public"])];
        let path = shared_search_path(&targets);
        assert_eq!(quoted_list(path), r#""Mixed-""Case", "public", "other""#);
    }

    #[test]
    fn a_password_is_never_shown() {
        assert!(!format!("{:?}", target(&["larder"])).contains("secret\""));
        assert!(format!("{:?}", target(&["larder"])).contains("REDACTED"));
    }
}
