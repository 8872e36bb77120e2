//! The HTTP adapter over mocked inbound ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking too"
)]

mod account;
mod document;
mod framework;
mod health;
mod message;
mod session;
mod support;
