use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::chat::{
    MAX_TURN, Message, MessageDraft, MessageStatus, SenderRole, Session, SessionPatch, Stamp, check_turn,
};
use larder_domain::{AttachmentId, Instant, Invalid, MessageId, OwnerId, SessionId, Violations};
use larder_ports::inbound::chat::{
    AppendError, ListMessages, ListMessagesError, MessageUseCases, MessageView, NewestMessages, NotFoundError, Turn,
    TurnTaken, TurnTarget,
};
use larder_ports::inbound::{Done, Failure, Once, Page};
use larder_ports::outbound::chat::{ChatUnit, MessageFilter, Messages, Order};
use larder_ports::outbound::{
    self, Access, Clock, Deleted, IdGenerator, Rule, Seal, StorageError, Store, StoredAnswer,
};

use crate::cursor::Paging;
use crate::idempotency::{claim, keep, made_now};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// How conversations are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChatConfig {
    /// The lease of a partial message that asks for none (`CH-81`).
    pub partial_lease: Duration,
    /// Most revisions that are kept of one message, 2 to 1000 (`CH-16`).
    pub max_revisions: u32,
    /// The configuration of summaries; one that was written under an older one is stale (`CH-62`).
    pub summary_config_version: i64,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            partial_lease: Duration::from_secs(120),
            max_revisions: 100,
            summary_config_version: 1,
        }
    }
}

/// The use cases of messages.
pub struct ChatMessages {
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    seal: Arc<dyn Seal>,
    config: ChatConfig,
    retry: RetryPolicy,
}

impl ChatMessages {
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

    /// Makes the message at place `ordinal`, from 1, of a turn.
    fn message(
        &self,
        draft: MessageDraft,
        owner_id: OwnerId,
        session_id: SessionId,
        ordinal: i64,
        now: Instant,
        prefix: &str,
    ) -> Result<Message, Violations> {
        let stamp = Stamp {
            owner_id,
            session_id,
            id: draft.id.unwrap_or_else(|| MessageId(self.ids.next())),
            attachment_ids: draft
                .attachments
                .iter()
                .map(|_| AttachmentId(self.ids.next()))
                .collect(),
            ordinal,
            now,
            default_lease: self.config.partial_lease,
        };
        Message::create(draft, stamp, prefix)
    }

    /// Writes a turn in one unit.
    ///
    /// The append comes first: it locks the session's row, so the patch is judged on a session that nobody else can change, and
    /// two turns into one session wait for each other instead of being run again.
    async fn write(&self, plan: Plan, once: Option<&Once<TurnTaken>>) -> Result<Done<TurnTaken>, AppendError> {
        let owner_id = plan.owner_id;
        retrying(&self.retry, "append messages", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), owner_id, once, plan.now).await? {
                Some(Err(reused)) => return refuse(unit, reused.into()).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Done::Before(answer));
                }
                None => {}
            }
            if let Some(session) = &plan.new_session {
                match unit.sessions().insert(session).await {
                    Err(StorageError::Broken(Rule::SessionIdTaken)) => {
                        return refuse(unit, AppendError::IdTaken).await;
                    }
                    inserted => inserted?,
                }
            }
            let appended = unit
                .messages()
                .append(owner_id, plan.session_id, &plan.messages, plan.touch, plan.now)
                .await;
            let appended = match appended {
                Err(StorageError::Broken(Rule::MessageIdTaken)) => return refuse(unit, AppendError::IdTaken).await,
                appended => appended?,
            };
            let session = match appended {
                Some(session) => session,
                None if plan.new_session.is_some() => {
                    return Err(StorageError::Internal("a session just stored is not there".into()).into());
                }
                None => return refuse(unit, AppendError::NotFound).await,
            };
            let session = match session.change(plan.patch.clone(), false, plan.now, "/session") {
                Err(invalid) => return refuse(unit, invalid.into()).await,
                Ok(None) => session,
                Ok(Some(changed)) => {
                    // A turn is one change of its session, and the append has raised the version already.
                    let changed = Session {
                        version: session.version,
                        ..changed
                    };
                    if !unit.sessions().update(&changed, session.version).await? {
                        return Err(StorageError::Contended.into());
                    }
                    changed
                }
            };
            let newest = newest_of(unit.messages(), &session, plan.newest, plan.now).await?;
            let taken = plan.taken(session, newest);
            keep(unit.idempotency(), owner_id, once, &taken, plan.now).await?;
            unit.commit().await?;
            Ok(Done::Now(taken))
        })
        .await
    }

    async fn append_one(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
        once: Option<&Once<TurnTaken>>,
    ) -> Result<Done<TurnTaken>, AppendError> {
        let now = self.clock.now();
        let message = self
            .message(draft, owner_id, session_id, 1, now, "")
            .map_err(Invalid::from)?;
        let plan = Plan {
            owner_id,
            session_id,
            new_session: None,
            patch: SessionPatch::default(),
            messages: vec![message],
            touch,
            newest: None,
            now,
        };
        self.write(plan, once).await
    }

    async fn take(
        &self,
        owner_id: OwnerId,
        turn: Turn,
        once: Option<&Once<TurnTaken>>,
    ) -> Result<Done<TurnTaken>, AppendError> {
        let now = self.clock.now();
        let mut violations = Violations::new();
        violations.keep(check_turn(&turn.messages).map_err(Violations::from));
        let (session_id, new_session, patch) = match turn.target {
            TurnTarget::Existing(id, patch) => (id, None, patch),
            TurnTarget::New(draft) => {
                let id = draft.id.unwrap_or_else(|| SessionId(self.ids.next()));
                let session = Session::create(draft, owner_id, id, now, "/session").map_err(Violations::from);
                (id, violations.keep(session), SessionPatch::default())
            }
        };
        let messages = (1..)
            .zip(turn.messages.into_iter().take(MAX_TURN))
            .filter_map(|(ordinal, draft)| {
                let prefix = format!("/messages/{}", ordinal - 1);
                violations.keep(self.message(draft, owner_id, session_id, ordinal, now, &prefix))
            })
            .collect();
        let plan = violations.finish(Plan {
            owner_id,
            session_id,
            new_session,
            patch,
            messages,
            touch: turn.touch,
            newest: turn.newest,
            now,
        })?;
        self.write(plan, once).await
    }
}

/// The only message of a turn of one.
fn only(mut taken: TurnTaken) -> Result<MessageView, AppendError> {
    let gone = || Failure::Internal("a message that was appended is not there".into());
    taken.messages.pop().ok_or_else(|| gone().into())
}

/// What a turn writes, made before a unit is open.
struct Plan {
    owner_id: OwnerId,
    session_id: SessionId,
    /// The session, when the turn makes it.
    new_session: Option<Session>,
    /// What changes on a session that exists.
    patch: SessionPatch,
    /// At least one; `position` is the place in the turn.
    messages: Vec<Message>,
    touch: bool,
    /// How many of the session's newest messages are answered besides.
    newest: Option<u32>,
    now: Instant,
}

impl Plan {
    /// What the turn left behind, once the store has answered with the session.
    fn taken(&self, session: Session, newest: Option<NewestMessages>) -> TurnTaken {
        let before = session.last_position - self.messages.len() as i64;
        let place = |message: &Message| {
            let position = before + message.position;
            view(
                Message {
                    position,
                    ..message.clone()
                },
                self.now,
            )
        };
        TurnTaken {
            messages: self.messages.iter().map(place).collect(),
            session,
            newest,
        }
    }
}

#[async_trait]
impl MessageUseCases for ChatMessages {
    async fn append(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
    ) -> Result<MessageView, AppendError> {
        let done = self.append_one(owner_id, session_id, draft, touch, None).await?;
        only(made_now::<_, AppendError>(done)?)
    }

    async fn append_once(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        draft: MessageDraft,
        touch: bool,
        once: Once<MessageView>,
    ) -> Result<Done<MessageView>, AppendError> {
        // A turn of one always has its message, so the answer to it can be written.
        let answer = once.answer;
        let once = Once {
            request: once.request,
            answer: Arc::new(move |taken: &TurnTaken| match taken.messages.first() {
                Some(message) => answer(message),
                None => StoredAnswer::default(),
            }),
        };
        match self.append_one(owner_id, session_id, draft, touch, Some(&once)).await? {
            Done::Now(taken) => only(taken).map(Done::Now),
            Done::Before(answer) => Ok(Done::Before(answer)),
        }
    }

    async fn take_turn(&self, owner_id: OwnerId, turn: Turn) -> Result<TurnTaken, AppendError> {
        made_now(self.take(owner_id, turn, None).await?)
    }

    async fn take_turn_once(
        &self,
        owner_id: OwnerId,
        turn: Turn,
        once: Once<TurnTaken>,
    ) -> Result<Done<TurnTaken>, AppendError> {
        self.take(owner_id, turn, Some(&once)).await
    }

    async fn get(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError> {
        let now = self.clock.now();
        retrying(&self.retry, "get message", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.messages().find(owner_id, id).await?;
            undo(unit).await;
            let message = found.ok_or(Unfinished::Refused(NotFoundError::NotFound))?;
            Ok(view(message, now))
        })
        .await
    }

    async fn list(&self, owner_id: OwnerId, request: ListMessages) -> Result<Page<MessageView>, ListMessagesError> {
        let now = self.clock.now();
        let seal = self.seal.as_ref();
        let paging = Paging::new(seal, "chat.messages", owner_id, &encode(&request), &request.page)?;
        let filter = MessageFilter {
            deleted: request.deleted,
            role: request.role,
            status: request.status.map(|status| (status, now)),
        };
        retrying(&self.retry, "list messages", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let (after, limit) = (paging.after(), paging.fetch());
            let found = unit
                .messages()
                .list(owner_id, request.session_id, filter, request.order, after, limit)
                .await?;
            undo(unit).await;
            let rows = found.ok_or(Unfinished::Refused(ListMessagesError::NotFound))?;
            let views = rows.into_iter().map(|message| view(message, now)).collect();
            Ok(paging.page(views, |view: &MessageView| view.message.position))
        })
        .await
    }

    async fn newest(
        &self,
        owner_id: OwnerId,
        session_ids: Vec<SessionId>,
        most: u32,
    ) -> Result<NewestMessages, Failure> {
        let now = self.clock.now();
        retrying(&self.retry, "newest messages", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.messages().newest(owner_id, &session_ids, most).await?;
            undo(unit).await;
            Ok(views(found, now))
        })
        .await
    }
}

/// The newest messages of a session as the unit sees it, if they are asked for (`CO-06`).
pub(super) async fn newest_of(
    messages: &mut dyn Messages,
    session: &Session,
    most: Option<u32>,
    now: Instant,
) -> Result<Option<NewestMessages>, StorageError> {
    let Some(most) = most else { return Ok(None) };
    let found = messages.newest(session.owner_id, &[session.id], most).await?;
    Ok(Some(views(found, now)))
}

fn views(found: outbound::chat::NewestMessages, now: Instant) -> NewestMessages {
    NewestMessages {
        messages: found.messages.into_iter().map(|message| view(message, now)).collect(),
        is_truncated: found.is_truncated,
    }
}

/// The message as a reader sees it at `now`.
pub(super) fn view(message: Message, now: Instant) -> MessageView {
    let status = message.status_at(now);
    MessageView { message, status }
}

/// Session, order and filter as a cursor is bound to them. Taken apart field by field, so that a new one can't be forgotten.
fn encode(request: &ListMessages) -> Vec<u8> {
    let ListMessages {
        session_id,
        order,
        deleted,
        role,
        status,
        page: _,
    } = request;
    let order = match order {
        Order::Ascending => "ascending",
        Order::Descending => "descending",
    };
    let deleted = match deleted {
        Deleted::Without => "without",
        Deleted::With => "with",
        Deleted::Only => "only",
    };
    let role = role.map_or("", SenderRole::as_str);
    let status = status.map_or("", MessageStatus::as_str);
    format!("{session_id} {order} {deleted} {role} {status}").into_bytes()
}

#[cfg(test)]
mod tests {
    use larder_domain::chat::{AttachmentDraft, AttachmentKind, SessionDraft, TaskPriority};
    use larder_domain::{Code, Patch};
    use larder_ports::inbound::PageRequest;
    use larder_ports::testing::{ChatMocks, Ending, FixedClock, ScriptedStore, SequentialIds};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, Seen, chat_unit, owner, session};

    struct Chat {
        messages: ChatMessages,
        store: Arc<ScriptedStore<ChatMocks>>,
        clock: Arc<FixedClock>,
    }

    fn over(store: ScriptedStore<ChatMocks>) -> Chat {
        let (store, clock) = (Arc::new(store), Arc::new(FixedClock::new()));
        let messages = ChatMessages::new(
            store.clone(),
            clock.clone(),
            Arc::new(SequentialIds::default()),
            Arc::new(PlainSeal),
            ChatConfig::default(),
        );
        Chat { messages, store, clock }
    }

    fn draft(text: &str) -> MessageDraft {
        MessageDraft {
            text: Some(text.into()),
            ..MessageDraft::new(SenderRole::User)
        }
    }

    fn turn(target: TurnTarget, texts: &[&str]) -> Turn {
        Turn {
            target,
            messages: texts.iter().map(|text| draft(text)).collect(),
            touch: true,
            newest: None,
        }
    }

    fn violations<T: std::fmt::Debug>(refused: Result<T, AppendError>) -> Vec<(String, Code)> {
        let Err(AppendError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        invalid
            .violations()
            .iter()
            .map(|violation| (violation.pointer.clone(), violation.code))
            .collect()
    }

    /// The stored session after an append of `count` messages.
    fn after_append(stored: &Session, count: i64) -> Session {
        Session {
            message_count: stored.message_count + count,
            last_position: stored.last_position + count,
            content_revision: stored.content_revision + 1,
            version: stored.version + 1,
            ..stored.clone()
        }
    }

    #[tokio::test]
    async fn ch_01_a_turn_makes_its_session_in_one_commit() {
        let seen = Seen::new();
        let (inserted, read) = (seen.clone(), seen.clone());
        let unit = chat_unit(|mocks| {
            mocks.sessions.expect_insert().times(1).returning(move |session| {
                inserted.note(session.clone());
                Ok(())
            });
            mocks
                .messages
                .expect_append()
                .times(1)
                .returning(move |_, id, messages, _, _| {
                    let session = read.all().remove(0);
                    assert!(session.id == id && messages.iter().all(|message| message.session_id == id));
                    Ok(Some(after_append(&session, 2)))
                });
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let new = SessionDraft {
            name: Some("n".into()),
            ..SessionDraft::default()
        };
        let taken = chat
            .messages
            .take_turn(owner(1), turn(TurnTarget::New(new), &["question", "answer"]))
            .await
            .unwrap();
        assert_eq!(taken.session.name.as_deref(), Some("n"));
        let placed: Vec<_> = taken
            .messages
            .iter()
            .map(|view| (view.message.position, view.message.content.text.as_deref()))
            .collect();
        assert_eq!(placed, [(1, Some("question")), (2, Some("answer"))]);
        assert_eq!(chat.store.opened(), [Access::Write]);
        assert_eq!(chat.store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_01_a_refused_part_leaves_nothing() {
        let taken_session = chat_unit(|mocks| {
            mocks
                .sessions
                .expect_insert()
                .returning(|_| Err(StorageError::Broken(Rule::SessionIdTaken)));
        });
        let taken_message = chat_unit(|mocks| {
            mocks.sessions.expect_insert().returning(|_| Ok(()));
            mocks
                .messages
                .expect_append()
                .returning(|_, _, _, _, _| Err(StorageError::Broken(Rule::MessageIdTaken)));
        });
        let chat = over(ScriptedStore::default().unit(taken_session).unit(taken_message));
        for _ in 0..2 {
            let new = turn(TurnTarget::New(SessionDraft::default()), &["x"]);
            let refused = chat.messages.take_turn(owner(1), new).await;
            assert!(matches!(refused, Err(AppendError::IdTaken)));
        }
        assert_eq!(chat.store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn ch_02_a_session_that_is_not_there_is_never_made() {
        let nothing = || {
            chat_unit(|mocks| {
                mocks.messages.expect_append().returning(|_, _, _, _, _| Ok(None));
            })
        };
        let chat = over(ScriptedStore::default().unit(nothing()).unit(nothing()));
        let id = SessionId(Uuid::from_u128(5));
        let appended = chat.messages.append(owner(1), id, draft("x"), true).await;
        assert!(matches!(appended, Err(AppendError::NotFound)));
        let target = TurnTarget::Existing(id, SessionPatch::default());
        let taken = chat.messages.take_turn(owner(1), turn(target, &["x"])).await;
        assert!(matches!(taken, Err(AppendError::NotFound)));
        assert_eq!(chat.store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn ch_03_positions_follow_those_given_before() {
        let stored = Session {
            last_position: 5,
            ..session(owner(1), 5)
        };
        let id = stored.id;
        let unit = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .withf(|_, _, messages, _, _| messages.iter().map(|message| message.position).eq([1, 2, 3]))
                .return_once(move |_, _, _, _, _| Ok(Some(after_append(&stored, 3))));
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let target = TurnTarget::Existing(id, SessionPatch::default());
        let taken = chat
            .messages
            .take_turn(owner(1), turn(target, &["a", "b", "c"]))
            .await
            .unwrap();
        assert!(taken.messages.iter().map(|view| view.message.position).eq([6, 7, 8]));
    }

    #[tokio::test]
    async fn ch_03_ch_04_ch_90_all_violations_of_a_turn_are_told_at_once() {
        let chat = over(ScriptedStore::default());
        let id = Some(MessageId(Uuid::from_u128(1)));
        let turn = Turn {
            target: TurnTarget::New(SessionDraft {
                name: Some(String::new()),
                ..SessionDraft::default()
            }),
            messages: vec![
                MessageDraft { id, ..draft("") },
                draft("fine"),
                MessageDraft { id, ..draft("a\0") },
            ],
            touch: true,
            newest: None,
        };
        assert_eq!(
            violations(chat.messages.take_turn(owner(1), turn).await),
            [
                ("/messages/2/id".to_owned(), Code::Duplicate),
                ("/session/name".to_owned(), Code::TooShort),
                ("/messages/0".to_owned(), Code::EmptyMessage),
                ("/messages/2/text".to_owned(), Code::Nul),
            ]
        );
        assert!(chat.store.opened().is_empty());
    }

    #[tokio::test]
    async fn ch_03_a_turn_has_1_to_20_messages() {
        let chat = over(ScriptedStore::default());
        let target = || TurnTarget::New(SessionDraft::default());
        let none = chat.messages.take_turn(owner(1), turn(target(), &[])).await;
        assert_eq!(violations(none), [("/messages".to_owned(), Code::Required)]);
        let many = chat.messages.take_turn(owner(1), turn(target(), &[""; 25])).await;
        let many = violations(many);
        assert_eq!(many[0], ("/messages".to_owned(), Code::TooMany));
        assert_eq!(many.len(), 1 + MAX_TURN);
    }

    #[tokio::test]
    async fn ch_05_ch_09_a_patch_changes_exactly_its_keys_and_the_version_rises_once() {
        let stored = Session {
            auto_trigger_tts: true,
            model_name: Some("m".into()),
            version: 7,
            ..session(owner(1), 5)
        };
        let id = stored.id;
        let appended = after_append(&stored, 1);
        let unit = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .return_once(move |_, _, _, _, _| Ok(Some(appended)));
            mocks
                .sessions
                .expect_update()
                .withf(|changed, expected| changed.version == 8 && *expected == 8)
                .times(1)
                .returning(|_, _| Ok(true));
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let patch = SessionPatch {
            name: Patch::Set("new".into()),
            model_name: Patch::Clear,
            ..SessionPatch::default()
        };
        let target = TurnTarget::Existing(id, patch);
        let taken = chat.messages.take_turn(owner(1), turn(target, &["x"])).await.unwrap();
        let expected = Session {
            name: Some("new".into()),
            model_name: None,
            ..after_append(&stored, 1)
        };
        assert_eq!(taken.session, expected);
        assert_eq!(chat.store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn ch_05_without_keys_only_the_append_is_written() {
        let stored = session(owner(1), 5);
        let id = stored.id;
        let unit = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .times(1)
                .return_once(move |_, _, _, _, _| Ok(Some(after_append(&stored, 1))));
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let target = TurnTarget::Existing(id, SessionPatch::default());
        let taken = chat.messages.take_turn(owner(1), turn(target, &["x"])).await.unwrap();
        assert_eq!(taken.session.version, 2);
    }

    #[tokio::test]
    async fn ch_25_a_patch_that_the_session_does_not_allow_undoes_the_append() {
        let stored = session(owner(1), 5);
        let id = stored.id;
        let unit = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .return_once(move |_, _, _, _, _| Ok(Some(after_append(&stored, 1))));
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let patch = SessionPatch {
            task_priority: Patch::Set(TaskPriority::High),
            ..SessionPatch::default()
        };
        let refused = chat
            .messages
            .take_turn(owner(1), turn(TurnTarget::Existing(id, patch), &["x"]))
            .await;
        assert_eq!(
            violations(refused),
            [("/session/task_priority".to_owned(), Code::TaskWithoutStatus)]
        );
        assert_eq!(chat.store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_06_ids_of_the_client_are_honoured_and_a_retry_writes_the_same() {
        let stored = session(owner(1), 5);
        let session_id = stored.id;
        let seen = Seen::new();
        let unit = |answer: Result<Option<Session>, StorageError>| {
            let seen = seen.clone();
            chat_unit(|mocks| {
                mocks.messages.expect_append().return_once(move |_, _, messages, _, _| {
                    seen.note(messages.to_vec());
                    answer
                });
            })
        };
        let appended = || Ok(Some(after_append(&stored, 2)));
        let store = ScriptedStore::default()
            .unit(unit(Err(StorageError::Contended)))
            .unit_committing(unit(appended()), Err(StorageError::Contended))
            .unit(unit(appended()));
        let chat = over(store);
        let id = MessageId(Uuid::from_u128(99));
        let image = AttachmentDraft {
            kind: AttachmentKind::Image,
            url: "https://example.com/a.png".into(),
            description: None,
            media_type: None,
            size_bytes: None,
        };
        let turn = Turn {
            target: TurnTarget::Existing(session_id, SessionPatch::default()),
            messages: vec![
                MessageDraft {
                    id: Some(id),
                    ..draft("a")
                },
                MessageDraft {
                    attachments: vec![image],
                    ..draft("b")
                },
            ],
            touch: true,
            newest: None,
        };
        let taken = chat.messages.take_turn(owner(1), turn).await.unwrap();
        let seen = seen.all();
        assert_eq!(seen.len(), 3);
        assert!(seen[0] == seen[1] && seen[1] == seen[2]);
        let ids: Vec<MessageId> = taken.messages.iter().map(|view| view.message.id).collect();
        assert_eq!(ids, [id, seen[0][1].id]);
    }

    #[tokio::test]
    async fn ch_06_a_taken_id_is_refused() {
        let unit = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .returning(|_, _, _, _, _| Err(StorageError::Broken(Rule::MessageIdTaken)));
        });
        let chat = over(ScriptedStore::default().unit(unit));
        let refused = chat
            .messages
            .append(owner(1), SessionId(Uuid::nil()), draft("x"), true)
            .await;
        assert!(matches!(refused, Err(AppendError::IdTaken)));
        assert_eq!(chat.store.endings(), [Ending::RolledBack]);
    }

    #[tokio::test]
    async fn ch_09_touch_and_time_reach_the_store() {
        for touch in [true, false] {
            let stored = session(owner(1), 5);
            let (id, start) = (stored.id, FixedClock::new().now());
            let unit = chat_unit(|mocks| {
                mocks
                    .messages
                    .expect_append()
                    .withf(move |_, _, _, touched, now| *touched == touch && *now == start)
                    .return_once(move |_, _, _, _, _| Ok(Some(after_append(&stored, 1))));
            });
            let chat = over(ScriptedStore::default().unit(unit));
            let view = chat.messages.append(owner(1), id, draft("x"), touch).await.unwrap();
            assert_eq!((view.message.position, view.message.created_at), (1, start));
        }
    }

    #[tokio::test]
    async fn pointers_of_a_single_message_start_at_it() {
        let chat = over(ScriptedStore::default());
        let refused = chat
            .messages
            .append(owner(1), SessionId(Uuid::nil()), draft("a\0"), true)
            .await;
        assert_eq!(violations(refused), [("/text".to_owned(), Code::Nul)]);
    }

    #[tokio::test]
    async fn ch_81_a_partial_message_has_the_configured_lease_and_reads_interrupted_after_it() {
        let stored = session(owner(1), 5);
        let id = stored.id;
        let append = chat_unit(|mocks| {
            mocks
                .messages
                .expect_append()
                .return_once(move |_, _, _, _, _| Ok(Some(after_append(&stored, 1))));
        });
        let chat = over(ScriptedStore::default().unit(append));
        let partial = MessageDraft {
            status: Some(MessageStatus::Partial),
            ..draft("x")
        };
        let view = chat.messages.append(owner(1), id, partial, true).await.unwrap();
        let lease = ChatConfig::default().partial_lease;
        assert_eq!(view.message.lease_expires_at, Some(view.message.created_at.plus(lease)));
        assert_eq!(view.status, MessageStatus::Partial);

        let (message, id) = (view.message.clone(), view.message.id);
        let find = chat_unit(|mocks| {
            mocks.messages.expect_find().return_once(move |_, _| Ok(Some(message)));
        });
        let chat = over(ScriptedStore::default().unit(find));
        chat.clock.advance(lease);
        let view = chat.messages.get(owner(1), id).await.unwrap();
        assert!(view.is_lapsed() && view.status == MessageStatus::Interrupted);
        assert_eq!(chat.store.opened(), [Access::Read]);
    }

    #[tokio::test]
    async fn a_missing_message_or_session_is_not_found() {
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks.messages.expect_find().returning(|_, _| Ok(None));
            }))
            .unit(chat_unit(|mocks| {
                mocks.messages.expect_list().returning(|_, _, _, _, _, _| Ok(None));
            }));
        let chat = over(store);
        let found = chat.messages.get(owner(1), MessageId(Uuid::nil())).await;
        assert!(matches!(found, Err(NotFoundError::NotFound)));
        let listed = chat.messages.list(owner(1), all_of(5)).await;
        assert!(matches!(listed, Err(ListMessagesError::NotFound)));
    }

    fn all_of(session: u128) -> ListMessages {
        ListMessages {
            session_id: SessionId(Uuid::from_u128(session)),
            order: Order::Ascending,
            deleted: Deleted::Without,
            role: None,
            status: None,
            page: PageRequest { limit: 1, cursor: None },
        }
    }

    #[tokio::test]
    async fn messages_are_listed_page_by_page_and_a_cursor_fits_its_own_list_only() {
        let stored = session(owner(1), 5);
        let stamp = Stamp {
            owner_id: owner(1),
            session_id: stored.id,
            id: MessageId(Uuid::from_u128(1)),
            attachment_ids: Vec::new(),
            ordinal: 3,
            now: stored.created_at,
            default_lease: Duration::ZERO,
        };
        let message = Message::create(draft("x"), stamp, "").unwrap_or_else(|_| panic!("a fine message"));
        let rows = vec![message.clone(), Message { position: 4, ..message }];
        let start = FixedClock::new().now();
        let store = ScriptedStore::default()
            .unit(chat_unit(|mocks| {
                mocks
                    .messages
                    .expect_list()
                    .withf(|_, _, filter, _, after, limit| {
                        *filter == MessageFilter::default() && after.is_none() && *limit == 2
                    })
                    .return_once(move |_, _, _, _, _, _| Ok(Some(rows)));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .messages
                    .expect_list()
                    .withf(|_, _, _, _, after, _| *after == Some(3))
                    .returning(|_, _, _, _, _, _| Ok(Some(Vec::new())));
            }))
            .unit(chat_unit(|mocks| {
                mocks
                    .messages
                    .expect_list()
                    .withf(move |_, _, filter, _, _, _| filter.status == Some((MessageStatus::Complete, start)))
                    .returning(|_, _, _, _, _, _| Ok(Some(Vec::new())));
            }));
        let chat = over(store);
        let page = chat.messages.list(owner(1), all_of(5)).await.unwrap();
        assert_eq!(page.data.len(), 1);
        let next = ListMessages {
            page: PageRequest {
                limit: 1,
                cursor: page.next_cursor,
            },
            ..all_of(5)
        };
        let others = [
            (owner(2), next.clone()),
            (
                owner(1),
                ListMessages {
                    session_id: SessionId(Uuid::from_u128(6)),
                    ..next.clone()
                },
            ),
            (
                owner(1),
                ListMessages {
                    order: Order::Descending,
                    ..next.clone()
                },
            ),
            (
                owner(1),
                ListMessages {
                    role: Some(SenderRole::User),
                    ..next.clone()
                },
            ),
            (
                owner(1),
                ListMessages {
                    status: Some(MessageStatus::Partial),
                    ..next.clone()
                },
            ),
        ];
        for (owner_id, request) in others {
            let refused = chat.messages.list(owner_id, request).await;
            assert!(matches!(refused, Err(ListMessagesError::BadCursor(_))));
        }
        assert_eq!(chat.store.opened().len(), 1);
        let page = chat.messages.list(owner(1), next).await.unwrap();
        assert_eq!((page.data.len(), page.next_cursor), (0, None));
        let complete = ListMessages {
            status: Some(MessageStatus::Complete),
            ..all_of(5)
        };
        chat.messages.list(owner(1), complete).await.unwrap();
    }
}
