//! Accounts and callers.

pub(crate) mod account;
pub(crate) mod administration;
pub(crate) mod api_token;
pub(crate) mod authentication;
pub(crate) mod erasure;
pub(crate) mod external_identity;
pub(crate) mod invitation;
pub(crate) mod login;
pub(crate) mod login_throttle;
pub(crate) mod refresh_token;
pub(crate) mod user;
