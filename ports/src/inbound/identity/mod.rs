//! Accounts and callers.

mod account;
mod authentication;

pub use account::{AccountUseCases, ClientInfo, LogIn, LogInError, SignUp, SignUpError, SignedIn, Tokens};
pub use authentication::{Authentication, AuthenticationError};
