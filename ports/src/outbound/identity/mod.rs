//! The store of accounts.

mod api_token;
mod erasure;
mod external_identity;
mod invitation;
mod login;
mod login_throttle;
mod refresh_token;
mod user;

pub use api_token::{ApiTokenState, ApiTokens};
pub use erasure::Erasures;
pub use external_identity::{ExternalIdentities, KnownSubject, Subject};
pub use invitation::Invitations;
pub use login::Logins;
pub use login_throttle::LoginThrottles;
pub use refresh_token::{KnownToken, RefreshTokens};
pub use user::{UserFilter, Users};

use super::{IdempotencyKeys, UnitOfWork};

/// A unit of work on the store of accounts.
pub trait IdentityUnit: UnitOfWork {
    /// Accounts.
    fn users(&mut self) -> &mut dyn Users;
    /// Signed-in devices.
    fn logins(&mut self) -> &mut dyn Logins;
    /// What keeps them signed in.
    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokens;
    /// Counters of attempts to log in.
    fn login_throttles(&mut self) -> &mut dyn LoginThrottles;
    /// Tokens of programs.
    fn api_tokens(&mut self) -> &mut dyn ApiTokens;
    /// Subjects of external issuers.
    fn external_identities(&mut self) -> &mut dyn ExternalIdentities;
    /// Permissions to sign up.
    fn invitations(&mut self) -> &mut dyn Invitations;
    /// The removal of accounts.
    fn erasures(&mut self) -> &mut dyn Erasures;
    /// The answers of repeatable requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys;
}
