//! Secrets: password hashes with bcrypt, access tokens as JWT, tokens of external issuers, sealed cursors, random bytes.
//!
//! The only crate that computes anything cryptographic. It implements the ports of `larder_ports::outbound` and knows nothing of
//! configuration files or of a database. Of HTTP it knows how to read the keys that an external issuer publishes.

mod external;
mod fetch;
mod jwks;
mod jwt;
mod password;
mod random;
mod seal;
#[cfg(test)]
mod testing;

pub use external::{ExternalAlgorithm, ExternalIssuer, ExternalTokens, IssuerError, IssuerKeys};
pub use fetch::{InvalidAddress, JwksAddress};
pub use jwt::{JwtAlgorithm, JwtConfig, JwtKey, JwtTokens, KeyError, KeyMaterial};
pub use password::{BcryptConfig, BcryptHasher};
pub use random::RandomSecrets;
pub use seal::HmacSeal;
