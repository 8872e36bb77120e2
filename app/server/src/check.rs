//! `larder config check` (`CF-55`).

use std::collections::BTreeMap;
use std::fmt::Write;

use larder_migrations::Context;

use crate::cli::say;
use crate::config::{Config, ConfigError};
use crate::exit::{Exit, Status};
use crate::schema::{Plan, prepare};
use crate::wiring;

/// Tells every error, every warning and where each key was set; with `connect` also what is wrong with each distinct store.
/// Changes nothing.
pub(crate) async fn run(loaded: Result<Config, ConfigError>, strict: bool, connect: bool) -> Result<(), Exit> {
    let (errors, warnings, given): (Vec<String>, _, _) = match &loaded {
        Ok(config) => (Vec::new(), config.warnings.clone(), &config.given),
        Err(error) => (error.errors().collect(), error.warnings().collect(), &error.given),
    };
    say(&set_keys(given));
    say_list("error", &errors);
    say_list("warning", &warnings);
    let config = match loaded {
        Ok(config) => config,
        Err(_) => {
            let text = format!("the configuration can't be used: {}", count(errors.len(), "error"));
            return Err(Exit::new(Status::Configuration, text));
        }
    };
    let reached = if connect { stores(&config).await } else { Ok(()) };
    if strict && !warnings.is_empty() {
        let text = format!("{} (--strict)", count(warnings.len(), "warning"));
        return Err(Exit::new(Status::Configuration, text));
    }
    if reached.is_ok() {
        let warned = match warnings.len() {
            0 => String::new(),
            number => format!(" ({})", count(number, "warning")),
        };
        say(&format!("The configuration can be used{warned}."));
    }
    reached
}

/// Every key that was set; where several origins set one, the one that counts comes first.
fn set_keys(given: &[(String, String)]) -> String {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, origin) in given {
        keys.entry(key).or_default().push(origin);
    }
    if keys.is_empty() {
        return "Nothing is set; everything has its default.".to_owned();
    }
    let width = keys.keys().map(|key| key.len()).max().unwrap_or_default();
    let mut text = "Keys that are set, and where:".to_owned();
    for (key, origins) in keys {
        let mut origins = origins.into_iter();
        let _ = write!(text, "\n  {key:<width$}  {}", origins.next().unwrap_or_default());
        for origin in origins {
            let _ = write!(text, ", which overrides {origin}");
        }
    }
    text
}

fn say_list(label: &str, items: &[String]) {
    for item in items {
        say(&format!("{label}: {item}"));
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Tries every distinct store and tells how it is.
async fn stores(config: &Config) -> Result<(), Exit> {
    let mut worst = Ok(());
    for plan in wiring::plans(config) {
        let contexts: Vec<Context> = plan.migrate.iter().chain(&plan.check).copied().collect();
        let names: Vec<&str> = contexts.iter().map(|context| context.name()).collect();
        let plan = Plan {
            migrate: Vec::new(),
            check: contexts,
            ..plan
        };
        let (text, outcome) = match prepare(&plan).await {
            Ok(_) => ("ready".to_owned(), Ok(())),
            Err(error) => {
                let exit = error.into_exit();
                (exit.to_string(), Err(exit))
            }
        };
        say(&format!("store of {}: {} is {text}", names.join(", "), plan.target));
        if worst.is_ok() {
            worst = outcome;
        }
    }
    worst
}
