//! Who is calling: accounts, signed-in devices, and what a request's caller may do.

mod api_token;
mod erasure;
mod external_identity;
mod invitation;
mod keyed_secret;
mod login;
mod login_throttle;
mod password;
mod principal;
mod refresh_token;
mod user;

pub use api_token::{ApiToken, ApiTokenDraft, Scope, Scopes};
pub use erasure::{ContextErasure, ErasedSubject, Erasure, ErasureState};
pub use external_identity::{ExternalClaims, ExternalIdentity, IssuerPolicy};
pub use invitation::{Invitation, InvitationDraft, InvitationSecret, InvitationToken};
pub use keyed_secret::KeyedSecret;
pub use login::{Login, LoginMethod, RevokeReason};
pub use login_throttle::LoginThrottle;
pub use password::PasswordPolicy;
pub use principal::{Principal, PrincipalKind};
pub use refresh_token::{Presented, RefreshToken, Use};
pub use user::{AccountPatch, LoginName, Role, User, UserDraft, UserPatch, email_norm, username_norm};
