//! How fast Larder is on each storage adapter, and how near it comes to `pgbench` with the same SQL: appending a message and
//! listing the last 20 sessions, with 1 and with 16 connections. Figures, not gates.
//!
//! Rounds of all adapters and of pgbench are interleaved, and what is printed are the medians, so that a noisy minute hits
//! everybody alike. Client, service and database share the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and gives up where it can't measure"
)]

mod floor;
mod http;
mod load;
mod process;
mod relay;
mod report;
mod service;

use std::thread;
use std::time::Duration;

use floor::Floor;
use report::{Figures, Report};
use service::{Adapter, Service};

/// Sessions that the account has.
const SESSIONS: usize = 200;
const CONNECTIONS: [usize; 2] = [1, 16];
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_secs(2);

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Operation {
    /// A message onto a session of its own for each connection.
    Append,
    /// The last 20 of 200 sessions.
    List,
}

impl Operation {
    const ALL: [Self; 2] = [Self::Append, Self::List];

    fn name(self) -> &'static str {
        match self {
            Self::Append => "append a message",
            Self::List => "list 20 sessions",
        }
    }
}

fn main() {
    let mut report = Report::default();
    let mut services: Vec<Service> = Adapter::ALL.into_iter().map(Service::new).collect();
    for service in &mut services {
        eprintln!("{}: start, seed", service.adapter.name());
        service.measure_starts(&mut report);
        service.seed(SESSIONS);
    }
    let floor = Floor::on(&services[Adapter::ALL.len() - 1]);
    for round in 1..=ROUNDS {
        for operation in Operation::ALL {
            for connections in CONNECTIONS {
                eprintln!(
                    "round {round} of {ROUNDS}: {}, {connections} connections",
                    operation.name()
                );
                for service in &services {
                    report.add(
                        service.adapter.name(),
                        operation,
                        connections,
                        service.load(operation, connections),
                    );
                }
                report.add("pgbench", operation, connections, floor.load(operation, connections));
            }
        }
    }
    for service in &mut services {
        report.memory_under_load(service.adapter.name(), service.memory());
        for operation in Operation::ALL {
            if let Some(round_trips) = service.round_trips(operation) {
                report.round_trips(service.adapter.name(), operation, round_trips);
            }
        }
    }
    let version = services[0]
        .server
        .program("psql", "postgres", &["-Atc", "SHOW server_version"]);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    report.print(&format!(
        "{cores} cores for client, service and database together; PostgreSQL {}, fsync on; medians of {ROUNDS} rounds of {MEASURED:?}.",
        version.trim()
    ));
}
