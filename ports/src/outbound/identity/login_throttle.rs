use async_trait::async_trait;
use larder_domain::Instant;
use larder_domain::identity::LoginThrottle;

use crate::outbound::StorageError;

/// Counters of attempts to log in, by the keyed digest of a name, so that the table tells nobody which names were tried
/// (`ID-12`).
#[async_trait]
pub trait LoginThrottles: Send {
    /// The counter under a key, which no other unit can read or change until this one ends. Where there is none, it is made, with
    /// nothing counted.
    async fn lock(&mut self, key: &[u8; 32], now: Instant) -> Result<LoginThrottle, StorageError>;

    /// Replaces a counter that this unit has locked.
    async fn update(&mut self, key: &[u8; 32], throttle: &LoginThrottle) -> Result<(), StorageError>;

    /// Removes a counter.
    async fn reset(&mut self, key: &[u8; 32]) -> Result<(), StorageError>;

    /// Removes some of the counters that were last used before `before` and that no other unit has locked.
    async fn sweep(&mut self, before: Instant) -> Result<(), StorageError>;
}
