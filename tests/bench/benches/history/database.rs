use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use larder_migrations::Context;
use larder_ports::outbound::Store;
use larder_ports::outbound::chat::ChatUnit;
use larder_sql::target::{
    Host, PoolOptions, PoolerMode, PostgresServer, PostgresTarget, Prepared, SqliteTarget, Timeouts, Tls,
};
use tempfile::TempDir;

use crate::history::History;

pub(crate) type ChatStore = dyn Store<dyn ChatUnit>;

/// From so many messages on, PostgreSQL makes the index of search after them, which takes half the time.
const MANY: usize = 100_000;
const INDEX: &str = "ix_chat_message_search__lexemes";

/// An empty database and the adapters that serve it.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) stores: Vec<(&'static str, Arc<ChatStore>)>,
    server: Option<String>,
    folder: Option<TempDir>,
}

fn pool() -> PoolOptions {
    PoolOptions {
        size: 4,
        max_overflow: 0,
        acquire_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        ..PoolOptions::default()
    }
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let target = SqliteTarget {
            path: folder.path().join("larder.db"),
            pool: pool(),
            busy_timeout: Duration::from_secs(5),
            log_sql: false,
        };
        larder_sqlx::migrate::sqlite(&target, &[Context::Chat]).await.unwrap();
        let pool = larder_sqlx::SqlitePool::open(&target).unwrap();
        Self {
            name: "SQLite",
            stores: vec![("sqlite", Arc::new(larder_sqlx::SqliteStore::new(pool, "")))],
            server: None,
            folder: Some(folder),
        }
    }

    /// A database on the server that `tests/bench/run` started.
    pub(crate) async fn postgres() -> Self {
        let url = variable("LARDER_TEST_POSTGRES_URL");
        let (base, _) = url.rsplit_once('/').expect("an address with a database");
        let (account, address) = base.rsplit_once('@').expect("an address with an account");
        let account = account.trim_start_matches("postgres://");
        let (user, password) = account.split_once(':').unwrap_or((account, ""));
        let address: SocketAddr = address.parse().expect("host and port");
        psql(&format!("{base}/postgres"), &["CREATE DATABASE bench_history"]);
        let server = PostgresServer {
            host: Host::Tcp(address.ip().to_string()),
            port: address.port(),
            user: user.to_owned(),
            password: (!password.is_empty()).then(|| password.into()),
            database: "bench_history".into(),
            tls: Tls::Off,
            application_name: "larder-bench".into(),
            mode: PoolerMode::Direct,
            prepared: Prepared::Named,
            pool: pool(),
            timeouts: Timeouts {
                statement: Duration::from_secs(600),
                lock: Duration::from_secs(10),
                idle_in_transaction: Duration::from_secs(60),
            },
            dedicated: None,
        };
        let target = PostgresTarget {
            server,
            migrate: None,
            schema: "larder".into(),
            search_path: vec!["larder".into()],
            log_sql: false,
        };
        let tokio = larder_tokio_postgres::PostgresPool::open(&target.server, &target.search_path).unwrap();
        let sqlx = larder_sqlx::PostgresPool::open(&target.server, &target.search_path).unwrap();
        larder_sqlx::migrate::postgres(&target, &[Context::Chat]).await.unwrap();
        Self {
            name: "PostgreSQL",
            stores: vec![
                (
                    "pg-tokio",
                    Arc::new(larder_tokio_postgres::PostgresStore::new(tokio, &target.schema)) as Arc<ChatStore>,
                ),
                (
                    "pg-sqlx",
                    Arc::new(larder_sqlx::PostgresStore::new(sqlx, &target.schema)),
                ),
            ],
            server: Some(format!("{base}/bench_history")),
            folder: None,
        }
    }

    /// Makes up messages until the owner has `size`.
    pub(crate) async fn grow(&self, history: &mut History, size: usize) {
        let (_, store) = &self.stores[0];
        let Some(server) = &self.server else {
            history.grow(store.as_ref(), size).await;
            return;
        };
        let definition = psql(
            server,
            &[&format!("SELECT pg_get_indexdef('larder.{INDEX}'::regclass)")],
        );
        if size >= MANY {
            psql(server, &[&format!("DROP INDEX larder.{INDEX}")]);
        }
        history.grow(store.as_ref(), size).await;
        if size >= MANY {
            psql(server, &["SET maintenance_work_mem = '1GB'", definition.trim()]);
        }
        psql(server, &["VACUUM ANALYZE"]);
        println!("{}", psql(server, &[SPACE]).trim());
    }

    pub(crate) fn remove(self) {
        if let Some(folder) = self.folder {
            let file = folder.path().join("larder.db");
            let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
            println!("SQLite: {} MiB", bytes >> 20);
        }
    }
}

const SPACE: &str = "SELECT format('PostgreSQL: messages %s, documents %s, index of lexemes %s', \
    pg_size_pretty(pg_table_size('larder.chat_messages')), pg_size_pretty(pg_table_size('larder.chat_message_search')), \
    pg_size_pretty(pg_relation_size('larder.ix_chat_message_search__lexemes')))";

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `tests/bench/run history`"))
}

/// Runs commands one after another and gives what they print.
fn psql(server: &str, commands: &[&str]) -> String {
    let program = PathBuf::from(variable("LARDER_BENCH_POSTGRES_BIN")).join("psql");
    let mut command = Command::new(program);
    command.args(["--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
    for text in commands {
        command.args(["--command", text]);
    }
    let output = command.arg(server).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
