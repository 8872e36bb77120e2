use std::sync::Arc;

use larder_domain::LoginId;
use larder_domain::identity::{Login, LoginMethod, Principal, PrincipalKind};
use larder_ports::inbound::Page;
use larder_ports::inbound::identity::LoginUseCases;
use poem::http::Uri;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::TokensBody;
use super::{Caller, Leaver};
use crate::Tag;
use crate::answer::{Deleted, Listed, Secret, Shown};
use crate::body::{Body, MaybeBody, Payload};
use crate::client::CountedClient;
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, NOT_FOUND};
use crate::values::{Nullable, Optional, Timestamp, Word, vocabulary};

vocabulary! {
    LoginMethod, "LoginMethod", "How a login was made.";
}

/// What gets the next pair of tokens.
#[derive(Object, Deserialize)]
#[oai(rename = "Refresh")]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    /// The `refresh_token` of the pair before.
    refresh_token: String,
}

impl Payload for RefreshBody {
    const EXAMPLE: &'static str = r#"{"refresh_token": "lrr_AZqN"}"#;
}

/// What is ended.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "LogOut")]
#[serde(default, deny_unknown_fields)]
struct LogOutBody {
    /// Every login of yours, not only this one; false unless sent.
    all: Optional<bool>,
}

impl Payload for LogOutBody {
    const EXAMPLE: &'static str = r#"{"all": true}"#;
}

/// One signed-in device.
#[derive(Object, Serialize)]
#[oai(rename = "Login")]
struct LoginBody {
    /// Its id.
    id: Uuid,
    /// Whether it is the one that this request is sent with.
    current: bool,
    /// How it was made.
    method: Word<LoginMethod>,
    /// As the device called itself when it logged in.
    user_agent: Nullable<String>,
    /// From where it logged in.
    ip_address: Nullable<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last used to log in or to refresh.
    last_used_at: Timestamp,
    /// When it ends in any case.
    expires_at: Timestamp,
}

impl LoginBody {
    fn of(login: Login, caller: &Principal) -> Self {
        Self {
            id: login.id.0,
            current: caller.kind == PrincipalKind::Login(login.id),
            method: Word(login.method),
            user_agent: login.user_agent.into(),
            ip_address: login.ip_address.into(),
            created_at: Timestamp(login.created_at),
            last_used_at: Timestamp(login.last_used_at),
            expires_at: Timestamp(login.expires_at),
        }
    }
}

/// Operations on logins.
pub(crate) struct LoginApi(pub(crate) Arc<dyn LoginUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Accounts")]
impl LoginApi {
    /// Refresh the tokens
    ///
    /// Answers a new pair and uses the refresh token up. One that is sent again later ends its login: two parties have it then.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh_tokens")]
    async fn refresh(
        &self,
        _client: CountedClient,
        Body(body): Body<RefreshBody>,
    ) -> Answer<Secret<Shown<TokensBody>>> {
        let tokens = self.0.refresh(&SecretString::from(body.refresh_token)).await?;
        Ok(Secret(Shown::new(&tokens.into())?))
    }

    /// Log out
    ///
    /// Ends the login that the token belongs to, or every login of yours. API tokens go on. Once the login has ended, another
    /// request with the same token changes nothing.
    #[oai(path = "/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, leaver: Leaver, MaybeBody(body): MaybeBody<LogOutBody>) -> Answer<Deleted> {
        if let Leaver(Some(caller)) = leaver {
            self.0.log_out(&caller, body.all.0.unwrap_or_default()).await?;
        }
        Ok(Deleted)
    }

    /// List your logins
    ///
    /// Those that have not ended, newest first.
    #[oai(path = "/logins", method = "get", operation_id = "list_logins")]
    async fn list(
        &self,
        caller: Caller,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<LoginBody>>> {
        let Page { data, next_cursor } = self.0.list(&caller.0, limit.0.page(cursor.0)).await?;
        let data = data.into_iter().map(|login| LoginBody::of(login, &caller.0)).collect();
        Ok(Listed::new(PageBody::show(Page { data, next_cursor }, uri))?)
    }

    /// End a login
    ///
    /// One that has ended already is 404.
    #[oai(path = "/logins/:login_id", method = "delete", operation_id = "end_login")]
    async fn end(
        &self,
        caller: Caller,
        /// The login.
        login_id: Path<Uuid>,
    ) -> Answer<Deleted, NOT_FOUND> {
        self.0.end(&caller.0, LoginId(login_id.0)).await?;
        Ok(Deleted)
    }
}
