//! The store of conversations.

mod message;
mod session;

pub use message::{MessageFilter, Messages, Order};
pub use session::{SessionFilter, Sessions};

use super::{IdempotencyKeys, UnitOfWork};

/// A unit of work on the store of conversations.
pub trait ChatUnit: UnitOfWork {
    /// Conversations.
    fn sessions(&mut self) -> &mut dyn Sessions;
    /// Their messages.
    fn messages(&mut self) -> &mut dyn Messages;
    /// The answers of repeatable requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys;
}
