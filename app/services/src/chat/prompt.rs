use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{MAX_PROMPTS, Prompt, PromptDraft};
use larder_domain::{OwnerId, PromptId, Version};
use larder_ports::inbound::chat::{
    ChangePrompt, ChangePromptError, CreatePromptError, PromptUseCases, RestorePromptError,
};
use larder_ports::inbound::{Done, Failure, ListError, NotFoundError, Once, Page, PageRequest};
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::{Access, Clock, Deleted, IdGenerator, Place, Rule, Seal, StorageError, Store};

use crate::cursor::Paging;
use crate::idempotency::{claim, keep, made_now};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of saved templates.
pub struct ChatPrompts {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatPrompts {
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

    async fn make(
        &self,
        owner_id: OwnerId,
        draft: PromptDraft,
        once: Option<&Once<Prompt>>,
    ) -> Result<Done<Prompt>, CreatePromptError> {
        let now = self.clock.now();
        let id = draft.id.unwrap_or_else(|| PromptId(self.ids.next()));
        let prompt = Prompt::create(draft, owner_id, id, now)?;
        let before = retrying(&self.retry, "create prompt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), owner_id, once, now).await? {
                Some(Err(reused)) => return refuse(unit, reused.into()).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Some(answer));
                }
                None => {}
            }
            if !unit.prompts().has_room(owner_id, MAX_PROMPTS).await? {
                return refuse(unit, CreatePromptError::LimitReached).await;
            }
            match unit.prompts().insert(&prompt).await {
                Err(StorageError::Broken(Rule::PromptIdTaken)) => {
                    return refuse(unit, CreatePromptError::IdTaken).await;
                }
                inserted => inserted?,
            }
            keep(unit.idempotency(), owner_id, once, &prompt, now).await?;
            unit.commit().await?;
            Ok(None)
        })
        .await?;
        Ok(before.map_or(Done::Now(prompt), Done::Before))
    }
}

#[async_trait]
impl PromptUseCases for ChatPrompts {
    async fn create(&self, owner_id: OwnerId, draft: PromptDraft) -> Result<Prompt, CreatePromptError> {
        made_now(self.make(owner_id, draft, None).await?)
    }

    async fn create_once(
        &self,
        owner_id: OwnerId,
        draft: PromptDraft,
        once: Once<Prompt>,
    ) -> Result<Done<Prompt>, CreatePromptError> {
        self.make(owner_id, draft, Some(&once)).await
    }

    async fn list(&self, owner_id: OwnerId, deleted: Deleted, page: PageRequest) -> Result<Page<Prompt>, ListError> {
        let filter = match deleted {
            Deleted::Without => b"without".as_slice(),
            Deleted::With => b"with",
            Deleted::Only => b"only",
        };
        let paging = Paging::new(self.seal.as_ref(), "chat.prompts", owner_id, filter, &page)?;
        retrying(&self.retry, "list prompts", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .prompts()
                .list(owner_id, deleted, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, |prompt| Place {
                at: prompt.created_at,
                id: prompt.id.0,
            }))
        })
        .await
    }

    async fn all(&self, owner_id: OwnerId) -> Result<Vec<Prompt>, Failure> {
        retrying(&self.retry, "list all prompts", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .prompts()
                .list(owner_id, Deleted::Without, None, MAX_PROMPTS)
                .await?;
            undo(unit).await;
            Ok(rows)
        })
        .await
    }

    async fn get(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, NotFoundError> {
        retrying(&self.retry, "get prompt", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.prompts().find(owner_id, id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }

    async fn change(&self, owner_id: OwnerId, change: ChangePrompt) -> Result<Prompt, ChangePromptError> {
        let now = self.clock.now();
        retrying(&self.retry, "change prompt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(stored) = unit.prompts().find(owner_id, change.id).await? else {
                return refuse(unit, ChangePromptError::NotFound).await;
            };
            if change.if_match.is_some_and(|version| version != stored.version) {
                return refuse(unit, ChangePromptError::Stale).await;
            }
            let changed = match stored.change(change.patch.clone(), now) {
                Err(invalid) => return refuse(unit, invalid.into()).await,
                Ok(None) => {
                    undo(unit).await;
                    return Ok(stored);
                }
                Ok(Some(changed)) => changed,
            };
            if !unit.prompts().update(&changed, stored.version).await? {
                // Somebody else changed it between the read and the write. Only a client that named a version cares.
                return match change.if_match {
                    Some(_) => refuse(unit, ChangePromptError::Stale).await,
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
        id: PromptId,
        if_match: Option<Version>,
    ) -> Result<(), ChangePromptError> {
        let now = self.clock.now();
        retrying(&self.retry, "delete prompt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.prompts().delete(owner_id, id, if_match, now).await? {
                let is_there = if_match.is_some() && unit.prompts().find(owner_id, id).await?.is_some();
                return refuse(unit, missing_or_stale(is_there)).await;
            }
            unit.commit().await?;
            Ok(())
        })
        .await
    }

    async fn purge(&self, owner_id: OwnerId, id: PromptId, if_match: Option<Version>) -> Result<(), ChangePromptError> {
        retrying(&self.retry, "purge prompt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.prompts().purge(owner_id, id, if_match).await? {
                let is_there = if_match.is_some() && unit.prompts().find_any(owner_id, id).await?.is_some();
                return refuse(unit, missing_or_stale(is_there)).await;
            }
            unit.commit().await?;
            Ok(())
        })
        .await
    }

    async fn restore(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, RestorePromptError> {
        let now = self.clock.now();
        retrying(&self.retry, "restore prompt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(found) = unit.prompts().find_any(owner_id, id).await? else {
                return refuse(unit, RestorePromptError::NotFound).await;
            };
            if found.deleted_at.is_none() {
                undo(unit).await;
                return Ok(found);
            }
            if !unit.prompts().has_room(owner_id, MAX_PROMPTS).await? {
                return refuse(unit, RestorePromptError::LimitReached).await;
            }
            let Some(restored) = unit.prompts().restore(owner_id, id, now).await? else {
                // Somebody else restored or purged it meanwhile.
                undo(unit).await;
                return Err(StorageError::Contended.into());
            };
            unit.commit().await?;
            Ok(restored)
        })
        .await
    }
}

fn missing_or_stale(is_there: bool) -> ChangePromptError {
    match is_there {
        true => ChangePromptError::Stale,
        false => ChangePromptError::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use larder_domain::chat::PromptPatch;
    use larder_domain::{Instant, Patch};
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatPrompts, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        let prompts = ChatPrompts::new(
            store.clone(),
            Arc::new(FixedClock::new()),
            Arc::new(SequentialIds::default()),
            Arc::new(PlainSeal),
        );
        (prompts, store)
    }

    fn draft() -> PromptDraft {
        PromptDraft {
            id: None,
            title: "t".into(),
            text: "x".into(),
        }
    }

    fn prompt() -> Prompt {
        Prompt::create(draft(), owner(1), PromptId(Uuid::from_u128(5)), FixedClock::new().now()).unwrap()
    }

    fn retitle(if_match: Option<Version>) -> ChangePrompt {
        ChangePrompt {
            id: prompt().id,
            patch: PromptPatch {
                title: Patch::Set("new".into()),
                text: Patch::Keep,
            },
            if_match,
        }
    }

    #[tokio::test]
    async fn ch_50_room_is_asked_for_in_the_unit_that_inserts() {
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .prompts
                    .expect_has_room()
                    .withf(|_, most| *most == 2000)
                    .times(1)
                    .returning(|_, _| Ok(true));
                mocks.prompts.expect_insert().times(1).returning(|_| Ok(()));
            }))
            .unit(chat_unit(|mocks| {
                mocks.prompts.expect_has_room().returning(|_, _| Ok(false));
            }));
        let (prompts, store) = over(store);
        assert_eq!(prompts.create(owner(1), draft()).await.unwrap().title, "t");
        let refused = prompts.create(owner(1), draft()).await;
        assert!(matches!(refused, Err(CreatePromptError::LimitReached)));
        assert_eq!(store.endings(), [Ending::Committed, Ending::RolledBack]);
    }

    #[tokio::test]
    async fn a_taken_id_is_refused() {
        let store = ScriptedStore::default().unit(chat_unit(|mocks| {
            mocks.prompts.expect_has_room().returning(|_, _| Ok(true));
            mocks
                .prompts
                .expect_insert()
                .returning(|_| Err(StorageError::Broken(Rule::PromptIdTaken)));
        }));
        let (prompts, store) = over(store);
        let refused = prompts.create(owner(1), draft()).await;
        assert!(matches!(refused, Err(CreatePromptError::IdTaken)));
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_51_a_stale_if_match_is_refused_before_and_at_the_write() {
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks.prompts.expect_find().returning(|_, _| Ok(Some(prompt())));
            }))
            .unit(chat_unit(|mocks| {
                mocks.prompts.expect_find().returning(|_, _| Ok(Some(prompt())));
                mocks.prompts.expect_update().times(1).returning(|_, _| Ok(false));
            }));
        let (prompts, store) = over(store);
        for if_match in [2, 1] {
            let refused = prompts.change(owner(1), retitle(Some(if_match))).await;
            assert!(matches!(refused, Err(ChangePromptError::Stale)));
        }
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn without_if_match_a_lost_race_is_run_again_on_the_new_state() {
        let unit = |wins| {
            chat_unit(|mocks| {
                mocks.prompts.expect_find().returning(|_, _| Ok(Some(prompt())));
                mocks.prompts.expect_update().return_once(move |_, _| Ok(wins));
            })
        };
        let (prompts, store) = over(ScriptedStore::default().unit(unit(false)).unit(unit(true)));
        assert_eq!(prompts.change(owner(1), retitle(None)).await.unwrap().version, 2);
        assert_eq!(store.endings(), [Ending::RolledBack, Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_45_deletion_and_purge_tell_missing_from_stale() {
        let nothing = |is_there: bool| {
            chat_unit(|mocks| {
                let found = is_there.then(prompt);
                let other = found.clone();
                mocks.prompts.expect_delete().returning(|_, _, _, _| Ok(false));
                mocks.prompts.expect_purge().returning(|_, _, _| Ok(false));
                mocks.prompts.expect_find().returning(move |_, _| Ok(found.clone()));
                mocks.prompts.expect_find_any().returning(move |_, _| Ok(other.clone()));
            })
        };
        let script = [true, true, false, false, false, false];
        let store = script.into_iter().fold(ScriptedStore::default(), |store, is_there| {
            store.unit(nothing(is_there))
        });
        let (prompts, _) = over(store);
        let id = prompt().id;
        assert!(matches!(
            prompts.delete(owner(1), id, Some(9)).await,
            Err(ChangePromptError::Stale)
        ));
        assert!(matches!(
            prompts.purge(owner(1), id, Some(9)).await,
            Err(ChangePromptError::Stale)
        ));
        for if_match in [None, Some(9)] {
            assert!(matches!(
                prompts.delete(owner(1), id, if_match).await,
                Err(ChangePromptError::NotFound)
            ));
            assert!(matches!(
                prompts.purge(owner(1), id, if_match).await,
                Err(ChangePromptError::NotFound)
            ));
        }
    }

    #[tokio::test]
    async fn ch_50_restoring_needs_room_and_a_live_prompt_stays_as_it_is() {
        let trashed = || Prompt {
            deleted_at: Some(Instant::EPOCH),
            ..prompt()
        };
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks.prompts.expect_find_any().returning(|_, _| Ok(Some(prompt())));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .prompts
                    .expect_find_any()
                    .returning(move |_, _| Ok(Some(trashed())));
                mocks.prompts.expect_has_room().returning(|_, _| Ok(false));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .prompts
                    .expect_find_any()
                    .returning(move |_, _| Ok(Some(trashed())));
                mocks.prompts.expect_has_room().returning(|_, _| Ok(true));
                mocks
                    .prompts
                    .expect_restore()
                    .times(1)
                    .returning(|_, _, _| Ok(Some(prompt())));
            }));
        let (prompts, store) = over(store);
        let id = prompt().id;
        assert_eq!(prompts.restore(owner(1), id).await.unwrap(), prompt());
        let refused = prompts.restore(owner(1), id).await;
        assert!(matches!(refused, Err(RestorePromptError::LimitReached)));
        assert_eq!(prompts.restore(owner(1), id).await.unwrap(), prompt());
        assert_eq!(
            store.endings(),
            [Ending::RolledBack, Ending::RolledBack, Ending::Committed]
        );
    }
}
