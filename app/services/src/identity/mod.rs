//! Accounts and callers.

mod account;
mod api_token;
mod authentication;
mod erasure;
mod external_identity;
mod invitation;
mod login;
mod password_check;
mod token_pair;
mod user;

pub use account::{AccountPorts, Accounts, AccountsConfig, SignUpMode};
pub use api_token::AccountApiTokens;
pub use authentication::{Authenticator, AuthenticatorPorts, PrincipalCache};
pub use erasure::AccountErasures;
pub use external_identity::{AccountExternalIdentities, ExternalIssuers};
pub use invitation::AccountInvitations;
pub use login::AccountLogins;
pub use user::AccountAdministration;
