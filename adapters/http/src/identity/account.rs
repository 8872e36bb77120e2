use std::net::IpAddr;
use std::sync::Arc;

use larder_domain::identity::{Role, User};
use larder_ports::inbound::identity::{AccountUseCases, ClientInfo, LogIn, SignUp, SignedIn};
use poem::http::header::USER_AGENT;
use poem::web::RemoteAddr;
use poem::{Addr, FromRequest, Request, RequestBody};
use poem_openapi::param::Header;
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Caller;
use crate::Tag;
use crate::answer::{Created, Found, Secret, Shown};
use crate::body::{Body, Payload};
use crate::etag;
use crate::problem::{Answer, CONFLICT};
use crate::values::{Nullable, Optional, Timestamp, Word, vocabulary};

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

/// An account.
#[derive(Object, Serialize)]
#[oai(rename = "User")]
struct UserBody {
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
    /// The account.
    user: UserBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            access_token: signed_in.tokens.access_token.expose_secret().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: signed_in.tokens.expires_in.as_secs(),
            user: signed_in.user.into(),
        }
    }
}

/// The device that signs in. Its address is the peer's: headers that a proxy may have set are not believed.
struct Client(ClientInfo);

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(ClientInfo {
            user_agent: user_agent.map(|text| text.chars().take(400).collect()),
            ip_address: peer(request.remote_addr()).map(|address| address.to_string()),
        }))
    }
}

fn peer(address: &RemoteAddr) -> Option<IpAddr> {
    match &address.0 {
        Addr::SocketAddr(address) => Some(address.ip().to_canonical()),
        Addr::Unix(_) | Addr::Custom(..) => None,
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
        client: Client,
        Body(body): Body<SignUpBody>,
    ) -> Answer<Secret<Created<SignedInBody>>, CONFLICT> {
        let signed_in = self.0.sign_up(body.into(), client.0).await?;
        Ok(Secret(Created::new(signed_in, ACCOUNT.to_owned(), None)?))
    }

    /// Log in
    ///
    /// An unknown name, a wrong password and a disabled account are answered alike.
    #[oai(path = "/login", method = "post", operation_id = "log_in")]
    async fn log_in(&self, client: Client, Body(body): Body<LogInBody>) -> Answer<Secret<Shown<SignedInBody>>> {
        let signed_in = self.0.log_in(body.into(), client.0).await?;
        Ok(Secret(Shown::new(&signed_in.into())?))
    }

    /// Read your account
    #[oai(path = "/account", method = "get", operation_id = "get_account")]
    async fn account(
        &self,
        caller: Caller,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<UserBody>> {
        let user = self.0.account(&caller.0).await?;
        let tag = etag::of(user.version);
        Ok(Found::new(user, tag, if_none_match.0.as_deref())?)
    }
}
