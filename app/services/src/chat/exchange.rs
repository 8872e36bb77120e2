use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{EditKind, EditRefused, Message, MessageEdit, Session, Stamp};
use larder_domain::{AttachmentId, Code, Instant, Invalid, MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::{
    ExchangeMerged, ExchangeUseCases, MergeExchange, MergeExchangeError, Side, SideMerged,
};
use larder_ports::outbound::chat::{ChatUnit, Keeping};
use larder_ports::outbound::{Access, Clock, IdGenerator, Rule, StorageError, Store};
use uuid::Uuid;

use super::message::{ChatConfig, newest_of, view};
use crate::retry::{RetryPolicy, Unfinished, retrying, undo};

/// The use cases of exchanges.
pub struct ChatExchanges {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    config: ChatConfig,
    retry: RetryPolicy,
}

impl ChatExchanges {
    /// Over these ports.
    pub fn new(
        store: Arc<dyn Store<dyn ChatUnit>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        config: ChatConfig,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            config,
            retry: RetryPolicy::default(),
        }
    }

    /// A side with the ids of whatever it may come to.
    fn plan_side(&self, side: Side, pointer: &'static str) -> PlannedSide {
        let attachments = side.draft.attachments.len().max(side.patch.new_attachments());
        PlannedSide {
            new_id: side.id.unwrap_or_else(|| MessageId(self.ids.next())),
            attachment_ids: (0..attachments).map(|_| AttachmentId(self.ids.next())).collect(),
            revision_id: self.ids.next(),
            side,
            pointer,
        }
    }

    fn plan(&self, owner_id: OwnerId, mut exchange: MergeExchange) -> Result<Plan, Invalid> {
        let now = self.clock.now();
        let sides = [
            (exchange.question.take(), "/question"),
            (exchange.answer.take(), "/answer"),
        ];
        let sides = sides.map(|(side, pointer)| side.map(|side| self.plan_side(side, pointer)));
        let [question, answer] = sides.each_ref().map(|side| side.as_ref().and_then(PlannedSide::id));
        if question.is_some() && question == answer {
            let message = "must not be the id of the other message";
            return Err(Invalid::one("/answer/id", Code::Duplicate, message));
        }
        let session_id = exchange.session_id.unwrap_or_else(|| SessionId(self.ids.next()));
        let new_session = exchange.new_session.clone();
        Ok(Plan {
            owner_id,
            new_session: Session::create(new_session, owner_id, session_id, now, "/session"),
            sides,
            max_revisions: self.config.max_revisions,
            exchange,
            now,
        })
    }

    /// What becomes of a side, under the lock of its session. A message that is not there is made, but not yet stored.
    async fn judge(
        &self,
        unit: &mut dyn ChatUnit,
        plan: &Plan,
        place: &Place,
        planned: &PlannedSide,
    ) -> Result<Judged, Unfinished<MergeExchangeError>> {
        let stored = match planned.id() {
            None => None,
            Some(id) if place.known.as_ref().is_some_and(|known| known.id == id) => place.known.clone(),
            // The session is new because no message that is named was there.
            Some(_) if place.is_new && plan.exchange.session_id.is_none() => None,
            Some(id) => unit.message_edits().find_any(plan.owner_id, id).await?,
        };
        let Some(stored) = stored else {
            let stamp = Stamp {
                owner_id: plan.owner_id,
                session_id: place.session_id,
                id: planned.new_id,
                attachment_ids: planned.attachment_ids.clone(),
                ordinal: 1,
                now: plan.now,
                default_lease: self.config.partial_lease,
            };
            let made = Message::create(planned.side.draft.clone(), stamp, planned.pointer);
            return made.map(Judged::New).map_err(|violations| invalid(violations.into()));
        };
        if stored.session_id != place.session_id || stored.deleted_at.is_some() {
            return Err(Unfinished::Refused(MergeExchangeError::MessageNotFound));
        }
        match planned.edit(&stored, plan.now) {
            Ok(None) => Ok(Judged::Same(stored)),
            Ok(Some(edit)) => Ok(Judged::Edited(edit)),
            Err(refused) => Err(Unfinished::Refused(refused)),
        }
    }

    async fn write(
        &self,
        unit: &mut dyn ChatUnit,
        plan: &Plan,
    ) -> Result<ExchangeMerged, Unfinished<MergeExchangeError>> {
        let place = plan.place(unit).await?;
        let mut judged = [None, None];
        for (slot, planned) in judged.iter_mut().zip(&plan.sides) {
            if let Some(planned) = planned {
                *slot = Some((self.judge(unit, plan, &place, planned).await?, planned.revision_id));
            }
        }
        let mut new = Vec::new();
        let mut is_moved = false;
        let mut merged = [None, None];
        for (slot, judged) in merged.iter_mut().zip(judged) {
            let Some((judged, revision_id)) = judged else { continue };
            let is_new = matches!(judged, Judged::New(_));
            let message = match judged {
                Judged::Same(message) => message,
                Judged::Edited(edit) => {
                    unit.message_edits().save(&edit, &plan.keeping(revision_id)).await?;
                    is_moved |= matches!(edit.kind, EditKind::Content | EditKind::End);
                    edit.message
                }
                Judged::New(message) => {
                    let position = new.len() as i64 + 1;
                    let message = Message { position, ..message };
                    new.push(message.clone());
                    message
                }
            };
            *slot = Some((message, is_new));
        }
        let session = plan.append(unit, place.session_id, &new).await?;
        let before = session.last_position - new.len() as i64;
        let session = if place.is_new {
            session
        } else {
            plan.settle(unit, session, is_moved || !new.is_empty()).await?
        };
        let newest = newest_of(unit.messages(), &session, plan.exchange.newest, plan.now).await?;
        let [question, answer] = merged.map(|side| {
            side.map(|(mut message, is_new)| {
                if is_new {
                    message.position += before;
                }
                SideMerged {
                    view: view(message, plan.now),
                    is_new,
                }
            })
        });
        Ok(ExchangeMerged {
            session,
            is_new_session: place.is_new,
            question,
            answer,
            newest,
        })
    }
}

#[async_trait]
impl ExchangeUseCases for ChatExchanges {
    async fn merge(&self, owner_id: OwnerId, exchange: MergeExchange) -> Result<ExchangeMerged, MergeExchangeError> {
        let plan = self.plan(owner_id, exchange)?;
        retrying(&self.retry, "merge exchange", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            match self.write(unit.as_mut(), &plan).await {
                Ok(merged) => {
                    unit.commit().await?;
                    Ok(merged)
                }
                Err(unfinished) => {
                    undo(unit).await;
                    Err(unfinished)
                }
            }
        })
        .await
    }
}

/// What an exchange may write, made before a unit is open.
struct Plan {
    owner_id: OwnerId,
    /// The session, should there be none yet. Judged only then.
    new_session: Result<Session, Invalid>,
    /// The question and the answer.
    sides: [Option<PlannedSide>; 2],
    /// What was sent, but for the sides.
    exchange: MergeExchange,
    max_revisions: u32,
    now: Instant,
}

struct PlannedSide {
    side: Side,
    /// Where pointers of violations start.
    pointer: &'static str,
    /// The id of the message, should it be new.
    new_id: MessageId,
    attachment_ids: Vec<AttachmentId>,
    revision_id: Uuid,
}

/// Where an exchange goes: a session that is locked, or that this unit has made.
struct Place {
    session_id: SessionId,
    is_new: bool,
    /// A message of it that was read under the lock already.
    known: Option<Message>,
}

/// What becomes of a side.
enum Judged {
    Same(Message),
    Edited(MessageEdit),
    New(Message),
}

impl Plan {
    /// Locks the session that the exchange goes to, or makes it.
    ///
    /// What another unit stores between two looks of this one makes it run again, never refuse: two equal exchanges at once come to
    /// the same as one after the other.
    async fn place(&self, unit: &mut dyn ChatUnit) -> Result<Place, Unfinished<MergeExchangeError>> {
        let owner_id = self.owner_id;
        let there = |session_id, known| Place {
            session_id,
            is_new: false,
            known,
        };
        if let Some(id) = self.exchange.session_id {
            if unit.message_edits().lock_session(owner_id, id).await? {
                return Ok(there(id, None));
            }
            match unit.sessions().find_any(owner_id, id).await? {
                Some(session) if session.deleted_at.is_none() => return Err(StorageError::Contended.into()),
                Some(_) => return Err(Unfinished::Refused(MergeExchangeError::SessionNotFound)),
                None => {}
            }
        } else {
            for id in self.sides.iter().flatten().filter_map(PlannedSide::id) {
                if let Some(message) = unit.message_edits().lock(owner_id, id).await? {
                    return Ok(there(message.session_id, Some(message)));
                }
                if let Some(message) = unit.message_edits().find_any(owner_id, id).await? {
                    let is_live = unit.sessions().find(owner_id, message.session_id).await?.is_some();
                    return Err(match is_live {
                        true => StorageError::Contended.into(),
                        false => Unfinished::Refused(MergeExchangeError::MessageNotFound),
                    });
                }
            }
        }
        let session = self.new_session.as_ref().map_err(|error| invalid(error.clone()))?;
        match unit.sessions().insert(session).await {
            Err(StorageError::Broken(Rule::SessionIdTaken)) => Err(StorageError::Contended.into()),
            inserted => {
                inserted?;
                Ok(Place {
                    session_id: session.id,
                    is_new: true,
                    known: None,
                })
            }
        }
    }

    /// Appends what is new, and reads the session as it is then.
    async fn append(
        &self,
        unit: &mut dyn ChatUnit,
        session_id: SessionId,
        new: &[Message],
    ) -> Result<Session, Unfinished<MergeExchangeError>> {
        let session = if new.is_empty() {
            unit.sessions().find(self.owner_id, session_id).await?
        } else {
            let (touch, now) = (self.exchange.touch, self.now);
            let appended = unit.messages().append(self.owner_id, session_id, new, touch, now).await;
            match appended {
                // Another unit has just stored it.
                Err(StorageError::Broken(Rule::MessageIdTaken)) => return Err(StorageError::Contended.into()),
                appended => appended?,
            }
        };
        session.ok_or_else(|| StorageError::Internal("a session that is locked is not there".into()).into())
    }

    /// Stores the fields that were sent for a session that is there, and moves its `last_update`. An exchange is one change of its
    /// session: where its messages have raised the version (`is_moved`), this doesn't raise it again.
    async fn settle(
        &self,
        unit: &mut dyn ChatUnit,
        session: Session,
        is_moved: bool,
    ) -> Result<Session, Unfinished<MergeExchangeError>> {
        let changed = session
            .change(self.exchange.patch.clone(), false, self.now, "/session")
            .map_err(invalid)?;
        let mut settled = changed.unwrap_or_else(|| session.clone());
        if self.exchange.touch && self.exchange.patch.last_update == Patch::Keep {
            settled.last_update = settled.last_update.max(self.now);
        }
        if settled == session {
            return Ok(session);
        }
        settled.updated_at = self.now;
        settled.version = session.version + i64::from(!is_moved);
        if !unit.sessions().update(&settled, session.version).await? {
            return Err(StorageError::Contended.into());
        }
        Ok(settled)
    }

    fn keeping(&self, revision_id: Uuid) -> Keeping {
        Keeping {
            touch: self.exchange.touch,
            revision_id,
            by: self.exchange.by,
            max_revisions: self.max_revisions,
        }
    }
}

impl PlannedSide {
    /// The id that was sent.
    fn id(&self) -> Option<MessageId> {
        self.side.id
    }

    /// What the side changes on a message that is there.
    fn edit(&self, stored: &Message, now: Instant) -> Result<Option<MessageEdit>, MergeExchangeError> {
        if self.side.sender_role.is_some_and(|role| role != stored.sender_role) {
            let (pointer, text) = (
                format!("{}/sender_role", self.pointer),
                "never changes once the message is stored",
            );
            return Err(Invalid::one(pointer, Code::ImmutableField, text).into());
        }
        let changed = stored.change(self.side.patch.clone(), self.attachment_ids.clone(), now);
        changed.map_err(|refused| match refused {
            EditRefused::Invalid(invalid) => invalid.under(self.pointer).into(),
            EditRefused::NotPartial => MergeExchangeError::NotPartial,
            EditRefused::ChunkMismatch(_) => Failure::Internal("a patch was judged as a chunk".into()).into(),
        })
    }
}

fn invalid(invalid: Invalid) -> Unfinished<MergeExchangeError> {
    Unfinished::Refused(invalid.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_domain::chat::{Editor, MessageDraft, MessagePatch, SenderRole, SessionDraft, SessionPatch};
    use larder_ports::outbound::Outage;
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};

    use super::*;
    use crate::testing::{Seen, chat_unit, owner, session};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatExchanges, Arc<ScriptedStore<ChatMocks>>, Arc<FixedClock>) {
        let (store, clock) = (Arc::new(store), Arc::new(FixedClock::new()));
        let exchanges = ChatExchanges::new(
            store.clone(),
            clock.clone(),
            Arc::new(SequentialIds::default()),
            ChatConfig::default(),
        );
        (exchanges, store, clock)
    }

    const STORED: MessageId = MessageId(Uuid::from_u128(9));

    fn stored(text: &str) -> Message {
        let stamp = Stamp {
            owner_id: owner(1),
            session_id: session(owner(1), 5).id,
            id: STORED,
            attachment_ids: vec![],
            ordinal: 1,
            now: FixedClock::new().now(),
            default_lease: Duration::from_secs(120),
        };
        Message::create(draft(text), stamp, "").unwrap()
    }

    fn draft(text: &str) -> MessageDraft {
        MessageDraft {
            text: Some(text.into()),
            ..MessageDraft::new(SenderRole::User)
        }
    }

    fn says(id: Option<MessageId>, text: &str) -> MergeExchange {
        let side = Side {
            id,
            draft: draft(text),
            patch: MessagePatch {
                text: Patch::Set(text.into()),
                ..MessagePatch::default()
            },
            sender_role: None,
        };
        MergeExchange {
            session_id: None,
            new_session: SessionDraft::default(),
            patch: SessionPatch::default(),
            question: Some(side),
            answer: None,
            touch: true,
            newest: None,
            by: Editor::Login,
        }
    }

    /// A unit in which the stored message is found by its lock.
    fn holding(text: &str) -> ChatMocks {
        let message = stored(text);
        chat_unit(|mocks| {
            let lock = mocks.message_edits.expect_lock().times(1);
            lock.returning(move |_, _| Ok(Some(message.clone())));
            let find = mocks.sessions.expect_find();
            find.returning(|owner_id, _| Ok(Some(session(owner_id, 5))));
        })
    }

    /// A unit in which no message is found; the session that it makes is appended to as `append` says.
    fn empty(append: fn(&[Message]) -> Result<Option<Session>, StorageError>, seen: &Seen<Vec<Message>>) -> ChatMocks {
        let seen = seen.clone();
        chat_unit(|mocks| {
            mocks.message_edits.expect_lock().returning(|_, _| Ok(None));
            mocks.message_edits.expect_find_any().returning(|_, _| Ok(None));
            mocks.sessions.expect_insert().times(1).returning(|_| Ok(()));
            let appended = mocks.messages.expect_append().times(1);
            appended.returning(move |_, _, messages, _, _| {
                seen.note(messages.to_vec());
                append(messages)
            });
        })
    }

    #[tokio::test]
    async fn co_22_a_message_that_is_there_is_edited_under_the_lock_of_its_session() {
        let mut unit = holding("old");
        unit.message_edits.expect_save().times(1).returning(|edit, keeping| {
            assert!(edit.keeps_revision && keeping.touch);
            assert_eq!(keeping.max_revisions, 100);
            Ok(())
        });
        let (exchanges, store, _) = over(ScriptedStore::default().unit(unit));
        let merged = exchanges.merge(owner(1), says(Some(STORED), "new")).await.unwrap();
        assert!(!merged.is_new_session && !merged.question.unwrap().is_new);
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn co_22_a_repeated_exchange_moves_last_update_alone() {
        let mut unit = holding("same");
        let update = unit.sessions.expect_update().times(1);
        update.returning(|changed, expected| {
            let before = session(owner(1), 5);
            assert_eq!((changed.version, expected), (before.version + 1, before.version));
            assert!(changed.last_update > before.last_update);
            Ok(true)
        });
        let (exchanges, store, clock) = over(ScriptedStore::default().unit(unit));
        clock.advance(Duration::from_secs(1));
        let merged = exchanges.merge(owner(1), says(Some(STORED), "same")).await.unwrap();
        assert_eq!(merged.question.unwrap().view.message, stored("same"));
        assert_eq!(store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn co_22_what_another_unit_stored_meanwhile_is_looked_at_again() {
        let taken = Seen::new();
        let appears = chat_unit(|mocks| {
            mocks.message_edits.expect_lock().returning(|_, _| Ok(None));
            let find_any = mocks.message_edits.expect_find_any();
            find_any.returning(|_, _| Ok(Some(stored("same"))));
            let find = mocks.sessions.expect_find();
            find.returning(|owner_id, _| Ok(Some(session(owner_id, 5))));
        });
        let script = ScriptedStore::default()
            .unit(appears)
            .unit(empty(|_| Err(StorageError::Broken(Rule::MessageIdTaken)), &taken))
            .unit(holding("same"));
        let (exchanges, store, _) = over(script);
        let merged = exchanges.merge(owner(1), says(Some(STORED), "same")).await.unwrap();
        assert!(!merged.question.unwrap().is_new);
        let endings = [Ending::RolledBack, Ending::RolledBack, Ending::Committed];
        assert_eq!(store.endings(), endings);
    }

    #[tokio::test]
    async fn co_22_a_session_id_that_another_unit_took_meanwhile_is_locked_the_next_time() {
        let id = session(owner(1), 5).id;
        let taken = chat_unit(|mocks| {
            mocks.message_edits.expect_lock_session().returning(|_, _| Ok(false));
            mocks.sessions.expect_find_any().returning(|_, _| Ok(None));
            let insert = mocks.sessions.expect_insert();
            insert.returning(|_| Err(StorageError::Broken(Rule::SessionIdTaken)));
        });
        let locked = chat_unit(|mocks| {
            mocks.message_edits.expect_lock_session().returning(|_, _| Ok(true));
            mocks
                .message_edits
                .expect_find_any()
                .returning(|_, _| Ok(Some(stored("same"))));
            let find = mocks.sessions.expect_find();
            find.returning(|owner_id, _| Ok(Some(session(owner_id, 5))));
        });
        let (exchanges, store, _) = over(ScriptedStore::default().unit(taken).unit(locked));
        let sent = MergeExchange {
            session_id: Some(id),
            ..says(Some(STORED), "same")
        };
        assert!(!exchanges.merge(owner(1), sent).await.unwrap().is_new_session);
        assert_eq!(store.endings(), [Ending::RolledBack, Ending::Committed]);
    }

    #[tokio::test]
    async fn a_unit_that_is_run_again_writes_the_same() {
        let seen = Seen::new();
        let appended = |messages: &[Message]| {
            let made = session(owner(1), 5);
            let last_position = messages.len() as i64;
            Ok(Some(Session { last_position, ..made }))
        };
        let script = ScriptedStore::default()
            .unit(empty(|_| Err(StorageError::Contended), &seen))
            .unit(empty(appended, &seen));
        let (exchanges, _, _) = over(script);
        let merged = exchanges.merge(owner(1), says(None, "new")).await.unwrap();
        assert_eq!(seen.all()[0], seen.all()[1]);
        assert_eq!(merged.question.unwrap().view.message, seen.all()[0][0]);
    }

    #[tokio::test]
    async fn t_084_a_failing_store_is_a_failure_and_inserts_nothing() {
        let fails = chat_unit(|mocks| {
            let lock = mocks.message_edits.expect_lock();
            lock.returning(|_, _| Err(StorageError::Unavailable(Outage::Unreachable, None)));
        });
        let script = ScriptedStore::default()
            .failing(StorageError::Unavailable(Outage::Unreachable, None))
            .unit(fails);
        let (exchanges, store, _) = over(script);
        for _ in 0..2 {
            let failed = exchanges.merge(owner(1), says(Some(STORED), "new")).await;
            assert!(
                matches!(failed, Err(MergeExchangeError::Failure(Failure::Unavailable(..)))),
                "{failed:?}"
            );
        }
        assert_eq!(store.endings(), [Ending::RolledBack]);
    }
}
