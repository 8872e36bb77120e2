use async_trait::async_trait;
use larder_domain::identity::{ExternalClaims, Role, User};
use larder_domain::{Instant, LoginId, OwnerId};
use secrecy::SecretString;
use uuid::Uuid;

/// Computes and compares password hashes (`ID-06`).
///
/// Work runs on a bounded number of blocking threads, never on the threads that serve requests, and never inside a unit of work.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// The modular-crypt hash of a password at the configured cost.
    async fn hash(&self, password: &SecretString) -> Result<String, HashingError>;

    /// Whether a password fits a hash.
    ///
    /// Always costs one verification at the configured cost: also when `hash` is `None` or can't be parsed (then `false`), so that
    /// the time tells nobody which accounts exist (`ID-11`).
    async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, HashingError>;

    /// Whether a hash was made at another cost than the configured one and should be replaced after a good login.
    fn is_outdated(&self, hash: &str) -> bool;
}

/// Why no hash was computed.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// All workers were busy for too long.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// A bug.
    #[error("hashing failed")]
    Internal(#[source] super::BoxError),
}

/// The claims of an access token (`ID-20`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessClaims {
    /// `sub`.
    pub owner_id: OwnerId,
    /// `sid`.
    pub login_id: LoginId,
    /// `roles`.
    pub roles: Vec<Role>,
    /// `name`.
    pub name: String,
    /// `email`.
    pub email: Option<String>,
    /// `iat`, cut to whole seconds.
    pub issued_at: Instant,
    /// `exp`, cut to whole seconds.
    pub expires_at: Instant,
    /// `jti`.
    pub token_id: Uuid,
}

impl AccessClaims {
    /// The claims that a user's token carries.
    pub fn of(user: &User, login_id: LoginId, token_id: Uuid, issued_at: Instant, expires_at: Instant) -> Self {
        Self {
            owner_id: user.id,
            login_id,
            roles: user.roles.clone(),
            name: user.username.clone(),
            email: user.email.clone(),
            issued_at,
            expires_at,
            token_id,
        }
    }
}

/// Signs access tokens.
pub trait TokenIssuer: Send + Sync {
    /// A signed token of type `at+jwt`.
    fn issue(&self, claims: &AccessClaims) -> Result<SecretString, TokenError>;
}

/// Checks access tokens.
pub trait TokenVerifier: Send + Sync {
    /// The claims of a token whose signature, issuer, audience, types and times are right at `now` (`ID-20` to `ID-22`).
    ///
    /// The algorithm is the configured one, whatever the token's header says.
    fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenError>;
}

/// Why a token is refused, or was not made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It never was good.
    #[error("the token is not valid")]
    Invalid,
    /// It could not be signed: a bug or a bad key.
    #[error("the token could not be signed")]
    Signing,
}

/// Checks tokens of external issuers (`ID-50` to `ID-52`).
#[async_trait]
pub trait ExternalTokenVerifier: Send + Sync {
    /// What a token says whose issuer is configured, and whose signature, audience, types and times are right at `now`. Only that
    /// issuer's keys and algorithms count, whatever the token's header says.
    async fn verify(&self, token: &str, now: Instant) -> Result<ExternalClaims, ExternalTokenError>;
}

/// Why a token of an external issuer is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExternalTokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It never was good, or its issuer is not a configured one.
    #[error("the token is not valid")]
    Invalid,
    /// The issuer's keys can't be had at the moment.
    #[error("the keys of the issuer can't be had")]
    Unavailable,
}

/// Makes text that only this installation can have made: cursors.
pub trait Seal: Send + Sync {
    /// Seals a payload together with the context in which it may be opened again. The result is URL-safe.
    fn seal(&self, context: &[u8], payload: &[u8]) -> String;

    /// The payload, if this installation sealed it in this very context.
    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>>;
}

/// Makes digests that only this installation can make, of what must be found again but not be read.
pub trait KeyedDigest: Send + Sync {
    /// The digest of a text. Every `purpose` has digests of its own.
    fn keyed_digest(&self, purpose: &str, text: &[u8]) -> [u8; 32];
}

/// Makes and compares the secret bytes of tokens that are stored as a hash.
pub trait SecretSource: Send + Sync {
    /// 32 fresh random bytes.
    fn draw(&self) -> [u8; 32];

    /// SHA-256.
    fn digest(&self, bytes: &[u8]) -> [u8; 32];

    /// Compares two digests in constant time.
    fn same(&self, a: &[u8; 32], b: &[u8; 32]) -> bool;
}
