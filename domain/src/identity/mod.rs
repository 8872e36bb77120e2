//! Who is calling: accounts, signed-in devices, and what a request's caller may do.

mod api_token;
mod erasure;
mod invitation;
mod login;
mod password;
mod principal;
mod user;

pub use api_token::{ApiToken, ApiTokenDraft, ApiTokenText, Scope, Scopes};
pub use erasure::{ContextErasure, ErasedSubject, Erasure, ErasureState};
pub use invitation::{Invitation, InvitationSecret, InvitationToken};
pub use login::{Login, LoginMethod, RevokeReason};
pub use password::PasswordPolicy;
pub use principal::{Principal, PrincipalKind};
pub use user::{LoginName, Role, User, UserDraft, email_norm, username_norm};
