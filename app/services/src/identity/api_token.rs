use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::identity::{ApiToken, ApiTokenDraft, KeyedSecret};
use larder_domain::{ApiTokenId, OwnerId};
use larder_ports::inbound::identity::{ApiTokenUseCases, CreateApiTokenError, NewApiToken};
use larder_ports::inbound::{Done, ListError, NotFoundError, Once, Page, PageRequest};
use larder_ports::outbound::identity::ApiTokenState;
use larder_ports::outbound::{Access, Place, Rule, StorageError};

use super::authentication::CallerKey;
use super::{AccountPorts, PrincipalCache};
use crate::cursor::Paging;
use crate::idempotency::{claim, keep};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of API tokens.
pub struct AccountApiTokens {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    most: u32,
    retry: RetryPolicy,
}

impl AccountApiTokens {
    /// Over these ports; `cache` is the one that the [`Authenticator`](super::Authenticator) was given, `most` the number of active
    /// tokens that an account may have.
    pub fn new(ports: AccountPorts, cache: Arc<PrincipalCache>, most: u32) -> Self {
        Self {
            ports,
            cache,
            most,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl ApiTokenUseCases for AccountApiTokens {
    async fn create(
        &self,
        owner_id: OwnerId,
        draft: ApiTokenDraft,
        once: Option<Once<ApiToken>>,
    ) -> Result<Done<NewApiToken>, CreateApiTokenError> {
        let now = self.ports.clock.now();
        draft.check(now)?;
        let id = draft.id.unwrap_or_else(|| ApiTokenId(self.ports.ids.next()));
        let text = KeyedSecret {
            owner_id,
            id: id.0,
            secret: self.ports.secrets.draw(),
        };
        let token = ApiToken {
            owner_id,
            id,
            name: draft.name,
            secret_hash: self.ports.secrets.digest(&text.secret),
            scopes: draft.scopes,
            created_at: now,
            expires_at: draft.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let before = retrying(&self.retry, "create API token", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), owner_id, once.as_ref(), now).await? {
                Some(Err(reused)) => return refuse(unit, reused.into()).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Some(answer));
                }
                None => {}
            }
            // The account is locked, so that tokens made at once don't exceed their number.
            unit.users().lock(owner_id).await?;
            unit.api_tokens().retire(owner_id, now).await?;
            if unit.api_tokens().count_active(owner_id, now).await? >= self.most {
                return refuse(unit, CreateApiTokenError::LimitReached).await;
            }
            match unit.api_tokens().insert(&token).await {
                Err(StorageError::Broken(Rule::ApiTokenIdTaken)) => {
                    return refuse(unit, CreateApiTokenError::IdTaken).await;
                }
                Err(StorageError::Broken(Rule::ApiTokenNameTaken)) => {
                    return refuse(unit, CreateApiTokenError::NameTaken).await;
                }
                inserted => inserted?,
            }
            keep(unit.idempotency(), owner_id, once.as_ref(), &token, now).await?;
            unit.commit().await?;
            Ok(None)
        })
        .await?;
        Ok(before.map_or_else(
            || {
                let text = text.text(KeyedSecret::API_TOKEN).into();
                Done::Now(NewApiToken { token, text })
            },
            Done::Before,
        ))
    }

    async fn list(
        &self,
        owner_id: OwnerId,
        state: ApiTokenState,
        page: PageRequest,
    ) -> Result<Page<ApiToken>, ListError> {
        let filter = match state {
            ApiTokenState::Active => [0],
            ApiTokenState::All => [1],
        };
        let seal = self.ports.seal.as_ref();
        let paging = Paging::new(seal, "identity.api_tokens", owner_id, &filter, &page)?;
        let now = self.ports.clock.now();
        retrying(&self.retry, "list API tokens", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let rows = unit
                .api_tokens()
                .list(owner_id, state, now, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, |token| Place {
                at: token.created_at,
                id: token.id.0,
            }))
        })
        .await
    }

    async fn get(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<ApiToken, NotFoundError> {
        retrying(&self.retry, "get API token", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.api_tokens().find(owner_id, id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }

    async fn revoke(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<(), NotFoundError> {
        let now = self.ports.clock.now();
        retrying(&self.retry, "revoke API token", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            if !unit.api_tokens().revoke(owner_id, id, now).await? {
                return refuse(unit, NotFoundError::NotFound).await;
            }
            let _forgetting = self.cache.forgetting(vec![CallerKey::ApiToken(owner_id, id)]);
            Ok(unit.commit().await?)
        })
        .await
    }
}
