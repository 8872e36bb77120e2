use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Database, Service};

/// How Larder is told to store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Adapter {
    Sqlite,
    PgSqlx,
    PgTokio,
}

/// One installation of Larder: a data folder and, on PostgreSQL, a database, which outlive its processes.
pub(crate) struct Installation {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    /// Last, so that the folder goes first and the processes are gone by then.
    database: Option<Database>,
}

/// What a command of Larder left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Installation {
    /// An empty installation with the schema in place.
    pub(crate) async fn new(adapter: Adapter) -> Self {
        let this = Self::without_schema(adapter).await;
        let migrated = this.run(&["migrate"], "").await;
        assert_eq!(migrated.code, Some(0), "larder migrate: {migrated:?}");
        this
    }

    /// An installation as a newcomer has it.
    pub(crate) async fn without_schema(adapter: Adapter) -> Self {
        let database = match adapter {
            Adapter::Sqlite => None,
            Adapter::PgSqlx | Adapter::PgTokio => Some(Database::create().await),
        };
        let folder = TempDir::new().expect("a temporary folder");
        let mut this = Self {
            folder,
            variables: BTreeMap::new(),
            database,
        }
        .with("LARDER_HTTP__LISTEN", "127.0.0.1:0")
        .with("LARDER_ADMIN__LISTEN", "127.0.0.1:0")
        .with("LARDER_IDENTITY__SIGN_UP", "open")
        // Cheap hashes: no case is about their cost.
        .with("LARDER_IDENTITY__BCRYPT_COST", "4")
        .with("LARDER_IDENTITY__ALLOW_WEAK_HASHES", "true")
        // Every case comes from one address.
        .with("LARDER_IDENTITY__IP_RATE_PER_MINUTE", "0");
        let data = this.data_folder();
        this.set("LARDER_DATA_DIR", data.to_str().expect("UTF-8"));
        if let Some(database) = &this.database {
            let url = database.url(database.address().1);
            this.set("LARDER_DATABASE__URL", &url);
            let driver = match adapter {
                Adapter::PgTokio => "pg-tokio",
                _ => "pg-sqlx",
            };
            this.set("LARDER_DATABASE__DRIVER", driver);
        }
        this
    }

    /// The same with one more environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The folder in which its processes run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What would differ if a command had changed the store: the file's bytes, or the names of everything in the database.
    pub(crate) async fn state(&self) -> Vec<String> {
        let Some(database) = &self.database else {
            let file = self.data_folder().join("larder-development.db");
            return std::fs::read(file)
                .map(|bytes| format!("{bytes:?}"))
                .into_iter()
                .collect();
        };
        let names = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' \
                     UNION ALL SELECT oid || ' ' || relname || ' ' || relfilenode FROM pg_class ORDER BY 1";
        database.query(names).await
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The database of an installation on PostgreSQL.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("only on PostgreSQL")
    }

    /// The binary with the variables of this installation and no others, in an empty folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command of the binary to its end.
    pub(crate) async fn run(&self, arguments: &[&str], stdin: &str) -> Outcome {
        let mut child = self.command(arguments).spawn().expect("the binary starts");
        let mut input = child.stdin.take().expect("piped");
        // A command that needs no input may be gone before it is written.
        let _ = input.write_all(stdin.as_bytes()).await;
        drop(input);
        let output = timeout(Duration::from_secs(60), child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("`larder {}` hangs", arguments.join(" ")))
            .expect("its output can be read");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Starts the service and waits until it takes requests.
    pub(crate) async fn start(&self) -> Service {
        let service = self.launch().await;
        service.until_ready().await;
        service
    }

    /// Starts the service and waits until it listens, ready or not.
    pub(crate) async fn launch(&self) -> Service {
        Service::launch(self.command(&["serve"])).await
    }
}

/// The binary that cargo built beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/<test>");
    let binary = profile.join(format!("larder{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "There is no binary `larder` beside the tests: run `tests/run`, or `cargo build --workspace --all-targets` first."
    );
    binary
}
