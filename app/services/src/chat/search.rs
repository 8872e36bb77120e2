use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{Session, Tag};
use larder_domain::search::{Excerpt, Query};
use larder_domain::{OwnerId, TextRule, Violations, check_text};
use larder_ports::inbound::chat::{MessageHit, SearchError, SearchRequest, SearchUseCases};
use larder_ports::inbound::{Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, MessageScope, SearchFilter};
use larder_ports::outbound::{Access, Place, Seal, Store};

use crate::cursor::Paging;
use crate::retry::{RetryPolicy, retrying, undo};

/// The use cases of search.
pub struct ChatSearch {
    store: Arc<dyn Store<dyn ChatUnit>>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatSearch {
    /// Over these ports.
    pub fn new(store: Arc<dyn Store<dyn ChatUnit>>, seal: Arc<dyn Seal>) -> Self {
        Self {
            store,
            seal,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl SearchUseCases for ChatSearch {
    async fn messages(
        &self,
        owner_id: OwnerId,
        request: SearchRequest,
        scope: MessageScope,
        page: PageRequest,
    ) -> Result<Page<MessageHit>, SearchError> {
        let (query, filter) = read(request)?;
        let bound = encode(&query, &filter, scope);
        let paging = Paging::new(self.seal.as_ref(), "chat.search.messages", owner_id, &bound, &page)?;
        let found = retrying(&self.retry, "search messages", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .search()
                .messages(owner_id, &query, &filter, scope, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok::<_, crate::retry::Unfinished<SearchError>>(paging.page(rows, |(message, _)| Place {
                at: message.created_at,
                id: message.id.0,
            }))
        })
        .await?;
        let hits = found.data.into_iter().map(|(message, session)| MessageHit {
            excerpt: Excerpt::of(&message.text, &query),
            message,
            session,
        });
        Ok(Page {
            data: hits.collect(),
            next_cursor: found.next_cursor,
        })
    }

    async fn sessions(
        &self,
        owner_id: OwnerId,
        request: SearchRequest,
        page: PageRequest,
    ) -> Result<Page<Session>, SearchError> {
        let (query, filter) = read(request)?;
        let bound = encode(&query, &filter, MessageScope::default());
        let paging = Paging::new(self.seal.as_ref(), "chat.search.sessions", owner_id, &bound, &page)?;
        retrying(&self.retry, "search sessions", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .search()
                .sessions(owner_id, &query, &filter, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, |session| Place {
                at: session.last_update,
                id: session.id.0,
            }))
        })
        .await
    }
}

/// Judges what is searched for.
fn read(request: SearchRequest) -> Result<(Query, SearchFilter), SearchError> {
    let query = Query::parse(&request.query)?;
    let mut violations = Violations::new();
    let tags = violations.keep(Tag::list(&request.tags, "/query/tag"));
    if let Some(character) = &request.character {
        check_text(character, TextRule::up_to(100), "/query/character", &mut violations);
    }
    violations.finish(())?;
    let filter = SearchFilter {
        from: request.from,
        to: request.to,
        tags: tags.unwrap_or_default(),
        tag_match: request.tag_match,
        character: request.character,
        content: request.content,
    };
    Ok((query, filter))
}

/// Query and filter as a cursor is bound to them. Taken apart field by field, so that a new one can't be forgotten; what `Debug`
/// writes of a text is quoted, so that no two searches are written alike.
fn encode(query: &Query, filter: &SearchFilter, scope: MessageScope) -> Vec<u8> {
    let SearchFilter {
        from,
        to,
        tags,
        tag_match,
        character,
        content,
    } = filter;
    let MessageScope { role, session_id } = scope;
    let mut norms: Vec<&str> = tags.iter().map(Tag::norm).collect();
    norms.sort_unstable();
    let what = (from, to, norms, tag_match, character, content, role, session_id);
    format!("{query:?} {what:?}").into_bytes()
}

#[cfg(test)]
mod tests {
    use larder_domain::chat::SenderRole;
    use larder_domain::{Code, Instant, MessageId, SessionId};
    use larder_ports::outbound::chat::{FoundMessage, TagMatch};
    use larder_ports::testing::{ChatMocks, Ending, ScriptedStore};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner, session};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatSearch, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        (ChatSearch::new(store.clone(), Arc::new(PlainSeal)), store)
    }

    fn words(query: &str) -> SearchRequest {
        SearchRequest {
            query: query.into(),
            ..SearchRequest::default()
        }
    }

    fn found(number: u128, text: &str) -> (FoundMessage, Session) {
        let message = FoundMessage {
            id: MessageId(Uuid::from_u128(number)),
            position: 1,
            sender_role: SenderRole::User,
            sender_name: None,
            text: text.into(),
            created_at: Instant::EPOCH,
        };
        (message, session(owner(1), 5))
    }

    #[tokio::test]
    async fn ch_42_a_hit_carries_its_excerpt_and_the_next_page_starts_behind_the_last_hit() {
        let first = chat_unit(|mocks| {
            mocks
                .search
                .expect_messages()
                .withf(|_, query, _, _, after, limit| query.prefix() == "lond" && after.is_none() && *limit == 2)
                .returning(|_, _, _, _, _, _| Ok(vec![found(7, "Visit London"), found(6, "Londoners")]));
        });
        let second = chat_unit(|mocks| {
            mocks
                .search
                .expect_messages()
                .withf(|_, _, _, _, after, _| {
                    *after
                        == Some(Place {
                            at: Instant::EPOCH,
                            id: Uuid::from_u128(7),
                        })
                })
                .returning(|_, _, _, _, _, _| Ok(vec![found(6, "Londoners")]));
        });
        let (search, store) = over(ScriptedStore::default().unit(first).unit(second));
        let page = |cursor| PageRequest { limit: 1, cursor };
        let scope = MessageScope::default();
        let hits = search
            .messages(owner(1), words("Lond"), scope, page(None))
            .await
            .unwrap();
        assert_eq!(hits.data[0].excerpt.text, "Visit London");
        assert!(hits.data[0].excerpt.highlights.iter().eq(std::iter::once(&(6..12))));
        let next = page(hits.next_cursor.clone());
        let rest = search.messages(owner(1), words("Lond"), scope, next).await.unwrap();
        assert_eq!((rest.data.len(), rest.next_cursor), (1, None));
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);

        for (owner_id, query, scope) in [
            (owner(2), "Lond", scope),
            (owner(1), "Londo", scope),
            (
                owner(1),
                "Lond",
                MessageScope {
                    session_id: Some(SessionId(Uuid::nil())),
                    ..scope
                },
            ),
        ] {
            let refused = search
                .messages(owner_id, words(query), scope, page(hits.next_cursor.clone()))
                .await;
            assert!(matches!(refused, Err(SearchError::BadCursor(_))), "{query}");
        }
        let refused = search.sessions(owner(1), words("Lond"), page(hits.next_cursor)).await;
        assert!(matches!(refused, Err(SearchError::BadCursor(_))));
    }

    #[tokio::test]
    async fn ch_43_tags_are_read_as_sessions_have_them() {
        let unit = chat_unit(|mocks| {
            mocks
                .search
                .expect_sessions()
                .withf(|_, _, filter, _, _| {
                    let norms: Vec<_> = filter.tags.iter().map(Tag::norm).collect();
                    norms == ["work"] && filter.tag_match == TagMatch::All
                })
                .returning(|_, _, _, _, _| Ok(vec![session(owner(1), 5)]));
        });
        let (search, _) = over(ScriptedStore::default().unit(unit));
        let request = SearchRequest {
            tags: vec!["Work".into(), " WORK ".into()],
            tag_match: TagMatch::All,
            ..words("x")
        };
        let found = search.sessions(owner(1), request, PageRequest::first()).await.unwrap();
        assert_eq!(found.data, [session(owner(1), 5)]);
    }

    #[tokio::test]
    async fn ch_41_what_is_no_query_or_filter_is_refused_before_the_store_is_asked() {
        let (search, store) = over(ScriptedStore::default());
        let with = |change: fn(&mut SearchRequest)| {
            let mut request = words("x");
            change(&mut request);
            request
        };
        for (request, code) in [
            (words("%_\"*\\"), Code::EmptyQuery),
            (words(&"a ".repeat(17)), Code::TooMany),
            (words(&"a".repeat(201)), Code::TooLong),
            (with(|request| request.character = Some("a\0".into())), Code::Nul),
            (with(|request| request.tags = vec![String::new()]), Code::TooShort),
        ] {
            let refused = search.sessions(owner(1), request, PageRequest::first()).await;
            let Err(SearchError::Invalid(invalid)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(invalid.violations()[0].code, code);
        }
        assert!(store.opened().is_empty());
    }
}
