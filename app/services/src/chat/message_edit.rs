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
        let attachments = change.patch.attachments.value().map_or(0, Vec::len);
        let attachment_ids = self.attachment_ids(attachments);
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
