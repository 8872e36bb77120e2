//! Accounts and callers.

pub(crate) mod account;
pub(crate) mod authentication;
pub(crate) mod invitation;
pub(crate) mod login;
pub(crate) mod user;
