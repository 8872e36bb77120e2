use std::env;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::http::{Connection, request};
use crate::relay::Relay;
use crate::report::Report;
use crate::{Figures, Operation, load, process};

/// How Larder stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Adapter {
    Sqlite,
    PgSqlx,
    PgTokio,
}

impl Adapter {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::PgSqlx, Self::PgTokio];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::PgSqlx => "pg-sqlx",
            Self::PgTokio => "pg-tokio",
        }
    }

    fn is_postgres(self) -> bool {
        self != Self::Sqlite
    }
}

/// The server that `tests/bench/run` started.
pub(crate) struct Server {
    /// `postgres://user:password@host:port`, without a database.
    pub(crate) base: String,
    pub(crate) address: SocketAddr,
    pub(crate) programs: PathBuf,
    postmaster: u32,
}

impl Server {
    pub(crate) fn of_this_run() -> Self {
        let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `tests/bench/run`"));
        let url = variable("LARDER_TEST_POSTGRES_URL");
        let (base, _) = url.rsplit_once('/').expect("an address with a database");
        let (_, address) = base.rsplit_once('@').expect("an address with a password");
        Self {
            base: base.to_owned(),
            address: address.parse().expect("host and port"),
            programs: variable("LARDER_BENCH_POSTGRES_BIN").into(),
            postmaster: variable("LARDER_BENCH_POSTMASTER").parse().expect("a process id"),
        }
    }

    pub(crate) fn cpu(&self) -> Duration {
        process::server_cpu(self.postmaster)
    }

    /// Runs one of PostgreSQL's programs on a database and gives what it prints.
    pub(crate) fn program(&self, name: &str, database: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(self.programs.join(name));
        let output = command
            .args(arguments)
            .arg(format!("{}/{database}", self.base))
            .output()
            .expect("it runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{name}: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }
}

/// A Larder on one adapter with an account, its process running.
pub(crate) struct Service {
    pub(crate) adapter: Adapter,
    pub(crate) server: Server,
    folder: TempDir,
    child: Child,
    address: SocketAddr,
    token: String,
    pub(crate) owner_id: String,
}

impl Service {
    /// Makes the schema, and starts the service on it.
    pub(crate) fn new(adapter: Adapter) -> Self {
        let server = Server::of_this_run();
        if adapter.is_postgres() {
            let create = format!("CREATE DATABASE {}", database(adapter));
            server.program("psql", "postgres", &["--quiet", "--command", &create]);
        }
        let folder = TempDir::new().expect("a temporary folder");
        let address = free_address();
        let migrated = command(adapter, &server, folder.path(), address, server.address.port())
            .arg("migrate")
            .status();
        assert!(migrated.expect("the binary runs").success());
        let mut started = command(adapter, &server, folder.path(), address, server.address.port());
        let child = started.spawn().expect("the binary runs");
        let this = Self {
            adapter,
            server,
            folder,
            child,
            address,
            token: String::new(),
            owner_id: String::new(),
        };
        this.until_ready();
        this
    }

    /// Starts the process anew a few times on its schema, and leaves the last one running.
    pub(crate) fn measure_starts(&mut self, report: &mut Report) {
        for _ in 0..5 {
            self.stop();
            let begin = Instant::now();
            self.restart(self.server.address.port());
            report.start(self.adapter.name(), begin.elapsed().as_secs_f64() * 1000.0);
        }
        thread::sleep(Duration::from_secs(1));
        report.memory_idle(self.adapter.name(), self.memory());
    }

    /// Makes an account with so many sessions, whose ids count from 1.
    pub(crate) fn seed(&mut self, sessions: usize) {
        let mut connection = Connection::open(self.address).expect("the service listens");
        let person = json!({"username": "ann", "password": "a password for the bench"}).to_string();
        let signed_up = connection.json(&request("POST", "/api/v1/auth/sign-up", None, &person));
        self.token = signed_up["access_token"].as_str().expect("a token").to_owned();
        self.owner_id = signed_up["user"]["id"].as_str().expect("an id").to_owned();
        for n in 1..=sessions {
            let body = json!({
                "id": session_id(n), "name": format!("Session {n}"), "character_name": "guide",
                "tags": ["travel", "planning"],
            });
            connection.json(&request(
                "POST",
                "/api/v1/chat/sessions",
                Some(&self.token),
                &body.to_string(),
            ));
        }
    }

    /// One round of load.
    pub(crate) fn load(&self, operation: Operation, connections: usize) -> Figures {
        let requests: Vec<Vec<u8>> = (1..=connections).map(|n| self.request(operation, n)).collect();
        let mut service = Vec::new();
        let mut database = Vec::new();
        let load = load::run(self.address, &requests, || {
            service.push(process::cpu(self.child.id()));
            database.push(self.server.cpu());
        });
        let count = load.latency.len() as f64;
        let per_request = |cpu: &[Duration]| (cpu[1] - cpu[0]).as_secs_f64() * 1000.0 / count;
        Figures {
            per_second: count / load.elapsed.as_secs_f64(),
            latency: load.latency,
            service_cpu: Some(per_request(&service)),
            database_cpu: self.adapter.is_postgres().then(|| per_request(&database)),
        }
    }

    /// Resident MiB.
    pub(crate) fn memory(&self) -> f64 {
        process::resident(self.child.id())
    }

    /// Round trips to the database per request; `None` without a database to go to.
    pub(crate) fn round_trips(&mut self, operation: Operation) -> Option<f64> {
        const REQUESTS: u32 = 200;
        if !self.adapter.is_postgres() {
            return None;
        }
        let relay = Relay::to(self.server.address);
        self.stop();
        self.restart(relay.port());
        let mut connection = Connection::open(self.address).expect("the service listens");
        let request = self.request(operation, 1);
        let mut repeat = || {
            for _ in 0..REQUESTS {
                let (status, _) = connection.exchange(&request).expect("an answer");
                assert!(status < 300, "{status}");
            }
        };
        // Statements are prepared, and the caller's account is read, but once.
        repeat();
        let before = relay.count();
        repeat();
        Some((relay.count() - before) as f64 / f64::from(REQUESTS))
    }

    pub(crate) fn database(&self) -> &'static str {
        database(self.adapter)
    }

    fn request(&self, operation: Operation, connection: usize) -> Vec<u8> {
        let token = Some(self.token.as_str());
        match operation {
            Operation::Append => {
                let path = format!("/api/v1/chat/sessions/{}/messages", session_id(connection));
                let body = json!({"sender_role": "user", "text": MESSAGE}).to_string();
                request("POST", &path, token, &body)
            }
            Operation::List => request("GET", "/api/v1/chat/sessions?limit=20", token, ""),
        }
    }

    fn restart(&mut self, database_port: u16) {
        let mut command = command(
            self.adapter,
            &self.server,
            self.folder.path(),
            self.address,
            database_port,
        );
        self.child = command.spawn().expect("the binary runs");
        self.until_ready();
    }

    fn until_ready(&self) {
        let begin = Instant::now();
        let ready = request("GET", "/readyz", None, "");
        while begin.elapsed() < Duration::from_secs(20) {
            let answer = Connection::open(self.address).and_then(|mut connection| Ok(connection.exchange(&ready)?.0));
            if answer.is_ok_and(|status| status == 200) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!(
            "{} does not get ready: {:?}",
            self.adapter.name(),
            self.folder.path().join("log")
        );
    }

    fn stop(&mut self) {
        self.child.kill().expect("the service still ran");
        self.child.wait().expect("its end");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of the messages that are appended.
pub(crate) const MESSAGE: &str =
    "What should I see in London in three days, if I like museums, markets and long walks?";

/// What the ids of all sessions start with; their number follows.
pub(crate) const SESSION_ID_PREFIX: &str = "0199d3a0-0000-7000-8000-";

fn session_id(number: usize) -> String {
    format!("{SESSION_ID_PREFIX}{number:012x}")
}

fn database(adapter: Adapter) -> &'static str {
    match adapter {
        Adapter::PgTokio => "bench_tokio",
        _ => "bench_sqlx",
    }
}

/// The binary as a newcomer runs it, but for the address, and with the log in a file.
fn command(adapter: Adapter, server: &Server, folder: &Path, address: SocketAddr, database_port: u16) -> Command {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a file");
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("LARDER_HTTP__LISTEN", address.to_string())
        .env("LARDER_DATA_DIR", folder.join("data"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a handle"))
        .stderr(log);
    if adapter.is_postgres() {
        let base = server
            .base
            .replace(&format!(":{}", server.address.port()), &format!(":{database_port}"));
        command.env("LARDER_DATABASE__URL", format!("{base}/{}", database(adapter)));
        command.env("LARDER_DATABASE__DRIVER", adapter.name());
    }
    command
}

/// The binary that `tests/bench/run` built beside this benchmark.
fn binary() -> PathBuf {
    let bench = env::current_exe().expect("the path of this benchmark");
    let profile = bench
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/<benchmark>");
    profile.join("larder")
}

fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}
