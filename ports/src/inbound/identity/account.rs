use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{AccountPatch, Principal, User};
use larder_domain::{Invalid, Version};
use secrecy::SecretString;

use super::Throttled;
use crate::inbound::Failure;

/// Accounts: making one, signing in, reading one's own.
#[async_trait]
pub trait AccountUseCases: Send + Sync {
    /// Makes an account and signs it in, in one commit (`ID-02` to `ID-05`).
    async fn sign_up(&self, request: SignUp, client: ClientInfo) -> Result<SignedIn, SignUpError>;

    /// Makes an account whatever the sign-up mode, without signing in: for the command line (`ID-02`).
    async fn create(&self, request: SignUp) -> Result<User, SignUpError>;

    /// Signs in (`ID-10` to `ID-12`, `ID-14`).
    async fn log_in(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError>;

    /// Signs in through the compatibility surface, whose access tokens count longer (`CO-12`).
    async fn log_in_compat(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError>;

    /// The caller's own account.
    async fn account(&self, caller: &Principal) -> Result<User, Failure>;

    /// Changes names of the caller's own account. A patch whose result equals what is stored writes nothing (`ID-41`).
    async fn change(&self, caller: &Principal, change: ChangeAccount) -> Result<User, ChangeAccountError>;

    /// Gives the caller's account another password, ends every login of it, and signs in anew, in one commit (`ID-40`).
    async fn change_password(
        &self,
        caller: &Principal,
        change: ChangePassword,
        client: ClientInfo,
    ) -> Result<Tokens, ChangePasswordError>;
}

/// What is sent to change an account.
#[derive(Clone, Debug)]
pub struct ChangeAccount {
    /// The change.
    pub patch: AccountPatch,
    /// Needed to change the email of an account that has a password.
    pub current_password: Option<SecretString>,
    /// The version that the client has; any when there is none.
    pub if_match: Option<Version>,
}

/// What is sent to change a password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The one that the account has.
    pub current: SecretString,
    /// The one that it is to have; the same rules as for a new account.
    pub new: SecretString,
    /// Whether the account's API tokens end too.
    pub revoke_api_tokens: bool,
}

/// What is sent to make an account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// 3 to 50 letters, digits, `.`, `_`, `-`.
    pub username: String,
    /// The minimum length of the configuration to 72 bytes.
    pub password: SecretString,
    /// Optional.
    pub email: Option<String>,
    /// The text of an invitation, where one is needed.
    pub invitation: Option<SecretString>,
}

/// What is sent to sign in.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// A username or an email.
    pub login: String,
    /// The password.
    pub password: SecretString,
}

/// What is known of the device that signs in; shown to its owner only.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// The `User-Agent`, cut to 400 characters.
    pub user_agent: Option<String>,
    /// The peer's address.
    pub ip_address: Option<String>,
}

/// The answer to a sign-up or login.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// Its tokens.
    pub tokens: Tokens,
}

/// What a signed-in device carries.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// A JWT (`ID-20`).
    pub access_token: SecretString,
    /// How long it counts.
    pub expires_in: Duration,
    /// What gets the next pair (`ID-30`).
    pub refresh_token: SecretString,
    /// How long it counts unless it is used before.
    pub refresh_expires_in: Duration,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Names or password break a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Sign-up is closed (`ID-02`).
    #[error("sign-up is closed")]
    Closed,
    /// The invitation is missing, unknown, used, expired, revoked, or for another address (`ID-04`).
    #[error("the invitation does not admit")]
    InvitationInvalid,
    /// Another account has the username.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another account has the email.
    #[error("the email is taken")]
    EmailTaken,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Unknown name, wrong password, no local password, disabled: one answer for all (`ID-10`).
    #[error("the login or the password is wrong")]
    InvalidCredentials,
    /// Too many attempts under this name, known or not.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeAccountError {
    /// A name breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The account is another version than the client has.
    #[error("the resource changed meanwhile")]
    Stale,
    /// The current password is needed, and missing or wrong.
    #[error("the current password is wrong")]
    CurrentPasswordWrong,
    /// Too many attempts with a wrong password.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Another account has the username.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another account has the email.
    #[error("the email is taken")]
    EmailTaken,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The new password breaks a rule, or is the old one.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The current password is wrong, or the account has none.
    #[error("the current password is wrong")]
    CurrentPasswordWrong,
    /// Too many attempts with a wrong password.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
