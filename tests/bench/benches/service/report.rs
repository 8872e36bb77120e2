use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde_json::json;

use crate::Operation;

/// What one round of load gave.
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
    /// CPU milliseconds per request of the service; `None` where there is none.
    pub(crate) service_cpu: Option<f64>,
    /// CPU milliseconds per request of the database's processes; `None` where the service is its own database.
    pub(crate) database_cpu: Option<f64>,
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    rounds: BTreeMap<(Operation, usize, &'static str), Vec<Figures>>,
    round_trips: BTreeMap<(Operation, &'static str), f64>,
    /// Milliseconds from the start of the process on an existing schema until `/readyz` is 200.
    starts: BTreeMap<&'static str, Vec<f64>>,
    /// MiB resident: idle, and after the load.
    memory: BTreeMap<&'static str, [f64; 2]>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &'static str, operation: Operation, connections: usize, figures: Figures) {
        self.rounds
            .entry((operation, connections, name))
            .or_default()
            .push(figures);
    }

    pub(crate) fn start(&mut self, name: &'static str, milliseconds: f64) {
        self.starts.entry(name).or_default().push(milliseconds);
    }

    pub(crate) fn memory_idle(&mut self, name: &'static str, mebibytes: f64) {
        self.memory.entry(name).or_default()[0] = mebibytes;
    }

    pub(crate) fn memory_under_load(&mut self, name: &'static str, mebibytes: f64) {
        self.memory.entry(name).or_default()[1] = mebibytes;
    }

    pub(crate) fn round_trips(&mut self, name: &'static str, operation: Operation, per_request: f64) {
        self.round_trips.insert((operation, name), per_request);
    }

    /// Markdown, then one JSON object a line.
    pub(crate) fn print(&self, circumstances: &str) {
        let mut lines = Vec::new();
        println!("{circumstances}\n");
        println!(
            "| operation | connections | adapter | requests/s | of pgbench | p50 ms | p99 ms | service CPU ms | database CPU ms | round trips |"
        );
        println!("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|");
        for (&(operation, connections, name), rounds) in &self.rounds {
            let per_second = median(rounds.iter().map(|round| round.per_second));
            let floor = &self.rounds[&(operation, connections, "pgbench")];
            let of_floor = per_second / median(floor.iter().map(|round| round.per_second));
            let quantile = |q| {
                median(
                    rounds
                        .iter()
                        .map(|round| round.latency.value_at_quantile(q) as f64 / 1000.0),
                )
            };
            let (p50, p99) = (quantile(0.5), quantile(0.99));
            let service_cpu = median_of_some(rounds.iter().map(|round| round.service_cpu));
            let database_cpu = median_of_some(rounds.iter().map(|round| round.database_cpu));
            let round_trips = self.round_trips.get(&(operation, name)).copied();
            println!(
                "| {} | {connections} | {name} | {per_second:.0} | {:.0} % | {p50:.2} | {p99:.2} | {} | {} | {} |",
                operation.name(),
                of_floor * 100.0,
                cell(service_cpu, 3),
                cell(database_cpu, 3),
                cell(round_trips, 2)
            );
            lines.push(json!({
                "operation": operation.name(), "connections": connections, "adapter": name, "per_second": per_second,
                "of_pgbench": of_floor, "p50_ms": p50, "p99_ms": p99, "service_cpu_ms": service_cpu,
                "database_cpu_ms": database_cpu, "round_trips": round_trips,
            }));
        }
        println!("\n| adapter | start to ready ms | idle MiB | after the load MiB |\n|---|--:|--:|--:|");
        for (name, [idle, loaded]) in &self.memory {
            let start = median(self.starts[name].iter().copied());
            println!("| {name} | {start:.0} | {idle:.1} | {loaded:.1} |");
            lines.push(json!({"adapter": name, "start_ms": start, "idle_mib": idle, "loaded_mib": loaded}));
        }
        println!();
        for line in lines {
            println!("{line}");
        }
    }
}

fn cell(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
}

fn median_of_some(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    figures
        .collect::<Option<Vec<f64>>>()
        .map(|figures| median(figures.into_iter()))
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
