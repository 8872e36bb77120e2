//! Accounts and callers.

mod account;
mod authentication;

pub use account::{AccountPorts, Accounts, AccountsConfig, SignUpMode};
pub use authentication::{Authenticator, PrincipalCache};
