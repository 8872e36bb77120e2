//! Digests of conversations: the store's obligations first, then the use cases over it.

use std::collections::BTreeMap;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, SummaryDraft, SummaryState};
use larder_domain::{Code, Instant, OwnerId, Patch, SessionId, Version};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    ChangeSession, ChangeSummaryError, ListError, NotFoundError, PutSummary, SummaryStored,
};
use larder_ports::outbound::chat::Coverage;

use crate::make::says;
use crate::schedule::{at_once, overlap};
use crate::{Fixture, Settings};

fn draft(text: &str, source: Option<i64>) -> SummaryDraft {
    SummaryDraft {
        text: text.into(),
        key_topics: vec!["travel".into(), "\"quoted\" \u{1F9C0}".into()],
        entities: vec!["Lisbon".into()],
        model_name: "some-model".into(),
        config_version: 1,
        source_content_revision: source,
    }
}

fn put(session_id: SessionId, text: &str, source: Option<i64>) -> PutSummary {
    PutSummary {
        session_id,
        draft: draft(text, source),
        if_match: None,
    }
}

impl Fixture {
    /// A session with so many messages.
    async fn conversation(&self, owner_id: OwnerId, messages: usize) -> Session {
        let session = self.sessions.create(owner_id, SessionDraft::default()).await.unwrap();
        for number in 0..messages {
            self.say(owner_id, session.id, &format!("message {number}")).await;
        }
        self.sessions.get(owner_id, session.id).await.unwrap()
    }

    async fn say(&self, owner_id: OwnerId, session_id: SessionId, text: &str) -> Instant {
        let message = self
            .messages
            .append(owner_id, session_id, says(text), true)
            .await
            .unwrap();
        message.message.created_at
    }

    async fn summarise(&self, owner_id: OwnerId, session_id: SessionId) -> SummaryStored {
        self.summaries
            .put(owner_id, put(session_id, "summary", None))
            .await
            .unwrap()
    }

    async fn summary_state(&self, owner_id: OwnerId, session_id: SessionId) -> SummaryState {
        self.summaries.get(owner_id, session_id).await.unwrap().state
    }

    /// The ids of a list of summaries, read in pages of two.
    async fn in_state(&self, owner_id: OwnerId, state: Option<SummaryState>) -> Vec<(SessionId, SummaryState)> {
        let mut found = Vec::new();
        let mut request = PageRequest { limit: 2, cursor: None };
        loop {
            let page = self.summaries.list(owner_id, state, request.clone()).await.unwrap();
            for entry in page.data {
                assert_eq!(entry.summary.is_none(), entry.state == SummaryState::Missing);
                assert!(
                    entry
                        .summary
                        .is_none_or(|summary| summary.session_id == entry.session_id)
                );
                found.push((entry.session_id, entry.state));
            }
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => return found,
            }
        }
    }
}

// The store.

pub async fn ch_61_of_two_writers_at_once_the_later_sees_the_earlier(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 3).await;
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.summaries().cover(owner, session.id, Some(3)).await,
        async |unit| unit.summaries().cover(owner, session.id, Some(2)).await,
    )
    .await;
    assert!(
        matches!(answers, [Ok(Coverage::Covered(3)), Ok(Coverage::Older)]),
        "{answers:?}"
    );
}

pub async fn ch_60_a_summary_that_meets_an_append_covers_what_it_says(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 1).await;
    let turn = fixture.new_messages(owner, session.id, &["meanwhile"]);
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| {
            let appended = unit.messages().append(owner, session.id, &turn, true, now).await?;
            Ok(Coverage::Covered(appended.unwrap().content_revision))
        },
        async |unit| unit.summaries().cover(owner, session.id, None).await,
    )
    .await;
    // The second one waited, so the current content revision is the one after the append.
    assert!(
        matches!(answers, [Ok(Coverage::Covered(2)), Ok(Coverage::Covered(2))]),
        "{answers:?}"
    );
}

// The use cases.

pub async fn ch_60_put_makes_a_summary_and_then_replaces_it(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let first = fixture.say(owner, session.id, "one").await;
    fixture.advance(60);
    let last = fixture.say(owner, session.id, "two").await;
    let before = fixture.sessions.get(owner, session.id).await.unwrap();
    let now = fixture.advance(60);

    let made = fixture
        .summaries
        .put(owner, put(session.id, "first", None))
        .await
        .unwrap();
    assert!(made.is_new);
    let stored = fixture.summaries.get(owner, session.id).await.unwrap();
    assert_eq!((&stored, stored.state), (&made.view, SummaryState::Fresh));
    let summary = stored.summary;
    let expected = draft("first", None);
    assert_eq!(
        (&summary.text, &summary.model_name),
        (&expected.text, &expected.model_name)
    );
    assert_eq!(
        (&summary.key_topics, &summary.entities),
        (&expected.key_topics, &expected.entities)
    );
    assert_eq!((summary.message_count, summary.source_content_revision), (2, 2));
    assert_eq!(
        (summary.first_message_at, summary.last_message_at),
        (Some(first), Some(last))
    );
    assert_eq!(
        (summary.generated_at, summary.created_at, summary.version),
        (now, now, 1)
    );

    let later = fixture.advance(60);
    let replaced = fixture
        .summaries
        .put(owner, put(session.id, "second", Some(2)))
        .await
        .unwrap();
    assert!(!replaced.is_new);
    let replaced = replaced.view.summary;
    assert_eq!((replaced.id, replaced.created_at), (summary.id, now));
    assert_eq!(
        (replaced.text.as_str(), replaced.generated_at, replaced.version),
        ("second", later, 2)
    );
    // CH-09: neither moves anything that the session shows.
    let after = fixture.sessions.get(owner, session.id).await.unwrap();
    let expected = Session {
        summarised_revision: 2,
        ..before
    };
    assert_eq!(after, expected);
}

pub async fn ch_60_a_session_without_content_has_no_summary(fixture: Fixture) {
    let owner = fixture.owner();
    let empty = fixture.conversation(owner, 0).await;
    let short = fixture.conversation(owner, 2).await;
    for (id, source) in [
        (empty.id, None),
        (empty.id, Some(1)),
        (short.id, Some(3)),
        (short.id, Some(0)),
    ] {
        let refused = fixture.summaries.put(owner, put(id, "too early", source)).await;
        let Err(ChangeSummaryError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (refused.violations()[0].pointer.as_str(), refused.violations()[0].code),
            ("/source_content_revision", Code::OutOfRange)
        );
    }
    let none = fixture.summaries.get(owner, short.id).await;
    assert!(matches!(none, Err(NotFoundError::NotFound)), "{none:?}");
}

pub async fn ch_61_a_slow_writer_cannot_undo_a_newer_summary(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 3).await;
    fixture
        .summaries
        .put(owner, put(session.id, "newer", Some(3)))
        .await
        .unwrap();
    let slow = fixture.summaries.put(owner, put(session.id, "slow", Some(2))).await;
    assert!(matches!(slow, Err(ChangeSummaryError::Older)), "{slow:?}");
    assert_eq!(
        fixture.summaries.get(owner, session.id).await.unwrap().summary.text,
        "newer"
    );
    // Without a summary there is nothing that is newer.
    fixture.summaries.delete(owner, session.id, None).await.unwrap();
    fixture
        .summaries
        .put(owner, put(session.id, "slow", Some(2)))
        .await
        .unwrap();
}

pub async fn ch_61_many_writers_leave_the_summary_that_covers_most(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 6).await;
    let answers = at_once(6, async |number| {
        let source = number as i64 + 1;
        fixture
            .summaries
            .put(owner, put(session.id, &format!("up to {source}"), Some(source)))
            .await
    })
    .await;
    for answer in answers {
        assert!(matches!(answer, Ok(_) | Err(ChangeSummaryError::Older)), "{answer:?}");
    }
    let kept = fixture.summaries.get(owner, session.id).await.unwrap().summary;
    assert_eq!((kept.text.as_str(), kept.source_content_revision), ("up to 6", 6));
}

pub async fn ch_17_a_summary_is_replaced_and_removed_as_the_version_that_was_read(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 1).await;
    let guarded = |text: &str, if_match: Version| PutSummary {
        if_match: Some(if_match),
        ..put(session.id, text, None)
    };
    let absent = fixture.summaries.put(owner, guarded("none yet", 1)).await;
    assert!(matches!(absent, Err(ChangeSummaryError::Stale)), "{absent:?}");
    // What was refused left nothing behind.
    assert_eq!(
        fixture.in_state(owner, None).await,
        [(session.id, SummaryState::Missing)]
    );
    fixture.summarise(owner, session.id).await;
    let answers = at_once(4, async |number| {
        fixture
            .summaries
            .put(owner, guarded(&format!("writer {number}"), 1))
            .await
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let stale = fixture.summaries.delete(owner, session.id, Some(1)).await;
    assert!(matches!(stale, Err(ChangeSummaryError::Stale)), "{stale:?}");
    assert_eq!(fixture.summary_state(owner, session.id).await, SummaryState::Fresh);
    fixture.summaries.delete(owner, session.id, Some(2)).await.unwrap();
    let gone = fixture.summaries.delete(owner, session.id, None).await;
    assert!(matches!(gone, Err(ChangeSummaryError::NotFound)), "{gone:?}");
    let gone = fixture.summaries.get(owner, session.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
}

pub async fn ch_47_the_summary_of_a_trashed_session_is_not_there(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 1).await;
    fixture.summarise(owner, session.id).await;
    fixture.sessions.delete(owner, session.id, None).await.unwrap();
    let gone = fixture.summaries.get(owner, session.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.summaries.put(owner, put(session.id, "late", None)).await;
    assert!(matches!(gone, Err(ChangeSummaryError::NotFound)), "{gone:?}");
    let gone = fixture.summaries.delete(owner, session.id, None).await;
    assert!(matches!(gone, Err(ChangeSummaryError::NotFound)), "{gone:?}");
    assert_eq!(fixture.in_state(owner, None).await, []);
    fixture.sessions.restore(owner, session.id).await.unwrap();
    assert_eq!(fixture.summary_state(owner, session.id).await, SummaryState::Fresh);
}

pub async fn ch_90_lengths_of_summaries_are_refused_with_a_pointer(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 1).await;
    let cases = [
        (
            SummaryDraft {
                text: "x".repeat(50_001),
                ..draft("", None)
            },
            "/text",
            Code::TooLong,
        ),
        (
            SummaryDraft {
                entities: vec!["fine".into(), String::new()],
                ..draft("x", None)
            },
            "/entities/1",
            Code::TooShort,
        ),
        (
            SummaryDraft {
                key_topics: vec!["x".into(); 101],
                ..draft("x", None)
            },
            "/key_topics",
            Code::TooMany,
        ),
        (
            SummaryDraft {
                config_version: 0,
                ..draft("x", None)
            },
            "/config_version",
            Code::OutOfRange,
        ),
    ];
    for (draft, pointer, code) in cases {
        let put = PutSummary {
            session_id: session.id,
            draft,
            if_match: None,
        };
        let refused = fixture.summaries.put(owner, put).await;
        let Err(ChangeSummaryError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (refused.violations()[0].pointer.as_str(), refused.violations()[0].code),
            (pointer, code)
        );
    }
    let longest = SummaryDraft {
        text: "\u{1F9C0}".repeat(50_000),
        key_topics: vec!["\u{1F9C0}".repeat(200); 100],
        entities: vec![],
        ..draft("x", None)
    };
    let put = PutSummary {
        session_id: session.id,
        draft: longest.clone(),
        if_match: None,
    };
    fixture.summaries.put(owner, put).await.unwrap();
    let kept = fixture.summaries.get(owner, session.id).await.unwrap().summary;
    assert_eq!(
        (kept.text, kept.key_topics, kept.entities),
        (longest.text, longest.key_topics, vec![])
    );
}

pub async fn ch_63_a_cursor_counts_for_its_own_state_only(fixture: Fixture) {
    let owner = fixture.owner();
    for _ in 0..2 {
        fixture.conversation(owner, 1).await;
    }
    let request = PageRequest { limit: 1, cursor: None };
    let missing = Some(SummaryState::Missing);
    let cursor = fixture
        .summaries
        .list(owner, missing, request)
        .await
        .unwrap()
        .next_cursor;
    let next = PageRequest { limit: 1, cursor };
    for (owner_id, state) in [
        (fixture.owner(), missing),
        (owner, None),
        (owner, Some(SummaryState::Fresh)),
    ] {
        let refused = fixture.summaries.list(owner_id, state, next.clone()).await;
        assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
    }
}

pub async fn t_073_only_content_and_configuration_make_a_summary_stale(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.conversation(owner, 2).await;
    fixture.summarise(owner, session.id).await;
    let patch = SessionPatch {
        name: Patch::Set("renamed".into()),
        tags: Patch::Set(vec!["tagged".into()]),
        ..SessionPatch::default()
    };
    let change = ChangeSession {
        id: session.id,
        patch,
        touch: true,
        if_match: None,
    };
    fixture.sessions.change(owner, change).await.unwrap();
    assert_eq!(fixture.summary_state(owner, session.id).await, SummaryState::Fresh);

    let newer = fixture.with(Settings {
        summary_config_version: 2,
        ..Settings::default()
    });
    assert_eq!(newer.summary_state(owner, session.id).await, SummaryState::Config);
    fixture.say(owner, session.id, "one more").await;
    assert_eq!(fixture.summary_state(owner, session.id).await, SummaryState::Content);
    assert_eq!(newer.summary_state(owner, session.id).await, SummaryState::Content);
    fixture.summarise(owner, session.id).await;
    assert_eq!(fixture.summary_state(owner, session.id).await, SummaryState::Fresh);
}

pub async fn t_074_what_came_while_it_was_written_makes_a_summary_stale(fixture: Fixture) {
    let owner = fixture.owner();
    let read = fixture.conversation(owner, 5).await.content_revision;
    assert_eq!(read, 5);
    let session = fixture.conversation(owner, 5).await;
    fixture.say(owner, session.id, "meanwhile").await;
    let stored = fixture
        .summaries
        .put(owner, put(session.id, "of five", Some(read)))
        .await
        .unwrap();
    assert_eq!(stored.view.state, SummaryState::Content);
    let older = fixture.summaries.put(owner, put(session.id, "of four", Some(4))).await;
    assert!(matches!(older, Err(ChangeSummaryError::Older)), "{older:?}");
    assert_eq!(fixture.summaries.get(owner, session.id).await.unwrap(), stored.view);
}

pub async fn t_075_every_session_is_in_exactly_one_state(fixture: Fixture) {
    let owner = fixture.owner();
    let newer = fixture.with(Settings {
        summary_config_version: 2,
        ..Settings::default()
    });
    let mut expected = BTreeMap::new();
    let states = [
        Some(SummaryState::Fresh),
        Some(SummaryState::Content),
        Some(SummaryState::Config),
        Some(SummaryState::Missing),
        None,
    ];
    let mut order = Vec::new();
    for state in states.into_iter().cycle().take(15) {
        fixture.advance(60);
        let session = fixture.conversation(owner, if state.is_some() { 2 } else { 0 }).await;
        let config_version = if state == Some(SummaryState::Config) { 1 } else { 2 };
        if matches!(
            state,
            Some(SummaryState::Fresh | SummaryState::Content | SummaryState::Config)
        ) {
            let mut put = put(session.id, "summary", None);
            put.draft.config_version = config_version;
            fixture.summaries.put(owner, put).await.unwrap();
        }
        if state == Some(SummaryState::Content) {
            fixture.say(owner, session.id, "one more").await;
        }
        if let Some(state) = state {
            expected.insert(session.id, state);
            order.insert(0, session.id);
        }
    }
    let theirs = fixture.owner();
    fixture.conversation(theirs, 1).await;

    let all = newer.in_state(owner, None).await;
    assert_eq!(all.iter().map(|(id, _)| *id).collect::<Vec<_>>(), order);
    assert_eq!(all.iter().copied().collect::<BTreeMap<_, _>>(), expected);
    for state in SummaryState::ALL {
        let listed = newer.in_state(owner, Some(*state)).await;
        let demanded: Vec<_> = all.iter().copied().filter(|(_, of)| of == state).collect();
        assert_eq!((listed.len(), &listed), (3, &demanded));
    }
}
