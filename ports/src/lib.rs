//! The ports of Larder: what the outside may ask of it ([`inbound`]) and what its use cases ask of the outside
//! ([`outbound`]).
//!
//! Adapters depend on this crate, never on each other. The traits are documented as obligations: what is answered when
//! something is absent, which rule may be broken, which order holds. The behaviour suite in `tests/conformance` holds every
//! adapter to them.
//!
//! To add a repository:
//! 1. the entity and its rules in `domain/src/<context>/<aggregate>.rs`;
//! 2. its trait in `ports/src/outbound/<context>/<aggregate>.rs` and an accessor on the context's unit of work;
//! 3. its mock in `ports/src/testing.rs`;
//! 4. its statements and rows in `adapters/sql/src/<context>/<aggregate>.rs`, the new constraints in `adapters/sql/src/rules.rs`;
//! 5. its cases in `tests/conformance/src/<context>/<aggregate>.rs`;
//! 6. its tables in `adapters/sql/src/<context>/erasure.rs`, where they hold rows of an owner.

pub mod inbound;
pub mod outbound;
#[cfg(feature = "testing")]
pub mod testing;
