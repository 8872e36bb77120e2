//! The use cases of Larder: what happens, in which order, and in which unit of work.
//!
//! This crate depends on the domain and on the ports only. Every use case that touches a store has the same shape:
//!
//! 1. judge what was sent, make ids and instants, and do foreign work such as hashing, all of it before a unit is open;
//! 2. inside [`retry::retrying`], open one unit of work, read and write through it, and commit it once. An expected broken rule is
//!    matched at the statement that may break it, everything else stays a failure;
//! 3. answer, only after the commit succeeded.

pub mod chat;
pub mod clocks;
pub mod identity;
pub mod readiness;
pub mod retry;

mod cursor;
mod idempotency;

#[cfg(test)]
mod testing;
