//! The behaviour suite: what every storage adapter, and the use cases on top of it, must do.
//!
//! A case is an `async fn` that takes a [`Fixture`] and knows ports and domain only. It never learns on which adapter it runs, so
//! no adapter can be treated differently, and none can be skipped. `tests/adapters.rs` expands [`for_every_case`] once per adapter,
//! to one test per case: `sqlite::chat::session::ch_06_an_id_in_the_trash_is_taken`.
//!
//! A case is named after the rule that it holds: `ch_06` and `id_03` are rules of the specification of the context, `t_036` is one
//! of its scenarios, `rule_2` and `access` are promises of [`UnitOfWork`](larder_ports::outbound::UnitOfWork) and
//! [`Access`](larder_ports::outbound::Access), `parity` is conventions §2. So a list of test results is a list of rules and how each
//! adapter keeps them.
//!
//! Run all of it with `tests/run`, a part of it with `tests/run -p larder-conformance pg_tokio::unit_of_work`.
//!
//! To add a case: write the function in the file of its aggregate, add its name to the list in `src/cases.rs`. A function that is
//! not listed does not compile (`dead_code` is denied), nor does a name without a function.
//!
//! To add an adapter: a fixture in `tests/adapters.rs`.

#![deny(dead_code, unused_imports)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a case that can't go on has failed"
)]
#![expect(missing_docs, reason = "the name of a case says what it holds")]

mod cases;
mod chat;
mod fixture;
mod identity;
mod make;
mod parity;
mod schedule;
mod unit_of_work;

pub use cases::all;
pub use fixture::{Application, Engine, Fixture, Settings, SignUpMode, Stores, UseCases};
pub use fixture::{PUBLISHING_ISSUER, SHARED_ISSUER, Signature};
