//! What the outside may ask of Larder: one trait per area. Driving adapters (HTTP, the command line) are written against these
//! and see nothing else of the application.

pub mod chat;
pub mod identity;

mod clocks;
mod error;
mod idempotency;
mod page;

pub use clocks::Clocks;
pub use error::{Failure, ListError, NotFoundError};
pub use idempotency::{Answering, Done, KeyReused, Once};
pub use page::{BadCursor, Page, PageRequest};

use async_trait::async_trait;

/// Whether a context can be used right now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextState {
    /// The name of the context: `identity`, `chat`, ...
    pub context: &'static str,
    /// Whether its store answered.
    pub is_ready: bool,
    /// Whether the service is ready without it.
    pub is_optional: bool,
}

/// Readiness of the whole service.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// The state of every context, in a fixed order. Asks every store, each at most once.
    async fn states(&self) -> Vec<ContextState>;
}
