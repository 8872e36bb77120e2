use std::sync::Arc;

use larder_ports::inbound::identity::{AccountUseCases, LogIn, SignedIn};
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::envelope::Success;
use super::failure::Refusal;
use super::values::Sent;
use crate::Tag;
use crate::answer::Secret;
use crate::body::{Body, Payload};
use crate::client::CountedClient;
use crate::problem::Problem;
use crate::values::Nullable;

/// Who logs in.
#[derive(Object, Deserialize)]
#[oai(rename = "CompatLogIn")]
#[serde(deny_unknown_fields)]
struct LogInBody {
    /// A username, or an email when it has an `@`.
    username: String,
    /// The password.
    password: String,
}

impl Payload for LogInBody {
    const EXAMPLE: &'static str = r#"{"username": "ann", "password": "correct horse battery"}"#;
}

/// Who logged in, and the tokens.
#[derive(Object, Serialize)]
#[oai(rename = "CompatSignedIn")]
struct SignedInBody {
    /// The id of the account.
    customer_id: Uuid,
    /// Its name.
    username: String,
    /// Its email.
    email: Nullable<String>,
    /// An access token.
    token: String,
    /// For how many seconds that counts.
    expires_in: u64,
    /// What gets the next pair of tokens, at `/api/v1/auth/refresh`.
    refresh_token: String,
}

impl From<SignedIn> for SignedInBody {
    fn from(SignedIn { user, tokens }: SignedIn) -> Self {
        Self {
            customer_id: user.id.0,
            username: user.username,
            email: user.email.into(),
            token: tokens.access_token.expose_secret().to_owned(),
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
        }
    }
}

/// Operations on logins.
pub(crate) struct LoginApi(pub(super) Arc<dyn AccountUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Compatibility")]
impl LoginApi {
    /// Log in
    ///
    /// The token counts longer than others, and ends with its login all the same.
    #[oai(path = "/auth/login", method = "post", operation_id = "compat_log_in")]
    async fn log_in(
        &self,
        client: CountedClient,
        Body(body): Body<Sent<LogInBody>>,
    ) -> Result<Secret<Success<SignedInBody>>, Refusal<0>> {
        let Sent(body) = body;
        let request = LogIn {
            login: body.username,
            password: SecretString::from(body.password),
        };
        let signed_in = self.0.log_in_compat(request, client.0).await.map_err(Problem::from)?;
        Ok(Secret(Success::new("Authentication successful", signed_in.into())?))
    }
}
