use std::sync::Arc;

use larder_domain::identity::{AccountPatch, Role, User};
use larder_ports::inbound::identity::{
    AccountUseCases, ChangeAccount, ChangePassword, LogIn, SignUp, SignedIn, Tokens,
};
use poem_openapi::param::Header;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Anybody, Caller};
use crate::Tag;
use crate::answer::{Changed, Created, Found, Secret, Shown};
use crate::body::{Body, Payload};
use crate::client::{Client, CountedClient};
use crate::etag;
use crate::problem::{Answer, CONFLICT, PRECONDITION_FAILED};
use crate::values::{Nullable, Optional, Timestamp, Word, patch, vocabulary};

vocabulary! {
    Role, "Role", "What an account may do beyond its own data.";
}

/// What makes an account.
#[derive(Object, Deserialize)]
#[oai(rename = "SignUp")]
#[serde(deny_unknown_fields)]
struct SignUpBody {
    /// 3 to 50 letters, digits, `.`, `_`, `-`.
    #[oai(validator(min_length = 3, max_length = 50))]
    username: String,
    /// At least as many characters as configured, at most 72 bytes.
    password: String,
    /// Optional. Can be used to log in.
    #[oai(validator(max_length = 254))]
    email: Optional<String>,
    /// The text of an invitation, where one is needed.
    invitation: Optional<String>,
}

impl Payload for SignUpBody {
    const EXAMPLE: &'static str =
        r#"{"username": "ann", "password": "correct horse battery", "email": "ann@example.com"}"#;
}

impl From<SignUpBody> for SignUp {
    fn from(body: SignUpBody) -> Self {
        Self {
            username: body.username,
            password: SecretString::from(body.password),
            email: body.email.0,
            invitation: body.invitation.0.map(SecretString::from),
        }
    }
}

/// Who logs in.
#[derive(Object, Deserialize)]
#[oai(rename = "LogIn")]
#[serde(deny_unknown_fields)]
struct LogInBody {
    /// A username, or an email when it has an `@`.
    login: String,
    /// The password.
    password: String,
}

impl Payload for LogInBody {
    const EXAMPLE: &'static str = r#"{"login": "ann", "password": "correct horse battery"}"#;
}

impl From<LogInBody> for LogIn {
    fn from(body: LogInBody) -> Self {
        Self {
            login: body.login,
            password: SecretString::from(body.password),
        }
    }
}

/// A merge patch (RFC 7396) of your account: absent keeps, null clears, a value sets.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "AccountPatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct AccountPatchBody {
    /// 3 to 50 letters, digits, `.`, `_`, `-`. Can't be null.
    #[oai(validator(min_length = 3, max_length = 50))]
    username: MaybeUndefined<String>,
    /// Null removes it. Another email is an unverified one.
    #[oai(validator(max_length = 254))]
    email: MaybeUndefined<String>,
    /// Needed to change the email of an account that has a password.
    current_password: MaybeUndefined<String>,
}

impl Payload for AccountPatchBody {
    const EXAMPLE: &'static str = r#"{"email": "ann.b@example.com", "current_password": "correct horse battery"}"#;
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer)
    }
}

const READ_ONLY: [&str; 8] = [
    "/id",
    "/email_verified",
    "/roles",
    "/has_password",
    "/disabled",
    "/created_at",
    "/last_login_at",
    "/version",
];

/// A change of password.
#[derive(Object, Deserialize)]
#[oai(rename = "PasswordChange")]
#[serde(deny_unknown_fields)]
struct PasswordChangeBody {
    /// The password that the account has.
    current_password: String,
    /// At least as many characters as configured, at most 72 bytes.
    new_password: String,
    /// Whether your API tokens end too; false unless sent.
    revoke_api_tokens: Optional<bool>,
}

impl Payload for PasswordChangeBody {
    const EXAMPLE: &'static str =
        r#"{"current_password": "correct horse battery", "new_password": "staple of another horse"}"#;
}

impl From<PasswordChangeBody> for ChangePassword {
    fn from(body: PasswordChangeBody) -> Self {
        Self {
            current: SecretString::from(body.current_password),
            new: SecretString::from(body.new_password),
            revoke_api_tokens: body.revoke_api_tokens.0.unwrap_or_default(),
        }
    }
}

/// An account.
#[derive(Object, Serialize)]
#[oai(rename = "User")]
pub(super) struct UserBody {
    /// The owner of everything that the person has.
    id: Uuid,
    /// As typed.
    username: String,
    /// As typed.
    email: Nullable<String>,
    /// Whether the email was verified since it last changed.
    email_verified: bool,
    /// What the account may do beyond its own data.
    roles: Vec<Word<Role>>,
    /// Whether the account has a local password.
    has_password: bool,
    /// A disabled account can't log in.
    disabled: bool,
    /// When it was made.
    created_at: Timestamp,
    /// The last successful login.
    last_login_at: Nullable<Timestamp>,
    /// Rises with every change.
    version: i64,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            username: user.username,
            email: user.email.into(),
            email_verified: user.email_verified_at.is_some(),
            roles: user.roles.into_iter().map(Word).collect(),
            has_password: user.password_hash.is_some(),
            disabled: user.disabled_at.is_some(),
            created_at: Timestamp(user.created_at),
            last_login_at: user.last_login_at.map(Timestamp).into(),
            version: user.version,
        }
    }
}

/// The tokens of a new login, and whose they are.
#[derive(Object, Serialize)]
#[oai(rename = "SignedIn")]
struct SignedInBody {
    /// Send it as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// What gets the next pair of tokens, once. Keep it as secret as a password.
    refresh_token: String,
    /// Seconds until the refresh token expires unless it is used before.
    refresh_expires_in: u64,
    /// The account.
    user: UserBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        let tokens = TokensBody::from(signed_in.tokens);
        Self {
            access_token: tokens.access_token,
            token_type: tokens.token_type,
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh_token,
            refresh_expires_in: tokens.refresh_expires_in,
            user: signed_in.user.into(),
        }
    }
}

/// The tokens of a login.
#[derive(Object, Serialize)]
#[oai(rename = "Tokens")]
pub(super) struct TokensBody {
    /// Send it as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// What gets the next pair of tokens, once. Keep it as secret as a password.
    refresh_token: String,
    /// Seconds until the refresh token expires unless it is used before.
    refresh_expires_in: u64,
}

impl From<Tokens> for TokensBody {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            refresh_expires_in: tokens.refresh_expires_in.as_secs(),
        }
    }
}

const ACCOUNT: &str = "/api/v1/auth/account";

/// Operations on accounts.
pub(crate) struct AccountApi(pub(crate) Arc<dyn AccountUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Accounts")]
impl AccountApi {
    /// Sign up
    ///
    /// Makes an account and logs it in. Whether everybody may, only the invited, or nobody, is configured.
    /// The first account of an installation becomes its administrator.
    #[oai(path = "/sign-up", method = "post", operation_id = "sign_up")]
    async fn sign_up(
        &self,
        client: CountedClient,
        Body(body): Body<SignUpBody>,
    ) -> Answer<Secret<Created<SignedInBody>>, CONFLICT> {
        let signed_in = self.0.sign_up(body.into(), client.0).await?;
        Ok(Secret(Created::new(signed_in, ACCOUNT.to_owned(), None)?))
    }

    /// Log in
    ///
    /// An unknown name, a wrong password and a disabled account are answered alike. After five attempts without success under one
    /// name, the next ones are 429 for a while, the right password included.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, client: CountedClient, Body(body): Body<LogInBody>) -> Answer<Secret<Shown<SignedInBody>>> {
        let signed_in = self.0.log_in(body.into(), client.0).await?;
        Ok(Secret(Shown::new(&signed_in.into())?))
    }

    /// Read your account
    #[oai(path = "/account", method = "get", operation_id = "get_account")]
    async fn account(
        &self,
        caller: Caller<Anybody>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<UserBody>> {
        let user = self.0.account(&caller.0).await?;
        let tag = etag::of(user.version);
        Ok(Found::new(user, tag, if_none_match.0.as_deref())?)
    }

    /// Change your account
    ///
    /// A patch that changes nothing writes nothing: version and tag stay.
    #[oai(path = "/account", method = "patch", operation_id = "change_account")]
    async fn change(
        &self,
        caller: Caller,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<AccountPatchBody>,
    ) -> Answer<Changed<UserBody>, { CONFLICT | PRECONDITION_FAILED }> {
        let change = ChangeAccount {
            if_match: etag::demanded(if_match.0.as_deref())?,
            current_password: body.current_password.take().map(SecretString::from),
            patch: AccountPatch {
                username: patch(body.username, |name| name),
                email: patch(body.email, |email| email),
            },
        };
        let user = self.0.change(&caller.0, change).await?;
        let tag = etag::of(user.version);
        Ok(Changed::new(user, tag)?)
    }

    /// Change your password
    ///
    /// Ends every login of yours and answers the tokens of a new one.
    #[oai(path = "/account/password", method = "put", operation_id = "change_password")]
    async fn change_password(
        &self,
        caller: Caller,
        client: Client,
        Body(body): Body<PasswordChangeBody>,
    ) -> Answer<Secret<Shown<TokensBody>>> {
        let tokens = self.0.change_password(&caller.0, body.into(), client.0).await?;
        Ok(Secret(Shown::new(&tokens.into())?))
    }
}
