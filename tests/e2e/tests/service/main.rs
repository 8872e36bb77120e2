//! The whole service: the real binary, started once per case and adapter, spoken to over HTTP by a client that knows nothing of
//! its insides, and configured by environment variables alone. `tests/run` builds the binary and starts PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

#[macro_use]
mod harness;

mod account;
mod administration;
mod api_token;
mod cli;
mod configuration;
mod conversation;
mod deny;
mod erasure;
mod external_identity;
mod favourite;
mod http;
mod life;
mod log;
mod login;
mod message;
mod message_edit;
mod metrics;
mod outage;
mod overload;
mod ownership;
mod partial;
mod prompt;
mod repetition;
mod search;
mod session;
mod summary;
mod traces;
