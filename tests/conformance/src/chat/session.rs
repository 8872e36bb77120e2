//! Conversations: the store's obligations first, then the use cases over it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, SummaryDraft, Tag, Task, TaskPriority, TaskStatus};
use larder_domain::{Code, GroupId, Instant, Invalid, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    AppendError, ChangeSession, ChangeSessionError, ChangeSummaryError, CreateSessionError, DeleteMessage, ListError,
    ListMessages, ListMessagesError, NotFoundError, PutSummary, RemovedSession, ResolveSession, ResolveSessionError,
    Turn, TurnTarget,
};
use larder_ports::outbound::chat::{Order, SessionContent, SessionFilter, TagMatch, TaskFilter};
use larder_ports::outbound::{Deleted, Place, Rule, StorageError};

use crate::Fixture;
use crate::make::{id_of_bytes, says, says_as};
use crate::schedule::{Ending, at_once, overlap, overlap_then};

const LIVE: SessionFilter = SessionFilter::all(Deleted::Without);
const TRASHED: SessionFilter = SessionFilter::all(Deleted::Only);
const ANY: SessionFilter = SessionFilter::all(Deleted::With);

fn named(name: &str) -> SessionDraft {
    SessionDraft {
        name: Some(name.into()),
        ..SessionDraft::default()
    }
}

fn change(id: SessionId, patch: SessionPatch) -> ChangeSession {
    ChangeSession {
        id,
        patch,
        touch: false,
        if_match: None,
    }
}

fn rename(id: SessionId, name: &str) -> ChangeSession {
    let patch = SessionPatch {
        name: Patch::Set(name.into()),
        ..SessionPatch::default()
    };
    change(id, patch)
}

fn first(refused: &Invalid) -> (&str, Code) {
    let violation = &refused.violations()[0];
    (violation.pointer.as_str(), violation.code)
}

fn ids(sessions: &[Session]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

fn page(limit: u32, cursor: Option<String>) -> PageRequest {
    PageRequest { limit, cursor }
}

impl Fixture {
    async fn trash(&self, owner_id: OwnerId, id: SessionId) -> bool {
        let mut unit = self.chat_unit().await;
        let deleted = unit.sessions().delete(owner_id, id, None, self.now()).await.unwrap();
        unit.commit().await.unwrap();
        deleted
    }

    async fn replace(&self, session: &Session, expected: i64) -> bool {
        let mut unit = self.chat_unit().await;
        let replaced = unit.sessions().update(session, expected).await.unwrap();
        unit.commit().await.unwrap();
        replaced
    }

    async fn listed(
        &self,
        owner_id: OwnerId,
        filter: &SessionFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Vec<Session> {
        let mut view = self.chat_view().await;
        view.sessions().list(owner_id, filter, after, limit).await.unwrap()
    }
}

// The store.

pub async fn ch_06_an_id_that_the_owner_has_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    fixture.store(&session).await.unwrap();
    let again = Session {
        name: Some("again".into()),
        ..session.clone()
    };
    let refused = fixture.store(&again).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::SessionIdTaken))),
        "{refused:?}"
    );
    assert_eq!(fixture.session(owner, session.id).await, Some(session));
}

pub async fn ch_06_an_id_in_the_trash_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    fixture.store(&session).await.unwrap();
    assert!(fixture.trash(owner, session.id).await);

    let refused = fixture.store(&session).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::SessionIdTaken))),
        "{refused:?}"
    );
    assert_eq!(fixture.session(owner, session.id).await, None);
}

pub async fn ch_06_one_id_of_two_owners_is_no_conflict(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let of_a = Session {
        name: Some("a's".into()),
        tags: vec![Tag::from_stored("shared".into())],
        ..fixture.new_session(a)
    };
    let of_b = Session {
        owner_id: b,
        name: Some("b's".into()),
        ..of_a.clone()
    };
    fixture.store(&of_a).await.unwrap();
    fixture.store(&of_b).await.unwrap();
    assert_eq!(fixture.session(a, of_a.id).await.as_ref(), Some(&of_a));
    assert_eq!(fixture.session(b, of_b.id).await.as_ref(), Some(&of_b));

    assert!(fixture.trash(b, of_b.id).await);
    assert_eq!(fixture.session(a, of_a.id).await, Some(of_a));
    assert_eq!(fixture.session(b, of_b.id).await, None);
}

pub async fn ch_06_of_two_units_with_one_new_id_one_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().insert(&session).await,
        async |unit| unit.sessions().insert(&session).await,
    )
    .await;
    assert!(
        matches!(answers, [Ok(()), Err(StorageError::Broken(Rule::SessionIdTaken))]),
        "{answers:?}"
    );
    assert_eq!(fixture.session_ids(owner).await, [session.id]);
}

pub async fn ch_06_an_id_of_a_unit_that_was_dropped_is_free(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    let answers = overlap_then(
        &*fixture.chat,
        async |unit| unit.sessions().insert(&session).await,
        Ending::Drop,
        async |unit| unit.sessions().insert(&session).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(Some(()))]), "{answers:?}");
    assert_eq!(fixture.session_ids(owner).await, [session.id]);
}

pub async fn ch_17_an_update_needs_the_version_that_it_expects(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    let second = Session {
        name: Some("second".into()),
        version: 2,
        ..stored.clone()
    };
    for unexpected in [0, 2, 3, -1, i64::MAX] {
        assert!(!fixture.replace(&second, unexpected).await);
        assert_eq!(fixture.session(owner, stored.id).await.as_ref(), Some(&stored));
    }
    assert!(fixture.replace(&second, 1).await);
    assert!(!fixture.replace(&second, 1).await);
    assert_eq!(fixture.session(owner, stored.id).await, Some(second));
}

pub async fn ch_17_of_two_updates_of_one_version_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    // Both have read version 1 before either writes.
    let read = fixture.session(owner, stored.id).await.unwrap();
    let [one, other] = ["one", "other"].map(|name| Session {
        name: Some(name.into()),
        tags: vec![Tag::from_stored(name.into())],
        version: 2,
        ..read.clone()
    });
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().update(&one, 1).await,
        async |unit| unit.sessions().update(&other, 1).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.session(owner, stored.id).await, Some(one));
}

pub async fn ch_17_an_update_after_one_that_was_dropped_goes_through(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    let [one, other] = ["one", "other"].map(|name| Session {
        name: Some(name.into()),
        version: 2,
        ..stored.clone()
    });
    let answers = overlap_then(
        &*fixture.chat,
        async |unit| unit.sessions().update(&one, 1).await,
        Ending::Drop,
        async |unit| unit.sessions().update(&other, 1).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(Some(true))]), "{answers:?}");
    assert_eq!(fixture.session(owner, stored.id).await, Some(other));
}

pub async fn ch_17_a_deletion_needs_the_version_that_it_expects(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    for unexpected in [0, 2, i64::MAX] {
        let mut unit = fixture.chat_unit().await;
        let deleted = unit
            .sessions()
            .delete(owner, stored.id, Some(unexpected), fixture.now())
            .await
            .unwrap();
        unit.commit().await.unwrap();
        assert!(!deleted);
        assert_eq!(fixture.session(owner, stored.id).await.as_ref(), Some(&stored));
    }
    let mut unit = fixture.chat_unit().await;
    assert!(
        unit.sessions()
            .delete(owner, stored.id, Some(1), fixture.now())
            .await
            .unwrap()
    );
    unit.commit().await.unwrap();
    assert_eq!(fixture.session(owner, stored.id).await, None);
}

pub async fn ch_17_of_an_update_and_a_deletion_of_one_version_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    let renamed = Session {
        name: Some("renamed".into()),
        version: 2,
        ..stored.clone()
    };
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().delete(owner, stored.id, Some(1), now).await,
        async |unit| unit.sessions().update(&renamed, 1).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.session(owner, stored.id).await, None);
}

pub async fn ch_21_an_update_replaces_the_client_fields_and_nothing_else(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.new_session(owner);
    fixture.store(&stored).await.unwrap();
    let turn = fixture.new_messages(owner, stored.id, &["one", "two"]);
    let mut unit = fixture.chat_unit().await;
    let before = unit
        .messages()
        .append(owner, stored.id, &turn, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    unit.commit().await.unwrap();

    let now = fixture.advance(60);
    let written = Session {
        name: Some("a name".into()),
        character_name: Some("Ada".into()),
        model_name: Some("some-model".into()),
        auto_trigger_tts: true,
        agent_session_id: Some("run-7".into()),
        tags: vec![Tag::from_stored("zebra".into()), Tag::from_stored("Apple".into())],
        task: Some(Task {
            status: TaskStatus::Waiting,
            priority: TaskPriority::Low,
            description: Some("later".into()),
        }),
        last_update: Instant::EPOCH,
        updated_at: now,
        version: before.version + 1,
        // What follows belongs to the store.
        message_count: 0,
        last_position: 99,
        content_revision: 99,
        created_at: now,
        ..before.clone()
    };
    assert!(fixture.replace(&written, before.version).await);
    let expected = Session {
        message_count: before.message_count,
        last_position: before.last_position,
        content_revision: before.content_revision,
        created_at: before.created_at,
        ..written.clone()
    };
    assert_eq!(fixture.session(owner, stored.id).await, Some(expected.clone()));

    let cleared = Session {
        name: None,
        character_name: None,
        model_name: None,
        auto_trigger_tts: false,
        agent_session_id: None,
        tags: vec![Tag::from_stored("Apple".into())],
        task: None,
        version: expected.version + 1,
        ..expected
    };
    assert!(fixture.replace(&cleared, cleared.version - 1).await);
    assert_eq!(fixture.session(owner, stored.id).await, Some(cleared));
}

pub async fn ch_20_the_list_runs_from_the_newest_then_from_the_highest_id(fixture: Fixture) {
    let owner = fixture.owner();
    let now = fixture.now();
    let earlier = Instant::from_micros(now.as_micros() - 1).unwrap();
    // Bytes above 0x7f would come first if ids were compared as signed numbers.
    let rows = [
        (now, 0xff),
        (now, 0x80),
        (now, 0x7f),
        (now, 0x00),
        (earlier, 0xfe),
        (earlier, 0x01),
        (Instant::EPOCH, 0xfd),
    ]
    .map(|(last_update, byte)| Session {
        last_update,
        ..fixture.session_of(owner, SessionId(id_of_bytes(byte)))
    });
    for index in [3, 0, 6, 4, 1, 5, 2] {
        fixture.store(&rows[index]).await.unwrap();
    }
    assert_eq!(fixture.listed(owner, &LIVE, None, 200).await, rows);

    for limit in 1..=8 {
        let mut met = Vec::new();
        let mut after = None;
        loop {
            let rows = fixture.listed(owner, &LIVE, after, limit).await;
            assert!(rows.len() <= limit as usize);
            let Some(last) = rows.last() else { break };
            after = Some(Place {
                at: last.last_update,
                id: last.id.0,
            });
            met.extend(ids(&rows));
        }
        assert_eq!(met, ids(&rows), "{limit}");
    }
}

pub async fn ch_20_a_place_need_not_be_a_row_any_more(fixture: Fixture) {
    let owner = fixture.owner();
    let now = fixture.now();
    let rows = [9, 5, 1].map(|byte| fixture.session_of(owner, SessionId(id_of_bytes(byte))));
    for row in &rows {
        fixture.store(row).await.unwrap();
    }
    let gone = Place {
        at: now,
        id: id_of_bytes(7),
    };
    assert_eq!(
        ids(&fixture.listed(owner, &LIVE, Some(gone), 9).await),
        [rows[1].id, rows[2].id]
    );
}

pub async fn ch_20_the_trash_is_listed_only_when_asked_for(fixture: Fixture) {
    let owner = fixture.owner();
    let live = fixture.new_session(owner);
    let trashed = fixture.new_session(owner);
    fixture.store(&live).await.unwrap();
    fixture.store(&trashed).await.unwrap();
    assert!(fixture.trash(owner, trashed.id).await);

    assert_eq!(ids(&fixture.listed(owner, &LIVE, None, 9).await), [live.id]);
    assert_eq!(ids(&fixture.listed(owner, &TRASHED, None, 9).await), [trashed.id]);
    assert_eq!(ids(&fixture.listed(owner, &ANY, None, 9).await), [trashed.id, live.id]);
}

pub async fn ch_45_a_deletion_moves_the_session_to_the_trash_once(fixture: Fixture) {
    let owner = fixture.owner();
    let session = Session {
        tags: vec![Tag::from_stored("kept".into())],
        ..fixture.new_session(owner)
    };
    fixture.store(&session).await.unwrap();
    let turn = fixture.new_messages(owner, session.id, &["kept"]);
    let mut unit = fixture.chat_unit().await;
    let before = unit
        .messages()
        .append(owner, session.id, &turn, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    unit.commit().await.unwrap();

    let now = fixture.advance(60);
    assert!(fixture.trash(owner, session.id).await);
    let expected = Session {
        deleted_at: Some(now),
        updated_at: now,
        version: before.version + 1,
        ..before
    };
    assert_eq!(
        fixture.listed(owner, &TRASHED, None, 9).await,
        std::slice::from_ref(&expected)
    );

    fixture.advance(60);
    assert!(!fixture.trash(owner, session.id).await);
    assert!(
        !fixture
            .replace(
                &Session {
                    deleted_at: None,
                    ..expected.clone()
                },
                expected.version
            )
            .await
    );
    assert_eq!(fixture.listed(owner, &TRASHED, None, 9).await, [expected]);
}

pub async fn ch_22_a_deletion_and_an_update_without_it_clear_the_auto_key(fixture: Fixture) {
    let owner = fixture.owner();
    let keyed = |key: &str| Session {
        auto_key: Some(key.into()),
        ..fixture.new_session(owner)
    };
    let (updated, deleted) = (keyed("one"), keyed("other"));
    fixture.store(&updated).await.unwrap();
    fixture.store(&deleted).await.unwrap();
    let cleared = Session {
        auto_key: None,
        version: 2,
        ..updated
    };
    assert!(fixture.replace(&cleared, 1).await);
    assert_eq!(fixture.session(owner, cleared.id).await, Some(cleared));
    assert!(fixture.trash(owner, deleted.id).await);
    let trash = fixture.listed(owner, &TRASHED, None, 9).await;
    assert_eq!(trash[0].auto_key, None);
    // The key of a session in the trash is free again.
    fixture.store(&keyed("other")).await.unwrap();
}

pub async fn t_036_an_owner_sees_and_moves_nothing_of_another(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let of_a = fixture.new_session(a);
    fixture.store(&of_a).await.unwrap();

    assert_eq!(fixture.session(b, of_a.id).await, None);
    assert_eq!(fixture.listed(b, &ANY, None, 200).await, []);
    assert!(!fixture.trash(b, of_a.id).await);
    let claimed = Session {
        owner_id: b,
        name: Some("b's".into()),
        version: 2,
        ..of_a.clone()
    };
    assert!(!fixture.replace(&claimed, 1).await);
    assert_eq!(fixture.session(a, of_a.id).await, Some(of_a));
}

// The use cases.

pub async fn ch_06_a_client_may_bring_its_own_id(fixture: Fixture) {
    let owner = fixture.owner();
    let id = fixture.session_id();
    let draft = SessionDraft {
        id: Some(id),
        ..named("mine")
    };
    let created = fixture.sessions.create(owner, draft.clone()).await.unwrap();
    assert_eq!(created.id, id);
    let again = fixture.sessions.create(owner, draft.clone()).await;
    assert!(matches!(again, Err(CreateSessionError::IdTaken)), "{again:?}");
    fixture.sessions.delete(owner, id, None).await.unwrap();
    let again = fixture.sessions.create(owner, draft.clone()).await;
    assert!(matches!(again, Err(CreateSessionError::IdTaken)), "{again:?}");

    let other = fixture.owner();
    assert_eq!(fixture.sessions.create(other, draft).await.unwrap().owner_id, other);
    let gone = fixture.sessions.get(owner, id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
}

pub async fn ch_09_a_new_session_starts_at_zero(fixture: Fixture) {
    let owner = fixture.owner();
    let now = fixture.now();
    let created = fixture.sessions.create(owner, named("new")).await.unwrap();
    assert_eq!(
        (
            created.message_count,
            created.last_position,
            created.content_revision,
            created.version
        ),
        (0, 0, 0, 1)
    );
    assert_eq!(
        (created.created_at, created.updated_at, created.last_update),
        (now, now, now)
    );
    assert_eq!(fixture.sessions.get(owner, created.id).await.unwrap(), created);
}

pub async fn ch_09_a_change_of_fields_moves_the_version_alone(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, named("before")).await.unwrap();
    let now = fixture.advance(60);
    let changed = fixture
        .sessions
        .change(owner, rename(created.id, "after"))
        .await
        .unwrap();
    let expected = Session {
        name: Some("after".into()),
        version: 2,
        updated_at: now,
        ..created
    };
    assert_eq!(changed, expected);
    assert_eq!(fixture.sessions.get(owner, changed.id).await.unwrap(), expected);

    let now = fixture.advance(60);
    let touching = ChangeSession {
        touch: true,
        ..rename(changed.id, "again")
    };
    let touched = fixture.sessions.change(owner, touching).await.unwrap();
    assert_eq!((touched.last_update, touched.version), (now, 3));
}

pub async fn ch_11_a_change_that_changes_nothing_writes_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        tags: Some(vec!["Work".into(), "home".into()]),
        ..named("same")
    };
    let created = fixture.sessions.create(owner, draft).await.unwrap();
    fixture.advance(60);
    let same = SessionPatch {
        tags: Patch::Set(vec![" Work".into(), "home".into(), "WORK".into()]),
        task_status: Patch::Clear,
        ..rename(created.id, "same").patch
    };
    for patch in [SessionPatch::default(), same] {
        let answered = fixture.sessions.change(owner, change(created.id, patch)).await.unwrap();
        assert_eq!(answered, created);
        assert_eq!(fixture.session(owner, created.id).await.as_ref(), Some(&created));
    }
}

pub async fn ch_17_a_stale_if_match_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, named("one")).await.unwrap();
    let guarded = |name: &str, version| ChangeSession {
        if_match: Some(version),
        ..rename(created.id, name)
    };
    let second = fixture.sessions.change(owner, guarded("two", 1)).await.unwrap();
    let stale = fixture.sessions.change(owner, guarded("three", 1)).await;
    assert!(matches!(stale, Err(ChangeSessionError::Stale)), "{stale:?}");
    // Also when the stale patch would change nothing.
    let stale = fixture.sessions.change(owner, guarded("two", 1)).await;
    assert!(matches!(stale, Err(ChangeSessionError::Stale)), "{stale:?}");
    let stale = fixture.sessions.delete(owner, created.id, Some(1)).await;
    assert!(matches!(stale, Err(ChangeSessionError::Stale)), "{stale:?}");
    assert_eq!(fixture.sessions.get(owner, created.id).await.unwrap(), second);

    fixture.sessions.delete(owner, created.id, Some(2)).await.unwrap();
    let gone = fixture.sessions.change(owner, guarded("three", 2)).await;
    assert!(matches!(gone, Err(ChangeSessionError::NotFound)), "{gone:?}");
}

pub async fn ch_17_of_many_writers_with_one_version_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let mut stored = fixture.sessions.create(owner, named("start")).await.unwrap();
    for _ in 0..5 {
        let answers = at_once(6, async |writer| {
            let guarded = ChangeSession {
                if_match: Some(stored.version),
                ..rename(stored.id, &format!("writer {writer} of version {}", stored.version))
            };
            fixture.sessions.change(owner, guarded).await
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(
            lost.iter()
                .all(|answer| matches!(answer, Err(ChangeSessionError::Stale))),
            "{lost:?}"
        );
        let winner = won.into_iter().next().unwrap().unwrap();
        assert_eq!(fixture.sessions.get(owner, stored.id).await.unwrap(), winner);
        assert_eq!(winner.version, stored.version + 1);
        stored = winner;
    }
}

pub async fn ch_17_writers_without_a_version_all_get_through(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let patches = [
        rename(created.id, "named").patch,
        SessionPatch {
            model_name: Patch::Set("some-model".into()),
            ..SessionPatch::default()
        },
        SessionPatch {
            tags: Patch::Set(vec!["tagged".into()]),
            ..SessionPatch::default()
        },
        SessionPatch {
            task_status: Patch::Set(TaskStatus::Active),
            ..SessionPatch::default()
        },
    ];
    let answers = at_once(patches.len(), async |writer| {
        fixture
            .sessions
            .change(owner, change(created.id, patches[writer].clone()))
            .await
    })
    .await;
    for answer in answers {
        answer.unwrap();
    }
    let merged = fixture.sessions.get(owner, created.id).await.unwrap();
    assert_eq!(
        (merged.name.as_deref(), merged.model_name.as_deref()),
        (Some("named"), Some("some-model"))
    );
    assert_eq!((merged.tags.len(), merged.task.is_some(), merged.version), (1, true, 5));
}

pub async fn ch_20_paging_meets_every_old_session_exactly_once(fixture: Fixture) {
    let owner = fixture.owner();
    // 120 sessions with one `last_update`, ten of them to be deleted while somebody pages.
    let mut old = Vec::new();
    for number in 0..120 {
        old.push(
            fixture
                .sessions
                .create(owner, named(&format!("old {number}")))
                .await
                .unwrap()
                .id,
        );
    }
    let doomed: BTreeSet<SessionId> = old.iter().copied().step_by(12).collect();

    let mut met = Vec::new();
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let answer = fixture.sessions.list(owner, LIVE, page(50, cursor)).await.unwrap();
        pages += 1;
        assert!(answer.data.len() <= 50);
        met.extend(ids(&answer.data));
        fixture
            .sessions
            .create(owner, named("with the same time"))
            .await
            .unwrap();
        fixture.advance(1);
        fixture.sessions.create(owner, named("newer")).await.unwrap();
        for id in doomed.iter().skip(pages * 2).take(2) {
            fixture.sessions.delete(owner, *id, None).await.unwrap();
        }
        match answer.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert!(pages >= 3);
    let unique: BTreeSet<SessionId> = met.iter().copied().collect();
    assert_eq!(unique.len(), met.len(), "a session was met twice");
    let missed: Vec<_> = old
        .iter()
        .filter(|id| !unique.contains(id) && !doomed.contains(id))
        .collect();
    assert_eq!(missed, Vec::<&SessionId>::new());
}

pub async fn ch_20_the_last_page_says_so(fixture: Fixture) {
    let owner = fixture.owner();
    let empty = fixture.sessions.list(owner, LIVE, page(3, None)).await.unwrap();
    assert_eq!((empty.data.len(), empty.next_cursor), (0, None));
    for _ in 0..6 {
        fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    }
    let one = fixture.sessions.list(owner, LIVE, page(3, None)).await.unwrap();
    assert_eq!((one.data.len(), one.next_cursor.is_some()), (3, true));
    let two = fixture
        .sessions
        .list(owner, LIVE, page(3, one.next_cursor))
        .await
        .unwrap();
    assert_eq!((two.data.len(), two.next_cursor), (3, None));
}

pub async fn ch_20_a_cursor_counts_for_its_own_list_only(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    for owner in [a, b] {
        for _ in 0..3 {
            fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
        }
    }
    let cursor = fixture
        .sessions
        .list(a, LIVE, page(1, None))
        .await
        .unwrap()
        .next_cursor
        .unwrap();
    let mut forged: Vec<String> = (0..cursor.len()).map(|at| flip(&cursor, at)).collect();
    forged.extend([String::new(), "x".into(), format!("{cursor}A"), cursor[1..].to_owned()]);

    let foreign = fixture.sessions.list(b, LIVE, page(1, Some(cursor.clone()))).await;
    assert!(matches!(foreign, Err(ListError::BadCursor(_))), "{foreign:?}");
    let filtered = fixture.sessions.list(a, ANY, page(1, Some(cursor.clone()))).await;
    assert!(matches!(filtered, Err(ListError::BadCursor(_))), "{filtered:?}");
    for text in forged {
        let refused = fixture.sessions.list(a, LIVE, page(1, Some(text.clone()))).await;
        assert!(matches!(refused, Err(ListError::BadCursor(_))), "{text}: {refused:?}");
    }
    // The size of the page is no part of the list.
    let next = fixture.sessions.list(a, LIVE, page(50, Some(cursor))).await.unwrap();
    assert_eq!((next.data.len(), next.next_cursor), (2, None));
}

/// The text with one character replaced by another one of the same alphabet.
fn flip(text: &str, at: usize) -> String {
    let flipped = text.char_indices().map(|(index, c)| match c {
        'A' if index == at => 'Q',
        _ if index == at => 'A',
        c => c,
    });
    flipped.collect()
}

pub async fn ch_21_a_patch_sets_and_clears_every_client_field(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, SessionDraft::default()).await.unwrap();
    let everything = SessionPatch {
        name: Patch::Set("name".into()),
        character_name: Patch::Set("Ada".into()),
        model_name: Patch::Set("some-model".into()),
        auto_trigger_tts: Patch::Set(true),
        agent_session_id: Patch::Set("run-7".into()),
        tags: Patch::Set(vec!["b".into(), "a".into()]),
        task_status: Patch::Set(TaskStatus::Done),
        task_priority: Patch::Set(TaskPriority::High),
        task_description: Patch::Set("do it".into()),
        last_update: Patch::Set(Instant::EPOCH),
    };
    let full = fixture
        .sessions
        .change(owner, change(created.id, everything))
        .await
        .unwrap();
    assert_eq!(fixture.sessions.get(owner, created.id).await.unwrap(), full);
    assert_eq!(full.last_update, Instant::EPOCH);
    assert_eq!(full.task.as_ref().unwrap().description.as_deref(), Some("do it"));

    let nothing = SessionPatch {
        name: Patch::Clear,
        character_name: Patch::Clear,
        model_name: Patch::Clear,
        auto_trigger_tts: Patch::Clear,
        agent_session_id: Patch::Clear,
        tags: Patch::Clear,
        task_status: Patch::Clear,
        task_priority: Patch::Clear,
        task_description: Patch::Clear,
        last_update: Patch::Keep,
    };
    let bare = fixture
        .sessions
        .change(owner, change(created.id, nothing))
        .await
        .unwrap();
    let expected = Session {
        last_update: Instant::EPOCH,
        version: 3,
        ..created
    };
    assert_eq!(bare, expected);
    assert_eq!(fixture.sessions.get(owner, bare.id).await.unwrap(), expected);
}

pub async fn ch_21_a_later_last_update_leads_the_list(fixture: Fixture) {
    let owner = fixture.owner();
    let older = fixture.sessions.create(owner, named("older")).await.unwrap();
    fixture.advance(60);
    let newer = fixture.sessions.create(owner, named("newer")).await.unwrap();
    let listed = async || {
        ids(&fixture
            .sessions
            .list(owner, LIVE, PageRequest::first())
            .await
            .unwrap()
            .data)
    };
    assert_eq!(listed().await, [newer.id, older.id]);

    fixture.advance(60);
    fixture
        .sessions
        .change(owner, rename(older.id, "renamed"))
        .await
        .unwrap();
    assert_eq!(listed().await, [newer.id, older.id]);
    let forward = SessionPatch {
        last_update: Patch::Set(fixture.now()),
        ..SessionPatch::default()
    };
    fixture.sessions.change(owner, change(older.id, forward)).await.unwrap();
    assert_eq!(listed().await, [older.id, newer.id]);
    let backward = SessionPatch {
        last_update: Patch::Set(Instant::EPOCH),
        ..SessionPatch::default()
    };
    fixture
        .sessions
        .change(owner, change(older.id, backward))
        .await
        .unwrap();
    assert_eq!(listed().await, [newer.id, older.id]);
}

pub async fn ch_23_tags_keep_first_spelling_and_order(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        tags: Some(["Work", "work ", "Straße", "STRASSE", "a"].map(str::to_owned).to_vec()),
        ..SessionDraft::default()
    };
    let created = fixture.sessions.create(owner, draft).await.unwrap();
    let texts = |session: &Session| session.tags.iter().map(|tag| tag.text().to_owned()).collect::<Vec<_>>();
    let stored = fixture.sessions.get(owner, created.id).await.unwrap();
    assert_eq!(texts(&stored), ["Work", "Straße", "a"]);

    let reversed = SessionPatch {
        tags: Patch::Set(["a", "STRASSE", "WORK"].map(str::to_owned).to_vec()),
        ..SessionPatch::default()
    };
    fixture
        .sessions
        .change(owner, change(created.id, reversed))
        .await
        .unwrap();
    let stored = fixture.sessions.get(owner, created.id).await.unwrap();
    assert_eq!(texts(&stored), ["a", "STRASSE", "WORK"]);
    let listed = fixture.sessions.list(owner, LIVE, PageRequest::first()).await.unwrap();
    assert_eq!(texts(&listed.data[0]), ["a", "STRASSE", "WORK"]);
}

pub async fn ch_23_a_session_has_at_most_32_tags(fixture: Fixture) {
    let owner = fixture.owner();
    let tags = |count| Some((0..count).map(|number| format!("tag {number}")).collect::<Vec<_>>());
    let draft = |count| SessionDraft {
        tags: tags(count),
        ..SessionDraft::default()
    };
    let full = fixture.sessions.create(owner, draft(32)).await.unwrap();
    assert_eq!(fixture.sessions.get(owner, full.id).await.unwrap().tags.len(), 32);
    let refused = fixture.sessions.create(owner, draft(33)).await;
    let Err(CreateSessionError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/tags", Code::TooMany));
    assert_eq!(fixture.session_ids(owner).await, [full.id]);
}

pub async fn ch_25_task_fields_need_a_status(fixture: Fixture) {
    let owner = fixture.owner();
    let plain = fixture.sessions.create(owner, named("plain")).await.unwrap();
    let urgent = SessionPatch {
        task_priority: Patch::Set(TaskPriority::High),
        ..SessionPatch::default()
    };
    let refused = fixture.sessions.change(owner, change(plain.id, urgent)).await;
    let Err(ChangeSessionError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/task_priority", Code::TaskWithoutStatus));
    assert_eq!(fixture.sessions.get(owner, plain.id).await.unwrap(), plain);

    let active = SessionPatch {
        task_status: Patch::Set(TaskStatus::Active),
        ..SessionPatch::default()
    };
    let task = fixture
        .sessions
        .change(owner, change(plain.id, active))
        .await
        .unwrap()
        .task
        .unwrap();
    assert_eq!((task.priority, task.description), (TaskPriority::Medium, None));
    let cleared = SessionPatch {
        task_status: Patch::Clear,
        ..SessionPatch::default()
    };
    fixture.sessions.change(owner, change(plain.id, cleared)).await.unwrap();
    assert_eq!(fixture.sessions.get(owner, plain.id).await.unwrap().task, None);
}

pub async fn ch_26_a_task_without_name_is_named_by_its_description(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        task_status: Some(TaskStatus::Active),
        task_description: Some("\u{1F9C0}".repeat(300)),
        ..SessionDraft::default()
    };
    let created = fixture.sessions.create(owner, draft).await.unwrap();
    let stored = fixture.sessions.get(owner, created.id).await.unwrap();
    assert_eq!(stored.name, Some("\u{1F9C0}".repeat(200)));
    assert_eq!(stored.task.unwrap().priority, TaskPriority::Medium);
}

pub async fn ch_45_a_second_deletion_finds_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, named("short-lived")).await.unwrap();
    fixture.sessions.delete(owner, created.id, None).await.unwrap();
    let again = fixture.sessions.delete(owner, created.id, None).await;
    assert!(matches!(again, Err(ChangeSessionError::NotFound)), "{again:?}");
    let gone = fixture.sessions.get(owner, created.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.sessions.change(owner, rename(created.id, "revived")).await;
    assert!(matches!(gone, Err(ChangeSessionError::NotFound)), "{gone:?}");
    assert_eq!(
        fixture
            .sessions
            .list(owner, LIVE, PageRequest::first())
            .await
            .unwrap()
            .data,
        []
    );
    let trash = fixture
        .sessions
        .list(owner, TRASHED, PageRequest::first())
        .await
        .unwrap();
    assert_eq!(ids(&trash.data), [created.id]);
}

pub async fn ch_45_of_many_deletions_one_finds_it(fixture: Fixture) {
    let owner = fixture.owner();
    let created = fixture.sessions.create(owner, named("wanted gone")).await.unwrap();
    let answers = at_once(6, async |_| fixture.sessions.delete(owner, created.id, None).await).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|answer| matches!(answer, Err(ChangeSessionError::NotFound))),
        "{lost:?}"
    );
}

pub async fn ch_46_a_deleted_session_hides_its_messages(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, named("hidden")).await.unwrap();
    let message = fixture
        .messages
        .append(owner, session.id, says("hello"), true)
        .await
        .unwrap()
        .message;
    fixture.sessions.delete(owner, session.id, None).await.unwrap();

    let gone = fixture.messages.get(owner, message.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let list = ListMessages {
        session_id: session.id,
        order: Order::Ascending,
        deleted: Deleted::Without,
        role: None,
        status: None,
        page: PageRequest::first(),
    };
    let gone = fixture.messages.list(owner, list).await;
    assert!(matches!(gone, Err(ListMessagesError::NotFound)), "{gone:?}");
    let mut view = fixture.chat_view().await;
    assert_eq!(view.messages().find(owner, message.id).await.unwrap(), None);
}

pub async fn ch_90_lengths_are_refused_with_a_pointer(fixture: Fixture) {
    let owner = fixture.owner();
    let cases: [(SessionDraft, &str, Code); 6] = [
        (named(&"x".repeat(201)), "/name", Code::TooLong),
        (named(""), "/name", Code::TooShort),
        (named("a\0b"), "/name", Code::Nul),
        (
            SessionDraft {
                character_name: Some("x".repeat(101)),
                ..SessionDraft::default()
            },
            "/character_name",
            Code::TooLong,
        ),
        (
            SessionDraft {
                tags: Some(vec!["fine".into(), "x".repeat(65)]),
                ..SessionDraft::default()
            },
            "/tags/1",
            Code::TooLong,
        ),
        (
            SessionDraft {
                task_status: Some(TaskStatus::Active),
                task_description: Some("x".repeat(501)),
                ..named("task")
            },
            "/task_description",
            Code::TooLong,
        ),
    ];
    for (draft, pointer, code) in cases {
        let refused = fixture.sessions.create(owner, draft).await;
        let Err(CreateSessionError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(first(&refused), (pointer, code));
    }
    assert_eq!(fixture.session_ids(owner).await, []);
}

pub async fn t_036_a_stranger_is_answered_as_if_there_was_nothing(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let of_a = fixture.sessions.create(a, named("a's")).await.unwrap();
    for id in [of_a.id, fixture.session_id()] {
        let got = fixture.sessions.get(b, id).await;
        assert!(matches!(got, Err(NotFoundError::NotFound)), "{got:?}");
        let changed = fixture.sessions.change(b, rename(id, "b's")).await;
        assert!(matches!(changed, Err(ChangeSessionError::NotFound)), "{changed:?}");
        // A precondition tells a stranger no more than a missing row does.
        let guarded = ChangeSession {
            if_match: Some(7),
            ..rename(id, "b's")
        };
        let changed = fixture.sessions.change(b, guarded).await;
        assert!(matches!(changed, Err(ChangeSessionError::NotFound)), "{changed:?}");
        for if_match in [None, Some(1), Some(7)] {
            let deleted = fixture.sessions.delete(b, id, if_match).await;
            assert!(matches!(deleted, Err(ChangeSessionError::NotFound)), "{deleted:?}");
        }
    }
    assert_eq!(
        fixture.sessions.list(b, ANY, PageRequest::first()).await.unwrap().data,
        []
    );
    assert_eq!(fixture.sessions.get(a, of_a.id).await.unwrap(), of_a);
}

// Filters, resolving and the trash.

/// A session as a filter sees it, made without the store.
fn fits(session: &Session, filter: &SessionFilter) -> bool {
    let norms: BTreeSet<&str> = session.tags.iter().map(Tag::norm).collect();
    let has = |tag: &Tag| norms.contains(tag.norm());
    let task = session.task.as_ref();
    filter.from.is_none_or(|from| session.last_update >= from)
        && filter.to.is_none_or(|to| session.last_update < to)
        && (filter.tags.is_empty()
            || match filter.tag_match {
                TagMatch::Any => filter.tags.iter().any(has),
                TagMatch::All => filter.tags.iter().all(has),
            })
        && filter.character.is_none_or_eq(&session.character_name)
        && filter.task.is_none_or(|wanted| match wanted {
            TaskFilter::Any => task.is_some(),
            TaskFilter::None => task.is_none(),
            TaskFilter::Status(status) => task.is_some_and(|task| task.status == status),
        })
        && filter
            .task_priority
            .is_none_or(|priority| task.is_some_and(|task| task.priority == priority))
        && filter.group_id.is_none_or(|group| session.group_id == Some(group))
        && filter.content.is_none_or(|content| match content {
            SessionContent::Messages => session.message_count > 0,
            SessionContent::Nothing => session.message_count == 0,
            SessionContent::MessagesOrTask => session.message_count > 0 || task.is_some(),
        })
        && match filter.deleted {
            Deleted::Without => session.deleted_at.is_none(),
            Deleted::With => true,
            Deleted::Only => session.deleted_at.is_some(),
        }
}

trait IsNoneOrEq {
    fn is_none_or_eq(&self, value: &Self) -> bool;
}

impl IsNoneOrEq for Option<String> {
    fn is_none_or_eq(&self, value: &Self) -> bool {
        self.is_none() || self == value
    }
}

pub async fn ch_20_every_combination_of_filters_gives_the_sessions_that_fit(fixture: Fixture) {
    let owner = fixture.owner();
    let other = fixture.owner();
    let mut all = Vec::new();
    for number in 0..48_usize {
        let now = if number % 3 == 0 {
            fixture.advance(60)
        } else {
            fixture.now()
        };
        let tags: &[&str] = [&[][..], &["a"], &["A", "b"], &["b", "c"]][number % 4];
        let task = [
            None,
            Some(TaskStatus::Active),
            Some(TaskStatus::Waiting),
            Some(TaskStatus::Done),
        ][number / 4 % 4];
        let session = Session {
            character_name: [None, Some("Ada".to_owned()), Some("ada".to_owned())][number % 3].clone(),
            tags: tags.iter().map(|tag| Tag::from_stored((*tag).into())).collect(),
            task: task.map(|status| Task {
                status,
                priority: [TaskPriority::High, TaskPriority::Low][number % 2],
                description: None,
            }),
            last_update: now,
            ..fixture.new_session(owner)
        };
        fixture.store(&session).await.unwrap();
        let theirs = Session {
            owner_id: other,
            ..session.clone()
        };
        fixture.store(&theirs).await.unwrap();
        if number % 5 == 0 {
            fixture
                .messages
                .append(owner, session.id, says("hello"), false)
                .await
                .unwrap();
        }
        if number % 7 == 0 {
            assert!(fixture.trash(owner, session.id).await);
        }
        let mut view = fixture.chat_view().await;
        all.push(view.sessions().find_any(owner, session.id).await.unwrap().unwrap());
    }
    all.sort_by_key(|session| std::cmp::Reverse((session.last_update, session.id)));
    let middle = all[all.len() / 2].last_update;

    let mut view = fixture.chat_view().await;
    let tag_lists: [(&[&str], TagMatch); 4] = [
        (&[], TagMatch::Any),
        (&["a"], TagMatch::Any),
        (&["A", "c"], TagMatch::Any),
        (&["a", "B"], TagMatch::All),
    ];
    let tasks = [
        None,
        Some(TaskFilter::Any),
        Some(TaskFilter::None),
        Some(TaskFilter::Status(TaskStatus::Waiting)),
    ];
    let mut met = 0;
    for deleted in [Deleted::Without, Deleted::With, Deleted::Only] {
        for (tags, tag_match) in tag_lists {
            for character in [None, Some("Ada")] {
                for task in tasks {
                    // The rest is checked on top of any index, so it need not meet everything.
                    let contents = [
                        None,
                        Some(SessionContent::Messages),
                        Some(SessionContent::Nothing),
                        Some(SessionContent::MessagesOrTask),
                    ];
                    for (rest, content) in contents.into_iter().enumerate() {
                        let filter = SessionFilter {
                            from: (rest == 1).then_some(middle),
                            to: (rest == 2).then_some(middle),
                            tags: tags.iter().map(|tag| Tag::from_stored((*tag).into())).collect(),
                            tag_match,
                            character: character.map(str::to_owned),
                            task,
                            task_priority: (rest == 2).then_some(TaskPriority::High),
                            group_id: None,
                            content,
                            deleted,
                        };
                        let expected: Vec<Session> =
                            all.iter().filter(|session| fits(session, &filter)).cloned().collect();
                        let listed = view.sessions().list(owner, &filter, None, 200).await.unwrap();
                        assert_eq!(ids(&listed), ids(&expected), "{filter:?}");
                        assert_eq!(listed, expected, "{filter:?}");
                        met += expected.len();
                        // A page goes on where the one before ended.
                        if let Some(first) = expected.first() {
                            let after = Place {
                                at: first.last_update,
                                id: first.id.0,
                            };
                            let next = view.sessions().list(owner, &filter, Some(after), 2).await.unwrap();
                            let rest: Vec<Session> = expected.iter().skip(1).take(2).cloned().collect();
                            assert_eq!(next, rest, "{filter:?}");
                        }
                        // CO-06: skipping some leads to the place of the last of them.
                        for count in [1, 2, expected.len(), expected.len() + 1] {
                            let place = expected.get(count.wrapping_sub(1)).map(|session| Place {
                                at: session.last_update,
                                id: session.id.0,
                            });
                            if let Some(count) = NonZeroU32::new(count as u32) {
                                let skipped = view.sessions().skip(owner, &filter, count).await.unwrap();
                                assert_eq!(skipped, place, "{count} of {filter:?}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(met > 500, "the filters hardly met anything: {met}");
    let grouped = SessionFilter {
        group_id: Some(GroupId(fixture.id())),
        ..SessionFilter::all(Deleted::With)
    };
    assert_eq!(view.sessions().list(owner, &grouped, None, 200).await.unwrap(), []);
}

pub async fn co_06_co_11_a_list_from_an_offset_hides_what_holds_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let mut shown = Vec::new();
    for number in 0..12 {
        let draft = SessionDraft {
            task_status: (number % 3 == 0).then_some(TaskStatus::Done),
            ..SessionDraft::default()
        };
        let session = fixture.sessions.create(owner, draft).await.unwrap();
        if number % 3 == 1 {
            let text = says("hello");
            fixture.messages.append(owner, session.id, text, true).await.unwrap();
        }
        if number % 3 != 2 {
            shown.insert(0, session.id);
        }
        fixture.advance(1);
    }
    let filter = SessionFilter {
        content: Some(SessionContent::MessagesOrTask),
        ..SessionFilter::default()
    };
    for offset in 0..=9 {
        let from = fixture
            .sessions
            .list_from(owner, filter.clone(), offset, 3)
            .await
            .unwrap();
        let expected: Vec<_> = shown.iter().skip(offset as usize).take(3).copied().collect();
        assert_eq!(ids(&from.data), expected, "{offset}");
        assert_eq!(from.next_cursor.is_some(), offset < 5, "{offset}");
        // The cursor goes on in the list without an offset.
        if let Some(cursor) = from.next_cursor {
            let next = fixture
                .sessions
                .list(owner, filter.clone(), page(3, Some(cursor)))
                .await
                .unwrap();
            let expected: Vec<_> = shown.iter().skip(offset as usize + 3).take(3).copied().collect();
            assert_eq!(ids(&next.data), expected, "{offset}");
        }
    }
}

pub async fn co_34_a_removed_session_tells_what_went_with_it(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let session = fixture.sessions.create(owner, named("x")).await.unwrap();
    let mut kept = Vec::new();
    for number in 0..5 {
        let appended = fixture.messages.append(owner, session.id, says("hello"), true).await;
        let id = appended.unwrap().message.id;
        if number == 1 {
            let delete = DeleteMessage {
                id,
                purge: false,
                if_match: None,
            };
            fixture.edits.delete(owner, delete).await.unwrap();
        } else {
            kept.push(id);
        }
    }
    let refused = fixture.sessions.remove(stranger, session.id, 10).await;
    assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
    let removed = fixture.sessions.remove(owner, session.id, 10).await.unwrap();
    assert_eq!((removed.message_count, &removed.message_ids), (4, &kept));
    let again = fixture.sessions.remove(owner, session.id, 10).await;
    assert!(matches!(again, Err(NotFoundError::NotFound)), "{again:?}");
    // It lies in the trash, and came back whole.
    let restored = fixture.sessions.restore(owner, session.id).await.unwrap();
    assert_eq!(restored.message_count, 4);
    let removed = fixture.sessions.remove(owner, session.id, 3).await.unwrap();
    assert_eq!((removed.message_count, &removed.message_ids[..]), (4, &kept[1..]));
    let empty = fixture.sessions.create(owner, named("y")).await.unwrap();
    let removed = fixture.sessions.remove(owner, empty.id, 3).await.unwrap();
    assert_eq!(removed, RemovedSession::default());
}

pub async fn t_051_a_cursor_of_another_filter_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    for _ in 0..3 {
        fixture.sessions.create(owner, named("x")).await.unwrap();
    }
    let bounded = |to: Instant| SessionFilter {
        to: Some(to),
        ..SessionFilter::default()
    };
    let later = fixture.advance(60);
    let list = async |filter: SessionFilter, cursor| fixture.sessions.list(owner, filter, page(1, cursor)).await;
    let cursor = list(bounded(later), None).await.unwrap().next_cursor;
    assert!(cursor.is_some());
    list(bounded(later), cursor.clone()).await.unwrap();
    let others = [
        SessionFilter::default(),
        bounded(fixture.advance(1)),
        SessionFilter {
            content: Some(SessionContent::Nothing),
            ..bounded(later)
        },
        SessionFilter {
            character: Some("Ada".into()),
            ..bounded(later)
        },
    ];
    for filter in others {
        let refused = list(filter, cursor.clone()).await;
        assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
    }
}

pub async fn t_050_each_old_session_of_one_instant_is_met_once(fixture: Fixture) {
    let owner = fixture.owner();
    let mut old = BTreeSet::new();
    for _ in 0..120 {
        old.insert(
            fixture
                .sessions
                .create(owner, SessionDraft::default())
                .await
                .unwrap()
                .id,
        );
    }
    let doomed = *old.iter().nth(60).unwrap();
    let mut met = Vec::new();
    let mut cursor = None;
    loop {
        let answer = fixture.sessions.list(owner, LIVE, page(50, cursor)).await.unwrap();
        met.extend(ids(&answer.data));
        fixture.sessions.create(owner, named("new")).await.unwrap();
        if answer.next_cursor.is_none() {
            break;
        }
        let _ = fixture.sessions.delete(owner, doomed, None).await;
        cursor = answer.next_cursor;
    }
    for id in old.iter().filter(|id| **id != doomed) {
        assert_eq!(met.iter().filter(|other| *other == id).count(), 1, "{id}");
    }
}

pub async fn t_034_a_turn_keeps_the_tags_that_it_does_not_send(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        tags: Some(vec!["kept".into()]),
        auto_trigger_tts: Some(true),
        ..SessionDraft::default()
    };
    let session = fixture.sessions.create(owner, draft).await.unwrap();
    let turn = |patch: SessionPatch| Turn {
        target: TurnTarget::Existing(session.id, patch),
        messages: vec![says("hello")],
        touch: true,
        newest: None,
    };
    fixture
        .messages
        .take_turn(owner, turn(SessionPatch::default()))
        .await
        .unwrap();
    let kept = fixture.sessions.get(owner, session.id).await.unwrap();
    assert_eq!((kept.tags, kept.auto_trigger_tts), (session.tags.clone(), true));
    let cleared = SessionPatch {
        tags: Patch::Clear,
        ..SessionPatch::default()
    };
    fixture.messages.take_turn(owner, turn(cleared)).await.unwrap();
    let bare = fixture.sessions.get(owner, session.id).await.unwrap();
    assert_eq!((bare.tags, bare.auto_trigger_tts), (vec![], true));
}

pub async fn t_054_task_filters_any_and_none(fixture: Fixture) {
    let owner = fixture.owner();
    let plain = fixture.sessions.create(owner, named("plain")).await.unwrap();
    let urgent = SessionPatch {
        task_priority: Patch::Set(TaskPriority::High),
        ..SessionPatch::default()
    };
    let refused = fixture.sessions.change(owner, change(plain.id, urgent)).await;
    assert!(matches!(refused, Err(ChangeSessionError::Invalid(_))), "{refused:?}");
    let of = async |task: TaskFilter, task_priority: Option<TaskPriority>| {
        let filter = SessionFilter {
            task: Some(task),
            task_priority,
            ..SessionFilter::default()
        };
        ids(&fixture
            .sessions
            .list(owner, filter, PageRequest::first())
            .await
            .unwrap()
            .data)
    };
    assert_eq!(of(TaskFilter::Any, None).await, []);
    assert_eq!(of(TaskFilter::None, None).await, [plain.id]);
    let active = SessionPatch {
        task_status: Patch::Set(TaskStatus::Active),
        ..SessionPatch::default()
    };
    fixture.sessions.change(owner, change(plain.id, active)).await.unwrap();
    assert_eq!(of(TaskFilter::Any, Some(TaskPriority::Medium)).await, [plain.id]);
    assert_eq!(of(TaskFilter::Any, Some(TaskPriority::High)).await, []);
    assert_eq!(of(TaskFilter::Status(TaskStatus::Active), None).await, [plain.id]);
    assert_eq!(of(TaskFilter::None, None).await, []);
    let cleared = SessionPatch {
        task_status: Patch::Clear,
        ..SessionPatch::default()
    };
    fixture.sessions.change(owner, change(plain.id, cleared)).await.unwrap();
    assert_eq!(of(TaskFilter::Any, None).await, []);
    assert_eq!(of(TaskFilter::None, None).await, [plain.id]);
}

pub async fn t_056_a_later_last_update_leads_the_list_and_nulls_clear(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        tags: Some(vec!["x".into()]),
        ..named("older")
    };
    let older = fixture.sessions.create(owner, draft).await.unwrap();
    fixture.advance(60);
    let newer = fixture.sessions.create(owner, named("newer")).await.unwrap();
    let patch = SessionPatch {
        name: Patch::Clear,
        tags: Patch::Clear,
        last_update: Patch::Set(fixture.advance(60)),
        ..SessionPatch::default()
    };
    fixture.sessions.change(owner, change(older.id, patch)).await.unwrap();
    let listed = fixture
        .sessions
        .list(owner, LIVE, PageRequest::first())
        .await
        .unwrap()
        .data;
    assert_eq!(ids(&listed), [older.id, newer.id]);
    assert_eq!((&listed[0].name, &listed[0].tags), (&None, &vec![]));
    fixture.advance(60);
    fixture
        .sessions
        .change(owner, rename(newer.id, "renamed"))
        .await
        .unwrap();
    let listed = fixture
        .sessions
        .list(owner, LIVE, PageRequest::first())
        .await
        .unwrap()
        .data;
    assert_eq!(ids(&listed), [older.id, newer.id]);
}

fn with_ada() -> ResolveSession {
    ResolveSession {
        character_name: "Ada".into(),
        name: Some("With Ada".into()),
    }
}

pub async fn ch_22_of_two_units_with_one_auto_key_one_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let [one, other] = [0, 1].map(|_| Session {
        character_name: Some("Ada".into()),
        auto_key: Some("Ada".into()),
        ..fixture.new_session(owner)
    });
    let theirs = Session {
        owner_id: fixture.owner(),
        ..one.clone()
    };
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().insert(&one).await,
        async |unit| unit.sessions().insert(&other).await,
    )
    .await;
    assert!(
        matches!(answers, [Ok(()), Err(StorageError::Broken(Rule::AutoKeyTaken))]),
        "{answers:?}"
    );
    fixture.store(&theirs).await.unwrap();
    // One in the trash has given its key back.
    assert!(fixture.trash(owner, one.id).await);
    fixture.store(&other).await.unwrap();
}

pub async fn ch_22_the_newest_live_session_of_exactly_the_character_is_taken(fixture: Fixture) {
    let owner = fixture.owner();
    let of = async |owner_id, character: &str| {
        fixture.advance(60);
        let draft = SessionDraft {
            character_name: Some(character.into()),
            ..SessionDraft::default()
        };
        fixture.sessions.create(owner_id, draft).await.unwrap()
    };
    let older = of(owner, "Ada").await;
    let newer = of(owner, "Ada").await;
    of(owner, "ada").await;
    of(fixture.owner(), "Ada").await;
    let resolved = fixture.sessions.resolve(owner, with_ada()).await.unwrap();
    assert_eq!((resolved.session, resolved.is_new), (newer.clone(), false));
    fixture.sessions.delete(owner, newer.id, None).await.unwrap();
    let resolved = fixture.sessions.resolve(owner, with_ada()).await.unwrap();
    assert_eq!(resolved.session, older);
    let too_long = ResolveSession {
        character_name: "x".repeat(101),
        name: None,
    };
    let refused = fixture.sessions.resolve(owner, too_long).await;
    let Err(ResolveSessionError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(first(&refused), ("/character_name", Code::TooLong));
}

pub async fn ch_22_a_session_that_got_another_character_is_no_longer_in_the_way(fixture: Fixture) {
    let owner = fixture.owner();
    let made = fixture.sessions.resolve(owner, with_ada()).await.unwrap().session;
    let other = SessionPatch {
        character_name: Patch::Set("Grace".into()),
        ..SessionPatch::default()
    };
    let changed = fixture.sessions.change(owner, change(made.id, other)).await.unwrap();
    assert_eq!(changed.auto_key, None);
    let again = fixture.sessions.resolve(owner, with_ada()).await.unwrap();
    assert!(again.is_new && again.session.id != made.id);
}

pub async fn t_055_resolves_at_once_make_one_session(fixture: Fixture) {
    let owner = fixture.owner();
    let answers = at_once(50, async |_| fixture.sessions.resolve(owner, with_ada()).await.unwrap()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1);
    let resolved: BTreeSet<SessionId> = answers.iter().map(|answer| answer.session.id).collect();
    assert_eq!(resolved.len(), 1);
    let first = &answers[0].session;
    assert_eq!((first.name.as_deref(), first.message_count), (Some("With Ada"), 0));

    fixture.sessions.delete(owner, first.id, None).await.unwrap();
    let second = fixture.sessions.resolve(owner, with_ada()).await.unwrap();
    assert!(second.is_new && second.session.id != first.id);
    let restored = fixture.sessions.restore(owner, first.id).await.unwrap();
    assert_eq!((restored.id, restored.auto_key), (first.id, None));
}

pub async fn ch_45_a_session_comes_back_from_the_trash(fixture: Fixture) {
    let owner = fixture.owner();
    let made = fixture.sessions.create(owner, named("kept")).await.unwrap();
    assert_eq!(fixture.sessions.restore(owner, made.id).await.unwrap(), made);
    fixture.sessions.delete(owner, made.id, None).await.unwrap();
    let later = fixture.advance(60);
    let restored = fixture.sessions.restore(owner, made.id).await.unwrap();
    let expected = Session {
        updated_at: later,
        version: 3,
        ..made
    };
    assert_eq!(restored, expected);
    assert_eq!(fixture.sessions.get(owner, expected.id).await.unwrap(), expected);
    let none = fixture.sessions.restore(owner, fixture.session_id()).await;
    assert!(matches!(none, Err(NotFoundError::NotFound)), "{none:?}");
    let theirs = fixture.sessions.restore(fixture.owner(), expected.id).await;
    assert!(matches!(theirs, Err(NotFoundError::NotFound)), "{theirs:?}");
}

pub async fn ch_45_a_purge_takes_live_and_trashed_sessions(fixture: Fixture) {
    let owner = fixture.owner();
    for trashed in [false, true] {
        let made = fixture.sessions.create(owner, named("doomed")).await.unwrap();
        let mut version = 1;
        if trashed {
            fixture.sessions.delete(owner, made.id, None).await.unwrap();
            version = 2;
        }
        let theirs = fixture.sessions.purge(fixture.owner(), made.id, None).await;
        assert!(matches!(theirs, Err(ChangeSessionError::NotFound)), "{theirs:?}");
        let stale = fixture.sessions.purge(owner, made.id, Some(version + 1)).await;
        assert!(matches!(stale, Err(ChangeSessionError::Stale)), "{stale:?}");
        fixture.sessions.purge(owner, made.id, Some(version)).await.unwrap();
        let again = fixture.sessions.purge(owner, made.id, None).await;
        assert!(matches!(again, Err(ChangeSessionError::NotFound)), "{again:?}");
        // Nothing of it is left, its id included.
        let draft = SessionDraft {
            id: Some(made.id),
            ..named("another")
        };
        fixture.sessions.create(owner, draft).await.unwrap();
    }
}

pub async fn ch_48_a_purge_removes_everything_below_the_session(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = SessionDraft {
        tags: Some(vec!["doomed".into()]),
        ..named("doomed")
    };
    let session = fixture.sessions.create(owner, draft).await.unwrap();
    let message = fixture
        .messages
        .append(owner, session.id, says("hello"), true)
        .await
        .unwrap()
        .message;
    let summary = PutSummary {
        session_id: session.id,
        draft: SummaryDraft {
            text: "They said hello.".into(),
            model_name: "some-model".into(),
            config_version: 1,
            ..SummaryDraft::default()
        },
        if_match: None,
    };
    fixture.summaries.put(owner, summary.clone()).await.unwrap();
    fixture.sessions.purge(owner, session.id, None).await.unwrap();

    let gone = fixture.messages.get(owner, message.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.sessions.restore(owner, session.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.summaries.get(owner, session.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.summaries.put(owner, summary).await;
    assert!(matches!(gone, Err(ChangeSummaryError::NotFound)), "{gone:?}");
    assert_eq!(fixture.tags.list(owner, PageRequest::first()).await.unwrap().data, []);
    assert_eq!(
        fixture
            .sessions
            .list(owner, ANY, PageRequest::first())
            .await
            .unwrap()
            .data,
        []
    );
    // The ids are free: no row of a table below has kept one.
    let draft = SessionDraft {
        id: Some(session.id),
        tags: Some(vec!["doomed".into()]),
        ..SessionDraft::default()
    };
    fixture.sessions.create(owner, draft).await.unwrap();
    fixture
        .messages
        .append(owner, session.id, says_as(message.id, "again"), true)
        .await
        .unwrap();
    let gone = fixture.summaries.get(owner, session.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
}

pub async fn ch_48_an_append_that_meets_a_purge_finds_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    fixture.store(&session).await.unwrap();
    let turn = fixture.new_messages(owner, session.id, &["late"]);
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().purge(owner, session.id, None).await.map(|_| None),
        async |unit| unit.messages().append(owner, session.id, &turn, true, now).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(None)]), "{answers:?}");
}

pub async fn t_070_a_restored_session_has_the_messages_that_it_had(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.sessions.create(owner, named("three")).await.unwrap();
    let mut said = Vec::new();
    for text in ["one", "two", "three"] {
        let message = fixture
            .messages
            .append(owner, session.id, says(text), true)
            .await
            .unwrap();
        said.push(message.message);
    }
    let before = fixture.sessions.get(owner, session.id).await.unwrap();
    fixture.sessions.delete(owner, session.id, None).await.unwrap();
    let again = fixture.sessions.delete(owner, session.id, None).await;
    assert!(matches!(again, Err(ChangeSessionError::NotFound)), "{again:?}");
    for message in &said {
        let gone = fixture.messages.get(owner, message.id).await;
        assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    }
    let late = fixture.messages.append(owner, session.id, says("late"), true).await;
    assert!(matches!(late, Err(AppendError::NotFound)), "{late:?}");
    let restored = fixture.sessions.restore(owner, session.id).await.unwrap();
    assert_eq!(
        (restored.message_count, restored.content_revision, restored.last_update),
        (3, before.content_revision, before.last_update)
    );
    for message in &said {
        assert_eq!(fixture.messages.get(owner, message.id).await.unwrap().message, *message);
    }
}
