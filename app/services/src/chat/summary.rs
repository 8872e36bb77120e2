use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{Summary, SummaryDraft, SummaryState};
use larder_domain::{OwnerId, SessionId, SummaryId, Version};
use larder_ports::inbound::chat::{
    ChangeSummaryError, PutSummary, SummaryEntry, SummaryStored, SummaryUseCases, SummaryView,
};
use larder_ports::inbound::{ListError, NotFoundError, Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, Coverage, SummarisedSession};
use larder_ports::outbound::{Access, Clock, IdGenerator, Place, Seal, Store};

use super::ChatConfig;
use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of the digests of conversations.
pub struct ChatSummaries {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    config: ChatConfig,
    retry: RetryPolicy,
}

impl ChatSummaries {
    /// Over these ports.
    pub fn new(
        store: Arc<dyn Store<dyn ChatUnit>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        seal: Arc<dyn Seal>,
        config: ChatConfig,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            seal,
            config,
            retry: RetryPolicy::default(),
        }
    }

    fn view(&self, summary: Summary, content_revision: i64) -> SummaryView {
        let state = summary.state(content_revision, self.config.summary_config_version);
        SummaryView { summary, state }
    }

    fn entry(&self, session: SummarisedSession) -> SummaryEntry {
        let state = session.summary.as_ref().map_or(SummaryState::Missing, |summary| {
            summary.state(session.content_revision, self.config.summary_config_version)
        });
        SummaryEntry {
            session_id: session.id,
            session_name: session.name,
            state,
            summary: session.summary,
        }
    }
}

#[async_trait]
impl SummaryUseCases for ChatSummaries {
    async fn get(&self, owner_id: OwnerId, session_id: SessionId) -> Result<SummaryView, NotFoundError> {
        retrying(&self.retry, "get summary", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.summaries().find(owner_id, session_id).await?;
            undo(unit).await;
            let (summary, content_revision) = found.ok_or(Unfinished::Refused(NotFoundError::NotFound))?;
            Ok(self.view(summary, content_revision))
        })
        .await
    }

    async fn put(&self, owner_id: OwnerId, put: PutSummary) -> Result<SummaryStored, ChangeSummaryError> {
        put.draft.check()?;
        let (now, id) = (self.clock.now(), SummaryId(self.ids.next()));
        let PutSummary {
            session_id,
            draft,
            if_match,
        } = put;
        retrying(&self.retry, "put summary", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            // The session's row is locked from here on, so nobody else writes its summary.
            let source = match unit
                .summaries()
                .cover(owner_id, session_id, draft.source_content_revision)
                .await?
            {
                Coverage::Covered(source) => source,
                Coverage::NoSession => return refuse(unit, ChangeSummaryError::NotFound).await,
                Coverage::OutOfRange => return refuse(unit, SummaryDraft::source_out_of_range().into()).await,
                Coverage::Older => return refuse(unit, ChangeSummaryError::Older).await,
            };
            let draft = draft.clone();
            let summary = Summary {
                owner_id,
                id,
                session_id,
                text: draft.text,
                key_topics: draft.key_topics,
                entities: draft.entities,
                model_name: draft.model_name,
                config_version: draft.config_version,
                source_content_revision: source,
                // What follows is computed by the store.
                message_count: 0,
                first_message_at: None,
                last_message_at: None,
                generated_at: now,
                created_at: now,
                updated_at: now,
                version: 1,
            };
            let Some((stored, content_revision)) = unit.summaries().put(&summary, if_match).await? else {
                return refuse(unit, ChangeSummaryError::Stale).await;
            };
            unit.commit().await?;
            Ok(SummaryStored {
                is_new: stored.version == 1,
                view: self.view(stored, content_revision),
            })
        })
        .await
    }

    async fn delete(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        if_match: Option<Version>,
    ) -> Result<(), ChangeSummaryError> {
        retrying(&self.retry, "delete summary", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.summaries().uncover(owner_id, session_id).await? {
                return refuse(unit, ChangeSummaryError::NotFound).await;
            }
            if !unit.summaries().delete(owner_id, session_id, if_match).await? {
                return refuse(unit, ChangeSummaryError::Stale).await;
            }
            unit.commit().await?;
            Ok(())
        })
        .await
    }

    async fn list(
        &self,
        owner_id: OwnerId,
        state: Option<SummaryState>,
        page: PageRequest,
    ) -> Result<Page<SummaryEntry>, ListError> {
        let filter = state.map_or("", SummaryState::as_str).as_bytes();
        let paging = Paging::new(self.seal.as_ref(), "chat.summaries", owner_id, filter, &page)?;
        let config_version = self.config.summary_config_version;
        let page = retrying(&self.retry, "list summaries", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .summaries()
                .list(owner_id, state, config_version, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok::<_, Unfinished<ListError>>(paging.page(rows, |session| Place {
                at: session.last_update,
                id: session.id.0,
            }))
        })
        .await?;
        Ok(Page {
            data: page.data.into_iter().map(|session| self.entry(session)).collect(),
            next_cursor: page.next_cursor,
        })
    }
}

#[cfg(test)]
mod tests {
    use larder_domain::{Code, Instant};
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner};

    const SESSION: SessionId = SessionId(Uuid::from_u128(5));

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatSummaries, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        let summaries = ChatSummaries::new(
            store.clone(),
            Arc::new(FixedClock::new()),
            Arc::new(SequentialIds::default()),
            Arc::new(PlainSeal),
            ChatConfig {
                summary_config_version: 2,
                ..ChatConfig::default()
            },
        );
        (summaries, store)
    }

    fn put(if_match: Option<Version>) -> PutSummary {
        PutSummary {
            session_id: SESSION,
            draft: SummaryDraft {
                text: "t".into(),
                model_name: "m".into(),
                config_version: 1,
                ..SummaryDraft::default()
            },
            if_match,
        }
    }

    fn covering(coverage: Coverage) -> ChatMocks {
        chat_unit(|mocks| {
            mocks.summaries.expect_cover().return_once(move |_, _, _| Ok(coverage));
        })
    }

    #[tokio::test]
    async fn ch_60_what_the_session_does_not_allow_is_refused() {
        let store = [Coverage::NoSession, Coverage::OutOfRange, Coverage::Older]
            .into_iter()
            .fold(ScriptedStore::default(), |store, coverage| {
                store.unit(covering(coverage))
            });
        let (summaries, store) = over(store);
        let refused = summaries.put(owner(1), put(None)).await;
        assert!(matches!(refused, Err(ChangeSummaryError::NotFound)));
        let refused = summaries.put(owner(1), put(None)).await;
        let Err(ChangeSummaryError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(invalid.violations()[0].code, Code::OutOfRange);
        let refused = summaries.put(owner(1), put(None)).await;
        assert!(matches!(refused, Err(ChangeSummaryError::Older)));
        assert_eq!(store.endings(), [Ending::RolledBack; 3]);
    }

    #[tokio::test]
    async fn ch_60_the_version_tells_a_new_summary_and_the_state_is_computed() {
        let storing = |version: Version, content_revision: i64| {
            chat_unit(|mocks| {
                mocks
                    .summaries
                    .expect_cover()
                    .return_once(|_, _, _| Ok(Coverage::Covered(7)));
                mocks
                    .summaries
                    .expect_put()
                    .withf(|summary, _| summary.source_content_revision == 7)
                    .return_once(move |summary, _| {
                        let stored = Summary {
                            version,
                            ..summary.clone()
                        };
                        Ok(Some((stored, content_revision)))
                    });
            })
        };
        let (summaries, store) = over(ScriptedStore::default().unit(storing(1, 7)).unit(storing(2, 8)));
        let stored = summaries.put(owner(1), put(None)).await.unwrap();
        assert_eq!((stored.is_new, stored.view.state), (true, SummaryState::Config));
        let stored = summaries.put(owner(1), put(None)).await.unwrap();
        assert_eq!((stored.is_new, stored.view.state), (false, SummaryState::Content));
        assert_eq!(store.endings(), [Ending::Committed; 2]);
    }

    #[tokio::test]
    async fn ch_17_another_version_is_stale_and_nothing_stays_covered() {
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .summaries
                    .expect_cover()
                    .return_once(|_, _, _| Ok(Coverage::Covered(7)));
                mocks
                    .summaries
                    .expect_put()
                    .withf(|_, expected| *expected == Some(3))
                    .return_once(|_, _| Ok(None));
            }))
            .unit(chat_unit(|mocks| {
                mocks.summaries.expect_uncover().return_once(|_, _| Ok(true));
                mocks.summaries.expect_delete().return_once(|_, _, _| Ok(false));
            }));
        let (summaries, store) = over(store);
        let refused = summaries.put(owner(1), put(Some(3))).await;
        assert!(matches!(refused, Err(ChangeSummaryError::Stale)));
        let refused = summaries.delete(owner(1), SESSION, Some(3)).await;
        assert!(matches!(refused, Err(ChangeSummaryError::Stale)));
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn ch_63_the_state_of_an_entry_is_that_of_its_summary() {
        let store = ScriptedStore::default().unit(chat_unit(|mocks| {
            mocks
                .summaries
                .expect_list()
                .withf(|_, state, config_version, after, limit| {
                    state.is_none() && *config_version == 2 && after.is_none() && *limit == 51
                })
                .return_once(|_, _, _, _, _| {
                    Ok(vec![SummarisedSession {
                        id: SESSION,
                        name: Some("n".into()),
                        last_update: Instant::EPOCH,
                        content_revision: 3,
                        summary: None,
                    }])
                });
        }));
        let (summaries, _) = over(store);
        let page = summaries.list(owner(1), None, PageRequest::first()).await.unwrap();
        let expected = SummaryEntry {
            session_id: SESSION,
            session_name: Some("n".into()),
            state: SummaryState::Missing,
            summary: None,
        };
        assert_eq!(page.data, [expected]);
    }
}
