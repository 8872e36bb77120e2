//! Exchanges: a question and its answer, changed or inserted together; and the newest messages of several sessions.

use std::collections::BTreeSet;

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, Editor, Message, MessageDraft, MessagePatch, SenderRole, Session, SessionDraft,
    SessionPatch, UrlPatch,
};
use larder_domain::{Code, MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    ChangeMessage, DeleteMessage, ExchangeMerged, ListMessages, MergeExchange, MergeExchangeError, NewestMessages,
    Side, SideMerged, Turn, TurnTarget,
};
use larder_ports::outbound::Deleted;
use larder_ports::outbound::chat::Order;

use crate::Fixture;
use crate::make::says;
use crate::schedule::at_once;

impl Fixture {
    async fn chat_of(&self, owner_id: OwnerId, texts: &[&str]) -> (SessionId, Vec<MessageId>) {
        let session = self.sessions.create(owner_id, SessionDraft::default()).await.unwrap();
        let mut ids = Vec::new();
        for text in texts {
            let appended = self.messages.append(owner_id, session.id, says(text), true).await;
            ids.push(appended.unwrap().message.id);
        }
        (session.id, ids)
    }

    async fn trash_message(&self, owner_id: OwnerId, id: MessageId) {
        let delete = DeleteMessage {
            id,
            purge: false,
            if_match: None,
        };
        self.edits.delete(owner_id, delete).await.unwrap();
    }

    /// Everything in a session, in order.
    async fn all_of(&self, owner_id: OwnerId, session_id: SessionId) -> Vec<Message> {
        let request = ListMessages {
            session_id,
            order: Order::Ascending,
            deleted: Deleted::With,
            role: None,
            status: None,
            page: PageRequest::first(),
        };
        let page = self.messages.list(owner_id, request).await.unwrap();
        page.data.into_iter().map(|view| view.message).collect()
    }

    async fn merged(&self, owner_id: OwnerId, exchange: MergeExchange) -> ExchangeMerged {
        self.exchanges.merge(owner_id, exchange).await.unwrap()
    }

    /// The sessions of an owner with all their messages: what a refused request must not change.
    async fn everything(&self, owner_id: OwnerId) -> Vec<(Session, Vec<Message>)> {
        let mut all = Vec::new();
        for id in self.session_ids(owner_id).await {
            let session = self.sessions.get(owner_id, id).await.unwrap();
            all.push((session, self.all_of(owner_id, id).await));
        }
        all
    }
}

/// Brings the message `id` to this text, or makes it.
fn side(id: Option<MessageId>, sender_role: SenderRole, text: &str) -> Side {
    Side {
        id,
        draft: MessageDraft {
            text: Some(text.into()),
            ..MessageDraft::new(sender_role)
        },
        patch: MessagePatch {
            text: Patch::Set(text.into()),
            ..MessagePatch::default()
        },
        sender_role: None,
    }
}

fn exchange(session_id: Option<SessionId>, question: Option<Side>, answer: Option<Side>) -> MergeExchange {
    MergeExchange {
        session_id,
        new_session: SessionDraft {
            name: Some("New chat".into()),
            ..SessionDraft::default()
        },
        patch: SessionPatch::default(),
        question,
        answer,
        touch: true,
        newest: None,
        by: Editor::Login,
    }
}

fn asks(id: Option<MessageId>, text: &str) -> Option<Side> {
    Some(side(id, SenderRole::User, text))
}

fn answers(id: Option<MessageId>, text: &str) -> Option<Side> {
    Some(side(id, SenderRole::Assistant, text))
}

fn texts(messages: &[Message]) -> Vec<&str> {
    let said = messages.iter().map(|message| message.content.text.as_deref());
    said.map(Option::unwrap_or_default).collect()
}

fn shown(newest: &NewestMessages) -> Vec<&str> {
    let said = newest.messages.iter().map(|view| view.message.content.text.as_deref());
    said.map(Option::unwrap_or_default).collect()
}

fn is_new(side: &Option<SideMerged>) -> bool {
    side.as_ref().is_some_and(|side| side.is_new)
}

/// The session but for what every exchange moves.
fn still(session: Session) -> Session {
    Session {
        last_update: session.created_at,
        updated_at: session.created_at,
        version: 0,
        ..session
    }
}

fn first_code(refused: Result<ExchangeMerged, MergeExchangeError>) -> (String, Code) {
    let Err(MergeExchangeError::Invalid(invalid)) = refused else {
        panic!("{refused:?}");
    };
    (invalid.violations()[0].pointer.clone(), invalid.violations()[0].code)
}

pub async fn t_082_an_edit_that_names_its_message_alone_keeps_all_else(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        name: Some("kept".into()),
        auto_trigger_tts: Some(true),
        tags: Some(vec!["a".into()]),
        ..SessionDraft::default()
    };
    let session = fixture.sessions.create(owner, draft).await.unwrap();
    let rich = MessageDraft {
        attachments: vec![image("https://example.com/a.png")],
        chart_data: Some(r#"[{"a":1}]"#.into()),
        ..says("old")
    };
    let before = fixture
        .messages
        .append(owner, session.id, rich, true)
        .await
        .unwrap()
        .message;
    let (other, _) = fixture.chat_of(owner, &[]).await;
    let now = fixture.advance(5);
    let merged = fixture
        .merged(owner, exchange(None, asks(Some(before.id), "new"), None))
        .await;
    assert!(!merged.is_new_session && !is_new(&merged.question) && merged.answer.is_none());
    let after = fixture.messages.get(owner, before.id).await.unwrap();
    assert_eq!(Some(&after), merged.question.as_ref().map(|side| &side.view));
    let mut expected = before.clone();
    expected.content.text = Some("new".into());
    let expected = Message {
        revision: 2,
        version: 2,
        edited_at: Some(now),
        updated_at: now,
        ..expected
    };
    assert_eq!(after.message, expected);
    let now_there = fixture.sessions.get(owner, session.id).await.unwrap();
    assert_eq!(now_there, merged.session);
    assert_eq!(
        (
            now_there.tags.len(),
            now_there.auto_trigger_tts,
            now_there.name.as_deref()
        ),
        (1, true, Some("kept"))
    );
    assert_eq!((now_there.last_update, now_there.version), (now, 3));
    let sessions: BTreeSet<_> = fixture.session_ids(owner).await.into_iter().map(|id| id.0).collect();
    assert_eq!(sessions, BTreeSet::from([session.id.0, other.0]));
    let revision = fixture.edits.revision(owner, before.id, 1).await.unwrap();
    assert_eq!(revision.content, before.content);
}

pub async fn t_083_an_unknown_id_is_inserted_once(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, _) = fixture.chat_of(owner, &["first"]).await;
    let (question, answer) = (fixture.message_id(), fixture.message_id());
    let send = || {
        exchange(
            Some(session_id),
            asks(Some(question), "why"),
            answers(Some(answer), "so"),
        )
    };
    fixture.advance(1);
    let first = fixture.merged(owner, send()).await;
    assert!(is_new(&first.question) && is_new(&first.answer) && !first.is_new_session);
    assert_eq!(texts(&fixture.all_of(owner, session_id).await), ["first", "why", "so"]);
    let stored = [&first.question, &first.answer].map(|side| side.as_ref().unwrap().view.clone());
    assert_eq!(stored.each_ref().map(|view| view.message.position), [2, 3]);
    assert_eq!(stored.each_ref().map(|view| view.message.id), [question, answer]);

    let now = fixture.advance(1);
    let again = fixture.merged(owner, send()).await;
    assert!(!is_new(&again.question) && !is_new(&again.answer));
    for view in stored {
        assert_eq!(fixture.messages.get(owner, view.message.id).await.unwrap(), view);
    }
    assert_eq!(again.session.last_update, now);
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), again.session);
    assert_eq!(still(again.session), still(first.session));
}

pub async fn co_22_the_session_is_the_one_sent_or_that_of_the_messages_or_a_new_one(fixture: Fixture) {
    let owner = fixture.owner();
    // An id that the owner never had is the id of the new session.
    let (session_id, question) = (fixture.session_id(), fixture.message_id());
    let made = fixture
        .merged(owner, exchange(Some(session_id), asks(Some(question), "why"), None))
        .await;
    assert!(made.is_new_session && is_new(&made.question));
    assert_eq!(
        (made.session.id, made.session.name.as_deref()),
        (session_id, Some("New chat"))
    );
    assert_eq!((made.session.message_count, made.session.last_position), (1, 1));
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), made.session);
    // Any of the messages names the session, also the second one.
    let joined = fixture
        .merged(
            owner,
            exchange(
                None,
                asks(Some(fixture.message_id()), "and"),
                answers(Some(question), "why then"),
            ),
        )
        .await;
    assert_eq!(joined.session.id, session_id);
    assert!(is_new(&joined.question) && !is_new(&joined.answer) && !joined.is_new_session);
    assert_eq!(texts(&fixture.all_of(owner, session_id).await), ["why then", "and"]);
    // Nothing that is there is named.
    let new = fixture
        .merged(
            owner,
            exchange(None, asks(None, "q"), answers(Some(fixture.message_id()), "a")),
        )
        .await;
    assert!(new.is_new_session && is_new(&new.question) && is_new(&new.answer));
    assert_eq!(texts(&fixture.all_of(owner, new.session.id).await), ["q", "a"]);
    assert_eq!(fixture.session_ids(owner).await.len(), 2);
}

pub async fn co_22_what_is_elsewhere_or_in_the_trash_is_not_found(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, mine) = fixture.chat_of(owner, &["mine", "trashed"]).await;
    let (there, others) = fixture.chat_of(owner, &["other"]).await;
    let (gone, below) = fixture.chat_of(owner, &["below"]).await;
    fixture.trash_message(owner, mine[1]).await;
    fixture.sessions.delete(owner, gone, None).await.unwrap();
    let before = fixture.everything(owner).await;
    let fresh = || asks(Some(fixture.message_id()), "new");
    for (sent, wants_session) in [
        (exchange(Some(gone), fresh(), None), true),
        (exchange(Some(gone), asks(Some(below[0]), "x"), None), true),
        (exchange(None, asks(Some(below[0]), "x"), None), false),
        (exchange(None, fresh(), answers(Some(below[0]), "x")), false),
        (exchange(Some(here), asks(Some(below[0]), "x"), None), false),
        (exchange(Some(here), asks(Some(others[0]), "x"), None), false),
        (
            exchange(Some(here), asks(Some(mine[0]), "edited"), answers(Some(others[0]), "x")),
            false,
        ),
        (
            exchange(None, asks(Some(mine[0]), "edited"), answers(Some(others[0]), "x")),
            false,
        ),
        (exchange(Some(here), asks(Some(mine[1]), "x"), None), false),
        (exchange(None, fresh(), answers(Some(mine[1]), "x")), false),
        (
            exchange(Some(fixture.session_id()), fresh(), answers(Some(mine[0]), "x")),
            false,
        ),
    ] {
        let refused = fixture.exchanges.merge(owner, sent.clone()).await;
        let is_expected = match &refused {
            Err(MergeExchangeError::SessionNotFound) => wants_session,
            Err(MergeExchangeError::MessageNotFound) => !wants_session,
            _ => false,
        };
        assert!(is_expected, "{sent:?}: {refused:?}");
        assert_eq!(fixture.everything(owner).await, before, "{sent:?}");
    }
    // Somebody else's ids are no obstacle, and nothing of them is seen (CH-06).
    let stranger = fixture.owner();
    let own = fixture
        .merged(stranger, exchange(Some(there), asks(Some(others[0]), "own"), None))
        .await;
    assert!(own.is_new_session && is_new(&own.question));
    assert_eq!(fixture.everything(owner).await, before);
}

pub async fn co_22_session_fields_change_what_is_there_and_make_what_is_new(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, ids) = fixture.chat_of(owner, &["old"]).await;
    let before = fixture.sessions.get(owner, session_id).await.unwrap();
    let fields = |sent: MergeExchange| MergeExchange {
        patch: SessionPatch {
            name: Patch::Set("renamed".into()),
            tags: Patch::Set(vec!["t".into()]),
            ..SessionPatch::default()
        },
        touch: false,
        ..sent
    };
    fixture.advance(1);
    let same = asks(Some(ids[0]), "old");
    let renamed = fixture.merged(owner, fields(exchange(None, same, None))).await.session;
    assert_eq!((renamed.name.as_deref(), renamed.tags.len()), (Some("renamed"), 1));
    assert_eq!(
        (renamed.last_update, renamed.version),
        (before.last_update, before.version + 1)
    );
    assert_eq!(renamed.content_revision, before.content_revision);
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), renamed);
    // A change of its messages and one of its fields are one change of the session.
    let both = fields(exchange(None, asks(Some(ids[0]), "new"), None));
    let both = MergeExchange {
        patch: SessionPatch {
            name: Patch::Set("again".into()),
            ..SessionPatch::default()
        },
        ..both
    };
    let both = fixture.merged(owner, both).await.session;
    assert_eq!(
        (both.name.as_deref(), both.version),
        (Some("again"), renamed.version + 1)
    );
    assert_eq!(
        (both.content_revision, both.last_update),
        (renamed.content_revision + 1, before.last_update)
    );
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), both);
    // A patch is no part of a new session.
    let new = fixture
        .merged(owner, fields(exchange(None, asks(None, "q"), None)))
        .await
        .session;
    assert_eq!((new.name.as_deref(), new.tags.len()), (Some("New chat"), 0));
    // `last_update` never moves back.
    let later = fixture.now().plus(std::time::Duration::from_secs(60));
    let ahead = MergeExchange {
        patch: SessionPatch {
            last_update: Patch::Set(later),
            ..SessionPatch::default()
        },
        ..exchange(None, asks(Some(ids[0]), "new"), None)
    };
    fixture.merged(owner, ahead).await;
    let touched = fixture
        .merged(owner, exchange(None, asks(Some(ids[0]), "newer"), None))
        .await;
    assert_eq!(touched.session.last_update, later);
}

pub async fn co_22_what_breaks_a_rule_is_refused_whole(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, ids) = fixture.chat_of(owner, &["old"]).await;
    let before = fixture.everything(owner).await;
    let empty = || side(None, SenderRole::Assistant, "");
    let role = Side {
        sender_role: Some(SenderRole::Assistant),
        ..side(Some(ids[0]), SenderRole::User, "x")
    };
    let long = "x".repeat(201);
    let named = MergeExchange {
        new_session: SessionDraft {
            name: Some(long.clone()),
            ..SessionDraft::default()
        },
        patch: SessionPatch {
            name: Patch::Set(long),
            ..SessionPatch::default()
        },
        ..exchange(None, asks(None, "q"), None)
    };
    for (sent, pointer, code) in [
        (
            exchange(None, asks(None, "q"), Some(empty())),
            "/answer",
            Code::EmptyMessage,
        ),
        (
            exchange(Some(session_id), asks(Some(ids[0]), ""), None),
            "/question",
            Code::EmptyMessage,
        ),
        (
            exchange(Some(session_id), asks(Some(ids[0]), "edited"), Some(empty())),
            "/answer",
            Code::EmptyMessage,
        ),
        (
            exchange(None, Some(role), None),
            "/question/sender_role",
            Code::ImmutableField,
        ),
        (
            exchange(None, asks(Some(ids[0]), "a"), answers(Some(ids[0]), "b")),
            "/answer/id",
            Code::Duplicate,
        ),
        (named.clone(), "/session/name", Code::TooLong),
        (
            MergeExchange {
                session_id: Some(session_id),
                ..named
            },
            "/session/name",
            Code::TooLong,
        ),
    ] {
        let refused = fixture.exchanges.merge(owner, sent).await;
        assert_eq!(first_code(refused), (pointer.to_owned(), code));
        assert_eq!(fixture.everything(owner).await, before);
    }
}

pub async fn co_22_equal_exchanges_at_once_come_to_one(fixture: Fixture) {
    for names_session in [true, false] {
        let owner = fixture.owner();
        let session_id = names_session.then(|| fixture.session_id());
        let (question, answer) = (fixture.message_id(), fixture.message_id());
        let outcomes = at_once(8, async |_| {
            let sent = exchange(session_id, asks(Some(question), "why"), answers(Some(answer), "so"));
            fixture.exchanges.merge(owner, sent).await.unwrap()
        })
        .await;
        let count = |is: fn(&ExchangeMerged) -> bool| outcomes.iter().filter(|merged| is(merged)).count();
        assert_eq!(count(|merged| merged.is_new_session), 1);
        assert_eq!(count(|merged| is_new(&merged.question)), 1);
        assert_eq!(count(|merged| is_new(&merged.answer)), 1);
        let everything = fixture.everything(owner).await;
        assert_eq!(everything.len(), 1);
        let (session, messages) = &everything[0];
        assert_eq!(texts(messages), ["why", "so"]);
        assert_eq!((session.message_count, session.content_revision), (2, 1));
        assert!(outcomes.iter().all(|merged| merged.session.id == session.id));
    }
}

pub async fn co_22_a_message_that_two_sessions_want_at_once_goes_to_one(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, _) = fixture.chat_of(owner, &[]).await;
    let (there, _) = fixture.chat_of(owner, &[]).await;
    let id = fixture.message_id();
    let outcomes = at_once(8, async |number| {
        let session_id = if number % 2 == 0 { here } else { there };
        let sent = exchange(Some(session_id), asks(Some(id), "mine"), None);
        (session_id, fixture.exchanges.merge(owner, sent).await)
    })
    .await;
    let home = fixture.messages.get(owner, id).await.unwrap().message.session_id;
    for (session_id, outcome) in &outcomes {
        match outcome {
            Ok(_) => assert_eq!(*session_id, home),
            Err(MergeExchangeError::MessageNotFound) => assert_ne!(*session_id, home),
            Err(error) => panic!("{error:?}"),
        }
    }
    let inserted =
        |(_, outcome): &&(_, Result<ExchangeMerged, _>)| outcome.as_ref().is_ok_and(|merged| is_new(&merged.question));
    assert_eq!(outcomes.iter().filter(inserted).count(), 1);
}

pub async fn co_22_what_was_inserted_or_edited_is_found_at_once(fixture: Fixture) {
    let owner = fixture.owner();
    let found = async |word: &str| {
        let request = larder_ports::inbound::chat::SearchRequest {
            query: word.into(),
            ..Default::default()
        };
        let page = fixture
            .search
            .messages(owner, request, Default::default(), PageRequest::first())
            .await;
        page.unwrap().data.len()
    };
    let id = fixture.message_id();
    fixture
        .merged(owner, exchange(None, asks(Some(id), "lisbon"), answers(None, "porto")))
        .await;
    assert_eq!((found("lisbon").await, found("porto").await), (1, 1));
    fixture
        .merged(owner, exchange(None, asks(Some(id), "madrid"), None))
        .await;
    assert_eq!((found("lisbon").await, found("madrid").await), (0, 1));
}

pub async fn co_06_newest_messages_fill_the_sessions_in_their_order(fixture: Fixture) {
    let owner = fixture.owner();
    let (long, ids) = fixture.chat_of(owner, &["l1", "l2", "l3", "l4", "l5"]).await;
    let (short, _) = fixture.chat_of(owner, &["s1", "s2"]).await;
    let (empty, _) = fixture.chat_of(owner, &[]).await;
    let (trashed, _) = fixture.chat_of(owner, &["t1"]).await;
    fixture.sessions.delete(owner, trashed, None).await.unwrap();
    fixture.trash_message(owner, ids[3]).await;
    let newest = async |sessions: &[SessionId], most| {
        let found = fixture.messages.newest(owner, sessions.to_vec(), most).await.unwrap();
        (shown(&found).join(" "), found.is_truncated)
    };
    let is = |texts: &str, truncated| (texts.to_owned(), truncated);
    let all = [long, empty, trashed, short];
    assert_eq!(newest(&all, 2000).await, is("l1 l2 l3 l5 s1 s2", false));
    assert_eq!(newest(&all, 6).await, is("l1 l2 l3 l5 s1 s2", false));
    assert_eq!(newest(&all, 5).await, is("l1 l2 l3 l5 s2", true));
    assert_eq!(newest(&all, 4).await, is("l1 l2 l3 l5", true));
    assert_eq!(newest(&all, 2).await, is("l3 l5", true));
    assert_eq!(newest(&[short, long], 3).await, is("s1 s2 l5", true));
    assert_eq!(newest(&[empty], 3).await, is("", false));
    assert_eq!(newest(&[], 3).await, is("", false));
    let read = fixture.messages.get(owner, ids[4]).await.unwrap();
    let found = fixture.messages.newest(owner, vec![long], 1).await.unwrap();
    assert_eq!(found.messages, [read]);
    let stranger = fixture.messages.newest(fixture.owner(), all.to_vec(), 9).await.unwrap();
    assert_eq!(stranger, NewestMessages::default());
}

pub async fn co_06_a_turn_and_an_exchange_answer_the_newest_messages(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, ids) = fixture.chat_of(owner, &["1", "2"]).await;
    let turn = Turn {
        target: TurnTarget::Existing(session_id, SessionPatch::default()),
        messages: vec![says("3"), says("4")],
        touch: true,
        newest: Some(3),
    };
    let newest = fixture.messages.take_turn(owner, turn).await.unwrap().newest.unwrap();
    assert_eq!(
        (shown(&newest).join(" "), newest.is_truncated),
        ("2 3 4".to_owned(), true)
    );
    let sent = MergeExchange {
        newest: Some(2000),
        ..exchange(Some(session_id), asks(Some(ids[0]), "one"), answers(None, "5"))
    };
    let newest = fixture.merged(owner, sent).await.newest.unwrap();
    assert_eq!(
        (shown(&newest).join(" "), newest.is_truncated),
        ("one 2 3 4 5".to_owned(), false)
    );
    let read = fixture.messages.newest(owner, vec![session_id], 9).await.unwrap();
    assert_eq!(newest, read);
}

fn image(url: &str) -> AttachmentDraft {
    AttachmentDraft {
        kind: AttachmentKind::Image,
        url: url.into(),
        description: Some("a map".into()),
        media_type: None,
        size_bytes: None,
    }
}

pub async fn co_24_images_change_by_their_urls_and_the_session_stays_where_it_is(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, _) = fixture.chat_of(owner, &[]).await;
    let file = AttachmentDraft {
        kind: AttachmentKind::File,
        ..image("a.pdf")
    };
    let draft = MessageDraft {
        attachments: vec![image("1.png"), image("2.png"), file],
        ..says("x")
    };
    let stored = fixture
        .messages
        .append(owner, session_id, draft, true)
        .await
        .unwrap()
        .message;
    let before = fixture.sessions.get(owner, session_id).await.unwrap();
    fixture.advance(1);
    let change = async |images: UrlPatch| {
        let change = ChangeMessage {
            id: stored.id,
            session_id: None,
            sender_role: None,
            patch: MessagePatch {
                images,
                ..MessagePatch::default()
            },
            touch: false,
            if_match: None,
            by: Editor::Login,
        };
        let changed = fixture.edits.change(owner, change).await.unwrap();
        assert_eq!(fixture.messages.get(owner, stored.id).await.unwrap(), changed);
        changed.message
    };
    let seen = |message: &Message| -> Vec<String> {
        let attachments = message.content.attachments.iter();
        let show = |attachment: &larder_domain::chat::Attachment| {
            let description = attachment.description.as_deref().unwrap_or("-");
            format!("{} {description}", attachment.url)
        };
        attachments.map(show).collect()
    };
    let appended = change(UrlPatch::Append(vec!["3.png".into()])).await;
    assert_eq!(
        seen(&appended),
        ["a.pdf a map", "1.png a map", "2.png a map", "3.png -"]
    );
    let replaced = change(UrlPatch::Replace(vec!["3.png".into(), "2.png".into()])).await;
    assert_eq!(seen(&replaced), ["a.pdf a map", "3.png -", "2.png a map"]);
    let same = change(UrlPatch::Replace(vec!["3.png".into(), "2.png".into()])).await;
    assert_eq!(same, replaced);
    let after = fixture.sessions.get(owner, session_id).await.unwrap();
    assert_eq!(after.last_update, before.last_update);
    assert_eq!(after.content_revision, before.content_revision + 2);
}
