//! The HTTP adapter over mocked inbound ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking too"
)]

mod account;
mod admin;
mod administration;
mod api_token;
mod compat;
mod compat_login;
mod compat_prompt;
mod compat_session;
mod cors;
mod document;
mod external_identity;
mod favourite;
mod file;
mod framework;
mod health;
mod limits;
mod login;
mod message;
mod message_edit;
mod observed;
mod prompt;
mod search;
mod server;
mod session;
mod summary;
mod support;
mod tag;
