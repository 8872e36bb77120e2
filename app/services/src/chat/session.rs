use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{Session, SessionDraft, Tag};
use larder_domain::{OwnerId, SessionId, Version};
use larder_ports::inbound::chat::{
    ChangeSession, ChangeSessionError, CreateSessionError, ListError, NotFoundError, RemovedSession, ResolveSession,
    ResolveSessionError, ResolvedSession, SessionUseCases,
};
use larder_ports::inbound::{Done, Once, Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, SessionFilter};
use larder_ports::outbound::{Access, Clock, IdGenerator, Place, Rule, Seal, StorageError, Store};

use crate::cursor::Paging;
use crate::idempotency::{claim, keep, made_now};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The name of the list, to which its cursors are bound.
const LIST: &str = "chat.sessions";

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

    async fn make(
        &self,
        owner_id: OwnerId,
        draft: SessionDraft,
        once: Option<&Once<Session>>,
    ) -> Result<Done<Session>, CreateSessionError> {
        let now = self.clock.now();
        let id = draft.id.unwrap_or_else(|| SessionId(self.ids.next()));
        let session = Session::create(draft, owner_id, id, now, "")?;
        let before = retrying(&self.retry, "create session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), owner_id, once, now).await? {
                Some(Err(reused)) => return refuse(unit, reused.into()).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Some(answer));
                }
                None => {}
            }
            match unit.sessions().insert(&session).await {
                Err(StorageError::Broken(Rule::SessionIdTaken)) => {
                    return refuse(unit, CreateSessionError::IdTaken).await;
                }
                inserted => inserted?,
            }
            keep(unit.idempotency(), owner_id, once, &session, now).await?;
            unit.commit().await?;
            Ok(None)
        })
        .await?;
        Ok(before.map_or(Done::Now(session), Done::Before))
    }
}

#[async_trait]
impl SessionUseCases for ChatSessions {
    async fn create(&self, owner_id: OwnerId, draft: SessionDraft) -> Result<Session, CreateSessionError> {
        made_now(self.make(owner_id, draft, None).await?)
    }

    async fn create_once(
        &self,
        owner_id: OwnerId,
        draft: SessionDraft,
        once: Once<Session>,
    ) -> Result<Done<Session>, CreateSessionError> {
        self.make(owner_id, draft, Some(&once)).await
    }

    async fn list(
        &self,
        owner_id: OwnerId,
        filter: SessionFilter,
        page: PageRequest,
    ) -> Result<Page<Session>, ListError> {
        let paging = Paging::new(self.seal.as_ref(), LIST, owner_id, &encode(&filter), &page)?;
        retrying(&self.retry, "list sessions", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .sessions()
                .list(owner_id, &filter, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, place_of))
        })
        .await
    }

    async fn list_from(
        &self,
        owner_id: OwnerId,
        filter: SessionFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Page<Session>, ListError> {
        let first = PageRequest { limit, cursor: None };
        let Some(skipped) = NonZeroU32::new(offset) else {
            return self.list(owner_id, filter, first).await;
        };
        let paging = Paging::new(self.seal.as_ref(), LIST, owner_id, &encode(&filter), &first)?;
        retrying(&self.retry, "list sessions", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = match unit.sessions().skip(owner_id, &filter, skipped).await? {
                None => Vec::new(),
                after => unit.sessions().list(owner_id, &filter, after, paging.fetch()).await?,
            };
            undo(unit).await;
            Ok(paging.page(rows, place_of))
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

    async fn remove(&self, owner_id: OwnerId, id: SessionId, most: u32) -> Result<RemovedSession, NotFoundError> {
        let now = self.clock.now();
        retrying(&self.retry, "remove session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.sessions().delete(owner_id, id, None, now).await? {
                return refuse(unit, NotFoundError::NotFound).await;
            }
            // The row is locked by now, so what is counted is what went.
            let Some(session) = unit.sessions().find_any(owner_id, id).await? else {
                return refuse(unit, NotFoundError::NotFound).await;
            };
            let message_ids = unit.messages().newest_ids(owner_id, id, most).await?;
            unit.commit().await?;
            Ok(RemovedSession {
                message_count: session.message_count,
                message_ids,
            })
        })
        .await
    }

    async fn purge(
        &self,
        owner_id: OwnerId,
        id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSessionError> {
        retrying(&self.retry, "purge session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.sessions().purge(owner_id, id, if_match).await? {
                let is_there = if_match.is_some() && unit.sessions().find_any(owner_id, id).await?.is_some();
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

    async fn restore(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError> {
        let now = self.clock.now();
        retrying(&self.retry, "restore session", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(restored) = unit.sessions().restore(owner_id, id, now).await? else {
                // It was live already, or it isn't there.
                let found = unit.sessions().find(owner_id, id).await?;
                undo(unit).await;
                return found.ok_or(Unfinished::Refused(NotFoundError::NotFound));
            };
            unit.commit().await?;
            Ok(restored)
        })
        .await
    }

    async fn resolve(
        &self,
        owner_id: OwnerId,
        request: ResolveSession,
    ) -> Result<ResolvedSession, ResolveSessionError> {
        let filter = SessionFilter {
            character: Some(request.character_name.clone()),
            ..SessionFilter::default()
        };
        let draft = SessionDraft {
            name: request.name,
            character_name: Some(request.character_name),
            ..SessionDraft::default()
        };
        let made = Session::create(draft, owner_id, SessionId(self.ids.next()), self.clock.now(), "")?;
        let made = Session {
            auto_key: made.character_name.clone(),
            ..made
        };
        retrying(&self.retry, "resolve session", || async {
            let mut view = self.store.begin(Access::Read).await?;
            let newest = view.sessions().list(owner_id, &filter, None, 1).await?.pop();
            undo(view).await;
            if let Some(session) = newest {
                return Ok(ResolvedSession { session, is_new: false });
            }
            let mut unit = self.store.begin(Access::Write).await?;
            match unit.sessions().insert(&made).await {
                // Somebody else made it meanwhile, and it is found the next time.
                Err(StorageError::Broken(Rule::AutoKeyTaken)) => {
                    undo(unit).await;
                    return Err(StorageError::Contended.into());
                }
                inserted => inserted?,
            }
            unit.commit().await?;
            Ok(ResolvedSession {
                session: made.clone(),
                is_new: true,
            })
        })
        .await
    }
}

fn place_of(session: &Session) -> Place {
    Place {
        at: session.last_update,
        id: session.id.0,
    }
}

/// The filter as a cursor is bound to it. Taken apart field by field, so that a new one can't be forgotten; what `Debug` writes of
/// a text is quoted, so that no two filters are written alike.
fn encode(filter: &SessionFilter) -> Vec<u8> {
    let SessionFilter {
        from,
        to,
        tags,
        tag_match,
        character,
        task,
        task_priority,
        group_id,
        content,
        deleted,
    } = filter;
    let mut norms: Vec<&str> = tags.iter().map(Tag::norm).collect();
    norms.sort_unstable();
    let when = (from, to);
    let what = (character, task, task_priority, group_id, content, deleted);
    format!("{when:?} {norms:?} {tag_match:?} {what:?}").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use larder_domain::chat::{SessionPatch, TaskPriority, TaskStatus};
    use larder_domain::{Code, GroupId, Instant, MessageId, Patch};
    use larder_ports::inbound::Failure;
    use larder_ports::outbound::chat::{SessionContent, TagMatch, TaskFilter};
    use larder_ports::outbound::{Deleted, Outage};
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, Seen, chat_unit, owner, session};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatSessions, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        let sessions = ChatSessions::new(
            store.clone(),
            Arc::new(FixedClock::new()),
            Arc::new(SequentialIds::default()),
            Arc::new(PlainSeal),
        );
        (sessions, store)
    }

    fn rename(id: SessionId, name: &str, if_match: Option<Version>) -> ChangeSession {
        ChangeSession {
            id,
            patch: SessionPatch {
                name: Patch::Set(name.into()),
                ..SessionPatch::default()
            },
            touch: false,
            if_match,
        }
    }

    #[tokio::test]
    async fn ch_06_an_id_of_the_client_is_honoured() {
        let insert = chat_unit(|mocks| {
            mocks.sessions.expect_insert().times(1).returning(|_| Ok(()));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(insert));
        let id = SessionId(Uuid::from_u128(77));
        let draft = SessionDraft {
            id: Some(id),
            ..SessionDraft::default()
        };
        assert_eq!(sessions.create(owner(1), draft).await.unwrap().id, id);
        assert_eq!(store.opened(), [Access::Write]);
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_06_a_taken_id_is_refused_and_nothing_is_written() {
        let insert = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_insert()
                .returning(|_| Err(StorageError::Broken(Rule::SessionIdTaken)));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(insert));
        let refused = sessions.create(owner(1), SessionDraft::default()).await;
        assert!(matches!(refused, Err(CreateSessionError::IdTaken)));
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn co_06_a_list_goes_on_behind_what_was_skipped() {
        let place = Place {
            at: Instant::EPOCH,
            id: Uuid::from_u128(3),
        };
        let skip = |found: Option<Place>| {
            chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_skip()
                    .withf(|id, _, count| *id == owner(1) && count.get() == 40)
                    .times(1)
                    .returning(move |_, _, _| Ok(found));
                mocks
                    .sessions
                    .expect_list()
                    .withf(move |_, _, after, limit| *after == Some(place) && *limit == 3)
                    .times(usize::from(found.is_some()))
                    .returning(|_, _, _, _| Ok((1..=3).map(|n| session(owner(1), n)).collect()));
            })
        };
        let (sessions, store) = over(ScriptedStore::default().unit(skip(Some(place))).unit(skip(None)));
        let filter = SessionFilter::all(Deleted::Without);
        let page = sessions.list_from(owner(1), filter.clone(), 40, 2).await.unwrap();
        assert_eq!(page.data.len(), 2);
        assert!(page.next_cursor.is_some());
        let page = sessions.list_from(owner(1), filter, 40, 2).await.unwrap();
        assert_eq!((page.data.len(), page.next_cursor), (0, None));
        assert_eq!(store.opened(), [Access::Read; 2]);
    }

    #[tokio::test]
    async fn co_06_without_an_offset_nothing_is_skipped() {
        let list = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_list()
                .withf(|_, _, after, limit| after.is_none() && *limit == 31)
                .times(1)
                .returning(|_, _, _, _| Ok(Vec::new()));
        });
        let (sessions, _) = over(ScriptedStore::default().unit(list));
        let filter = SessionFilter::all(Deleted::Without);
        let page = sessions.list_from(owner(1), filter, 0, 30).await.unwrap();
        assert!(page.data.is_empty());
    }

    #[tokio::test]
    async fn co_34_what_went_with_a_session_is_told_in_the_commit_that_removed_it() {
        let removal = chat_unit(|mocks| {
            mocks.sessions.expect_delete().times(1).returning(|_, _, expected, _| {
                assert_eq!(expected, None);
                Ok(true)
            });
            mocks.sessions.expect_find_any().times(1).returning(|_, _| {
                Ok(Some(Session {
                    message_count: 7,
                    ..session(owner(1), 1)
                }))
            });
            mocks
                .messages
                .expect_newest_ids()
                .withf(|_, _, most| *most == 2)
                .times(1)
                .returning(|_, _, _| Ok(vec![MessageId(Uuid::from_u128(6)), MessageId(Uuid::from_u128(7))]));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(removal));
        let removed = sessions
            .remove(owner(1), SessionId(Uuid::from_u128(1)), 2)
            .await
            .unwrap();
        assert_eq!((removed.message_count, removed.message_ids.len()), (7, 2));
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn co_34_an_unknown_session_removes_nothing() {
        let removal = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_delete()
                .times(1)
                .returning(|_, _, _, _| Ok(false));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(removal));
        let refused = sessions.remove(owner(1), SessionId(Uuid::from_u128(1)), 2).await;
        assert!(matches!(refused, Err(NotFoundError::NotFound)));
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn an_unexpected_broken_rule_is_nobodys_fault() {
        let insert = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_insert()
                .returning(|_| Err(StorageError::Broken(Rule::EmailTaken)));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(insert));
        let failed = sessions.create(owner(1), SessionDraft::default()).await;
        assert!(matches!(failed, Err(CreateSessionError::Failure(Failure::Internal(_)))));
        assert_eq!(store.endings(), [Ending::Dropped]);
    }

    #[tokio::test]
    async fn an_invalid_draft_opens_no_unit() {
        let (sessions, store) = over(ScriptedStore::default());
        let draft = SessionDraft {
            name: Some(String::new()),
            ..SessionDraft::default()
        };
        let refused = sessions.create(owner(1), draft).await;
        assert!(matches!(refused, Err(CreateSessionError::Invalid(_))));
        assert!(store.opened().is_empty());
    }

    #[tokio::test]
    async fn a_retried_unit_writes_the_same_session() {
        let seen = Seen::new();
        let insert = |answer: fn() -> Result<(), StorageError>| {
            let seen = seen.clone();
            chat_unit(|mocks| {
                mocks.sessions.expect_insert().times(1).returning(move |session| {
                    seen.note(session.clone());
                    answer()
                });
            })
        };
        let store = ScriptedStore::default()
            .unit(insert(|| Err(StorageError::Contended)))
            .unit_committing(insert(|| Ok(())), Err(StorageError::Contended))
            .unit(insert(|| Ok(())));
        let (sessions, store) = over(store);
        let created = sessions.create(owner(1), SessionDraft::default()).await.unwrap();
        assert_eq!(seen.all(), [created.clone(), created.clone(), created]);
        assert_eq!(store.endings(), [Ending::Dropped, Ending::Committed, Ending::Committed]);
    }

    #[tokio::test]
    async fn a_contended_unit_is_given_up_after_five_retries() {
        let contended = (0..6).fold(ScriptedStore::default(), |store, _| {
            store.failing(StorageError::Contended)
        });
        let (sessions, store) = over(contended);
        let failed = sessions.create(owner(1), SessionDraft::default()).await;
        assert!(matches!(failed, Err(CreateSessionError::Failure(Failure::Contended))));
        assert_eq!(store.opened().len(), 6);
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_not_retried() {
        let insert = chat_unit(|mocks| {
            mocks.sessions.expect_insert().times(1).returning(|_| Ok(()));
        });
        let lost = Err(StorageError::CommitUnknown("connection lost".into()));
        let (sessions, store) = over(ScriptedStore::default().unit_committing(insert, lost));
        let failed = sessions.create(owner(1), SessionDraft::default()).await;
        assert!(matches!(
            failed,
            Err(CreateSessionError::Failure(Failure::OutcomeUnknown(_)))
        ));
        assert_eq!(store.opened().len(), 1);
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_told_as_such() {
        let (sessions, _) =
            over(ScriptedStore::default().failing(StorageError::Unavailable(Outage::Unreachable, None)));
        let failed = sessions.get(owner(1), SessionId(Uuid::nil())).await;
        assert!(matches!(
            failed,
            Err(NotFoundError::Failure(Failure::Unavailable(Outage::Unreachable, _)))
        ));
    }

    #[tokio::test]
    async fn ch_20_a_list_is_read_page_by_page() {
        let rows = [session(owner(1), 9), session(owner(1), 8), session(owner(1), 7)];
        let (first, second) = (rows[..2].to_vec(), rows[1..].to_vec());
        let place = Place {
            at: rows[0].last_update,
            id: rows[0].id.0,
        };
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_list()
                    .withf(|_, _, after, limit| after.is_none() && *limit == 2)
                    .return_once(move |_, _, _, _| Ok(first));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_list()
                    .withf(move |_, _, after, limit| *after == Some(place) && *limit == 3)
                    .return_once(move |_, _, _, _| Ok(second));
            }));
        let (sessions, store) = over(store);
        let mut request = PageRequest { limit: 1, cursor: None };
        let page = sessions
            .list(owner(1), SessionFilter::default(), request.clone())
            .await
            .unwrap();
        assert_eq!(page.data, rows[..1]);
        request = PageRequest {
            limit: 2,
            cursor: page.next_cursor,
        };
        let page = sessions
            .list(owner(1), SessionFilter::default(), request)
            .await
            .unwrap();
        assert_eq!((page.data.as_slice(), page.next_cursor), (&rows[1..], None));
        assert_eq!(store.opened(), [Access::Read, Access::Read]);
    }

    #[tokio::test]
    async fn ch_20_a_cursor_of_another_owner_or_filter_is_refused() {
        let rows = vec![session(owner(1), 9), session(owner(1), 8)];
        let store = ScriptedStore::default().unit(chat_unit(|mocks| {
            mocks.sessions.expect_list().return_once(move |_, _, _, _| Ok(rows));
        }));
        let (sessions, store) = over(store);
        let first = PageRequest { limit: 1, cursor: None };
        let page = sessions.list(owner(1), SessionFilter::default(), first).await.unwrap();
        let next = PageRequest {
            limit: 1,
            cursor: page.next_cursor,
        };
        let trash = SessionFilter::all(Deleted::Only);
        for (owner_id, filter) in [(owner(2), SessionFilter::default()), (owner(1), trash)] {
            let refused = sessions.list(owner_id, filter, next.clone()).await;
            assert!(matches!(refused, Err(ListError::BadCursor(_))));
        }
        assert_eq!(store.opened().len(), 1);
    }

    #[tokio::test]
    async fn a_missing_session_is_not_found_by_any_verb() {
        let nothing = || {
            chat_unit(|mocks| {
                mocks.sessions.expect_find().returning(|_, _| Ok(None));
                mocks.sessions.expect_delete().returning(|_, _, _, _| Ok(false));
            })
        };
        let (sessions, store) = over((0..4).fold(ScriptedStore::default(), |store, _| store.unit(nothing())));
        let id = SessionId(Uuid::from_u128(1));
        assert!(matches!(sessions.get(owner(1), id).await, Err(NotFoundError::NotFound)));
        for refused in [
            sessions.change(owner(1), rename(id, "n", Some(1))).await.map(|_| ()),
            sessions.delete(owner(1), id, None).await,
            sessions.delete(owner(1), id, Some(1)).await,
        ] {
            assert!(matches!(refused, Err(ChangeSessionError::NotFound)));
        }
        assert_eq!(store.endings(), [Ending::RolledBack; 4]);
    }

    #[tokio::test]
    async fn ch_21_a_change_is_written_against_the_version_read() {
        let stored = session(owner(1), 5);
        let found = stored.clone();
        let update = chat_unit(|mocks| {
            mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(found)));
            mocks
                .sessions
                .expect_update()
                .withf(|changed, expected| changed.version == 2 && *expected == 1)
                .times(1)
                .returning(|_, _| Ok(true));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(update));
        let changed = sessions
            .change(owner(1), rename(stored.id, "new", Some(1)))
            .await
            .unwrap();
        assert_eq!((changed.name.as_deref(), changed.version), (Some("new"), 2));
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_11_a_patch_that_changes_nothing_writes_nothing() {
        let stored = session(owner(1), 5);
        let found = stored.clone();
        let read = chat_unit(|mocks| {
            mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(found)));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(read));
        let change = ChangeSession {
            patch: SessionPatch::default(),
            ..rename(stored.id, "", None)
        };
        assert_eq!(sessions.change(owner(1), change).await.unwrap(), stored);
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_17_a_stale_if_match_is_refused_before_and_at_the_write() {
        let stored = session(owner(1), 5);
        let (first, second) = (stored.clone(), stored.clone());
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(first)));
            }))
            .unit(chat_unit(|mocks| {
                mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(second)));
                mocks.sessions.expect_update().times(1).returning(|_, _| Ok(false));
            }));
        let (sessions, store) = over(store);
        for if_match in [2, 1] {
            let refused = sessions.change(owner(1), rename(stored.id, "n", Some(if_match))).await;
            assert!(matches!(refused, Err(ChangeSessionError::Stale)));
        }
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn without_if_match_a_lost_race_is_run_again_on_the_new_state() {
        let stored = session(owner(1), 5);
        let moved_on = Session {
            model_name: Some("other".into()),
            version: 2,
            ..stored.clone()
        };
        let unit = |found: Session, wins| {
            chat_unit(|mocks| {
                mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(found)));
                mocks.sessions.expect_update().return_once(move |_, _| Ok(wins));
            })
        };
        let store = ScriptedStore::default()
            .unit(unit(stored.clone(), false))
            .unit(unit(moved_on, true));
        let (sessions, store) = over(store);
        let changed = sessions.change(owner(1), rename(stored.id, "n", None)).await.unwrap();
        assert_eq!((changed.model_name.as_deref(), changed.version), (Some("other"), 3));
        assert_eq!(store.endings(), [Ending::RolledBack, Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_25_what_the_stored_session_does_not_allow_is_refused() {
        let stored = session(owner(1), 5);
        let found = stored.clone();
        let read = chat_unit(|mocks| {
            mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(found)));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(read));
        let change = ChangeSession {
            patch: SessionPatch {
                task_description: Patch::Set("d".into()),
                ..SessionPatch::default()
            },
            ..rename(stored.id, "", None)
        };
        let refused = sessions.change(owner(1), change).await;
        let Err(ChangeSessionError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(invalid.violations()[0].code, Code::TaskWithoutStatus);
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_45_delete_is_committed() {
        let start: Instant = FixedClock::new().now();
        let delete = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_delete()
                .withf(move |_, _, expected, now| *expected == Some(3) && *now == start)
                .times(1)
                .returning(|_, _, _, _| Ok(true));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(delete));
        sessions
            .delete(owner(1), SessionId(Uuid::from_u128(5)), Some(3))
            .await
            .unwrap();
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_17_delete_of_another_version_is_stale() {
        let stored = session(owner(1), 5);
        let id = stored.id;
        let delete = chat_unit(|mocks| {
            mocks.sessions.expect_delete().returning(|_, _, _, _| Ok(false));
            mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(stored)));
        });
        let (sessions, store) = over(ScriptedStore::default().unit(delete));
        let refused = sessions.delete(owner(1), id, Some(9)).await;
        assert!(matches!(refused, Err(ChangeSessionError::Stale)));
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[test]
    fn ch_20_no_two_filters_share_a_cursor() {
        let tags = |texts: &[&str]| texts.iter().map(|text| Tag::from_stored((*text).into())).collect();
        let with = |change: fn(&mut SessionFilter)| {
            let mut filter = SessionFilter::default();
            change(&mut filter);
            filter
        };
        let mut filters = vec![
            SessionFilter::default(),
            with(|filter| filter.from = Some(Instant::EPOCH)),
            with(|filter| filter.to = Some(Instant::EPOCH)),
            with(|filter| filter.tag_match = TagMatch::All),
            with(|filter| filter.character = Some("a".into())),
            with(|filter| filter.character = Some("None".into())),
            with(|filter| filter.task = Some(TaskFilter::Any)),
            with(|filter| filter.task = Some(TaskFilter::None)),
            with(|filter| filter.task = Some(TaskFilter::Status(TaskStatus::Done))),
            with(|filter| filter.task_priority = Some(TaskPriority::Low)),
            with(|filter| filter.group_id = Some(GroupId(Uuid::nil()))),
            with(|filter| filter.content = Some(SessionContent::Messages)),
            with(|filter| filter.content = Some(SessionContent::Nothing)),
            with(|filter| filter.content = Some(SessionContent::MessagesOrTask)),
            with(|filter| filter.deleted = Deleted::Only),
            with(|filter| filter.deleted = Deleted::With),
        ];
        for texts in [&["a", "b"][..], &["a\", \"b"], &["a"]] {
            filters.push(SessionFilter {
                tags: tags(texts),
                ..SessionFilter::default()
            });
        }
        let encoded: BTreeSet<_> = filters.iter().map(encode).collect();
        assert_eq!(encoded.len(), filters.len());
        let (one, other) = (tags(&["B", "a"]), tags(&["A", "b"]));
        let of = |tags| {
            encode(&SessionFilter {
                tags,
                ..SessionFilter::default()
            })
        };
        assert_eq!(of(one), of(other));
    }

    fn ada() -> ResolveSession {
        ResolveSession {
            character_name: "Ada".into(),
            name: Some("With Ada".into()),
        }
    }

    #[tokio::test]
    async fn ch_22_the_newest_session_of_the_character_is_taken() {
        let stored = session(owner(1), 5);
        let found = stored.clone();
        let store = ScriptedStore::default().unit(chat_unit(|mocks| {
            mocks
                .sessions
                .expect_list()
                .withf(|_, filter, after, limit| {
                    filter.character.as_deref() == Some("Ada") && after.is_none() && *limit == 1
                })
                .return_once(move |_, _, _, _| Ok(vec![found]));
        }));
        let (sessions, store) = over(store);
        let resolved = sessions.resolve(owner(1), ada()).await.unwrap();
        assert_eq!((resolved.session, resolved.is_new), (stored, false));
        assert_eq!(store.opened(), [Access::Read]);
    }

    #[tokio::test]
    async fn ch_22_who_comes_second_finds_what_the_first_one_made() {
        let nothing = || {
            chat_unit(|mocks| {
                mocks.sessions.expect_list().return_once(|_, _, _, _| Ok(vec![]));
            })
        };
        let insert = |answer: Result<(), StorageError>| {
            chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_insert()
                    .withf(|session| session.auto_key.as_deref() == Some("Ada"))
                    .return_once(|_| answer);
            })
        };
        let stored = session(owner(1), 5);
        let found = stored.clone();
        let store = ScriptedStore::default()
            .unit(nothing())
            .unit(insert(Err(StorageError::Broken(Rule::AutoKeyTaken))))
            .unit(chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_list()
                    .return_once(move |_, _, _, _| Ok(vec![found]));
            }))
            .unit(nothing())
            .unit(insert(Ok(())));
        let (sessions, _) = over(store);
        let resolved = sessions.resolve(owner(1), ada()).await.unwrap();
        assert_eq!((resolved.session.id, resolved.is_new), (stored.id, false));
        let resolved = sessions.resolve(owner(1), ada()).await.unwrap();
        assert_eq!(
            (resolved.session.name.as_deref(), resolved.is_new),
            (Some("With Ada"), true)
        );
    }

    #[tokio::test]
    async fn ch_45_restoring_a_live_session_writes_nothing() {
        let stored = session(owner(1), 5);
        let (restored, live) = (stored.clone(), stored.clone());
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .sessions
                    .expect_restore()
                    .return_once(move |_, _, _| Ok(Some(restored)));
            }))
            .unit(chat_unit(|mocks| {
                mocks.sessions.expect_restore().return_once(|_, _, _| Ok(None));
                mocks.sessions.expect_find().return_once(move |_, _| Ok(Some(live)));
            }))
            .unit(chat_unit(|mocks| {
                mocks.sessions.expect_restore().return_once(|_, _, _| Ok(None));
                mocks.sessions.expect_find().return_once(|_, _| Ok(None));
            }));
        let (sessions, store) = over(store);
        for _ in 0..2 {
            assert_eq!(sessions.restore(owner(1), stored.id).await.unwrap(), stored);
        }
        let missing = sessions.restore(owner(1), stored.id).await;
        assert!(matches!(missing, Err(NotFoundError::NotFound)));
        assert_eq!(
            store.endings(),
            [Ending::Committed, Ending::RolledBack, Ending::RolledBack]
        );
    }

    #[tokio::test]
    async fn ch_45_a_purge_of_another_version_is_stale_and_of_nothing_not_found() {
        let stored = session(owner(1), 5);
        let id = stored.id;
        let answering = |purged: bool, found: Option<Session>| {
            chat_unit(|mocks| {
                mocks.sessions.expect_purge().return_once(move |_, _, _| Ok(purged));
                mocks.sessions.expect_find_any().return_once(move |_, _| Ok(found));
            })
        };
        let store = ScriptedStore::default()
            .unit(answering(true, None))
            .unit(answering(false, Some(stored)))
            .unit(answering(false, None));
        let (sessions, store) = over(store);
        sessions.purge(owner(1), id, Some(1)).await.unwrap();
        let stale = sessions.purge(owner(1), id, Some(9)).await;
        assert!(matches!(stale, Err(ChangeSessionError::Stale)));
        let missing = sessions.purge(owner(1), id, Some(9)).await;
        assert!(matches!(missing, Err(ChangeSessionError::NotFound)));
        assert_eq!(
            store.endings(),
            [Ending::Committed, Ending::RolledBack, Ending::RolledBack]
        );
    }
}
