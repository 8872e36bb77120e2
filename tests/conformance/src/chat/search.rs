//! Search. What matches is said by the domain; every store must find exactly that, in one order.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use larder_domain::chat::{
    Chunk, Editor, MessageDraft, MessagePatch, MessageStatus, SenderRole, Session, SessionDraft, SessionPatch,
    TaskStatus,
};
use larder_domain::search::{Excerpt, Query};
use larder_domain::{Code, Instant, MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    ChangeMessage, ChangeSession, DeleteMessage, MessageHit, SearchError, SearchRequest,
};
use larder_ports::outbound::chat::{MessageScope, SearchFilter, SessionContent, TagMatch};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::Fixture;
use crate::make::says;

const EVERYWHERE: MessageScope = MessageScope {
    role: None,
    session_id: None,
};

fn words(query: &str) -> SearchRequest {
    SearchRequest {
        query: query.into(),
        ..SearchRequest::default()
    }
}

fn named(name: &str) -> SessionDraft {
    SessionDraft {
        name: Some(name.into()),
        ..SessionDraft::default()
    }
}

fn ids(hits: &[MessageHit]) -> Vec<MessageId> {
    hits.iter().map(|hit| hit.message.id).collect()
}

fn session_ids(sessions: &[Session]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

impl Fixture {
    async fn session_with(&self, owner_id: OwnerId, draft: SessionDraft) -> SessionId {
        self.sessions.create(owner_id, draft).await.unwrap().id
    }

    async fn spoke(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft) -> MessageId {
        let appended = self.messages.append(owner_id, session_id, draft, true).await;
        appended.unwrap().message.id
    }

    /// A session of its own in which this was said.
    async fn session_saying(&self, owner_id: OwnerId, texts: &[&str]) -> SessionId {
        let id = self.session_with(owner_id, SessionDraft::default()).await;
        for text in texts {
            self.spoke(owner_id, id, says(text)).await;
        }
        id
    }

    async fn messages_found(&self, owner_id: OwnerId, query: &str) -> Vec<MessageHit> {
        self.messages_found_by(owner_id, &words(query), EVERYWHERE, 200).await
    }

    /// All hits by pages of `limit`.
    async fn messages_found_by(
        &self,
        owner_id: OwnerId,
        request: &SearchRequest,
        scope: MessageScope,
        limit: u32,
    ) -> Vec<MessageHit> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = PageRequest { limit, cursor };
            let page = self
                .search
                .messages(owner_id, request.clone(), scope, page)
                .await
                .unwrap();
            assert!(page.data.len() <= limit as usize);
            all.extend(page.data);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }

    /// All sessions by pages of `limit`.
    async fn sessions_found_by(&self, owner_id: OwnerId, request: &SearchRequest, limit: u32) -> Vec<SessionId> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = PageRequest { limit, cursor };
            let page = self.search.sessions(owner_id, request.clone(), page).await.unwrap();
            assert!(page.data.len() <= limit as usize);
            all.extend(session_ids(&page.data));
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }

    async fn sessions_found(&self, owner_id: OwnerId, query: &str) -> Vec<SessionId> {
        self.sessions_found_by(owner_id, &words(query), 200).await
    }
}

pub async fn t_063_words_match_whole_and_the_last_as_a_beginning(fixture: Fixture) {
    let owner = fixture.owner();
    let texts = ["Visit London", "Crème brûlée", "100%_done"];
    fixture.session_saying(owner, &texts).await;
    for (query, text) in [("lond", texts[0]), ("CREME", texts[1]), ("100 done", texts[2])] {
        let hits = fixture.messages_found(owner, query).await;
        let found: Vec<&str> = hits.iter().map(|hit| hit.message.text.as_str()).collect();
        assert_eq!(found, [text], "{query}");
    }
    for query in ["ondon", "lond visit", "london paris", "done 100 x"] {
        assert_eq!(fixture.messages_found(owner, query).await.len(), 0, "{query}");
    }
}

pub async fn ch_40_traps_of_scripts_and_signs(fixture: Fixture) {
    let owner = fixture.owner();
    let long = "x".repeat(100);
    let texts = [
        "naïve Ångström ﬁle Straße",
        "a\u{1F600}b \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} family",
        "東京タワー",
        "हिन्दी में",
        "it's \"quoted\" and \\escaped\\ *starred* near(x)",
        "100%_done AND OR NOT",
        &long,
        "ΣΊΣΥΦΟΣ Ελλάς",
        "שָׁלוֹם عربي",
        "e\u{301}te\u{301}",
        "I\u{307}stanbul ıssız",
    ];
    let session_id = fixture.session_saying(owner, &texts).await;
    for (query, expected) in [
        ("naive angstrom file STRASSE", &[0][..]),
        ("a b", &[1]),
        ("family", &[1]),
        ("東", &[2]),
        ("東京タ", &[2]),
        ("京", &[]),
        ("हिन", &[3]),
        ("quoted s", &[4]),
        ("it s", &[4]),
        ("' OR 1=1", &[]),
        ("near(x", &[4, 6]),
        ("escaped\\starred", &[4]),
        ("and not", &[5]),
        ("or", &[5]),
        ("100_do", &[5]),
        (&"x".repeat(64), &[6]),
        (&"x".repeat(65), &[6]),
        (&"x".repeat(63), &[6]),
        ("σίσυφος ελλα", &[7]),
        ("שלום", &[8]),
        ("عر", &[8]),
        ("ÉTÉ", &[9]),
        ("ISTANBUL", &[10]),
        ("e", &[]),
    ] {
        let query_of = Query::parse(query).unwrap();
        let matching: Vec<usize> = (0..texts.len())
            .filter(|index| query_of.matches(texts[*index]))
            .collect();
        let hits = fixture.messages_found(owner, query).await;
        let mut found: Vec<usize> = hits
            .iter()
            .map(|hit| texts.iter().position(|text| **text == hit.message.text).unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found, matching, "{query}");
        if !["near(x", "' OR 1=1", "e"].contains(&query) {
            assert_eq!(found, expected, "{query}");
        }
        let sessions = if matching.is_empty() { vec![] } else { vec![session_id] };
        assert_eq!(fixture.sessions_found(owner, query).await, sessions, "{query}");
    }
}

pub async fn ch_41_what_is_no_query_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let seventeen = "a ".repeat(17);
    let long = "a".repeat(201);
    for (query, code) in [
        ("", Code::EmptyQuery),
        ("%", Code::EmptyQuery),
        ("_\"*\\'", Code::EmptyQuery),
        ("\0", Code::EmptyQuery),
        ("\u{1F600}", Code::EmptyQuery),
        (&seventeen, Code::TooMany),
        (&long, Code::TooLong),
    ] {
        for refused in [
            fixture
                .search
                .messages(owner, words(query), EVERYWHERE, PageRequest::first())
                .await
                .map(|_| ()),
            fixture
                .search
                .sessions(owner, words(query), PageRequest::first())
                .await
                .map(|_| ()),
        ] {
            let Err(SearchError::Invalid(invalid)) = refused else {
                panic!("{query}: {refused:?}");
            };
            assert_eq!(invalid.violations()[0].pointer, "/query/q");
            assert_eq!(invalid.violations()[0].code, code, "{query}");
        }
    }
    let most = "a ".repeat(16);
    for query in ["a\0b", most.as_str()] {
        assert_eq!(fixture.messages_found(owner, query).await.len(), 0, "{query:?}");
    }
}

pub async fn ch_40_the_longest_texts_are_searchable_as_far_as_documents_go(fixture: Fixture) {
    let owner = fixture.owner();
    let latin: Vec<String> = (0..70_000).map(|n| format!("w{n:x}")).collect();
    let chinese: String = (0..166_000_u32)
        .map(|n| char::from_u32(0x4e00 + n % 20_000).unwrap())
        .flat_map(|letter| [letter, ' '])
        .collect();
    for text in [latin.join(" "), chinese] {
        let id = fixture.session_saying(owner, &[&text]).await;
        for query in ["w0", "w5", "w1388", "w1116f", "一", "丁 丂"] {
            let matches = Query::parse(query).unwrap().matches(&text);
            let found = fixture.sessions_found(owner, query).await.contains(&id);
            assert_eq!(found, matches, "{query}");
        }
    }
}

pub async fn ch_42_newest_first_then_the_highest_id(fixture: Fixture) {
    let owner = fixture.owner();
    let mut expected: Vec<(Instant, MessageId)> = Vec::new();
    let sessions = [
        fixture.session_with(owner, named("one")).await,
        fixture.session_with(owner, named("two")).await,
    ];
    for round in 0..12 {
        // Some in one instant, some in one millisecond, in ids that fall as well as rise.
        let mut fresh: Vec<MessageId> = (0..3).map(|_| fixture.message_id()).collect();
        if round % 2 == 0 {
            fresh.reverse();
        }
        for (index, id) in fresh.into_iter().enumerate() {
            let draft = MessageDraft {
                id: Some(id),
                ..says("again and again")
            };
            fixture.spoke(owner, sessions[(round + index) % 2], draft).await;
            expected.push((fixture.now(), id));
        }
        fixture
            .clock
            .advance(Duration::from_micros(if round % 3 == 0 { 400_000_000 } else { 300 }));
    }
    expected.sort_by_key(|place| Reverse(*place));
    let expected: Vec<MessageId> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 2, 5, 36, 200] {
        let hits = fixture
            .messages_found_by(owner, &words("again an"), EVERYWHERE, limit)
            .await;
        assert_eq!(ids(&hits), expected, "{limit}");
    }
}

pub async fn ch_42_a_hit_carries_its_session_and_an_excerpt(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        character_name: Some("guide".into()),
        tags: Some(vec!["b".into(), "a".into()]),
        ..named("Travels")
    };
    let session_id = fixture.session_with(owner, draft).await;
    let text = format!("{}Crème brûlée {}", "x ".repeat(100), "y ".repeat(200));
    let id = fixture
        .spoke(
            owner,
            session_id,
            MessageDraft {
                text: Some(text.clone()),
                sender_name: Some("Chef".into()),
                ..MessageDraft::new(SenderRole::Assistant)
            },
        )
        .await;
    let hits = fixture.messages_found(owner, "creme brul").await;
    assert_eq!(ids(&hits), [id]);
    let hit = &hits[0];
    assert_eq!(hit.excerpt, Excerpt::of(&text, &Query::parse("creme brul").unwrap()));
    assert_eq!(hit.excerpt.highlights, [80..85, 86..92]);
    assert_eq!(
        (hit.message.position, hit.message.sender_role),
        (1, SenderRole::Assistant)
    );
    assert_eq!(hit.message.sender_name.as_deref(), Some("Chef"));
    assert_eq!(hit.message.created_at, fixture.now());
    assert_eq!(hit.session, fixture.sessions.get(owner, session_id).await.unwrap());
}

pub async fn t_064_each_session_is_found_once(fixture: Fixture) {
    let owner = fixture.owner();
    let few = fixture.session_saying(owner, &["needle"]).await;
    fixture.advance(1);
    let many = fixture.session_with(owner, named("a needle too")).await;
    for _ in 0..5 {
        let turn = larder_ports::inbound::chat::Turn {
            target: larder_ports::inbound::chat::TurnTarget::Existing(many, SessionPatch::default()),
            messages: vec![says("needle in the hay"); 20],
            touch: true,
            newest: None,
        };
        fixture.messages.take_turn(owner, turn).await.unwrap();
    }
    let page = PageRequest { limit: 2, cursor: None };
    let found = fixture.search.sessions(owner, words("needle"), page).await.unwrap();
    assert_eq!(session_ids(&found.data), [many, few]);
    assert_eq!(found.next_cursor, None);
    assert_eq!(fixture.sessions_found_by(owner, &words("needle"), 1).await, [many, few]);
    assert_eq!(found.data[1], fixture.sessions.get(owner, few).await.unwrap());
}

pub async fn ch_40_a_session_is_found_by_name_character_and_task(fixture: Fixture) {
    let owner = fixture.owner();
    let id = fixture
        .session_with(
            owner,
            SessionDraft {
                character_name: Some("Guide".into()),
                task_status: Some(TaskStatus::Active),
                task_description: Some("Book the hotel".into()),
                tags: Some(vec!["journey".into()]),
                ..named("Lisbon in May")
            },
        )
        .await;
    for query in ["lisb", "guide", "book hot", "may hotel guide"] {
        assert_eq!(fixture.sessions_found(owner, query).await, [id], "{query}");
        assert_eq!(fixture.messages_found(owner, query).await.len(), 0, "{query}");
    }
    assert_eq!(fixture.sessions_found(owner, "journey").await, []);
    // Words of the session and words of a message are two documents.
    fixture.spoke(owner, id, says("sunshine")).await;
    assert_eq!(fixture.sessions_found(owner, "lisbon sunshine").await, []);
    assert_eq!(fixture.sessions_found(owner, "sunshine").await, [id]);

    let patch = SessionPatch {
        name: Patch::Set("Porto".into()),
        task_status: Patch::Clear,
        ..SessionPatch::default()
    };
    let change = ChangeSession {
        id,
        patch,
        touch: false,
        if_match: None,
    };
    fixture.sessions.change(owner, change).await.unwrap();
    for (query, expected) in [("lisbon", &[][..]), ("hotel", &[]), ("porto guide", &[id])] {
        assert_eq!(fixture.sessions_found(owner, query).await, expected, "{query}");
    }
}

pub async fn t_065_the_very_next_search_agrees_with_every_change(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_with(owner, SessionDraft::default()).await;
    let id = fixture.spoke(owner, session_id, says("a red balloon")).await;
    let expect = async |query: &str, expected: bool| {
        let (messages, sessions) = (
            fixture.messages_found(owner, query).await,
            fixture.sessions_found(owner, query).await,
        );
        assert_eq!(ids(&messages), if expected { vec![id] } else { vec![] }, "{query}");
        assert_eq!(sessions, if expected { vec![session_id] } else { vec![] }, "{query}");
    };
    let edit = async |patch: MessagePatch| {
        let change = ChangeMessage {
            id,
            session_id: None,
            sender_role: None,
            patch,
            touch: false,
            if_match: None,
            by: Editor::Login,
        };
        fixture.edits.change(owner, change).await.unwrap();
    };
    expect("red ball", true).await;
    edit(MessagePatch {
        text: Patch::Set("a blue balloon".into()),
        ..MessagePatch::default()
    })
    .await;
    expect("red ball", false).await;
    expect("blue ball", true).await;
    edit(MessagePatch {
        text: Patch::Clear,
        reasoning: Patch::Set("balloons are blue".into()),
        ..MessagePatch::default()
    })
    .await;
    expect("balloon", false).await;
    edit(MessagePatch {
        text: Patch::Set("balloon".into()),
        ..MessagePatch::default()
    })
    .await;
    expect("balloon", true).await;

    let delete = DeleteMessage {
        id,
        purge: false,
        if_match: None,
    };
    fixture.edits.delete(owner, delete).await.unwrap();
    expect("balloon", false).await;
    fixture.edits.restore(owner, id).await.unwrap();
    expect("balloon", true).await;
    fixture.sessions.delete(owner, session_id, None).await.unwrap();
    expect("balloon", false).await;
    fixture.sessions.restore(owner, session_id).await.unwrap();
    expect("balloon", true).await;
    let purge = DeleteMessage { purge: true, ..delete };
    fixture.edits.delete(owner, purge).await.unwrap();
    expect("balloon", false).await;
    // Nothing of it is in the way of the same id again.
    let again = MessageDraft {
        id: Some(id),
        ..says("a green balloon")
    };
    fixture.spoke(owner, session_id, again).await;
    expect("green ball", true).await;
    fixture.sessions.purge(owner, session_id, None).await.unwrap();
    expect("balloon", false).await;
}

pub async fn ch_43_a_partial_message_is_found_by_what_it_says_so_far(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_with(owner, SessionDraft::default()).await;
    let draft = MessageDraft {
        text: Some("Once upon a ti".into()),
        status: Some(MessageStatus::Partial),
        ..MessageDraft::new(SenderRole::Assistant)
    };
    let id = fixture.spoke(owner, session_id, draft).await;
    assert_eq!(ids(&fixture.messages_found(owner, "ti").await), [id]);
    let chunk = Chunk {
        offset: Some(14),
        text: Some("me there was".into()),
        reasoning_offset: None,
        reasoning: None,
    };
    fixture.edits.grow(owner, id, chunk).await.unwrap();
    assert_eq!(ids(&fixture.messages_found(owner, "time there").await), [id]);
    assert_eq!(fixture.messages_found(owner, "ti there").await.len(), 0);
}

pub async fn ch_43_filters_combine(fixture: Fixture) {
    let owner = fixture.owner();
    let mut instants = Vec::new();
    let mut sessions = Vec::new();
    for (character, tags) in [
        ("guide", &["Work", "travel"][..]),
        ("guide", &["travel"]),
        ("cook", &["work"]),
    ] {
        let draft = SessionDraft {
            character_name: Some(character.into()),
            tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
            ..SessionDraft::default()
        };
        let id = fixture.session_with(owner, draft).await;
        instants.push(fixture.now());
        for role in [SenderRole::User, SenderRole::Assistant] {
            let draft = MessageDraft {
                text: Some("needle".into()),
                ..MessageDraft::new(role)
            };
            fixture.spoke(owner, id, draft).await;
        }
        sessions.push(id);
        fixture.advance(60);
    }
    let all = fixture.messages_found(owner, "needle").await;
    assert_eq!(all.len(), 6);
    let some = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (from, to) in [
        (None, None),
        (Some(instants[1]), None),
        (None, Some(instants[2])),
        (Some(instants[1]), Some(instants[2])),
    ] {
        for character in [None, Some("guide".to_owned()), Some("Guide".to_owned())] {
            for (tags, tag_match) in [
                (vec![], TagMatch::Any),
                (some(&["WORK", "travel"]), TagMatch::Any),
                (some(&["WORK", "travel"]), TagMatch::All),
                (some(&["none"]), TagMatch::Any),
            ] {
                let request = SearchRequest {
                    query: "needle".into(),
                    from,
                    to,
                    tags: tags.clone(),
                    tag_match,
                    character: character.clone(),
                    content: None,
                };
                let fits = |session: &Session| {
                    let has = |tag: &String| session.tags.iter().any(|own| own.norm() == tag.to_lowercase());
                    let tagged = match tag_match {
                        TagMatch::Any => tags.is_empty() || tags.iter().any(has),
                        TagMatch::All => tags.iter().all(has),
                    };
                    tagged && character.is_none() | (session.character_name == character)
                };
                let within = |at: Instant| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to);
                for role in [None, Some(SenderRole::Assistant)] {
                    for session_id in [None, Some(sessions[0]), Some(sessions[2])] {
                        let expected: Vec<MessageId> = all
                            .iter()
                            .filter(|hit| {
                                within(hit.message.created_at)
                                    && fits(&hit.session)
                                    && role.is_none_or(|role| hit.message.sender_role == role)
                                    && session_id.is_none_or(|id| hit.session.id == id)
                            })
                            .map(|hit| hit.message.id)
                            .collect();
                        let scope = MessageScope { role, session_id };
                        let hits = fixture.messages_found_by(owner, &request, scope, 2).await;
                        assert_eq!(ids(&hits), expected, "{request:?} {scope:?}");
                    }
                }
                let mut expected = Vec::new();
                for id in sessions.iter().rev() {
                    let session = fixture.sessions.get(owner, *id).await.unwrap();
                    if within(session.last_update) && fits(&session) {
                        expected.push(*id);
                    }
                }
                assert_eq!(
                    fixture.sessions_found_by(owner, &request, 1).await,
                    expected,
                    "{request:?}"
                );
            }
        }
    }
}

pub async fn co_11_sessions_may_have_to_hold_something(fixture: Fixture) {
    let owner = fixture.owner();
    let empty = fixture.session_with(owner, named("needle one")).await;
    let task = SessionDraft {
        task_status: Some(TaskStatus::Done),
        ..named("needle two")
    };
    let task = fixture.session_with(owner, task).await;
    let spoken = fixture.session_with(owner, named("needle three")).await;
    fixture.spoke(owner, spoken, says("hello")).await;
    for (content, expected) in [
        (None, vec![empty, task, spoken]),
        (Some(SessionContent::Messages), vec![spoken]),
        (Some(SessionContent::Nothing), vec![empty, task]),
        (Some(SessionContent::MessagesOrTask), vec![task, spoken]),
    ] {
        let request = SearchRequest {
            content,
            ..words("needle")
        };
        let mut found = fixture.sessions_found_by(owner, &request, 1).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{content:?}");
    }
}

pub async fn ch_43_what_is_not_committed_is_not_found(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_with(owner, SessionDraft::default()).await;
    let query = Query::parse("needle").unwrap();
    let filter = SearchFilter::default();
    let mut unit = fixture.chat_unit().await;
    let messages = fixture.new_messages(owner, session_id, &["a needle"]);
    unit.messages()
        .append(owner, session_id, &messages, true, fixture.now())
        .await
        .unwrap();
    let own = unit
        .search()
        .messages(owner, &query, &filter, EVERYWHERE, None, 9)
        .await
        .unwrap();
    assert_eq!(own.len(), 1);
    assert_eq!(fixture.messages_found(owner, "needle").await.len(), 0);
    unit.rollback().await.unwrap();
    assert_eq!(fixture.messages_found(owner, "needle").await.len(), 0);
    assert_eq!(fixture.sessions_found(owner, "needle").await, []);
}

pub async fn ch_43_a_cursor_counts_for_its_own_search_only(fixture: Fixture) {
    let owner = fixture.owner();
    fixture.session_saying(owner, &["needle", "needle"]).await;
    let page = |cursor| PageRequest { limit: 1, cursor };
    let first = fixture
        .search
        .messages(owner, words("needle"), EVERYWHERE, page(None))
        .await
        .unwrap();
    let cursor = first.next_cursor;
    assert!(cursor.is_some());
    for (owner, query) in [(owner, "need"), (fixture.owner(), "needle")] {
        let refused = fixture
            .search
            .messages(owner, words(query), EVERYWHERE, page(cursor.clone()))
            .await;
        assert!(matches!(refused, Err(SearchError::BadCursor(_))), "{query}");
    }
    let refused = fixture.search.sessions(owner, words("needle"), page(cursor)).await;
    assert!(matches!(refused, Err(SearchError::BadCursor(_))));
}

pub async fn a_stranger_finds_nothing(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let id = fixture.session_with(owner, named("a needle")).await;
    fixture.spoke(owner, id, says("needle")).await;
    let scope = MessageScope {
        session_id: Some(id),
        ..EVERYWHERE
    };
    assert_eq!(
        fixture
            .messages_found_by(owner, &words("needle"), scope, 50)
            .await
            .len(),
        1
    );
    assert_eq!(
        fixture
            .messages_found_by(stranger, &words("needle"), scope, 50)
            .await
            .len(),
        0
    );
    assert_eq!(fixture.messages_found(stranger, "needle").await.len(), 0);
    assert_eq!(fixture.sessions_found(stranger, "needle").await, []);
}

/// More sessions and more hits than a store looks through one by one.
pub async fn ch_42_sessions_are_found_however_many_and_however_long(fixture: Fixture) {
    let owner = fixture.owner();
    let mut expected = Vec::new();
    let texts = |first: &str| {
        let hay = std::iter::repeat_n("everywhere", 39);
        std::iter::once(first).chain(hay).map(says).collect::<Vec<_>>()
    };
    for number in 0..130_u32 {
        let id = fixture.session_with(owner, SessionDraft::default()).await;
        // The needle is the oldest message of a long session, or there is none.
        let first = if number % 5 == 0 { "needle" } else { "nothing" };
        for messages in texts(first).chunks(20) {
            let turn = larder_ports::inbound::chat::Turn {
                target: larder_ports::inbound::chat::TurnTarget::Existing(id, SessionPatch::default()),
                messages: messages.to_vec(),
                touch: true,
                newest: None,
            };
            fixture.messages.take_turn(owner, turn).await.unwrap();
        }
        fixture.advance(1);
        expected.insert(0, (number, id));
    }
    let all: Vec<SessionId> = expected.iter().map(|(_, id)| *id).collect();
    let with_needle: Vec<SessionId> = expected
        .iter()
        .filter(|(number, _)| number % 5 == 0)
        .map(|(_, id)| *id)
        .collect();
    for limit in [7, 200] {
        assert_eq!(
            fixture.sessions_found_by(owner, &words("everyw"), limit).await,
            all,
            "{limit}"
        );
        assert_eq!(
            fixture.sessions_found_by(owner, &words("needle"), limit).await,
            with_needle,
            "{limit}"
        );
        assert_eq!(
            fixture.sessions_found_by(owner, &words("nowhere"), limit).await,
            [],
            "{limit}"
        );
    }
}

/// Words, and what stands between words, of several scripts. Few letters each, so that there are hits.
const PIECES: &[&str] = &[
    "[aàáAÀbBcçÇ]{1,3}",
    "[aàáAÀbBcçÇ]{1,3}",
    "[aàáAÀbBcçÇ]{1,3}",
    "[aàáAÀbBcçÇ]{1,3}",
    "[αάΑβσςΣ]{1,3}",
    "[абвАБВёЁ]{1,3}",
    "[中文字漢]{1,2}",
    "[가나다]{1,2}",
    "[กขค\u{e48}\u{e49}]{1,3}",
    "[क\u{93f}\u{94d}षम\u{940}]{1,3}",
    "[אבג\u{5b8}]{1,3}",
    "[ابت\u{64e}\u{64f}]{1,3}",
    "[0-2½²Ⅷ]{1,3}",
    "(ﬁ|ß|ẞ|İ|ı|ŉ|Ǆ|㎏|ﷺ){1,2}",
    "[xy]{63,66}",
    "(\u{1F600}|\u{1F44D}\u{1F3FD}|%|_|\"|'|\\*|\\\\|-|…|:|&|\\||!|\\(|\\)|\\^|\\+|\n)",
];

fn any_piece() -> impl Strategy<Value = String> {
    prop::sample::select(PIECES).prop_flat_map(|pattern| pattern)
}

fn any_text() -> impl Strategy<Value = String> {
    let gaps = prop::sample::select(&[" ", " ", " ", "", ", "][..]);
    let parts = prop::collection::vec((any_piece(), gaps), 1..9);
    parts.prop_map(|parts| parts.into_iter().map(|(piece, gap)| piece + gap).collect())
}

/// Messages of three years ago, of yesterday and of this hour, since a store may look into recent times first.
pub async fn t_066_generated_texts_in_several_scripts(fixture: Fixture) {
    let owner = fixture.owner();
    let mut runner = TestRunner::default();
    let mut sessions: Vec<(SessionId, String)> = Vec::new();
    for _ in 0..40 {
        let name: String = any_text()
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .chars()
            .take(200)
            .collect();
        sessions.push((fixture.session_with(owner, named(&name)).await, name));
    }
    let mut messages: Vec<(Instant, MessageId, SessionId, String)> = Vec::new();
    for (count, pause) in [(30_usize, 3 * 365 * 86_400), (30, 86_400), (520, 1)] {
        for number in 0..count {
            let text = any_text().new_tree(&mut runner).unwrap().current();
            let session_id = sessions[(number * 7 + number / 11) % sessions.len()].0;
            let id = fixture.spoke(owner, session_id, says(&text)).await;
            messages.push((fixture.now(), id, session_id, text));
            fixture
                .clock
                .advance(Duration::from_micros([0, 250, 900_000][number % 3]));
        }
        fixture.advance(pause);
    }
    messages.sort_by_key(|(at, id, ..)| Reverse((*at, *id)));
    let mut places: BTreeMap<SessionId, Instant> = BTreeMap::new();
    for (id, _) in &sessions {
        places.insert(*id, fixture.sessions.get(owner, *id).await.unwrap().last_update);
    }
    sessions.sort_by_key(|(id, _)| Reverse((places[id], *id)));

    let mut asked = 0;
    while asked < 200 {
        let pieces = prop::collection::vec(any_piece(), 1..=3)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let text = pieces.join([" ", "-", "*"][asked % 3]);
        let Ok(query) = Query::parse(&text) else {
            continue;
        };
        asked += 1;
        let matching: Vec<_> = messages.iter().filter(|(.., text)| query.matches(text)).collect();
        // Pages small enough to meet their edges, but not too many of them.
        let limit = u32::try_from(matching.len() / 3).unwrap().clamp(2, 200);
        let expected: Vec<(MessageId, Excerpt)> = matching
            .iter()
            .map(|(_, id, _, text)| (*id, Excerpt::of(text, &query)))
            .collect();
        let hits = fixture.messages_found_by(owner, &words(&text), EVERYWHERE, limit).await;
        let found: Vec<(MessageId, Excerpt)> = hits.into_iter().map(|hit| (hit.message.id, hit.excerpt)).collect();
        assert_eq!(found, expected, "{text:?}");

        let expected: Vec<SessionId> = sessions
            .iter()
            .filter(|(id, name)| query.matches(name) || matching.iter().any(|(_, _, session_id, _)| session_id == id))
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(
            fixture.sessions_found_by(owner, &words(&text), limit).await,
            expected,
            "{text:?}"
        );
    }
}
