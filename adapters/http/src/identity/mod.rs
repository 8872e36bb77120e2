//! Accounts and callers.

mod account;
mod api_token;
mod authentication;
mod erasure;
mod external_identity;
mod invitation;
mod login;
mod user;

pub(crate) use account::AccountApi;
pub(crate) use api_token::ApiTokenApi;
pub(crate) use authentication::{Admin, Anybody, Caller, ChatRead, ChatWrite, Leaver};
pub(crate) use erasure::ErasureApi;
pub(crate) use external_identity::ExternalIdentityApi;
pub(crate) use invitation::InvitationApi;
pub(crate) use login::LoginApi;
pub(crate) use user::UserApi;
