//! Accounts and callers.

mod account;
mod authentication;

pub(crate) use account::AccountApi;
pub(crate) use authentication::Caller;
