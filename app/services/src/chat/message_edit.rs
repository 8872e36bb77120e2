use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{
    Chunk, EditRefused, Editor, Message, MessageEdit, MessageStatus, Revision, Stamp, check_batch, check_same_message,
};
use larder_domain::{AttachmentId, Code, Instant, Invalid, MessageId, OwnerId, SessionId};
use larder_ports::inbound::chat::{
    AttachToMessage, ChangeMessage, DeleteMessage, EditMessageError, Grown, ListMessagesError, MessageEditUseCases,
    MessageStored, MessageTag, MessageView, NotFoundError, PutCondition, PutMessage,
};
use larder_ports::inbound::{Page, PageRequest};
use larder_ports::outbound::chat::{ChatUnit, Keeping};
use larder_ports::outbound::{Access, Clock, IdGenerator, Rule, Seal, StorageError, Store};

use super::message::{ChatConfig, view};
use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases that change messages.
pub struct ChatMessageEdits {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    config: ChatConfig,
    retry: RetryPolicy,
}

impl ChatMessageEdits {
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

    fn attachment_ids(&self, count: usize) -> Vec<AttachmentId> {
        (0..count).map(|_| AttachmentId(self.ids.next())).collect()
    }

    fn keeping(&self, touch: bool, by: Editor) -> Keeping {
        Keeping {
            touch,
            revision_id: self.ids.next(),
            by,
            max_revisions: self.config.max_revisions,
        }
    }

    /// Changes a live message: locks its session, lets `decide` judge the message under the lock, and stores what comes of it.
    async fn edit(
        &self,
        operation: &'static str,
        target: Target,
        decide: impl Fn(&Message) -> Result<Option<MessageEdit>, EditMessageError>,
    ) -> Result<Message, EditMessageError> {
        retrying(&self.retry, operation, || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let locked = unit.message_edits().lock(target.owner_id, target.id).await?;
            let Some(message) = locked.filter(|message| message.deleted_at.is_none()) else {
                return refuse(unit, EditMessageError::NotFound).await;
            };
            let decided = demand(target.if_match, &message, target.now).and_then(|()| decide(&message));
            match decided {
                Err(refused) => refuse(unit, refused).await,
                Ok(None) => {
                    undo(unit).await;
                    Ok(message)
                }
                Ok(Some(edit)) => {
                    unit.message_edits().save(&edit, &target.keeping).await?;
                    unit.commit().await?;
                    Ok(edit.message)
                }
            }
        })
        .await
    }
}

/// Which message is changed, and how.
struct Target {
    owner_id: OwnerId,
    id: MessageId,
    if_match: Option<MessageTag>,
    keeping: Keeping,
    now: Instant,
}

#[async_trait]
impl MessageEditUseCases for ChatMessageEdits {
    async fn change(&self, owner_id: OwnerId, change: ChangeMessage) -> Result<MessageView, EditMessageError> {
        let now = self.clock.now();
        let attachment_ids = self.attachment_ids(change.patch.new_attachments());
        let target = Target {
            owner_id,
            id: change.id,
            if_match: change.if_match,
            keeping: self.keeping(change.touch, change.by),
            now,
        };
        let message = self
            .edit("change message", target, |message| {
                check_same_message((None, change.session_id), (message.id, message.session_id))?;
                if change.sender_role.is_some_and(|role| role != message.sender_role) {
                    let text = "never changes once the message is stored";
                    return Err(Invalid::one("/sender_role", Code::ImmutableField, text).into());
                }
                let changed = message.change(change.patch.clone(), attachment_ids.clone(), now);
                changed.map_err(refused)
            })
            .await?;
        Ok(view(message, now))
    }

    async fn put(&self, owner_id: OwnerId, put: PutMessage) -> Result<MessageStored, EditMessageError> {
        let now = self.clock.now();
        let wants_status = put.draft.status.is_some();
        let stamp = Stamp {
            owner_id,
            session_id: put.session_id,
            id: put.id,
            attachment_ids: self.attachment_ids(put.draft.attachments.len()),
            ordinal: 1,
            now,
            default_lease: self.config.partial_lease,
        };
        let whole = Message::create(put.draft, stamp, "").map_err(Invalid::from)?;
        let keeping = self.keeping(put.touch, put.by);
        let (message, is_new) = retrying(&self.retry, "put message", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.message_edits().lock_session(owner_id, put.session_id).await? {
                return refuse(unit, EditMessageError::NotFound).await;
            }
            let Some(stored) = unit.message_edits().find_any(owner_id, put.id).await? else {
                if matches!(put.condition, PutCondition::Present | PutCondition::State(_)) {
                    return refuse(unit, EditMessageError::Stale).await;
                }
                return insert(unit, &whole, put.touch).await;
            };
            if stored.session_id != put.session_id || stored.deleted_at.is_some() {
                return refuse(unit, EditMessageError::IdTaken).await;
            }
            let met = match put.condition {
                PutCondition::Absent => Err(EditMessageError::Stale),
                PutCondition::State(tag) => demand(Some(tag), &stored, now),
                PutCondition::None | PutCondition::Present => Ok(()),
            };
            let replaced = met.and_then(|()| stored.replace(whole.clone(), wants_status, now).map_err(refused));
            match replaced {
                Err(refused) => refuse(unit, refused).await,
                Ok(None) => {
                    undo(unit).await;
                    Ok((stored, false))
                }
                Ok(Some(edit)) => {
                    unit.message_edits().save(&edit, &keeping).await?;
                    unit.commit().await?;
                    Ok((edit.message, false))
                }
            }
        })
        .await?;
        Ok(MessageStored {
            view: view(message, now),
            is_new,
        })
    }

    async fn attach(&self, owner_id: OwnerId, attach: AttachToMessage) -> Result<MessageView, EditMessageError> {
        let now = self.clock.now();
        let ids = self.attachment_ids(attach.attachments.len());
        let target = Target {
            owner_id,
            id: attach.id,
            if_match: attach.if_match,
            keeping: self.keeping(attach.touch, attach.by),
            now,
        };
        let message = self
            .edit("attach to message", target, |message| {
                message
                    .attach(attach.attachments.clone(), ids.clone(), now)
                    .map_err(refused)
            })
            .await?;
        Ok(view(message, now))
    }

    async fn grow(&self, owner_id: OwnerId, id: MessageId, chunk: Chunk) -> Result<Grown, EditMessageError> {
        let now = self.clock.now();
        let target = Target {
            owner_id,
            id,
            if_match: None,
            // A chunk keeps no revision and moves no session.
            keeping: self.keeping(false, Editor::Login),
            now,
        };
        let message = self
            .edit("grow message", target, |message| {
                let grown = message.grow(chunk.clone(), self.config.partial_lease, now);
                grown.map(Some).map_err(refused)
            })
            .await?;
        Ok(Grown {
            lengths: message.lengths(),
            version: message.version,
        })
    }

    async fn delete(&self, owner_id: OwnerId, delete: DeleteMessage) -> Result<(), EditMessageError> {
        let now = self.clock.now();
        retrying(&self.retry, "delete message", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let locked = unit.message_edits().lock(owner_id, delete.id).await?;
            let Some(message) = locked.filter(|message| delete.purge || message.deleted_at.is_none()) else {
                return refuse(unit, EditMessageError::NotFound).await;
            };
            if let Err(stale) = demand(delete.if_match, &message, now) {
                return refuse(unit, stale).await;
            }
            if delete.purge {
                unit.message_edits().purge(&message, now).await?;
            } else {
                let ids = [message.id];
                unit.message_edits()
                    .trash(owner_id, message.session_id, &ids, now)
                    .await?;
            }
            unit.commit().await?;
            Ok(())
        })
        .await
    }

    async fn restore(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError> {
        let now = self.clock.now();
        let message = retrying(&self.retry, "restore message", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let Some(message) = unit.message_edits().lock(owner_id, id).await? else {
                return refuse(unit, NotFoundError::NotFound).await;
            };
            if message.deleted_at.is_none() {
                undo(unit).await;
                return Ok(message);
            }
            let restored = message.restored(now);
            unit.message_edits().restore(&restored).await?;
            unit.commit().await?;
            Ok(restored)
        })
        .await?;
        Ok(view(message, now))
    }

    async fn delete_batch(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        ids: Vec<MessageId>,
    ) -> Result<Vec<MessageId>, EditMessageError> {
        let now = self.clock.now();
        let ids = check_batch(ids)?;
        let trashed = retrying(&self.retry, "delete messages", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            if !unit.message_edits().lock_session(owner_id, session_id).await? {
                return refuse(unit, EditMessageError::NotFound).await;
            }
            let trashed = unit.message_edits().trash(owner_id, session_id, &ids, now).await?;
            unit.commit().await?;
            Ok(trashed)
        })
        .await?;
        Ok(ids.into_iter().filter(|id| trashed.contains(id)).collect())
    }

    async fn revisions(
        &self,
        owner_id: OwnerId,
        id: MessageId,
        page: PageRequest,
    ) -> Result<Page<Revision>, ListMessagesError> {
        let seal = self.seal.as_ref();
        let paging = Paging::new(seal, "chat.revisions", owner_id, id.0.as_bytes(), &page)?;
        retrying(&self.retry, "list revisions", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let (before, limit) = (paging.after(), paging.fetch());
            let found = unit.revisions().list(owner_id, id, before, limit).await?;
            undo(unit).await;
            let rows = found.ok_or(Unfinished::Refused(ListMessagesError::NotFound))?;
            Ok(paging.page(rows, |revision: &Revision| revision.revision))
        })
        .await
    }

    async fn revision(&self, owner_id: OwnerId, id: MessageId, revision: i64) -> Result<Revision, NotFoundError> {
        retrying(&self.retry, "get revision", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.revisions().find(owner_id, id, revision).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }
}

/// Appends a message whose id nobody of the owner has, to a session that is locked.
async fn insert(
    mut unit: Box<dyn ChatUnit>,
    whole: &Message,
    touch: bool,
) -> Result<(Message, bool), Unfinished<EditMessageError>> {
    let (owner_id, session_id, now) = (whole.owner_id, whole.session_id, whole.created_at);
    let turn = std::slice::from_ref(whole);
    let session = match unit.messages().append(owner_id, session_id, turn, touch, now).await {
        // Another unit has just stored it in another session.
        Err(StorageError::Broken(Rule::MessageIdTaken)) => return refuse(unit, EditMessageError::IdTaken).await,
        appended => appended?,
    };
    let Some(session) = session else {
        return Err(StorageError::Internal("a session that is locked is not there".into()).into());
    };
    unit.commit().await?;
    let message = Message {
        position: session.last_position,
        ..whole.clone()
    };
    Ok((message, true))
}

/// Whether the message is in the state that the client demands (`CH-17`, `CH-81`).
fn demand(if_match: Option<MessageTag>, message: &Message, now: Instant) -> Result<(), EditMessageError> {
    let tag = MessageTag {
        version: message.version,
        is_lapsed: message.status == MessageStatus::Partial && message.status_at(now) != MessageStatus::Partial,
    };
    match if_match {
        Some(demanded) if demanded != tag => Err(EditMessageError::Stale),
        _ => Ok(()),
    }
}

fn refused(refused: EditRefused) -> EditMessageError {
    match refused {
        EditRefused::Invalid(invalid) => EditMessageError::Invalid(invalid),
        EditRefused::NotPartial => EditMessageError::NotPartial,
        EditRefused::ChunkMismatch(lengths) => EditMessageError::ChunkMismatch(lengths),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_domain::Patch;
    use larder_domain::chat::{MessageDraft, MessagePatch, SenderRole};
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner, session};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatMessageEdits, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        let edits = ChatMessageEdits::new(
            store.clone(),
            Arc::new(FixedClock::new()),
            Arc::new(SequentialIds::default()),
            Arc::new(PlainSeal),
            ChatConfig::default(),
        );
        (edits, store)
    }

    fn says(text: &str) -> MessageDraft {
        MessageDraft {
            text: Some(text.into()),
            ..MessageDraft::new(SenderRole::User)
        }
    }

    fn stored(text: &str) -> Message {
        let stamp = Stamp {
            owner_id: owner(1),
            session_id: SessionId(Uuid::from_u128(5)),
            id: MessageId(Uuid::from_u128(9)),
            attachment_ids: vec![],
            ordinal: 1,
            now: FixedClock::new().now(),
            default_lease: Duration::from_secs(120),
        };
        Message::create(says(text), stamp, "").unwrap()
    }

    fn to(text: &str) -> ChangeMessage {
        ChangeMessage {
            id: stored("x").id,
            session_id: None,
            sender_role: None,
            patch: MessagePatch {
                text: Patch::Set(text.into()),
                ..MessagePatch::default()
            },
            touch: true,
            if_match: None,
            by: Editor::Login,
        }
    }

    fn holding(message: Option<Message>) -> ChatMocks {
        chat_unit(|mocks| {
            let lock = mocks.message_edits.expect_lock().times(1);
            lock.returning(move |_, _| Ok(message.clone()));
        })
    }

    #[tokio::test]
    async fn ch_11_an_unchanged_patch_saves_nothing() {
        let (edits, store) = over(ScriptedStore::default().unit(holding(Some(stored("same")))));
        let view = edits.change(owner(1), to("same")).await.unwrap();
        assert_eq!(view.message, stored("same"));
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_12_an_edit_is_saved_with_the_configured_number_of_revisions() {
        let mut unit = holding(Some(stored("old")));
        unit.message_edits.expect_save().times(1).returning(|edit, keeping| {
            assert!(edit.keeps_revision && keeping.touch);
            assert_eq!((keeping.max_revisions, keeping.by), (100, Editor::Login));
            Ok(())
        });
        let (edits, store) = over(ScriptedStore::default().unit(unit));
        let view = edits.change(owner(1), to("new")).await.unwrap();
        assert_eq!((view.message.revision, view.message.version), (2, 2));
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_13_what_is_not_live_is_not_found_and_failures_stay_failures() {
        let trashed = Message {
            deleted_at: Some(FixedClock::new().now()),
            ..stored("x")
        };
        let broken = chat_unit(|mocks| {
            let lock = mocks.message_edits.expect_lock();
            lock.returning(|_, _| Err(StorageError::Internal("away".into())));
        });
        let script = ScriptedStore::default()
            .unit(holding(None))
            .unit(holding(Some(trashed)));
        let (edits, store) = over(script.unit(broken));
        for _ in 0..2 {
            let refused = edits.change(owner(1), to("y")).await;
            assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
        }
        let failed = edits.change(owner(1), to("y")).await;
        assert!(matches!(failed, Err(EditMessageError::Failure(_))), "{failed:?}");
        assert_eq!(
            store.endings(),
            [Ending::RolledBack, Ending::RolledBack, Ending::Dropped]
        );
    }

    #[tokio::test]
    async fn ch_17_a_stale_tag_is_refused_before_the_patch_is_judged() {
        let (edits, store) = over(ScriptedStore::default().unit(holding(Some(stored("x")))));
        let stale = ChangeMessage {
            if_match: Some(MessageTag {
                version: 1,
                is_lapsed: true,
            }),
            ..to("")
        };
        let refused = edits.change(owner(1), stale).await;
        assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn an_edit_that_was_in_the_way_of_another_is_run_again() {
        let contended = || {
            let mut unit = holding(Some(stored("old")));
            let save = unit.message_edits.expect_save();
            save.returning(|_, _| Err(StorageError::Contended));
            unit
        };
        let mut last = holding(Some(stored("old")));
        last.message_edits.expect_save().returning(|_, _| Ok(()));
        let (edits, store) = over(ScriptedStore::default().unit(contended()).unit(contended()).unit(last));
        edits.change(owner(1), to("new")).await.unwrap();
        assert_eq!(store.endings().last(), Some(&Ending::Committed));
        assert_eq!(store.opened().len(), 3);
    }

    #[tokio::test]
    async fn ch_14_an_id_that_another_session_took_meanwhile_is_taken() {
        let unit = chat_unit(|mocks| {
            let edits = &mut mocks.message_edits;
            edits.expect_lock_session().times(1).returning(|_, _| Ok(true));
            edits.expect_find_any().times(1).returning(|_, _| Ok(None));
            let append = mocks.messages.expect_append();
            append.returning(|_, _, _, _, _| Err(StorageError::Broken(Rule::MessageIdTaken)));
        });
        let (edits, store) = over(ScriptedStore::default().unit(unit));
        let put = PutMessage {
            session_id: session(owner(1), 5).id,
            id: stored("x").id,
            draft: says("x"),
            touch: true,
            condition: PutCondition::None,
            by: Editor::Login,
        };
        let refused = edits.put(owner(1), put).await;
        assert!(matches!(refused, Err(EditMessageError::IdTaken)), "{refused:?}");
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_45_a_purge_reaches_the_trash_and_a_deletion_does_not() {
        let trashed = Message {
            deleted_at: Some(FixedClock::new().now()),
            ..stored("x")
        };
        let mut purging = holding(Some(trashed.clone()));
        purging.message_edits.expect_purge().times(1).returning(|_, _| Ok(()));
        let (edits, store) = over(
            ScriptedStore::default()
                .unit(holding(Some(trashed.clone())))
                .unit(purging),
        );
        let delete = |purge| DeleteMessage {
            id: trashed.id,
            purge,
            if_match: None,
        };
        let refused = edits.delete(owner(1), delete(false)).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
        edits.delete(owner(1), delete(true)).await.unwrap();
        assert_eq!(store.endings(), [Ending::RolledBack, Ending::Committed]);
    }
}
