use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::Tag;
use larder_domain::{Invalid, OwnerId, Violations};
use larder_ports::inbound::chat::{RenameTag, RenameTagError, TagUseCases};
use larder_ports::inbound::{ListError, Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, TagCount};
use larder_ports::outbound::{Access, Clock, Seal, Store};

use crate::cursor::Paging;
use crate::retry::{RetryPolicy, refuse, retrying, undo};

/// The use cases of the labels on conversations.
pub struct ChatTags {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatTags {
    /// Over these ports.
    pub fn new(store: Arc<dyn Store<dyn ChatUnit>>, clock: Arc<dyn Clock>, seal: Arc<dyn Seal>) -> Self {
        Self {
            store,
            clock,
            seal,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl TagUseCases for ChatTags {
    async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<TagCount>, ListError> {
        let paging = Paging::new(self.seal.as_ref(), "chat.tags", owner_id, &[], &page)?;
        retrying(&self.retry, "list tags", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit.tags().list(owner_id, paging.after(), paging.fetch()).await?;
            undo(unit).await;
            Ok(paging.page(rows, |count| count.tag.norm().to_owned()))
        })
        .await
    }

    async fn rename(&self, owner_id: OwnerId, rename: RenameTag) -> Result<i64, RenameTagError> {
        let now = self.clock.now();
        let mut violations = Violations::new();
        let from = violations.keep(Tag::new(&rename.from, "/from"));
        let to = violations.keep(Tag::new(&rename.to, "/to"));
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Invalid::from(violations).into());
        };
        retrying(&self.retry, "rename tag", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(changed) = unit.tags().rename(owner_id, &from, &to, now).await? else {
                return refuse(unit, RenameTagError::NotFound).await;
            };
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use larder_domain::Code;
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore};

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatTags, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        let tags = ChatTags::new(store.clone(), Arc::new(FixedClock::new()), Arc::new(PlainSeal));
        (tags, store)
    }

    fn rename(from: &str, to: &str) -> RenameTag {
        RenameTag {
            from: from.into(),
            to: to.into(),
        }
    }

    fn count(text: &str) -> TagCount {
        TagCount {
            tag: Tag::from_stored(text.into()),
            session_count: 1,
        }
    }

    #[tokio::test]
    async fn ch_24_the_list_goes_on_behind_a_folded_form() {
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .tags
                    .expect_list()
                    .withf(|_, after, limit| after.is_none() && *limit == 2)
                    .return_once(|_, _, _| Ok(vec![count("Straße"), count("work")]));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .tags
                    .expect_list()
                    .withf(|_, after, _| after.as_deref() == Some("strasse"))
                    .return_once(|_, _, _| Ok(vec![count("work")]));
            }));
        let (tags, _) = over(store);
        let first = PageRequest { limit: 1, cursor: None };
        let page = tags.list(owner(1), first).await.unwrap();
        assert_eq!(page.data, [count("Straße")]);
        let next = PageRequest {
            limit: 1,
            cursor: page.next_cursor,
        };
        let page = tags.list(owner(1), next.clone()).await.unwrap();
        assert_eq!((page.data, page.next_cursor), (vec![count("work")], None));
        let foreign = tags.list(owner(2), next).await;
        assert!(matches!(foreign, Err(ListError::BadCursor(_))));
    }

    #[tokio::test]
    async fn ch_24_both_names_are_checked_before_a_unit_is_open() {
        let (tags, store) = over(ScriptedStore::default());
        let refused = tags.rename(owner(1), rename(" ", &"x".repeat(65))).await;
        let Err(RenameTagError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        let found: Vec<_> = invalid
            .violations()
            .iter()
            .map(|violation| (violation.pointer.as_str(), violation.code))
            .collect();
        assert_eq!(found, [("/from", Code::TooShort), ("/to", Code::TooLong)]);
        assert!(store.opened().is_empty());
    }

    #[tokio::test]
    async fn ch_24_an_unknown_tag_is_not_found_and_a_known_one_is_committed() {
        let answering = |answer| {
            chat_unit(|mocks| {
                mocks
                    .tags
                    .expect_rename()
                    .withf(|_, from, to, _| from.norm() == "a" && to.text() == "B")
                    .return_once(move |_, _, _, _| Ok(answer));
            })
        };
        let store = ScriptedStore::default().unit(answering(None)).unit(answering(Some(3)));
        let (tags, store) = over(store);
        let missing = tags.rename(owner(1), rename("A ", "B")).await;
        assert!(matches!(missing, Err(RenameTagError::NotFound)));
        assert_eq!(tags.rename(owner(1), rename("A ", "B")).await.unwrap(), 3);
        assert_eq!(store.endings(), [Ending::RolledBack, Ending::Committed]);
    }
}
