use std::sync::Arc;

use larder_domain::InvitationId;
use larder_domain::identity::{Invitation, InvitationDraft, Role};
use larder_ports::inbound::identity::{InvitationUseCases, NewInvitation};
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Admin, Caller};
use crate::Tag;
use crate::answer::{Created, Deleted, Listed, Secret};
use crate::body::Payload;
use crate::idempotency::{self, Keyed};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, NOT_FOUND, Problem};
use crate::values::{Nullable, Optional, Timestamp, Word};

/// What makes an invitation.
#[derive(Object, Deserialize, Default)]
#[oai(rename = "InvitationFields")]
#[serde(default, deny_unknown_fields)]
struct InvitationFields {
    /// Only whoever signs up with this address may use it.
    #[oai(validator(max_length = 254))]
    email: Optional<String>,
    /// The roles that the new account gets.
    roles: Optional<Vec<Word<Role>>>,
    /// When it ends; in seven days unless sent.
    expires_at: Optional<Timestamp>,
}

impl Payload for InvitationFields {
    const EXAMPLE: &'static str = r#"{"email": "bob@example.com", "roles": ["worker"]}"#;

    fn is_read_only(pointer: &str) -> bool {
        [
            "/id",
            "/created_by",
            "/created_at",
            "/used_at",
            "/used_by",
            "/revoked_at",
            "/invitation",
        ]
        .contains(&pointer)
    }
}

impl From<InvitationFields> for InvitationDraft {
    fn from(fields: InvitationFields) -> Self {
        let roles = fields.roles.0.unwrap_or_default();
        Self {
            email: fields.email.0,
            roles: roles.into_iter().map(|word| word.0).collect(),
            expires_at: fields.expires_at.0.map(|instant| instant.0),
        }
    }
}

/// A single-use permission to sign up.
#[derive(Object, Serialize)]
#[oai(rename = "Invitation")]
struct InvitationBody {
    /// Its id.
    id: Uuid,
    /// Who may use it, in lower case.
    email: Nullable<String>,
    /// The roles that the new account gets.
    roles: Vec<Word<Role>>,
    /// The administrator who made it.
    created_by: Uuid,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends.
    expires_at: Timestamp,
    /// When it was used.
    used_at: Nullable<Timestamp>,
    /// The account that was made with it.
    used_by: Nullable<Uuid>,
    /// When it was revoked.
    revoked_at: Nullable<Timestamp>,
}

impl From<Invitation> for InvitationBody {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.0,
            email: invitation.email_norm.into(),
            roles: invitation.roles.into_iter().map(Word).collect(),
            created_by: invitation.created_by.0,
            created_at: Timestamp(invitation.created_at),
            expires_at: Timestamp(invitation.expires_at),
            used_at: invitation.used.map(|(at, _)| Timestamp(at)).into(),
            used_by: invitation.used.map(|(_, by)| by.0).into(),
            revoked_at: invitation.revoked_at.map(Timestamp).into(),
        }
    }
}

/// An invitation that was just made.
#[derive(Object, Serialize)]
#[oai(rename = "NewInvitation")]
struct NewInvitationBody {
    /// Its id.
    id: Uuid,
    /// Who may use it, in lower case.
    email: Nullable<String>,
    /// The roles that the new account gets.
    roles: Vec<Word<Role>>,
    /// The administrator who made it.
    created_by: Uuid,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends.
    expires_at: Timestamp,
    /// When it was used.
    used_at: Nullable<Timestamp>,
    /// The account that was made with it.
    used_by: Nullable<Uuid>,
    /// When it was revoked.
    revoked_at: Nullable<Timestamp>,
    /// What the invited person sends to sign up. It is shown this once: null when the request is repeated.
    invitation: Nullable<String>,
}

impl NewInvitationBody {
    fn of(invitation: &Invitation, text: Option<String>) -> Self {
        let shown = InvitationBody::from(invitation.clone());
        Self {
            id: shown.id,
            email: shown.email,
            roles: shown.roles,
            created_by: shown.created_by,
            created_at: shown.created_at,
            expires_at: shown.expires_at,
            used_at: shown.used_at,
            used_by: shown.used_by,
            revoked_at: shown.revoked_at,
            invitation: text.into(),
        }
    }
}

fn location(id: InvitationId) -> String {
    format!("/api/v1/auth/invitations/{id}")
}

/// The answer that may be kept: without the secret.
fn kept(invitation: &Invitation) -> Result<Created<NewInvitationBody>, Problem> {
    Created::new(NewInvitationBody::of(invitation, None), location(invitation.id), None)
}

fn created(made: &NewInvitation) -> Result<Created<NewInvitationBody>, Problem> {
    let text = made.text.expose_secret().to_owned();
    let body = NewInvitationBody::of(&made.invitation, Some(text));
    Created::new(body, location(made.invitation.id), None)
}

/// Operations on invitations.
pub(crate) struct InvitationApi(pub(crate) Arc<dyn InvitationUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Administration")]
impl InvitationApi {
    /// List the invitations
    ///
    /// Those of every administrator, in any state, newest first.
    #[oai(path = "/invitations", method = "get", operation_id = "list_invitations")]
    async fn list(
        &self,
        caller: Caller<Admin>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<InvitationBody>>> {
        let page = self.0.list(caller.owner_id(), limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Make an invitation
    ///
    /// Its text is shown in this answer and never again.
    #[oai(path = "/invitations", method = "post", operation_id = "create_invitation")]
    async fn create(
        &self,
        caller: Caller<Admin>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<InvitationFields>,
    ) -> Answer<Secret<Created<NewInvitationBody>>> {
        let (fields, once) = keyed.once(kept);
        let done = self.0.create(caller.owner_id(), fields.into(), once).await?;
        Ok(Secret(idempotency::answer(done, created)?))
    }

    /// Revoke an invitation
    ///
    /// One that was used or revoked before stays as it is.
    #[oai(
        path = "/invitations/:invitation_id",
        method = "delete",
        operation_id = "revoke_invitation"
    )]
    async fn revoke(
        &self,
        _caller: Caller<Admin>,
        /// The invitation.
        invitation_id: Path<Uuid>,
    ) -> Answer<Deleted, NOT_FOUND> {
        self.0.revoke(InvitationId(invitation_id.0)).await?;
        Ok(Deleted)
    }
}
