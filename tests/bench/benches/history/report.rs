use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

/// What a query was called, how long it took, and how many hits it had.
type Timed = (&'static str, Duration, usize);

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    /// By operation, adapter, and number of messages.
    growth: BTreeMap<(&'static str, &'static str, usize), Vec<Duration>>,
    /// By adapter and what is searched; each with its kind and how much was found.
    search: BTreeMap<(&'static str, &'static str), Vec<Timed>>,
}

impl Report {
    pub(crate) fn growth(&mut self, adapter: &'static str, operation: &'static str, size: usize, elapsed: Duration) {
        self.growth.entry((operation, adapter, size)).or_default().push(elapsed);
    }

    pub(crate) fn search(
        &mut self,
        adapter: &'static str,
        what: &'static str,
        kind: &'static str,
        elapsed: Duration,
        found: usize,
    ) {
        self.search
            .entry((adapter, what))
            .or_default()
            .push((kind, elapsed, found));
    }

    /// Markdown, then one JSON object a line.
    pub(crate) fn print(&self, circumstances: &str) {
        let mut lines = Vec::new();
        println!("{circumstances}\n");
        println!("| operation | adapter | messages | p50 ms | p95 ms | p99 ms |\n|---|---|--:|--:|--:|--:|");
        for (&(operation, adapter, size), elapsed) in &self.growth {
            let [p50, p95, p99, _] = quantiles(elapsed.iter().copied());
            println!("| {operation} | {adapter} | {size} | {p50:.2} | {p95:.2} | {p99:.2} |");
            lines.push(json!({
                "operation": operation, "adapter": adapter, "messages": size, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
            }));
        }
        println!("\n| search for | in | adapter | p50 ms | p95 ms | longest ms | found on average |");
        println!("|---|---|---|--:|--:|--:|--:|");
        for (&(adapter, what), searches) in &self.search {
            let mut kinds: Vec<&str> = searches.iter().map(|(kind, ..)| *kind).collect();
            kinds.dedup();
            for kind in kinds.into_iter().map(Some).chain([None]) {
                let of_kind = || {
                    searches
                        .iter()
                        .filter(|(name, ..)| kind.is_none_or(|kind| kind == *name))
                };
                let [p50, p95, _, longest] = quantiles(of_kind().map(|(_, elapsed, _)| *elapsed));
                let found = of_kind().map(|(.., found)| *found).sum::<usize>() as f64 / of_kind().count() as f64;
                let kind = kind.unwrap_or("all of them");
                println!("| {kind} | {what} | {adapter} | {p50:.2} | {p95:.2} | {longest:.2} | {found:.1} |");
                lines.push(json!({
                    "search": kind, "in": what, "adapter": adapter, "p50_ms": p50, "p95_ms": p95, "longest_ms": longest,
                    "found": found,
                }));
            }
        }
        println!();
        for line in lines {
            println!("{line}");
        }
    }
}

/// The median, the 95th and 99th of a hundred, and the longest, in milliseconds.
fn quantiles(elapsed: impl Iterator<Item = Duration>) -> [f64; 4] {
    let mut elapsed: Vec<Duration> = elapsed.collect();
    elapsed.sort();
    [50, 95, 99, 100].map(|percent| {
        let index = (elapsed.len() * percent / 100).min(elapsed.len() - 1);
        elapsed[index].as_secs_f64() * 1_000.0
    })
}
