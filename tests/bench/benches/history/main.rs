//! How fast each storage adapter is when an owner has a long history: appending, the first page of messages, the list of sessions,
//! and search, at 100, 10 000 and, where asked for, 1 000 000 messages. Figures, not gates.
//!
//! The stores are asked directly, without HTTP in between, one request at a time. Client and database share the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and gives up where it can't measure"
)]

mod database;
mod history;
mod queries;
mod report;
mod text;

use std::time::{Duration, Instant};

use database::Database;
use history::History;
use report::Report;

/// How many messages an owner has. What is above the argument of the run is left out.
const SIZES: [usize; 3] = [100, 10_000, 1_000_000];
/// Without an argument.
const DEFAULT: usize = 10_000;
const REPETITIONS: usize = 200;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(DEFAULT);
    let mut report = Report::default();
    for database in [Database::sqlite().await, Database::postgres().await] {
        let mut history = History::new();
        for size in SIZES.into_iter().filter(|size| *size <= wanted) {
            let begin = Instant::now();
            database.grow(&mut history, size).await;
            eprintln!("{}: {size} messages after {:.0?}", database.name, begin.elapsed());
            for (adapter, store) in &database.stores {
                measure(&mut report, adapter, store.as_ref(), &mut history, size).await;
            }
        }
        let mut samples = history.samples();
        for (adapter, store) in &database.stores {
            for kind in queries::KINDS {
                for query in kind.make(&mut samples) {
                    let (elapsed, found) = timed(history.search_messages(store.as_ref(), &query)).await;
                    report.search(adapter, "messages", kind.name, elapsed, found);
                    let (elapsed, found) = timed(history.search_sessions(store.as_ref(), &query)).await;
                    report.search(adapter, "sessions", kind.name, elapsed, found);
                }
            }
        }
        database.remove();
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    report.print(&format!(
        "{cores} cores for client and database together; {REPETITIONS} repetitions, one at a time, after a few to warm up."
    ));
}

async fn measure(
    report: &mut Report,
    adapter: &'static str,
    store: &database::ChatStore,
    history: &mut History,
    size: usize,
) {
    for repetition in 0..REPETITIONS + 10 {
        let (append, ()) = timed(history.append_to_longest(store)).await;
        let (page, ()) = timed(history.first_page_of_longest(store)).await;
        let (list, ()) = timed(history.list_sessions(store)).await;
        if repetition >= 10 {
            report.growth(adapter, "append a message", size, append);
            report.growth(adapter, "first page of messages", size, page);
            report.growth(adapter, "list of sessions", size, list);
        }
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let begin = Instant::now();
    let done = work.await;
    (begin.elapsed(), done)
}
