//! Accounts and callers.

mod account;
mod api_token;
mod authentication;
mod erasure;
mod external_identity;
mod invitation;
mod login;
mod user;

pub use account::{
    AccountUseCases, ChangeAccount, ChangeAccountError, ChangePassword, ChangePasswordError, ClientInfo, LogIn,
    LogInError, SignUp, SignUpError, SignedIn, Tokens,
};
pub use api_token::{ApiTokenUseCases, CreateApiTokenError, NewApiToken};
pub use authentication::{Authentication, AuthenticationError};
pub use erasure::{EraseAccount, EraseAccountError, ErasureUseCases, ErasureWork};
pub use external_identity::{ExternalIdentityUseCases, LinkError, UnlinkError};
pub use invitation::{CreateInvitationError, InvitationUseCases, NewInvitation};
pub use login::{LogOutError, LoginUseCases, RefreshError, Throttled};
pub use user::{ChangeUser, ChangeUserError, SetPasswordError, UserUseCases};
