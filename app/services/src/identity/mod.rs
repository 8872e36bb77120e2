//! Accounts and callers.

mod account;
mod api_token;
mod authentication;
mod erasure;
mod invitation;
mod login;
mod password_check;
mod token_pair;
mod user;

pub use login::AccountLogins;
pub use account::{AccountPorts, Accounts, AccountsConfig, SignUpMode};
pub use authentication::{Authenticator, AuthenticatorPorts, PrincipalCache};
pub use api_token::AccountApiTokens;
pub use erasure::AccountErasures;
pub use invitation::AccountInvitations;
pub use user::AccountAdministration;
