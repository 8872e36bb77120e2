use std::sync::Arc;

use larder_domain::OwnerId;
use larder_domain::identity::{Role, UserPatch};
use larder_ports::inbound::identity::{ChangeUser, UserUseCases};
use larder_ports::outbound::identity::UserFilter;
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::account::UserBody;
use super::{Admin, Caller};
use crate::Tag;
use crate::answer::{Changed, Found, Listed};
use crate::body::{Body, Payload};
use crate::etag;
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, PRECONDITION_FAILED};
use crate::values::{Word, patch};

/// A merge patch (RFC 7396) of an account: absent keeps, null is none or false.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "UserPatch", nullable_all)]
#[serde(default, deny_unknown_fields)]
struct UserPatchBody {
    /// All its roles.
    roles: MaybeUndefined<Vec<Word<Role>>>,
    /// Disabling ends every login; enabling brings none back.
    disabled: MaybeUndefined<bool>,
    /// Whether its email counts as verified.
    email_verified: MaybeUndefined<bool>,
}

impl Payload for UserPatchBody {
    const EXAMPLE: &'static str = r#"{"roles": ["worker"], "disabled": false}"#;
    const MEDIA_TYPES: &'static [&'static str] = &["application/merge-patch+json", "application/json"];

    fn is_read_only(pointer: &str) -> bool {
        [
            "/id",
            "/username",
            "/email",
            "/has_password",
            "/created_at",
            "/last_login_at",
            "/version",
        ]
        .contains(&pointer)
    }
}

impl From<UserPatchBody> for UserPatch {
    fn from(body: UserPatchBody) -> Self {
        Self {
            roles: patch(body.roles, |roles| roles.into_iter().map(|word| word.0).collect()),
            disabled: patch(body.disabled, |disabled| disabled),
            email_verified: patch(body.email_verified, |verified| verified),
        }
    }
}

/// Operations of administrators on accounts.
pub(crate) struct UserApi(pub(crate) Arc<dyn UserUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Administration")]
impl UserApi {
    /// List the accounts
    ///
    /// Oldest first.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        caller: Caller<Admin>,
        /// Only accounts with this role.
        role: Query<Option<Word<Role>>>,
        /// Only disabled accounts, or only the others.
        disabled: Query<Option<bool>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<UserBody>>> {
        let filter = UserFilter {
            role: role.0.map(|word| word.0),
            disabled: disabled.0,
        };
        let page = self.0.list(caller.owner_id(), filter, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Read an account
    #[oai(path = "/users/:user_id", method = "get", operation_id = "get_user")]
    async fn get(
        &self,
        _caller: Caller<Admin>,
        /// The account.
        user_id: Path<Uuid>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<UserBody>, NOT_FOUND> {
        let user = self.0.get(OwnerId(user_id.0)).await?;
        let tag = etag::of(user.version);
        Ok(Found::new(user, tag, if_none_match.0.as_deref())?)
    }

    /// Change an account
    ///
    /// The last enabled administrator can't be demoted or disabled. A patch that changes nothing writes nothing.
    #[oai(path = "/users/:user_id", method = "patch", operation_id = "change_user")]
    async fn change(
        &self,
        _caller: Caller<Admin>,
        /// The account.
        user_id: Path<Uuid>,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<UserPatchBody>,
    ) -> Answer<Changed<UserBody>, { NOT_FOUND | CONFLICT | PRECONDITION_FAILED }> {
        let change = ChangeUser {
            id: OwnerId(user_id.0),
            patch: body.into(),
            if_match: etag::demanded(if_match.0.as_deref())?,
        };
        let user = self.0.change(change).await?;
        let tag = etag::of(user.version);
        Ok(Changed::new(user, tag)?)
    }
}
