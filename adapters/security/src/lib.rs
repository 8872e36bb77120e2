//! Secrets: password hashes with bcrypt, access tokens as JWT, sealed cursors, random bytes.
//!
//! The only crate that computes anything cryptographic. It implements the ports of `larder_ports::outbound` and knows nothing of
//! HTTP, of configuration files or of a database.

mod jwt;
mod password;
mod random;
mod seal;

pub use jwt::{JwtAlgorithm, JwtConfig, JwtKey, JwtTokens, KeyError, KeyMaterial};
pub use password::{BcryptConfig, BcryptHasher};
pub use random::RandomSecrets;
pub use seal::HmacSeal;
