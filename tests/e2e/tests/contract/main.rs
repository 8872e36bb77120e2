//! The contract, as other people's tools read it: requests made of the document, and clients generated from it. The tools are
//! installed by `tests/run`; what they are fed with is in `tests/fuzz.py` and `tests/clients`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what is wrong by panicking, and what the tools found by printing"
)]

#[macro_use]
#[allow(dead_code, unused_imports, reason = "shared with the tests of the service")]
#[path = "../service/harness/mod.rs"]
mod harness;

mod clients;
mod fuzz;
mod tools;
