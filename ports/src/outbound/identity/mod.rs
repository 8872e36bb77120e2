//! The store of accounts.

mod invitation;
mod login;
mod user;

pub use invitation::Invitations;
pub use login::Logins;
pub use user::Users;

use super::{IdempotencyKeys, UnitOfWork};

/// A unit of work on the store of accounts.
pub trait IdentityUnit: UnitOfWork {
    /// Accounts.
    fn users(&mut self) -> &mut dyn Users;
    /// Signed-in devices.
    fn logins(&mut self) -> &mut dyn Logins;
    /// Permissions to sign up.
    fn invitations(&mut self) -> &mut dyn Invitations;
    /// The answers of repeatable requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys;
}
