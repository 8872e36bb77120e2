use std::thread;

use tokio::runtime::Builder;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

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

    /// The password in that address.
    pub(crate) fn password(&self) -> String {
        String::from_utf8_lossy(self.server.get_password().unwrap_or_default()).into_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // A runtime of its own, since the test's is busy being dropped.
        let dropped = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&server, &statement));
        })
        .join();
        assert!(dropped.is_ok() || thread::panicking(), "the test database is dropped");
    }
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
