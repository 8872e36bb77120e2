use larder_domain::Instant;
use uuid::Uuid;

/// Tells the time. The only source of "now": no use case, adapter or database clock is asked instead.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Instant;
}

/// Makes identifiers.
pub trait IdGenerator: Send + Sync {
    /// A fresh UUIDv7. Ids made by one generator rise.
    fn next(&self) -> Uuid;
}
