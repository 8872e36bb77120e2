use std::thread;

use tokio::runtime::Builder;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::until;

/// An empty database of its own on the server that `tests/run` started, dropped with this value.
pub(crate) struct Database {
    name: String,
    server: Config,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let server: Config = std::env::var("LARDER_TEST_POSTGRES_URL")
            .expect("No PostgreSQL to test with: run `tests/run`, which starts one, or name one in LARDER_TEST_POSTGRES_URL.")
            .parse()
            .expect("LARDER_TEST_POSTGRES_URL is an address of PostgreSQL");
        let this = Self {
            name: format!("larder_e2e_{}", random_hex()),
            server,
        };
        execute(&this.server, &format!("CREATE DATABASE {}", this.name)).await;
        this
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> (String, u16) {
        let [Host::Tcp(host), ..] = self.server.get_hosts() else {
            panic!("LARDER_TEST_POSTGRES_URL names a host");
        };
        (host.clone(), *self.server.get_ports().first().unwrap_or(&5432))
    }

    /// The address of this database, on `port` of the server's host.
    pub(crate) fn url(&self, port: u16) -> String {
        let user = self.server.get_user().unwrap_or_default();
        let password = String::from_utf8_lossy(self.server.get_password().unwrap_or_default()).into_owned();
        let (host, _) = self.address();
        format!("postgres://{user}:{password}@{host}:{port}/{}", self.name)
    }

    /// The parts of that address, each with the key that sets it.
    pub(crate) fn parts(&self) -> [(&'static str, String); 5] {
        let (host, port) = self.address();
        let user = self.server.get_user().unwrap_or_default();
        [
            ("HOST", host),
            ("PORT", port.to_string()),
            ("NAME", self.name.clone()),
            ("USER", user.to_owned()),
            ("PASSWORD", self.password()),
        ]
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first column of what a query answers.
    pub(crate) async fn query(&self, statement: &str) -> Vec<String> {
        let mut database = self.server.clone();
        database.dbname(&self.name).application_name("the test itself");
        let (client, connection) = database
            .connect(NoTls)
            .await
            .expect("the PostgreSQL of the tests answers");
        let connection = tokio::spawn(connection);
        let rows = client.simple_query(statement).await.expect("the query works");
        drop(client);
        connection.await.expect("no panic").expect("the connection ends well");
        let values = rows.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        values.collect()
    }

    /// Another user of the server who owns nothing, dropped with the value.
    pub(crate) async fn role(&self, password: &str) -> Role {
        let role = Role {
            name: format!("larder_e2e_{}", random_hex()),
            server: self.server.clone(),
        };
        let password = password.replace('\'', "''");
        execute(
            &self.server,
            &format!("CREATE ROLE {} LOGIN PASSWORD '{password}'", role.name),
        )
        .await;
        role
    }

    /// The password in that address.
    pub(crate) fn password(&self) -> String {
        String::from_utf8_lossy(self.server.get_password().unwrap_or_default()).into_owned()
    }
}

/// A session of somebody else in the database of an installation.
pub(crate) struct Session(Client);

/// A table that nobody else can use until it is released.
pub(crate) struct Lock(Client);

impl Lock {
    pub(crate) async fn release(self) {
        self.0.batch_execute("ROLLBACK").await.expect("the lock is released");
    }
}

impl Database {
    async fn connect(&self) -> Client {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .expect("the PostgreSQL of the tests answers");
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn session(&self) -> Session {
        Session(self.connect().await)
    }

    /// Takes a table of Larder, whatever its schema, away from everybody else.
    pub(crate) async fn lock(&self, table: &str) -> Lock {
        let client = self.connect().await;
        let found = client
            .query_one(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename = $1",
                &[&table],
            )
            .await
            .expect("one table of this name");
        let table: String = found.get(0);
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.expect("the table is locked");
        Lock(client)
    }
}

impl Session {
    /// Waits until a statement of Larder waits for a lock.
    pub(crate) async fn until_a_statement_waits(&self) {
        until("a statement waits", async || {
            (self.count("wait_event_type = 'Lock'").await > 0).then_some(())
        })
        .await;
    }

    /// How many connections Larder has.
    pub(crate) async fn connections(&self) -> i64 {
        self.count("true").await
    }

    /// How many rows a table of Larder has, whatever its schema.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let found = self
            .0
            .query_one(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename = $1",
                &[&table],
            )
            .await
            .expect("one table of this name");
        let table: String = found.get(0);
        let counted = self.0.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await;
        counted.expect("a number").get(0)
    }

    async fn count(&self, condition: &str) -> i64 {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'larder%' AND {condition}"
        );
        self.0.query_one(&query, &[]).await.expect("statistics").get(0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute_at_the_end(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A user of the server.
pub(crate) struct Role {
    name: String,
    server: Config,
}

impl Role {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute_at_the_end(&self.server, format!("DROP ROLE {}", self.name));
    }
}

fn execute_at_the_end(server: &Config, statement: String) {
    let server = server.clone();
    // A runtime of its own, since the test's is busy being dropped.
    let done = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(execute(&server, &statement));
    })
    .join();
    assert!(done.is_ok() || thread::panicking(), "what the test made is dropped");
}

async fn execute(server: &Config, statement: &str) {
    let (client, connection) = server
        .connect(NoTls)
        .await
        .expect("the PostgreSQL of the tests answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.expect("the statement works");
    drop(client);
    connection.await.expect("no panic").expect("the connection ends well");
}

/// 16 digits that no other run has, from the randomly seeded hasher of the standard library.
fn random_hex() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
