use std::sync::Arc;

use larder_domain::ExternalIdentityId;
use larder_domain::identity::ExternalIdentity;
use larder_ports::inbound::identity::ExternalIdentityUseCases;
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Caller;
use super::authentication::LocalLogin;
use crate::Tag;
use crate::answer::{Created, Deleted, Listed};
use crate::body::Payload;
use crate::idempotency::{self, Keyed};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, Problem};
use crate::values::{Nullable, Timestamp};

/// What links an identity.
#[derive(Object, Deserialize)]
#[oai(rename = "IdentityLink")]
#[serde(deny_unknown_fields)]
struct LinkBody {
    /// A token of a configured external issuer that counts now. It proves that the identity is yours, and is not kept.
    token: String,
}

impl Payload for LinkBody {
    const EXAMPLE: &'static str = r#"{"token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"}"#;
}

/// How an external issuer knows you.
#[derive(Object, Serialize)]
#[oai(rename = "Identity")]
struct IdentityBody {
    /// Its id.
    id: Uuid,
    /// The `iss` of its tokens.
    issuer: String,
    /// The `sub` of its tokens.
    subject: String,
    /// The email of the last token that was looked at.
    email: Nullable<String>,
    /// When it was first seen, or linked.
    created_at: Timestamp,
    /// When it was last used, exact to a minute.
    last_seen_at: Timestamp,
}

impl From<ExternalIdentity> for IdentityBody {
    fn from(identity: ExternalIdentity) -> Self {
        Self {
            id: identity.id.0,
            issuer: identity.issuer,
            subject: identity.subject,
            email: identity.email.into(),
            created_at: Timestamp(identity.created_at),
            last_seen_at: Timestamp(identity.last_seen_at),
        }
    }
}

/// There is no path of a single identity: it is found in the list.
fn created(identity: &ExternalIdentity) -> Result<Created<IdentityBody>, Problem> {
    Created::new(identity.clone(), "/api/v1/auth/identities".to_owned(), None)
}

/// Operations on the external identities of an account.
pub(crate) struct ExternalIdentityApi(pub(crate) Arc<dyn ExternalIdentityUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Accounts")]
impl ExternalIdentityApi {
    /// List your external identities
    ///
    /// Oldest first.
    #[oai(path = "/identities", method = "get", operation_id = "list_identities")]
    async fn list(
        &self,
        caller: Caller,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<IdentityBody>>> {
        let page = self.0.list(&caller.0, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Link an external identity
    ///
    /// From then on its tokens are yours. Needs a local login.
    #[oai(path = "/identities", method = "post", operation_id = "link_identity")]
    async fn link(
        &self,
        caller: Caller<LocalLogin>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<LinkBody>,
    ) -> Answer<Created<IdentityBody>, CONFLICT> {
        let (body, once) = keyed.once(created);
        let token = SecretString::from(body.token);
        let done = self.0.link(&caller.0, &token, once).await?;
        Ok(idempotency::answer(done, created)?)
    }

    /// Unlink an external identity
    ///
    /// Its tokens stop working at once. The last means of login stays: without it nobody could log in to the account.
    #[oai(
        path = "/identities/:identity_id",
        method = "delete",
        operation_id = "unlink_identity"
    )]
    async fn unlink(
        &self,
        caller: Caller,
        /// The identity.
        identity_id: Path<Uuid>,
    ) -> Answer<Deleted, { NOT_FOUND | CONFLICT }> {
        self.0.unlink(&caller.0, ExternalIdentityId(identity_id.0)).await?;
        Ok(Deleted)
    }
}
