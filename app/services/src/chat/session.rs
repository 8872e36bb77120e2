use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{Session, SessionDraft};
use larder_domain::{OwnerId, SessionId, Version};
use larder_ports::inbound::chat::{
    ChangeSession, ChangeSessionError, CreateSessionError, ListError, NotFoundError, SessionUseCases,
};
use larder_ports::inbound::{Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, SessionFilter};
use larder_ports::outbound::{Access, Clock, Deleted, IdGenerator, Place, Rule, Seal, StorageError, Store};

use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of conversations.
pub struct ChatSessions {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatSessions {
    /// Over these ports.
    pub fn new(
        store: Arc<dyn Store<dyn ChatUnit>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        seal: Arc<dyn Seal>,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            seal,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl SessionUseCases for ChatSessions {
    async fn create(&self, owner_id: OwnerId, draft: SessionDraft) -> Result<Session, CreateSessionError> {
        let id = draft.id.unwrap_or_else(|| SessionId(self.ids.next()));
        let session = Session::create(draft, owner_id, id, self.clock.now(), "")?;
        retrying(&self.retry, "create session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            match unit.sessions().insert(&session).await {
                Err(StorageError::Broken(Rule::SessionIdTaken)) => {
                    return refuse(unit, CreateSessionError::IdTaken).await;
                }
                inserted => inserted?,
            }
            Ok(unit.commit().await?)
        })
        .await?;
        Ok(session)
    }

    async fn list(
        &self,
        owner_id: OwnerId,
        filter: SessionFilter,
        page: PageRequest,
    ) -> Result<Page<Session>, ListError> {
        let paging = Paging::new(self.seal.as_ref(), "chat.sessions", owner_id, &encode(&filter), &page)?;
        retrying(&self.retry, "list sessions", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .sessions()
                .list(owner_id, &filter, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, |session| Place {
                at: session.last_update,
                id: session.id.0,
            }))
        })
        .await
    }

    async fn get(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError> {
        retrying(&self.retry, "get session", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.sessions().find(owner_id, id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }

    async fn change(&self, owner_id: OwnerId, change: ChangeSession) -> Result<Session, ChangeSessionError> {
        let now = self.clock.now();
        retrying(&self.retry, "change session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(stored) = unit.sessions().find(owner_id, change.id).await? else {
                return refuse(unit, ChangeSessionError::NotFound).await;
            };
            if change.if_match.is_some_and(|version| version != stored.version) {
                return refuse(unit, ChangeSessionError::Stale).await;
            }
            let changed = match stored.change(change.patch.clone(), change.touch, now, "") {
                Err(invalid) => return refuse(unit, invalid.into()).await,
                Ok(None) => {
                    undo(unit).await;
                    return Ok(stored);
                }
                Ok(Some(changed)) => changed,
            };
            if !unit.sessions().update(&changed, stored.version).await? {
                // Somebody else changed it between the read and the write. Only a client that named a version cares.
                return match change.if_match {
                    Some(_) => refuse(unit, ChangeSessionError::Stale).await,
                    None => {
                        undo(unit).await;
                        Err(StorageError::Contended.into())
                    }
                };
            }
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }

    async fn delete(
        &self,
        owner_id: OwnerId,
        id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSessionError> {
        let now = self.clock.now();
        retrying(&self.retry, "delete session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.sessions().delete(owner_id, id, if_match, now).await? {
                let is_there = if_match.is_some() && unit.sessions().find(owner_id, id).await?.is_some();
                let outcome = if is_there {
                    ChangeSessionError::Stale
                } else {
                    ChangeSessionError::NotFound
                };
                return refuse(unit, outcome).await;
            }
            unit.commit().await?;
            Ok(())
        })
        .await
    }
}

/// The filter as a cursor is bound to it. Taken apart field by field, so that a new field can't be forgotten.
fn encode(filter: &SessionFilter) -> [u8; 1] {
    let SessionFilter { deleted } = filter;
    [match deleted {
        Deleted::Without => 0,
        Deleted::With => 1,
        Deleted::Only => 2,
    }]
}
