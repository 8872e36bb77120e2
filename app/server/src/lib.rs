//! The server: configuration, command line, and the wiring of every adapter.
//!
//! - [`config`]: every key, its default, where its value came from.
//! - `cli.rs`: commands and flags; one module per command (`serve.rs`, `migrate.rs`, `user.rs`).
//! - `wiring.rs`: the only place that knows every adapter.
//! - `ambient.rs`: the only place that reads the clock and makes identifiers.

pub mod config;

mod ambient;
mod check;
mod cli;
mod exit;
mod gate;
mod key;
mod libpq;
mod log;
mod mask;
mod migrate;
mod schema;
mod serve;
#[cfg(feature = "otlp")]
mod traces;
mod user;
mod welcome;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

/// Runs the command line of this process to its end.
pub fn run() -> ExitCode {
    libpq::start_without().unwrap_or_else(|| cli::Cli::parse().run())
}
