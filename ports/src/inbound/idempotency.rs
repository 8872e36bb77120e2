use std::fmt;
use std::sync::Arc;

use crate::outbound::{RequestKey, StoredAnswer};

/// What makes a creating request safe to repeat: its key, and how what it makes is answered. The answer is kept in the commit
/// that makes it, so a request that is sent again gets it again and makes nothing.
#[derive(Clone)]
pub struct Once<T> {
    /// The client's key and the fingerprint of the request.
    pub request: RequestKey,
    /// Writes the answer to what was made. Called inside the unit of work, so it must be quick and hold no secret (`ID-60`).
    pub answer: Answering<T>,
}

/// Writes the answer to what was made.
pub type Answering<T> = Arc<dyn Fn(&T) -> StoredAnswer + Send + Sync>;

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.request.key).finish()
    }
}

/// What a repeatable request came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done<T> {
    /// It was made now.
    Now(T),
    /// An earlier request with this key made it; this is what that one was answered.
    Before(StoredAnswer),
}

/// The key belongs to another request of the same owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the idempotency key was used for another request")]
pub struct KeyReused;
