//! What the cases are written with: an installation on one adapter, its running service, and answers that explain themselves.

mod answer;
mod database;
mod installation;
mod relay;
mod service;

pub(crate) use answer::{Answer, Answering};
use database::Database;
pub(crate) use installation::{Adapter, Installation, Outcome};
pub(crate) use relay::Relay;
pub(crate) use service::{Person, Service, password, sign_up, until};
