//! The HTTP adapter over mocked inbound ports.

mod account;
mod document;
mod framework;
mod health;
mod message;
mod session;
mod support;
