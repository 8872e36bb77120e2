use super::{Role, Scopes};
use crate::{ApiTokenId, ExternalIdentityId, LoginId, OwnerId};

/// The verified caller of one request. Owner, roles and names come from the stored account, never from a token's claims
/// (`ID-23`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// Whose data the caller sees.
    pub owner_id: OwnerId,
    /// The username.
    pub name: String,
    /// The email, if the account has one.
    pub email: Option<String>,
    /// The account's roles.
    pub roles: Vec<Role>,
    /// How the caller proved who it is.
    pub kind: PrincipalKind,
}

/// How a caller proved who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrincipalKind {
    /// An access token of a local login.
    Login(LoginId),
    /// An API token, which may do what its scopes say (`ID-61`).
    ApiToken(ApiTokenId, Scopes),
    /// A token of an external issuer (`ID-53`).
    External(ExternalIdentityId),
}
