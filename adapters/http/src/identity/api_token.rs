use std::sync::Arc;

use larder_domain::ApiTokenId;
use larder_domain::identity::{ApiToken, ApiTokenDraft, Scope};
use larder_ports::inbound::identity::{ApiTokenUseCases, NewApiToken};
use larder_ports::outbound::identity::ApiTokenState;
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Caller;
use crate::Tag;
use crate::answer::{Created, Deleted, Listed, Secret, Shown};
use crate::body::Payload;
use crate::idempotency::{self, Keyed};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, Problem};
use crate::values::{Nullable, Optional, Timestamp, Vocabulary, Word, vocabulary};

vocabulary! {
    Scope, "Scope", "What an API token may do. To write does not include to read; `worker` lends your role `worker`.";
}

impl Vocabulary for ApiTokenState {
    const NAME: &'static str = "ApiTokenState";
    const MEANING: &'static str = "Those that count now, or those that ended as well.";

    fn all() -> &'static [Self] {
        &[Self::Active, Self::All]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::All => "all",
        }
    }
}

/// What makes an API token.
#[derive(Object, Deserialize)]
#[oai(rename = "ApiTokenFields")]
#[serde(deny_unknown_fields)]
struct ApiTokenFields {
    /// An id of your own making; one is made unless sent.
    id: Optional<Uuid>,
    /// What it is for. No other active token of yours may have the name, in any case of its letters.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// What it may do; at least one.
    #[oai(validator(min_items = 1))]
    scopes: Vec<Word<Scope>>,
    /// When it ends by itself; never unless sent.
    expires_at: Optional<Timestamp>,
}

impl Payload for ApiTokenFields {
    const EXAMPLE: &'static str = r#"{"name": "Import", "scopes": ["chat:read", "chat:write"]}"#;

    fn is_read_only(pointer: &str) -> bool {
        ["/token", "/created_at", "/last_used_at", "/revoked_at"].contains(&pointer)
    }
}

impl From<ApiTokenFields> for ApiTokenDraft {
    fn from(fields: ApiTokenFields) -> Self {
        Self {
            id: fields.id.0.map(ApiTokenId),
            name: fields.name,
            scopes: fields.scopes.into_iter().map(|word| word.0).collect(),
            expires_at: fields.expires_at.0.map(|instant| instant.0),
        }
    }
}

/// A token with which a program acts for you.
#[derive(Object, Serialize)]
#[oai(rename = "ApiToken")]
struct ApiTokenBody {
    /// Its id.
    id: Uuid,
    /// What it is for.
    name: String,
    /// What it may do.
    scopes: Vec<Word<Scope>>,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends by itself.
    expires_at: Nullable<Timestamp>,
    /// When it was last used, exact to a minute.
    last_used_at: Nullable<Timestamp>,
    /// When it was revoked.
    revoked_at: Nullable<Timestamp>,
}

impl From<ApiToken> for ApiTokenBody {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            scopes: token.scopes.iter().map(Word).collect(),
            created_at: Timestamp(token.created_at),
            expires_at: token.expires_at.map(Timestamp).into(),
            last_used_at: token.last_used_at.map(Timestamp).into(),
            revoked_at: token.revoked_at.map(Timestamp).into(),
        }
    }
}

/// A token that was just made.
#[derive(Object, Serialize)]
#[oai(rename = "NewApiToken")]
struct NewApiTokenBody {
    /// Its id.
    id: Uuid,
    /// What it is for.
    name: String,
    /// What it may do.
    scopes: Vec<Word<Scope>>,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends by itself.
    expires_at: Nullable<Timestamp>,
    /// When it was last used.
    last_used_at: Nullable<Timestamp>,
    /// When it was revoked.
    revoked_at: Nullable<Timestamp>,
    /// Send it as `Authorization: Bearer <token>`. It is shown this once: null when the request is repeated.
    token: Nullable<String>,
}

impl NewApiTokenBody {
    fn of(token: &ApiToken, text: Option<String>) -> Self {
        let shown = ApiTokenBody::from(token.clone());
        Self {
            id: shown.id,
            name: shown.name,
            scopes: shown.scopes,
            created_at: shown.created_at,
            expires_at: shown.expires_at,
            last_used_at: shown.last_used_at,
            revoked_at: shown.revoked_at,
            token: text.into(),
        }
    }
}

fn location(id: ApiTokenId) -> String {
    format!("/api/v1/auth/api-tokens/{id}")
}

/// The answer that may be kept: without the secret (`ID-60`).
fn kept(token: &ApiToken) -> Result<Created<NewApiTokenBody>, Problem> {
    Created::new(NewApiTokenBody::of(token, None), location(token.id), None)
}

fn created(made: &NewApiToken) -> Result<Created<NewApiTokenBody>, Problem> {
    let text = made.text.expose_secret().to_owned();
    Created::new(
        NewApiTokenBody::of(&made.token, Some(text)),
        location(made.token.id),
        None,
    )
}

/// Operations on API tokens.
pub(crate) struct ApiTokenApi(pub(crate) Arc<dyn ApiTokenUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::ApiTokens")]
impl ApiTokenApi {
    /// List your API tokens
    ///
    /// Newest first.
    #[oai(path = "/api-tokens", method = "get", operation_id = "list_api_tokens")]
    async fn list(
        &self,
        caller: Caller,
        /// Those that count now, or those that ended as well; `active` unless sent.
        state: Query<Option<Word<ApiTokenState>>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<ApiTokenBody>>> {
        let state = state.0.map(|word| word.0).unwrap_or_default();
        let page = self.0.list(caller.owner_id(), state, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Make an API token
    ///
    /// Its text is shown in this answer and never again.
    #[oai(path = "/api-tokens", method = "post", operation_id = "create_api_token")]
    async fn create(
        &self,
        caller: Caller,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<ApiTokenFields>,
    ) -> Answer<Secret<Created<NewApiTokenBody>>, CONFLICT> {
        let (fields, once) = keyed.once(kept);
        let done = self.0.create(caller.owner_id(), fields.into(), once).await?;
        Ok(Secret(idempotency::answer(done, created)?))
    }

    /// Read an API token
    #[oai(path = "/api-tokens/:token_id", method = "get", operation_id = "get_api_token")]
    async fn get(
        &self,
        caller: Caller,
        /// The token.
        token_id: Path<Uuid>,
    ) -> Answer<Shown<ApiTokenBody>, NOT_FOUND> {
        let token = self.0.get(caller.owner_id(), ApiTokenId(token_id.0)).await?;
        Ok(Shown::new(&token.into())?)
    }

    /// Revoke an API token
    ///
    /// It ends at once. One that was revoked before stays so.
    #[oai(path = "/api-tokens/:token_id", method = "delete", operation_id = "revoke_api_token")]
    async fn revoke(
        &self,
        caller: Caller,
        /// The token.
        token_id: Path<Uuid>,
    ) -> Answer<Deleted, NOT_FOUND> {
        self.0.revoke(caller.owner_id(), ApiTokenId(token_id.0)).await?;
        Ok(Deleted)
    }
}
