use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use larder_sql::{Catalogue, Dialect, statements};
use serde_json::json;
use tempfile::TempDir;

use crate::service::{MESSAGE, SESSION_ID_PREFIX, Service};
use crate::{Figures, MEASURED, Operation, load};

/// `pgbench` with the SQL that Larder sends: what the database gives when nothing stands in front of it.
pub(crate) struct Floor<'a> {
    service: &'a Service,
    folder: TempDir,
    catalogue: Catalogue,
}

impl<'a> Floor<'a> {
    /// On the database of a service, as its account.
    pub(crate) fn on(service: &'a Service) -> Self {
        let schema = service.server.program(
            "psql",
            service.database(),
            &[
                "-Atc",
                "SELECT schemaname FROM pg_tables WHERE tablename = 'chat_sessions'",
            ],
        );
        Self {
            service,
            folder: TempDir::new().expect("a temporary folder"),
            catalogue: Catalogue::new(Dialect::Postgres, schema.trim()),
        }
    }

    /// One round of load.
    pub(crate) fn load(&self, operation: Operation, connections: usize) -> Figures {
        let script = self.folder.path().join("script.sql");
        fs::write(&script, self.script(operation)).expect("a file");
        let log = self.folder.path().join("log");
        let (clients, seconds) = (connections.to_string(), MEASURED.as_secs().to_string());
        let before = self.service.server.cpu();
        let mut pgbench = Command::new(self.service.server.programs.join("pgbench"));
        let output = pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=2"])
            .args(["--client", &clients, "--time", &seconds])
            .arg(format!("--log-prefix={}", log.display()))
            .arg(format!("--file={}", script.display()))
            .arg(format!("{}/{}", self.service.server.base, self.service.database()))
            .output()
            .expect("pgbench runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Its connections end a moment after it, and are counted wholly only then.
        thread::sleep(Duration::from_millis(300));
        let cpu = self.service.server.cpu() - before;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let per_second = printed
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let mut latency = load::histogram();
        for entry in fs::read_dir(self.folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path != script {
                // Each line tells client, number and microseconds of a transaction.
                for line in fs::read_to_string(&path).expect("a log").lines() {
                    let microseconds = line.split(' ').nth(2).expect("three fields");
                    latency.saturating_record(microseconds.parse().expect("a number"));
                }
                fs::remove_file(path).expect("a log");
            }
        }
        Figures {
            per_second: per_second.unwrap_or_else(|| panic!("no rate: {printed}")),
            service_cpu: None,
            database_cpu: Some(cpu.as_secs_f64() * 1000.0 / latency.len() as f64),
            latency,
        }
    }

    /// The statement that Larder sends for the operation, its parameters filled in.
    fn script(&self, operation: Operation) -> String {
        let owner = format!("'{}'::uuid", self.service.owner_id);
        // The session of this connection; clients of pgbench count from 0.
        let session = format!(
            "('{}' || lpad(to_hex(:client_id + 1), 12, '0'))::uuid",
            SESSION_ID_PREFIX
        );
        // pgbench takes a word after a single colon for a variable, hence the spaces.
        let message = json!([{
            "id": "@", "position": 1, "sender_role": "user", "status": "complete", "text": MESSAGE, "is_tts": false,
            "is_gps_location": false, "show_transcribe_button": false, "favourite": false, "test_mode": false,
        }]);
        let message = message.to_string().replace("\":", "\": ");
        let message = format!("replace('{message}', '@', gen_random_uuid()::text)");
        match operation {
            Operation::Append => {
                let values = [&owner, &session, "1::bigint", "true", "now()", &message, "'[]'"];
                self.statement("chat_messages.append", &values)
            }
            Operation::List => {
                // One row more than the page has, to see whether there is a next one.
                let values = [
                    &owner,
                    "'infinity'::timestamptz",
                    "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid",
                    "21",
                ];
                self.statement("chat_sessions.list_live", &values)
            }
        }
    }

    fn statement(&self, name: &str, values: &[&str]) -> String {
        let statement = statements()
            .find(|statement| statement.name == name)
            .expect("a statement of this name");
        let text = self
            .catalogue
            .text(statement)
            .expect("a statement of PostgreSQL")
            .to_string();
        // From the last, so that `$1` is not found in `$12`.
        let numbered = values.iter().enumerate().rev();
        let text = numbered.fold(text, |text, (at, value)| text.replace(&format!("${}", at + 1), value));
        assert!(
            !text.contains('$'),
            "{name} has other parameters than the benchmark knows: {text}"
        );
        format!("{text};\n")
    }
}
