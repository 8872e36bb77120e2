use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder_conformance::{Engine, Stores};
use larder_migrations::Context;
use larder_sql::target::{Host, PoolerMode, PostgresServer, PostgresTarget, Prepared, Timeouts, Tls};
use larder_sql::{Pool, SqlStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::OnceCell;

use super::{Adapter, Counted, POOL};

/// PostgreSQL through sqlx.
pub(crate) type PgSqlx = Postgres<larder_sqlx::PostgresPool>;

/// PostgreSQL through tokio-postgres.
pub(crate) type PgTokio = Postgres<larder_tokio_postgres::PostgresPool>;

/// A database of its own on the server that the tests were given.
pub(crate) struct Postgres<P> {
    database: Database,
    pool: Counted<P>,
    store: SqlStore<Counted<P>>,
}

/// Connections to PostgreSQL.
pub(crate) trait PostgresPool: Pool {
    fn open(target: &PostgresTarget) -> Self;
}

impl PostgresPool for larder_sqlx::PostgresPool {
    fn open(target: &PostgresTarget) -> Self {
        Self::open(&target.server, &target.search_path).unwrap()
    }
}

impl PostgresPool for larder_tokio_postgres::PostgresPool {
    fn open(target: &PostgresTarget) -> Self {
        Self::open(&target.server, &target.search_path).unwrap()
    }
}

#[async_trait]
impl<P: PostgresPool> Adapter for Postgres<P> {
    async fn set_up() -> Self {
        let database = Database::migrated().await;
        let target = database.target();
        let pool = Counted::new(P::open(&target));
        Self {
            store: SqlStore::new(pool.clone(), &target.schema),
            pool,
            database,
        }
    }

    fn stores(&self) -> Stores {
        Stores {
            identity: Arc::new(self.store.clone()),
            chat: Arc::new(self.store.clone()),
        }
    }

    async fn tear_down(&self) {
        self.store.close().await;
        self.database.remove().await;
    }
}

#[async_trait]
impl<P: PostgresPool> Engine for Postgres<P> {
    /// Ends every connection to the database and waits until they are gone. The server lives on, and so does the store.
    async fn crash(&self) -> Stores {
        let mut admin = server().await.connect().await;
        let sessions: Vec<i32> = sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE datname = $1")
            .bind(&self.database.name)
            .fetch_all(&mut admin)
            .await
            .unwrap();
        // Each is told to end and given so many milliseconds to do so. One that ended by itself meanwhile can't be told any more, so
        // what counts is that none is left.
        sqlx::query("SELECT pg_terminate_backend(pid, 5000) FROM unnest($1) AS pid")
            .bind(&sessions)
            .execute(&mut admin)
            .await
            .unwrap();
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid = ANY($2)")
                .bind(&self.database.name)
                .bind(&sessions)
                .fetch_one(&mut admin)
                .await
                .unwrap();
        assert_eq!(left, 0, "a connection outlived its termination");
        admin.close().await.unwrap();
        self.stores()
    }

    fn pool_size(&self) -> usize {
        POOL.size
    }

    fn statements(&self) -> u64 {
        self.pool.statements()
    }
}

/// A database that is there for one test.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// A copy of the migrated template.
    pub(crate) async fn migrated() -> Self {
        let server = server().await;
        Self::create(server, Some(server.template().await)).await
    }

    /// One without any table.
    pub(crate) async fn empty() -> Self {
        Self::create(server().await, None).await
    }

    async fn create(server: &Server, template: Option<&str>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}_{}", server.prefix, COUNT.fetch_add(1, Ordering::Relaxed));
        let template = template
            .map(|template| format!(" TEMPLATE \"{template}\""))
            .unwrap_or_default();
        server.run(format!("CREATE DATABASE \"{name}\"{template}")).await;
        Self { name }
    }

    pub(crate) fn target(&self) -> PostgresTarget {
        SERVER.get().expect("the server made this database").target(&self.name)
    }

    /// A connection past the adapters.
    pub(crate) async fn connect(&self) -> PgConnection {
        let server = server().await;
        server.options.clone().database(&self.name).connect().await.unwrap()
    }

    pub(crate) async fn remove(&self) {
        server().await.run(drop_database(&self.name)).await;
    }
}

fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")
}

/// The server that the tests were given.
struct Server {
    options: PgConnectOptions,
    password: Option<String>,
    /// How the names of this run's databases begin. They tell their age, so that another run can sweep what a crashed one left.
    prefix: String,
    template: OnceCell<String>,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

async fn server() -> &'static Server {
    SERVER.get_or_init(Server::find).await
}

impl Server {
    async fn find() -> Self {
        let Ok(url) = std::env::var("LARDER_TEST_POSTGRES_URL") else {
            panic!(
                "LARDER_TEST_POSTGRES_URL names no PostgreSQL server to test on. `tests/run` starts one for the whole run; or \
                 name one of your own (15 or newer, with a superuser): postgres://USER:PASSWORD@HOST:PORT/postgres"
            )
        };
        let options = PgConnectOptions::from_str(&url).expect("LARDER_TEST_POSTGRES_URL is a PostgreSQL URL");
        let mut admin = options
            .connect()
            .await
            .expect("the server of LARDER_TEST_POSTGRES_URL answers");
        let now: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint")
            .fetch_one(&mut admin)
            .await
            .unwrap();
        sweep(&mut admin, now).await;
        admin.close().await.unwrap();
        Self {
            password: password(&url),
            options,
            prefix: format!("larder_case_{now}_{}", std::process::id()),
            template: OnceCell::new(),
        }
    }

    async fn connect(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    async fn run(&self, statement: String) {
        let mut admin = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
    }

    /// The name of a migrated database, made once per process. The next run sweeps it.
    async fn template(&self) -> &str {
        let made = self.template.get_or_init(|| async {
            let name = format!("{}_template", self.prefix);
            self.run(format!("CREATE DATABASE \"{name}\"")).await;
            larder_sqlx::migrate::postgres(&self.target(&name), Context::ALL)
                .await
                .unwrap();
            // Nobody may be connected to a database that is copied, not even the server's own vacuum.
            self.run(format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"))
                .await;
            name
        });
        made.await
    }

    fn target(&self, database: &str) -> PostgresTarget {
        let server = PostgresServer {
            host: match self.options.get_socket() {
                Some(folder) => Host::Socket(folder.clone()),
                None => Host::Tcp(self.options.get_host().to_owned()),
            },
            port: self.options.get_port(),
            user: self.options.get_username().to_owned(),
            password: self.password.as_deref().map(Into::into),
            database: database.to_owned(),
            tls: Tls::Off,
            application_name: "larder-conformance".into(),
            mode: PoolerMode::Direct,
            prepared: Prepared::Named,
            pool: POOL,
            timeouts: Timeouts {
                statement: Duration::from_secs(60),
                lock: Duration::from_secs(20),
                idle_in_transaction: Duration::from_secs(60),
            },
            dedicated: None,
        };
        PostgresTarget {
            server,
            migrate: None,
            schema: "larder".into(),
            search_path: vec!["larder".into()],
            log_sql: false,
        }
    }
}

/// Removes databases of runs that ended more than an hour ago.
async fn sweep(admin: &mut PgConnection, now: i64) {
    let found: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'larder\\_case\\_%'")
            .fetch_all(&mut *admin)
            .await
            .unwrap();
    for name in found {
        let made: Option<i64> = name.split('_').nth(2).and_then(|epoch| epoch.parse().ok());
        if made.is_some_and(|made| now - made > 3_600) {
            // Another run may be sweeping the same one.
            let _ = sqlx::raw_sql(AssertSqlSafe(drop_database(&name)))
                .execute(&mut *admin)
                .await;
        }
    }
}

/// The password of a URL: sqlx reads it but does not tell it.
fn password(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (user, _) = rest.split_once('@')?;
    user.split_once(':').map(|(_, password)| password.to_owned())
}
