use async_trait::async_trait;
use larder_domain::identity::{Invitation, InvitationDraft, InvitationToken};
use larder_domain::{InvitationId, OwnerId};
use larder_ports::inbound::identity::{CreateInvitationError, InvitationUseCases, NewInvitation};
use larder_ports::inbound::{Done, ListError, NotFoundError, Once, Page, PageRequest};
use larder_ports::outbound::{Access, Place};

use super::AccountPorts;
use crate::cursor::Paging;
use crate::idempotency::{claim, keep};
use crate::retry::{RetryPolicy, refuse, retrying, undo};

/// The use cases of invitations.
pub struct AccountInvitations {
    ports: AccountPorts,
    retry: RetryPolicy,
}

impl AccountInvitations {
    /// Over these ports.
    pub fn new(ports: AccountPorts) -> Self {
        Self {
            ports,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl InvitationUseCases for AccountInvitations {
    async fn create(
        &self,
        admin: OwnerId,
        draft: InvitationDraft,
        once: Option<Once<Invitation>>,
    ) -> Result<Done<NewInvitation>, CreateInvitationError> {
        let now = self.ports.clock.now();
        let token = InvitationToken {
            id: InvitationId(self.ports.ids.next()),
            secret: self.ports.secrets.draw(),
        };
        let digest = self.ports.secrets.digest(&token.secret);
        let invitation = draft.make(token.id, digest, admin, now)?;
        let before = retrying(&self.retry, "create invitation", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), admin, once.as_ref(), now).await? {
                Some(Err(reused)) => return refuse(unit, CreateInvitationError::from(reused)).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Some(answer));
                }
                None => {}
            }
            unit.invitations().insert(&invitation).await?;
            keep(unit.idempotency(), admin, once.as_ref(), &invitation, now).await?;
            unit.commit().await?;
            Ok(None)
        })
        .await?;
        Ok(before.map_or_else(
            || {
                let text = token.text().into();
                Done::Now(NewInvitation { invitation, text })
            },
            Done::Before,
        ))
    }

    async fn list(&self, admin: OwnerId, page: PageRequest) -> Result<Page<Invitation>, ListError> {
        let seal = self.ports.seal.as_ref();
        let paging = Paging::new(seal, "identity.invitations", admin, b"", &page)?;
        retrying(&self.retry, "list invitations", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let rows = unit.invitations().list(paging.after(), paging.fetch()).await?;
            undo(unit).await;
            Ok(paging.page(rows, |invitation| Place {
                at: invitation.created_at,
                id: invitation.id.0,
            }))
        })
        .await
    }

    async fn revoke(&self, id: InvitationId) -> Result<(), NotFoundError> {
        let now = self.ports.clock.now();
        retrying(&self.retry, "revoke invitation", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            if !unit.invitations().revoke(id, now).await? {
                return refuse(unit, NotFoundError::NotFound).await;
            }
            Ok(unit.commit().await?)
        })
        .await
    }
}
