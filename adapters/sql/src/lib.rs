//! Everything about the SQL stores that is not a driver: the statements, how rows become entities, which constraint is which
//! rule, and the unit of work with its commit rules.
//!
//! A driver ([`Connection`], [`Pool`]) does three things: run one statement, commit, roll back. The repositories are written
//! once, for every [`Connection`], as methods on [`Unit`]; [`SqlStore`] makes a store of any [`Pool`]. So the adapters can't
//! differ in more than their drivers do, and a new aggregate is written in one place.
//!
//! This crate knows no driver: neither sqlx nor tokio-postgres is among its dependencies.

pub mod target;

mod catalogue;
mod chat;
mod driver;
mod failure;
mod idempotency;
mod identity;
mod row;
mod rules;
mod store;
mod unit;
mod value;

pub use catalogue::{Catalogue, Effect, Statement, statements};
pub use driver::{Connection, Pool};
pub use failure::{Failure, FailureKind};
pub use larder_migrations::Dialect;
pub use row::{Row, UnreadableColumn};
pub use rules::rule_of;
pub use store::SqlStore;
pub use unit::Unit;
pub use value::{Kind, Value};
