//! The HTTP adapter over mocked inbound ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking too"
)]

mod account;
mod administration;
mod api_token;
mod compat;
mod document;
mod external_identity;
mod favourite;
mod file;
mod framework;
mod health;
mod login;
mod message;
mod message_edit;
mod prompt;
mod search;
mod session;
mod summary;
mod support;
mod tag;
