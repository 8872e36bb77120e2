//! Messages and turns: the store's obligations first, then the use cases over it.

use std::collections::BTreeSet;
use std::time::Duration;

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, Message, MessageDraft, MessageStatus, SenderRole, Session, SessionDraft,
    SessionPatch, TaskStatus,
};
use larder_domain::{Code, Instant, Invalid, MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    AppendError, ListMessages, ListMessagesError, MessageView, NotFoundError, Turn, TurnTarget,
};
use larder_ports::outbound::chat::{MessageFilter, Order};
use larder_ports::outbound::{Access, Deleted, Rule, StorageError};

use crate::make::{says, says_as};
use crate::schedule::{Ending, at_once, overlap, overlap_then, retrying};
use crate::{Fixture, Settings};

impl Fixture {
    async fn stored_session(&self, owner_id: OwnerId) -> Session {
        let session = self.new_session(owner_id);
        self.store(&session).await.unwrap();
        session
    }

    /// Appends in a unit of its own.
    async fn append(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        messages: &[Message],
        touch: bool,
        now: Instant,
    ) -> Result<Option<Session>, StorageError> {
        let mut unit = self.chat.begin(Access::Write).await?;
        let session = unit
            .messages()
            .append(owner_id, session_id, messages, touch, now)
            .await?;
        unit.commit().await.map(|()| session)
    }

    /// The live messages of a live session, in order.
    async fn messages_in(&self, owner_id: OwnerId, session_id: SessionId) -> Vec<Message> {
        let mut view = self.chat_view().await;
        let all = view
            .messages()
            .list(
                owner_id,
                session_id,
                MessageFilter::default(),
                Order::Ascending,
                None,
                200,
            )
            .await;
        all.unwrap().unwrap()
    }

    async fn message(&self, owner_id: OwnerId, id: MessageId) -> Option<Message> {
        self.chat_view().await.messages().find(owner_id, id).await.unwrap()
    }
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message.content.text.as_deref())
        .collect()
}

fn positions(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.position).collect()
}

fn turn(target: TurnTarget, messages: Vec<MessageDraft>) -> Turn {
    Turn {
        target,
        messages,
        touch: true,
        newest: None,
    }
}

fn into(id: SessionId, messages: Vec<MessageDraft>) -> Turn {
    turn(TurnTarget::Existing(id, SessionPatch::default()), messages)
}

fn answers(text: &str) -> MessageDraft {
    MessageDraft {
        sender_role: SenderRole::Assistant,
        ..says(text)
    }
}

fn list(session_id: SessionId) -> ListMessages {
    ListMessages {
        session_id,
        order: Order::Ascending,
        deleted: Deleted::Without,
        role: None,
        status: None,
        page: PageRequest::first(),
    }
}

fn first(refused: &Invalid) -> (&str, Code) {
    let violation = &refused.violations()[0];
    (violation.pointer.as_str(), violation.code)
}

fn stored(views: &[MessageView]) -> Vec<Message> {
    views.iter().map(|view| view.message.clone()).collect()
}

// The store.

pub async fn ch_02_nothing_is_appended_to_a_session_that_is_not_live(fixture: Fixture) {
    let owner = fixture.owner();
    let trashed = fixture.stored_session(owner).await;
    let mut unit = fixture.chat_unit().await;
    assert!(
        unit.sessions()
            .delete(owner, trashed.id, None, fixture.now())
            .await
            .unwrap()
    );
    unit.commit().await.unwrap();

    for session_id in [trashed.id, fixture.session_id()] {
        let lost = fixture.new_messages(owner, session_id, &["lost"]);
        let answer = fixture.append(owner, session_id, &lost, true, fixture.now()).await;
        assert!(matches!(answer, Ok(None)), "{answer:?}");
        // Its id stays free, so no row was left behind, not even an invisible one.
        let elsewhere = fixture.stored_session(owner).await;
        let message = Message {
            session_id: elsewhere.id,
            ..lost[0].clone()
        };
        fixture
            .append(owner, elsewhere.id, &[message], true, fixture.now())
            .await
            .unwrap()
            .unwrap();
    }
}

pub async fn ch_02_an_append_that_meets_a_deletion_waits_for_its_outcome(fixture: Fixture) {
    let owner = fixture.owner();
    let now = fixture.now();
    for (ending, is_found) in [(Ending::Commit, false), (Ending::Drop, true)] {
        let session = fixture.stored_session(owner).await;
        let messages = fixture.new_messages(owner, session.id, &["in time?"]);
        let [_, appended] = overlap_then(
            &*fixture.chat,
            async |unit| unit.sessions().delete(owner, session.id, None, now).await,
            ending,
            async |unit| {
                Ok(unit
                    .messages()
                    .append(owner, session.id, &messages, true, now)
                    .await?
                    .is_some())
            },
        )
        .await;
        assert!(matches!(appended, Ok(Some(found)) if found == is_found), "{appended:?}");
        assert_eq!(fixture.message(owner, messages[0].id).await.is_some(), is_found);
    }
}

pub async fn ch_03_positions_are_consecutive_and_follow_the_order_given(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    let three = fixture.new_messages(owner, session.id, &["a", "b", "c"]);
    let after = fixture
        .append(owner, session.id, &three, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.message_count, after.last_position), (3, 3));
    let mut twenty = fixture.new_messages(owner, session.id, &["x"; 20]);
    // Ids that fall while positions rise: the order is the order given, not that of ids.
    let falling: Vec<MessageId> = twenty.iter().rev().map(|message| message.id).collect();
    for (message, id) in twenty.iter_mut().zip(falling) {
        message.id = id;
    }
    let after = fixture
        .append(owner, session.id, &twenty, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.message_count, after.last_position), (23, 23));

    let all = fixture.messages_in(owner, session.id).await;
    assert_eq!(positions(&all), (1..=23).collect::<Vec<_>>());
    let expected: Vec<MessageId> = three.iter().chain(&twenty).map(|message| message.id).collect();
    assert_eq!(all.iter().map(|message| message.id).collect::<Vec<_>>(), expected);
}

pub async fn ch_03_two_turns_at_once_do_not_interleave(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    let one = fixture.new_messages(owner, session.id, &["one 1", "one 2"]);
    let other = fixture.new_messages(owner, session.id, &["other 1", "other 2", "other 3"]);
    let now = fixture.now();
    let [first, second] = overlap(
        &*fixture.chat,
        async |unit| unit.messages().append(owner, session.id, &one, true, now).await,
        async |unit| unit.messages().append(owner, session.id, &other, true, now).await,
    )
    .await;
    assert_eq!(first.unwrap().unwrap().last_position, 2);
    let after = second.unwrap().unwrap();
    assert_eq!(
        (
            after.last_position,
            after.message_count,
            after.content_revision,
            after.version
        ),
        (5, 5, 2, 3)
    );
    let all = fixture.messages_in(owner, session.id).await;
    assert_eq!(texts(&all), ["one 1", "one 2", "other 1", "other 2", "other 3"]);
    assert_eq!(positions(&all), [1, 2, 3, 4, 5]);
    assert_eq!(fixture.session(owner, session.id).await, Some(after));
}

pub async fn ch_03_the_positions_of_a_dropped_turn_are_given_again(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    let dropped = fixture.new_messages(owner, session.id, &["dropped"]);
    let kept = fixture.new_messages(owner, session.id, &["kept"]);
    let now = fixture.now();
    let [_, second] = overlap_then(
        &*fixture.chat,
        async |unit| unit.messages().append(owner, session.id, &dropped, true, now).await,
        Ending::Drop,
        async |unit| unit.messages().append(owner, session.id, &kept, true, now).await,
    )
    .await;
    assert_eq!(second.unwrap().unwrap().unwrap().last_position, 1);
    assert_eq!(texts(&fixture.messages_in(owner, session.id).await), ["kept"]);
}

pub async fn ch_03_many_turns_at_once_leave_one_unbroken_row(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    // T-033: 40 single messages and 10 turns of three.
    at_once(50, async |number| {
        let text = format!("turn {number}");
        let size = if number % 5 == 0 { 3 } else { 1 };
        let messages = fixture.new_messages(owner, session.id, &vec![text.as_str(); size]);
        let appended = retrying(async || fixture.append(owner, session.id, &messages, true, fixture.now()).await).await;
        appended.unwrap().unwrap();
    })
    .await;

    let all = fixture.messages_in(owner, session.id).await;
    assert_eq!(positions(&all), (1..=70).collect::<Vec<_>>());
    let runs = all.chunk_by(|a, b| a.content.text == b.content.text);
    assert_eq!(runs.count(), 50, "turns were interleaved");
    let after = fixture.session(owner, session.id).await.unwrap();
    assert_eq!((after.message_count, after.last_position), (70, 70));
    assert_eq!((after.content_revision, after.version), (50, 51));
}

pub async fn ch_06_a_message_id_that_the_owner_has_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, there) = (fixture.stored_session(owner).await, fixture.stored_session(owner).await);
    let original = fixture.new_messages(owner, here.id, &["original"]);
    fixture
        .append(owner, here.id, &original, true, fixture.now())
        .await
        .unwrap()
        .unwrap();

    for session in [here.id, there.id] {
        let before = fixture.session(owner, session).await;
        let mut second = fixture.new_messages(owner, session, &["fresh", "second"]);
        second[1].id = original[0].id;
        let refused = fixture.append(owner, session, &second, true, fixture.now()).await;
        assert!(
            matches!(refused, Err(StorageError::Broken(Rule::MessageIdTaken))),
            "{refused:?}"
        );
        assert_eq!(fixture.message(owner, second[0].id).await, None);
        assert_eq!(fixture.session(owner, session).await, before);
    }
    assert_eq!(texts(&fixture.messages_in(owner, here.id).await), ["original"]);
}

pub async fn ch_06_a_message_id_below_a_trashed_session_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, there) = (fixture.stored_session(owner).await, fixture.stored_session(owner).await);
    let original = fixture.new_messages(owner, here.id, &["original"]);
    fixture
        .append(owner, here.id, &original, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    let mut unit = fixture.chat_unit().await;
    assert!(
        unit.sessions()
            .delete(owner, here.id, None, fixture.now())
            .await
            .unwrap()
    );
    unit.commit().await.unwrap();

    let again = fixture.messages_of(owner, there.id, [says_as(original[0].id, "again")]);
    let refused = fixture.append(owner, there.id, &again, true, fixture.now()).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::MessageIdTaken))),
        "{refused:?}"
    );
}

pub async fn ch_06_one_message_id_of_two_owners_is_no_conflict(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let id = fixture.message_id();
    // Even the sessions and the attachments have equal ids.
    let session_id = fixture.session_id();
    let mut of_both = Vec::new();
    for (owner, text) in [(a, "a's"), (b, "b's")] {
        fixture.store(&fixture.session_of(owner, session_id)).await.unwrap();
        let mut messages = fixture.messages_of(owner, session_id, [with_file(says_as(id, text))]);
        messages[0].content.attachments[0].id = larder_domain::AttachmentId(id.0);
        fixture
            .append(owner, session_id, &messages, true, fixture.now())
            .await
            .unwrap()
            .unwrap();
        of_both.extend(messages);
    }
    assert_eq!(fixture.message(a, id).await.as_ref(), Some(&of_both[0]));
    assert_eq!(fixture.message(b, id).await.as_ref(), Some(&of_both[1]));
    assert_eq!(fixture.messages_in(a, session_id).await, of_both[..1]);
}

fn with_file(draft: MessageDraft) -> MessageDraft {
    MessageDraft {
        attachments: vec![AttachmentDraft {
            kind: AttachmentKind::File,
            url: "https://files.example.com/a.pdf".into(),
            description: None,
            media_type: None,
            size_bytes: None,
        }],
        ..draft
    }
}

pub async fn ch_06_of_two_units_with_one_new_message_id_one_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    // Two sessions, so that no lock on a session keeps the units apart.
    let (here, there) = (fixture.stored_session(owner).await, fixture.stored_session(owner).await);
    let id = fixture.message_id();
    let one = fixture.messages_of(owner, here.id, [says_as(id, "one")]);
    let other = fixture.messages_of(owner, there.id, [says_as(id, "other")]);
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.messages().append(owner, here.id, &one, true, now).await,
        async |unit| unit.messages().append(owner, there.id, &other, true, now).await,
    )
    .await;
    assert!(
        matches!(&answers, [Ok(Some(_)), Err(StorageError::Broken(Rule::MessageIdTaken))]),
        "{answers:?}"
    );
    assert_eq!(fixture.message(owner, id).await.unwrap().session_id, here.id);
    assert_eq!(fixture.session(owner, there.id).await, Some(there));
}

pub async fn ch_09_an_append_moves_the_counters_of_its_session(fixture: Fixture) {
    let owner = fixture.owner();
    let before = fixture.stored_session(owner).await;
    let now = fixture.advance(60);
    let messages = fixture.new_messages(owner, before.id, &["a", "b"]);
    let after = fixture
        .append(owner, before.id, &messages, true, now)
        .await
        .unwrap()
        .unwrap();
    let expected = Session {
        message_count: 2,
        last_position: 2,
        content_revision: 1,
        last_update: now,
        updated_at: now,
        version: 2,
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(fixture.session(owner, after.id).await, Some(expected));
}

pub async fn ch_09_without_touch_last_update_stays(fixture: Fixture) {
    let owner = fixture.owner();
    let before = fixture.stored_session(owner).await;
    let now = fixture.advance(60);
    let messages = fixture.new_messages(owner, before.id, &["a"]);
    let after = fixture
        .append(owner, before.id, &messages, false, now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.last_update, after.updated_at), (before.last_update, now));
    assert_eq!((after.version, after.content_revision), (2, 1));
}

pub async fn ch_09_last_update_never_moves_back_by_an_append(fixture: Fixture) {
    let owner = fixture.owner();
    let ahead = Session {
        last_update: fixture.now().plus(Duration::from_secs(3_600)),
        ..fixture.new_session(owner)
    };
    fixture.store(&ahead).await.unwrap();
    let now = fixture.advance(60);
    let messages = fixture.new_messages(owner, ahead.id, &["a"]);
    let after = fixture
        .append(owner, ahead.id, &messages, true, now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.last_update, after.updated_at), (ahead.last_update, now));
}

pub async fn ch_03_a_list_runs_either_way_behind_a_position(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    let messages = fixture.new_messages(owner, session.id, &["1", "2", "3", "4", "5"]);
    fixture
        .append(owner, session.id, &messages, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    for (order, after, limit, expected) in [
        (Order::Ascending, None, 2, vec![1, 2]),
        (Order::Ascending, Some(2), 2, vec![3, 4]),
        (Order::Ascending, Some(4), 9, vec![5]),
        (Order::Ascending, Some(5), 9, vec![]),
        (Order::Descending, None, 2, vec![5, 4]),
        (Order::Descending, Some(4), 2, vec![3, 2]),
        (Order::Descending, Some(1), 9, vec![]),
        (Order::Descending, Some(i64::MAX), 1, vec![5]),
    ] {
        let mut view = fixture.chat_view().await;
        let found = view
            .messages()
            .list(owner, session.id, MessageFilter::default(), order, after, limit)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(positions(&found), expected, "{order:?} {after:?}");
    }
}

pub async fn ch_81_the_status_filter_agrees_with_what_is_read(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.stored_session(owner).await;
    let of = |status, lease_seconds| MessageDraft {
        status: Some(status),
        lease_seconds,
        ..answers("answer")
    };
    let drafts = [
        of(MessageStatus::Complete, None),
        of(MessageStatus::Interrupted, None),
        of(MessageStatus::Partial, Some(10)),
        of(MessageStatus::Partial, Some(60)),
        MessageDraft {
            sender_role: SenderRole::User,
            ..of(MessageStatus::Partial, Some(10))
        },
    ];
    let messages = fixture.messages_of(owner, session.id, drafts);
    fixture
        .append(owner, session.id, &messages, true, fixture.now())
        .await
        .unwrap()
        .unwrap();

    let start = fixture.now();
    for micros in [0, 9_999_999, 10_000_000, 10_000_001, 59_999_999, 60_000_000] {
        let at = start.plus(Duration::from_micros(micros));
        for &status in MessageStatus::ALL {
            for role in [None, Some(SenderRole::Assistant), Some(SenderRole::System)] {
                let filter = MessageFilter {
                    role,
                    status: Some((status, at)),
                    ..MessageFilter::default()
                };
                let mut view = fixture.chat_view().await;
                let found = view
                    .messages()
                    .list(owner, session.id, filter, Order::Ascending, None, 9)
                    .await
                    .unwrap()
                    .unwrap();
                let expected = messages.iter().filter(|message| {
                    message.status_at(at) == status && role.is_none_or(|role| role == message.sender_role)
                });
                let expected: Vec<i64> = expected.map(|message| message.position).collect();
                assert_eq!(
                    positions(&found),
                    expected,
                    "{status:?} {role:?} after {micros} microseconds"
                );
            }
        }
    }
}

pub async fn ch_02_a_list_tells_an_empty_session_from_none(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let session = fixture.stored_session(owner).await;
    for (owner, id, is_there) in [
        (owner, session.id, true),
        (owner, fixture.session_id(), false),
        (stranger, session.id, false),
    ] {
        for filter in [
            MessageFilter::default(),
            MessageFilter {
                role: Some(SenderRole::Tool),
                status: Some((MessageStatus::Interrupted, fixture.now())),
                ..MessageFilter::default()
            },
        ] {
            let mut view = fixture.chat_view().await;
            let found = view
                .messages()
                .list(owner, id, filter, Order::Descending, None, 9)
                .await
                .unwrap();
            assert_eq!(found, is_there.then(Vec::new));
        }
    }
}

pub async fn t_036_an_owner_sees_and_moves_nothing_of_another(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let session = fixture.stored_session(a).await;
    let of_a = fixture.new_messages(a, session.id, &["a's"]);
    let before = fixture.append(a, session.id, &of_a, true, fixture.now()).await.unwrap();

    assert_eq!(fixture.message(b, of_a[0].id).await, None);
    let of_b = fixture.new_messages(b, session.id, &["b's"]);
    let answer = fixture.append(b, session.id, &of_b, true, fixture.now()).await;
    assert!(matches!(answer, Ok(None)), "{answer:?}");
    assert_eq!(fixture.message(b, of_b[0].id).await, None);
    assert_eq!(fixture.messages_in(a, session.id).await, of_a);
    assert_eq!(fixture.session(a, session.id).await, before);
}

// The use cases.

pub async fn ch_01_a_turn_without_session_makes_one(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        name: Some("made by a turn".into()),
        tags: Some(vec!["new".into()]),
        ..SessionDraft::default()
    };
    let taken = fixture
        .messages
        .take_turn(
            owner,
            turn(TurnTarget::New(draft), vec![says("question"), answers("answer")]),
        )
        .await
        .unwrap();
    assert_eq!((taken.session.message_count, taken.session.content_revision), (2, 1));
    assert!(
        taken
            .messages
            .iter()
            .all(|view| view.message.created_at <= taken.session.last_update)
    );
    assert_eq!(
        fixture.sessions.get(owner, taken.session.id).await.unwrap(),
        taken.session
    );
    assert_eq!(taken.session.tags.len(), 1);

    let all = fixture.messages.list(owner, list(taken.session.id)).await.unwrap();
    assert_eq!(all.data, taken.messages);
    assert_eq!(positions(&stored(&all.data)), [1, 2]);
    assert_eq!(texts(&stored(&all.data)), ["question", "answer"]);
}

pub async fn ch_01_a_refused_turn_leaves_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let drafts = vec![says("fine"), MessageDraft::new(SenderRole::Assistant)];
    let refused = fixture
        .messages
        .take_turn(owner, turn(TurnTarget::New(SessionDraft::default()), drafts))
        .await;
    let Err(AppendError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/messages/1", Code::EmptyMessage));
    assert_eq!(fixture.session_ids(owner).await, []);

    // Refused by the store, after the session was inserted.
    let there = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let taken = fixture
        .messages
        .append(owner, there.id, says("taken"), true)
        .await
        .unwrap()
        .message;
    let drafts = vec![says("fine"), says_as(taken.id, "again")];
    let refused = fixture
        .messages
        .take_turn(owner, turn(TurnTarget::New(SessionDraft::default()), drafts))
        .await;
    assert!(matches!(refused, Err(AppendError::IdTaken)), "{refused:?}");
    assert_eq!(fixture.session_ids(owner).await, [there.id]);
}

pub async fn ch_02_a_turn_never_makes_the_session_it_refers_to(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let foreign = fixture
        .sessions
        .create(stranger, SessionDraft::default())
        .await
        .unwrap();
    let trashed = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    fixture.sessions.delete(owner, trashed.id, None).await.unwrap();
    for id in [fixture.session_id(), foreign.id, trashed.id] {
        let lost = fixture.message_id();
        let refused = fixture
            .messages
            .take_turn(owner, into(id, vec![says_as(lost, "lost")]))
            .await;
        assert!(matches!(refused, Err(AppendError::NotFound)), "{refused:?}");
        let refused = fixture.messages.append(owner, id, says_as(lost, "lost"), true).await;
        assert!(matches!(refused, Err(AppendError::NotFound)), "{refused:?}");
        assert_eq!(fixture.message(owner, lost).await, None);
    }
    assert_eq!(fixture.session_ids(owner).await, []);
    assert_eq!(fixture.session(stranger, foreign.id).await, Some(foreign));
}

pub async fn ch_03_a_turn_has_1_to_20_messages(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    for (count, code) in [(0, Code::Required), (21, Code::TooMany)] {
        let refused = fixture
            .messages
            .take_turn(owner, into(session.id, vec![says("x"); count]))
            .await;
        let Err(AppendError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(first(&refused), ("/messages", code));
    }
    let taken = fixture
        .messages
        .take_turn(owner, into(session.id, vec![says("x"); 20]))
        .await
        .unwrap();
    assert_eq!(positions(&stored(&taken.messages)), (1..=20).collect::<Vec<_>>());
}

pub async fn ch_03_turns_at_once_are_each_in_one_piece(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let taken = at_once(16, async |number| {
        let question = format!("question {number}");
        let drafts = vec![says(&question), answers(&question)];
        fixture
            .messages
            .take_turn(owner, into(session.id, drafts))
            .await
            .unwrap()
    })
    .await;
    let all = stored(&fixture.messages.list(owner, list(session.id)).await.unwrap().data);
    assert_eq!(positions(&all), (1..=32).collect::<Vec<_>>());
    assert!(all.chunks(2).all(|pair| pair[0].content.text == pair[1].content.text));
    // What each was answered is what is stored.
    for answer in taken {
        for view in answer.messages {
            assert!(all.contains(&view.message));
        }
    }
}

pub async fn ch_04_a_complete_message_needs_content(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let refused = fixture.messages.append(owner, session.id, says(""), true).await;
    let Err(AppendError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("", Code::EmptyMessage));
    for draft in [
        says(" "),
        with_file(MessageDraft::new(SenderRole::User)),
        MessageDraft {
            status: Some(MessageStatus::Partial),
            ..MessageDraft::new(SenderRole::Assistant)
        },
        MessageDraft {
            status: Some(MessageStatus::Interrupted),
            ..says("")
        },
        MessageDraft {
            agent_data: Some(r#"{"tool":"x"}"#.into()),
            ..MessageDraft::new(SenderRole::Tool)
        },
    ] {
        let written = fixture.messages.append(owner, session.id, draft, true).await.unwrap();
        assert_eq!(fixture.messages.get(owner, written.message.id).await.unwrap(), written);
    }
    assert_eq!(fixture.sessions.get(owner, session.id).await.unwrap().message_count, 5);
}

pub async fn ch_05_a_turn_changes_exactly_the_fields_it_sends(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        name: Some("kept".into()),
        tags: Some(vec!["kept".into()]),
        auto_trigger_tts: Some(true),
        ..SessionDraft::default()
    };
    let session = fixture.sessions.create(owner, draft).await.unwrap();
    let plain = fixture
        .messages
        .take_turn(owner, into(session.id, vec![says("x")]))
        .await
        .unwrap();
    assert_eq!(
        (&plain.session.tags, plain.session.auto_trigger_tts),
        (&session.tags, true)
    );

    let patch = SessionPatch {
        tags: Patch::Clear,
        model_name: Patch::Set("some-model".into()),
        task_status: Patch::Set(TaskStatus::Active),
        ..SessionPatch::default()
    };
    let patched = turn(TurnTarget::Existing(session.id, patch), vec![says("y")]);
    let taken = fixture.messages.take_turn(owner, patched).await.unwrap().session;
    assert_eq!(fixture.sessions.get(owner, session.id).await.unwrap(), taken);
    assert_eq!((taken.tags.len(), taken.model_name.as_deref()), (0, Some("some-model")));
    assert_eq!((taken.name, taken.auto_trigger_tts), (session.name, true));
    assert!(taken.task.is_some());
    assert_eq!((taken.message_count, taken.content_revision), (2, 2));
}

pub async fn ch_05_a_refused_turn_changes_no_field(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let taken = fixture
        .messages
        .append(owner, session.id, says("taken"), true)
        .await
        .unwrap()
        .message;
    let before = fixture.sessions.get(owner, session.id).await.unwrap();
    let patch = || SessionPatch {
        name: Patch::Set("changed".into()),
        ..SessionPatch::default()
    };
    let refused = turn(
        TurnTarget::Existing(session.id, patch()),
        vec![says_as(taken.id, "again")],
    );
    let refused = fixture.messages.take_turn(owner, refused).await;
    assert!(matches!(refused, Err(AppendError::IdTaken)), "{refused:?}");
    let bad = SessionPatch {
        name: Patch::Set("x".repeat(201)),
        ..patch()
    };
    let refused = fixture
        .messages
        .take_turn(owner, turn(TurnTarget::Existing(session.id, bad), vec![says("y")]))
        .await;
    let Err(AppendError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/session/name", Code::TooLong));
    assert_eq!(fixture.sessions.get(owner, session.id).await.unwrap(), before);
}

pub async fn ch_05_turns_at_once_that_change_fields_all_get_through(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    at_once(8, async |number| {
        let patch = SessionPatch {
            name: Patch::Set(format!("turn {number}")),
            ..SessionPatch::default()
        };
        let turn = turn(
            TurnTarget::Existing(session.id, patch),
            vec![says("question"), answers("answer")],
        );
        fixture.messages.take_turn(owner, turn).await.unwrap();
    })
    .await;
    let after = fixture.sessions.get(owner, session.id).await.unwrap();
    assert_eq!(
        (after.message_count, after.last_position, after.content_revision),
        (16, 16, 8)
    );
}

pub async fn ch_06_a_client_may_bring_its_own_message_id(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let id = fixture.message_id();
    for somebody in [owner, stranger] {
        let session = fixture
            .sessions
            .create(somebody, SessionDraft::default())
            .await
            .unwrap();
        let written = fixture
            .messages
            .append(somebody, session.id, says_as(id, "mine"), true)
            .await
            .unwrap();
        assert_eq!(written.message.id, id);
        let again = fixture
            .messages
            .append(somebody, session.id, says_as(id, "again"), true)
            .await;
        assert!(matches!(again, Err(AppendError::IdTaken)), "{again:?}");
        assert_eq!(fixture.messages.get(somebody, id).await.unwrap(), written);
        assert_eq!(
            fixture.sessions.get(somebody, session.id).await.unwrap().message_count,
            1
        );
    }
}

pub async fn ch_06_one_id_twice_in_a_turn_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let id = fixture.message_id();
    let drafts = vec![says_as(id, "a"), says_as(id, "b")];
    let refused = fixture
        .messages
        .take_turn(owner, turn(TurnTarget::New(SessionDraft::default()), drafts))
        .await;
    let Err(AppendError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/messages/1/id", Code::Duplicate));
    assert_eq!(fixture.session_ids(owner).await, []);
}

pub async fn ch_06_of_many_turns_with_one_new_session_id_one_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let id = fixture.session_id();
    let answers = at_once(6, async |_| {
        let draft = SessionDraft {
            id: Some(id),
            ..SessionDraft::default()
        };
        fixture
            .messages
            .take_turn(owner, turn(TurnTarget::New(draft), vec![says("first")]))
            .await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter().all(|answer| matches!(answer, Err(AppendError::IdTaken))),
        "{lost:?}"
    );
    assert_eq!(fixture.messages_in(owner, id).await.len(), 1);
}

pub async fn ch_07_times_of_the_store_are_the_servers(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let now = fixture.advance(60);
    let draft = MessageDraft {
        started_at: Some(Instant::EPOCH),
        finished_at: Some(Instant::EPOCH.plus(Duration::from_micros(1))),
        ..answers("timed")
    };
    let id = fixture
        .messages
        .append(owner, session.id, draft.clone(), true)
        .await
        .unwrap()
        .message
        .id;
    let read = fixture.messages.get(owner, id).await.unwrap().message;
    assert_eq!((read.created_at, read.updated_at), (now, now));
    assert_eq!(
        (read.started_at, read.finished_at),
        (draft.started_at, draft.finished_at)
    );
    assert_eq!(
        (read.status, read.revision, read.version, read.edited_at),
        (MessageStatus::Complete, 1, 1, None)
    );
}

pub async fn ch_09_touch_moves_last_update_and_nothing_moves_it_back(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let now = fixture.advance(60);
    fixture
        .messages
        .append(owner, session.id, says("quiet"), false)
        .await
        .unwrap();
    assert_eq!(
        fixture.sessions.get(owner, session.id).await.unwrap().last_update,
        session.last_update
    );
    fixture
        .messages
        .append(owner, session.id, says("loud"), true)
        .await
        .unwrap();
    assert_eq!(fixture.sessions.get(owner, session.id).await.unwrap().last_update, now);
    let quiet = Turn {
        touch: false,
        ..into(session.id, vec![says("quiet"), says("too")])
    };
    fixture.advance(60);
    let after = fixture.messages.take_turn(owner, quiet).await.unwrap().session;
    assert_eq!(after.last_update, now);
    assert_eq!((after.message_count, after.content_revision, after.version), (4, 3, 4));
}

pub async fn ch_20_messages_are_paged_both_ways(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    for _ in 0..2 {
        fixture
            .messages
            .take_turn(owner, into(session.id, vec![says("x"); 16]))
            .await
            .unwrap();
    }
    for order in [Order::Ascending, Order::Descending] {
        let mut met = Vec::new();
        let mut cursor = None;
        loop {
            let request = ListMessages {
                order,
                page: PageRequest { limit: 10, cursor },
                ..list(session.id)
            };
            let page = fixture.messages.list(owner, request).await.unwrap();
            met.extend(positions(&stored(&page.data)));
            // Somebody goes on writing; who pages upwards meets that too, who pages downwards doesn't.
            if order == Order::Descending {
                fixture
                    .messages
                    .append(owner, session.id, says("later"), true)
                    .await
                    .unwrap();
            }
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let mut expected: Vec<i64> = (1..=32).collect();
        if order == Order::Descending {
            expected.reverse();
        }
        assert_eq!(met, expected);
    }
}

pub async fn ch_20_a_cursor_of_another_list_of_messages_is_refused(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    // Both owners have sessions of equal ids, so that only the owner tells the lists apart.
    let (here, there) = (fixture.session_id(), fixture.session_id());
    for somebody in [owner, stranger] {
        for id in [here, there] {
            let draft = SessionDraft {
                id: Some(id),
                ..SessionDraft::default()
            };
            fixture
                .messages
                .take_turn(somebody, turn(TurnTarget::New(draft), vec![says("1"), says("2")]))
                .await
                .unwrap();
        }
    }
    let paged = |session_id, order, role, status, cursor: Option<&str>| ListMessages {
        session_id,
        order,
        deleted: Deleted::Without,
        role,
        status,
        page: PageRequest {
            limit: 1,
            cursor: cursor.map(str::to_owned),
        },
    };
    let first = paged(here, Order::Ascending, None, None, None);
    let cursor = fixture.messages.list(owner, first).await.unwrap().next_cursor.unwrap();
    let cursor = Some(cursor.as_str());
    for (somebody, request) in [
        (stranger, paged(here, Order::Ascending, None, None, cursor)),
        (owner, paged(there, Order::Ascending, None, None, cursor)),
        (owner, paged(here, Order::Descending, None, None, cursor)),
        (
            owner,
            paged(here, Order::Ascending, Some(SenderRole::User), None, cursor),
        ),
        (
            owner,
            paged(here, Order::Ascending, None, Some(MessageStatus::Complete), cursor),
        ),
        (owner, paged(here, Order::Ascending, None, None, Some("forged"))),
    ] {
        let refused = fixture.messages.list(somebody, request).await;
        assert!(matches!(refused, Err(ListMessagesError::BadCursor(_))), "{refused:?}");
    }
    let sessions = fixture
        .sessions
        .list(
            owner,
            Default::default(),
            PageRequest {
                limit: 1,
                cursor: cursor.map(str::to_owned),
            },
        )
        .await;
    assert!(sessions.is_err(), "a cursor of messages was taken for one of sessions");
    let next = fixture
        .messages
        .list(owner, paged(here, Order::Ascending, None, None, cursor))
        .await
        .unwrap();
    assert_eq!(positions(&stored(&next.data)), [2]);
}

pub async fn ch_81_a_lapsed_partial_message_reads_interrupted(fixture: Fixture) {
    let owner = fixture.owner();
    let fixture = fixture.with(Settings {
        partial_lease: Duration::from_secs(30),
        ..Settings::default()
    });
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let partial = |lease_seconds| MessageDraft {
        status: Some(MessageStatus::Partial),
        lease_seconds,
        ..answers("so f")
    };
    let short = fixture
        .messages
        .append(owner, session.id, partial(Some(10)), true)
        .await
        .unwrap();
    let default = fixture
        .messages
        .append(owner, session.id, partial(None), true)
        .await
        .unwrap();
    assert_eq!((short.status, short.is_lapsed()), (MessageStatus::Partial, false));

    let seen = async || {
        let short = fixture.messages.get(owner, short.message.id).await.unwrap();
        let default = fixture.messages.get(owner, default.message.id).await.unwrap();
        let listed = fixture.messages.list(owner, list(session.id)).await.unwrap().data;
        assert_eq!(listed, [short.clone(), default.clone()]);
        for &status in MessageStatus::ALL {
            let only = ListMessages {
                status: Some(status),
                ..list(session.id)
            };
            let filtered = fixture.messages.list(owner, only).await.unwrap().data;
            let expected: Vec<_> = listed.iter().filter(|view| view.status == status).cloned().collect();
            assert_eq!(filtered, expected);
        }
        (short.status, default.status)
    };
    fixture.advance(9);
    assert_eq!(seen().await, (MessageStatus::Partial, MessageStatus::Partial));
    fixture.advance(1);
    assert_eq!(seen().await, (MessageStatus::Interrupted, MessageStatus::Partial));
    fixture.advance(20);
    assert_eq!(seen().await, (MessageStatus::Interrupted, MessageStatus::Interrupted));
    // Reading wrote nothing.
    let row = fixture.message(owner, short.message.id).await.unwrap();
    assert_eq!(row, short.message);
}

pub async fn ch_90_limits_are_refused_with_a_pointer(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let file = with_file(says("x")).attachments[0].clone();
    let cases = [
        (says(&"x".repeat(500_001)), "/text", Code::TooLong),
        (
            MessageDraft {
                reasoning: Some("x".repeat(500_001)),
                ..says("x")
            },
            "/reasoning",
            Code::TooLong,
        ),
        (
            MessageDraft {
                sender_name: Some("x".repeat(256)),
                ..says("x")
            },
            "/sender_name",
            Code::TooLong,
        ),
        (
            MessageDraft {
                attachments: vec![file.clone(); 51],
                ..says("x")
            },
            "/attachments",
            Code::TooMany,
        ),
        (
            MessageDraft {
                attachments: vec![AttachmentDraft {
                    url: "javascript:alert(1)".into(),
                    ..file.clone()
                }],
                ..says("x")
            },
            "/attachments/0/url",
            Code::BadUrl,
        ),
        (
            MessageDraft {
                finished_at: Some(Instant::EPOCH),
                started_at: Some(fixture.now()),
                ..says("x")
            },
            "/finished_at",
            Code::OutOfRange,
        ),
    ];
    for (draft, pointer, code) in cases {
        let refused = fixture.messages.append(owner, session.id, draft.clone(), true).await;
        let Err(AppendError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(first(&refused), (pointer, code));
        let refused = fixture
            .messages
            .take_turn(owner, into(session.id, vec![says("fine"), draft]))
            .await;
        let Err(AppendError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(first(&refused), (format!("/messages/1{pointer}").as_str(), code));
    }
    assert_eq!(fixture.messages_in(owner, session.id).await, []);

    let full = MessageDraft {
        attachments: vec![file; 50],
        ..says(&"\u{1F9C0}".repeat(500_000))
    };
    let written = fixture.messages.append(owner, session.id, full, true).await.unwrap();
    assert_eq!(fixture.messages.get(owner, written.message.id).await.unwrap(), written);
}

pub async fn ch_91_values_that_no_engine_keeps_are_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let settings = |raw: &str| MessageDraft {
        model_settings: Some(raw.into()),
        ..says("x")
    };
    let deep = format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33));
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 * 1_024));
    for (draft, pointer, code) in [
        (says("a\0b"), "/text", Code::Nul),
        (settings(r#"{"a":"\u0000"}"#), "/model_settings", Code::Nul),
        (settings(r#"{"a":1e309}"#), "/model_settings", Code::OutOfRange),
        (settings(r#"{"a":1,"a":2}"#), "/model_settings", Code::Duplicate),
        (settings(&deep), "/model_settings", Code::TooDeep),
        (settings(&large), "/model_settings", Code::TooLong),
        (settings("[]"), "/model_settings", Code::WrongType),
    ] {
        let refused = fixture.messages.append(owner, session.id, draft, true).await;
        let Err(AppendError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(first(&refused), (pointer, code));
    }
    assert_eq!(fixture.messages_in(owner, session.id).await, []);
}

pub async fn t_036_a_stranger_is_answered_as_if_there_was_nothing(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let session = fixture.sessions.create(a, SessionDraft::default()).await.unwrap();
    let of_a = fixture
        .messages
        .append(a, session.id, says("a's"), true)
        .await
        .unwrap()
        .message;
    let before = fixture.sessions.get(a, session.id).await.unwrap();

    for id in [of_a.id, fixture.message_id()] {
        let got = fixture.messages.get(b, id).await;
        assert!(matches!(got, Err(NotFoundError::NotFound)), "{got:?}");
    }
    for id in [session.id, fixture.session_id()] {
        let listed = fixture.messages.list(b, list(id)).await;
        assert!(matches!(listed, Err(ListMessagesError::NotFound)), "{listed:?}");
        let appended = fixture.messages.append(b, id, says("b's"), true).await;
        assert!(matches!(appended, Err(AppendError::NotFound)), "{appended:?}");
        let patch = SessionPatch {
            name: Patch::Set("b's".into()),
            ..SessionPatch::default()
        };
        let taken = fixture
            .messages
            .take_turn(b, turn(TurnTarget::Existing(id, patch), vec![says("b's")]))
            .await;
        assert!(matches!(taken, Err(AppendError::NotFound)), "{taken:?}");
    }
    assert_eq!(fixture.messages_in(a, session.id).await, [of_a]);
    assert_eq!(fixture.sessions.get(a, session.id).await.unwrap(), before);
    let mine: BTreeSet<_> = fixture.session_ids(b).await.into_iter().collect();
    assert_eq!(mine, BTreeSet::new());
}
