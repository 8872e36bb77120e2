//! The six commit rules of [`UnitOfWork`](larder_ports::outbound::UnitOfWork), over the outbound ports alone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_domain::{OwnerId, SessionId};
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::{Access, Outage, Rule, StorageError};

use crate::Fixture;
use crate::schedule::{at_once, for_a_while, polled, retrying};

/// Opens a unit, stores two sessions in it and leaves it open.
async fn unit_with_two(fixture: &Fixture, owner: OwnerId) -> (Box<dyn ChatUnit>, BTreeSet<SessionId>) {
    let (one, other) = (fixture.new_session(owner), fixture.new_session(owner));
    let mut unit = fixture.chat_unit().await;
    unit.sessions().insert(&one).await.unwrap();
    unit.sessions().insert(&other).await.unwrap();
    (unit, BTreeSet::from([one.id, other.id]))
}

async fn ids(fixture: &Fixture, owner: OwnerId) -> BTreeSet<SessionId> {
    fixture.session_ids(owner).await.into_iter().collect()
}

/// Lets every connection that died in a pool fail once, so that what follows is about the data alone.
async fn recover(fixture: &Fixture) {
    let nobody = fixture.owner();
    at_once(fixture.pool_size(), async |_| {
        for _ in 0..=fixture.pool_size() {
            if let Ok(mut view) = fixture.chat.begin(Access::Read).await {
                let _ = view.sessions().find(nobody, fixture.session_id()).await;
            }
            if let Ok(mut view) = fixture.identity.begin(Access::Read).await {
                let _ = view.users().find(nobody).await;
            }
        }
    })
    .await;
}

/// Stores one more session, however often contention or a dead connection refuses it, and says how often that was.
async fn store_one(fixture: &Fixture, owner: OwnerId) -> (SessionId, usize) {
    let session = fixture.new_session(owner);
    for refusals in 0..=fixture.pool_size() {
        match retrying(async || fixture.store(&session).await).await {
            Ok(()) => return (session.id, refusals),
            Err(StorageError::Unavailable(Outage::Unreachable, _)) => {}
            Err(error) => panic!("a healthy store refused a session: {error:?}"),
        }
    }
    panic!("the store did not recover after every pooled connection had failed once");
}

fn assert_aborted(answer: Result<(), StorageError>) {
    assert!(
        matches!(answer, Err(StorageError::Aborted)),
        "a spent unit answered its commit with {answer:?}"
    );
}

// Rule 1: Ok from commit means durable, all of it.

pub async fn rule_1_what_a_commit_acknowledged_survives_a_crash(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    let messages = fixture.new_messages(owner, session.id, &["one", "two"]);
    let mut unit = fixture.chat_unit().await;
    unit.sessions().insert(&session).await.unwrap();
    unit.messages()
        .append(owner, session.id, &messages, true, fixture.now())
        .await
        .unwrap();
    unit.commit().await.unwrap();
    let user = fixture.new_user("ann", None);
    fixture.store_user(&user).await.unwrap();

    let after = fixture.crash().await;
    recover(&after).await;
    assert_eq!(after.session(owner, session.id).await.unwrap().message_count, 2);
    for message in &messages {
        assert!(
            after
                .chat_view()
                .await
                .messages()
                .find(owner, message.id)
                .await
                .unwrap()
                .is_some()
        );
    }
    assert_eq!(after.user(user.id).await, Some(user));
}

pub async fn rule_1_a_unit_appears_as_a_whole_and_at_its_commit(fixture: Fixture) {
    let owner = fixture.owner();
    let (unit, both) = unit_with_two(&fixture, owner).await;
    assert_eq!(ids(&fixture, owner).await, BTreeSet::new());
    unit.commit().await.unwrap();
    assert_eq!(ids(&fixture, owner).await, both);
}

pub async fn rule_1_a_unit_sees_its_own_writes(fixture: Fixture) {
    let owner = fixture.owner();
    let (mut unit, both) = unit_with_two(&fixture, owner).await;
    for id in both {
        assert!(unit.sessions().find(owner, id).await.unwrap().is_some());
    }
    unit.rollback().await.unwrap();
}

// Rule 2: a failed or cancelled statement spends the unit.

pub async fn rule_2_a_commit_after_a_failed_statement_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let taken = fixture.new_session(owner);
    fixture.store(&taken).await.unwrap();

    let (mut unit, _) = unit_with_two(&fixture, owner).await;
    let refused = unit.sessions().insert(&taken).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::SessionIdTaken))),
        "{refused:?}"
    );
    assert_aborted(unit.commit().await);

    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([taken.id]));
}

pub async fn rule_2_swallowing_the_failure_and_going_on_does_not_help(fixture: Fixture) {
    let owner = fixture.owner();
    let taken = fixture.new_session(owner);
    fixture.store(&taken).await.unwrap();

    let (mut unit, _) = unit_with_two(&fixture, owner).await;
    let refused = unit.sessions().insert(&taken).await;
    assert!(refused.is_err());
    let _ = unit.sessions().find(owner, taken.id).await;
    let _ = unit.sessions().insert(&fixture.new_session(owner)).await;
    let _ = unit.sessions().delete(owner, taken.id, None, fixture.now()).await;
    assert_aborted(unit.commit().await);

    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([taken.id]));
}

pub async fn rule_2_a_failed_statement_of_any_aggregate_spends_the_unit(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    fixture.store(&session).await.unwrap();
    let message = fixture.new_messages(owner, session.id, &["taken"]);
    let mut unit = fixture.chat_unit().await;
    unit.messages()
        .append(owner, session.id, &message, true, fixture.now())
        .await
        .unwrap();
    unit.commit().await.unwrap();

    let (mut unit, _) = unit_with_two(&fixture, owner).await;
    let refused = unit
        .messages()
        .append(owner, session.id, &message, true, fixture.now())
        .await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::MessageIdTaken))),
        "{refused:?}"
    );
    assert_aborted(unit.commit().await);
    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([session.id]));

    let ann = fixture.new_user("ann", None);
    fixture.store_user(&ann).await.unwrap();
    let bob = fixture.new_user("bob", None);
    let mut unit = fixture.identity_unit().await;
    unit.users().insert(&bob).await.unwrap();
    let refused = unit.users().insert(&fixture.new_user("ANN", None)).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::UsernameTaken))),
        "{refused:?}"
    );
    assert_aborted(unit.commit().await);
    assert_eq!(fixture.user(bob.id).await, None);
}

pub async fn rule_2_a_commit_after_a_cancelled_statement_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let mut expected = BTreeSet::new();
    let mut cancelled = 0;
    for (times, goes_on) in (1..=6).flat_map(|times| [(times, false), (times, true)]) {
        let (mut unit, both) = unit_with_two(&fixture, owner).await;
        let third = fixture.new_session(owner);
        let answer = polled(times, unit.sessions().insert(&third)).await;
        match answer {
            None => {
                cancelled += 1;
                // Whatever the caller does next, the unit is spent.
                if goes_on {
                    let _ = unit.sessions().insert(&fixture.new_session(owner)).await;
                }
                assert_aborted(unit.commit().await);
            }
            Some(inserted) => {
                inserted.unwrap();
                unit.commit().await.unwrap();
                expected.extend(both);
                expected.insert(third.id);
            }
        }
        assert_eq!(ids(&fixture, owner).await, expected);
    }
    assert!(
        cancelled > 0,
        "no statement needs more than one poll: the case proves nothing"
    );
}

pub async fn rule_2_a_commit_after_a_cancelled_read_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let (mut unit, both) = unit_with_two(&fixture, owner).await;
    for id in &both {
        if polled(1, unit.sessions().find(owner, *id)).await.is_none() {
            break;
        }
    }
    assert_aborted(unit.commit().await);
    assert_eq!(ids(&fixture, owner).await, BTreeSet::new());
}

pub async fn rule_2_a_statement_cancelled_while_another_unit_is_in_its_way_spends_the_unit(fixture: Fixture) {
    let owner = fixture.owner();
    let contested = fixture.new_session(owner);
    fixture.store(&contested).await.unwrap();
    let mut holder = fixture.chat_unit().await;
    assert!(
        holder
            .sessions()
            .delete(owner, contested.id, None, fixture.now())
            .await
            .unwrap()
    );

    // With a single writer, the second unit does not even begin; where it does, its deletion waits for the holder's.
    let begun = for_a_while(Duration::from_millis(200), unit_with_two(&fixture, owner)).await;
    if let Some((mut unit, _)) = begun {
        let waiting = unit.sessions().delete(owner, contested.id, None, fixture.now());
        assert!(for_a_while(Duration::from_millis(200), waiting).await.is_none());
        assert_aborted(unit.commit().await);
    }
    holder.rollback().await.unwrap();

    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([contested.id]));
    let (stored, refusals) = store_one(&fixture, owner).await;
    assert_eq!(refusals, 0);
    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([contested.id, stored]));
}

// Rule 3: Contended, from any statement or from commit, means nothing was written and the unit may run again.

pub async fn rule_3_units_that_cross_are_told_so_and_succeed_when_run_again(fixture: Fixture) {
    let owner = fixture.owner();
    let (one, other) = (fixture.new_session(owner), fixture.new_session(owner));
    fixture.store(&one).await.unwrap();
    fixture.store(&other).await.unwrap();
    let both_hold_one = tokio::sync::Barrier::new(2);

    // Each side changes the two sessions in the opposite order of the other side, the second one only once both hold their first.
    let cross = async |first: SessionId, second: SessionId| {
        let is_first_round = AtomicBool::new(true);
        retrying(async || {
            let mut unit = fixture.chat.begin(Access::Write).await?;
            let turn = fixture.new_messages(owner, first, &["mine"]);
            unit.messages().append(owner, first, &turn, true, fixture.now()).await?;
            if is_first_round.swap(false, Ordering::SeqCst) {
                for_a_while(Duration::from_millis(200), both_hold_one.wait()).await;
            }
            let turn = fixture.new_messages(owner, second, &["mine"]);
            unit.messages()
                .append(owner, second, &turn, true, fixture.now())
                .await?;
            unit.commit().await
        })
        .await
    };
    let (a, b) = tokio::join!(cross(one.id, other.id), cross(other.id, one.id));
    a.unwrap();
    b.unwrap();
    for id in [one.id, other.id] {
        assert_eq!(fixture.session(owner, id).await.unwrap().message_count, 2);
    }
}

pub async fn rule_3_a_store_without_a_free_connection_says_so(fixture: Fixture) {
    let owner = fixture.owner();
    let mut held = Vec::new();
    let refused = loop {
        assert!(
            held.len() <= fixture.pool_size(),
            "more units are open than the pool allows"
        );
        match fixture.chat.begin(Access::Write).await {
            Ok(mut unit) => match unit.sessions().insert(&fixture.new_session(owner)).await {
                Ok(()) => held.push(unit),
                Err(error) => break error,
            },
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, StorageError::Unavailable(Outage::PoolExhausted, _)),
        "{refused:?}"
    );
    drop(held);
    let (stored, refusals) = store_one(&fixture, owner).await;
    assert_eq!(refusals, 0);
    assert_eq!(ids(&fixture, owner).await, BTreeSet::from([stored]));
}

// Rule 4: a commit whose answer is not known is all or nothing.

pub async fn rule_4_a_cancelled_commit_leaves_all_or_nothing(fixture: Fixture) {
    let mut cancelled = 0;
    for times in 1..=8 {
        let owner = fixture.owner();
        let (unit, both) = unit_with_two(&fixture, owner).await;
        let answer = polled(times, unit.commit()).await;
        let (later, _) = store_one(&fixture, fixture.owner()).await;
        let found = settled(&fixture, owner).await;
        match answer {
            Some(committed) => {
                committed.unwrap();
                assert_eq!(found, both);
            }
            None => {
                cancelled += 1;
                assert!(found.is_empty() || found == both, "half of a unit was committed");
            }
        }
        assert!(
            fixture.session(owner, later).await.is_none(),
            "the later unit belongs to another owner"
        );
    }
    assert!(
        cancelled > 0,
        "no commit needs more than one poll: the case proves nothing"
    );
}

/// What is stored once a commit that nobody waits for any more has come to its end: reads until it stays the same for a while.
async fn settled(fixture: &Fixture, owner: OwnerId) -> BTreeSet<SessionId> {
    let mut found = ids(fixture, owner).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = ids(fixture, owner).await;
        assert!(found.is_subset(&now), "committed rows went away");
        found = now;
    }
    found
}

pub async fn rule_4_a_unit_whose_connection_is_killed_never_counts_as_committed(fixture: Fixture) {
    let owner = fixture.owner();
    let (acknowledged, _) = store_one(&fixture, owner).await;
    let (unit, both) = unit_with_two(&fixture, owner).await;

    let after = fixture.crash().await;
    let answer = unit.commit().await;

    recover(&after).await;
    let (later, _) = store_one(&after, owner).await;
    assert_eq!(ids(&after, owner).await, BTreeSet::from([acknowledged, later]));
    // Where the unit outlived the crash, it did so in a world of its own, and there its answer holds as well.
    let in_its_world = ids(&fixture, owner).await;
    assert_eq!(answer.is_ok(), both.is_subset(&in_its_world), "{answer:?}");
    assert_eq!(answer.is_ok(), !both.is_disjoint(&in_its_world), "{answer:?}");
}

pub async fn rule_4_a_statement_on_a_killed_connection_fails_and_spends_the_unit(fixture: Fixture) {
    let owner = fixture.owner();
    let (mut unit, mut written) = unit_with_two(&fixture, owner).await;

    let after = fixture.crash().await;
    let third = fixture.new_session(owner);
    let statement = unit.sessions().insert(&third).await;
    let went_on = statement.is_ok();
    let answer = unit.commit().await;
    if went_on {
        answer.unwrap();
        written.insert(third.id);
    } else {
        assert_aborted(answer);
        written.clear();
    }

    recover(&after).await;
    let (later, _) = store_one(&after, owner).await;
    assert_eq!(ids(&after, owner).await, BTreeSet::from([later]));
    let in_its_world = ids(&fixture, owner).await;
    assert!(written.is_subset(&in_its_world));
    assert!(in_its_world.iter().all(|id| written.contains(id) || *id == later));
}

pub async fn rule_4_a_crash_during_a_commit_leaves_all_or_nothing(fixture: Fixture) {
    for round in 0..6_u64 {
        let owner = fixture.owner();
        let (unit, both) = unit_with_two(&fixture, owner).await;
        let commit = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            unit.commit().await
        };
        let (answer, after) = tokio::join!(commit, fixture.crash());

        recover(&after).await;
        let found = settled(&after, owner).await;
        assert!(
            found.is_empty() || found == both,
            "half of a unit was committed: {answer:?}"
        );
        let in_its_world = settled(&fixture, owner).await;
        match answer {
            Ok(()) => assert_eq!(in_its_world, both),
            Err(StorageError::CommitUnknown(_)) => assert!(in_its_world.is_empty() || in_its_world == both),
            Err(error) => assert_eq!(in_its_world, BTreeSet::new(), "{error:?}"),
        }
    }
}

pub async fn rule_4_connections_that_died_in_the_pool_are_replaced(fixture: Fixture) {
    let owner = fixture.owner();
    let views: Vec<_> = at_once(fixture.pool_size(), async |_| fixture.session_ids(owner).await).await;
    assert!(views.iter().all(Vec::is_empty));

    let after = fixture.crash().await;
    let (first, _) = store_one(&after, owner).await;
    assert_eq!(ids(&after, owner).await, BTreeSet::from([first]));
    let again = at_once(2 * after.pool_size(), async |_| after.session_ids(owner).await).await;
    assert!(again.iter().all(|found| found == &[first]));
}

// Rule 5: dropping rolls back, and no connection returns to its pool inside a transaction.

pub async fn rule_5_a_dropped_unit_rolls_back(fixture: Fixture) {
    let owner = fixture.owner();
    let (unit, _) = unit_with_two(&fixture, owner).await;
    drop(unit);
    let (stored, _) = store_one(&fixture, owner).await;
    assert_eq!(settled(&fixture, owner).await, BTreeSet::from([stored]));
}

pub async fn rule_5_rollback_undoes_the_unit(fixture: Fixture) {
    let owner = fixture.owner();
    let (unit, _) = unit_with_two(&fixture, owner).await;
    unit.rollback().await.unwrap();
    let (stored, _) = store_one(&fixture, owner).await;
    assert_eq!(settled(&fixture, owner).await, BTreeSet::from([stored]));
}

pub async fn rule_5_a_dropped_unit_holds_no_lock(fixture: Fixture) {
    let owner = fixture.owner();
    let (contested, _) = store_one(&fixture, owner).await;
    for _ in 0..2 * fixture.pool_size() {
        let mut unit = fixture.chat_unit().await;
        assert!(
            unit.sessions()
                .delete(owner, contested, None, fixture.now())
                .await
                .unwrap()
        );
        drop(unit);
    }
    let deletion = async {
        let mut unit = fixture.chat_unit().await;
        let deleted = unit
            .sessions()
            .delete(owner, contested, None, fixture.now())
            .await
            .unwrap();
        unit.commit().await.unwrap();
        deleted
    };
    let deleted = for_a_while(Duration::from_secs(4), deletion).await;
    assert_eq!(deleted, Some(true), "a dropped unit still stands in the way");
}

pub async fn rule_5_dropped_units_never_use_up_the_pool(fixture: Fixture) {
    let owner = fixture.owner();
    let mut acknowledged = BTreeSet::new();
    for round in 0..10 * fixture.pool_size() {
        // A unit that did nothing, one with open writes, one that failed, one that reads.
        match round % 4 {
            0 => drop(fixture.chat_unit().await),
            1 => drop(unit_with_two(&fixture, owner).await),
            2 => {
                let (mut unit, both) = unit_with_two(&fixture, owner).await;
                let again = fixture.session_of(owner, *both.first().unwrap());
                assert!(unit.sessions().insert(&again).await.is_err());
            }
            _ => {
                let mut view = fixture.chat_view().await;
                view.sessions().find(owner, fixture.session_id()).await.unwrap();
            }
        }
        if round % 5 == 0 {
            acknowledged.insert(store_one(&fixture, owner).await.0);
        }
    }
    let after = fixture.crash().await;
    recover(&after).await;
    assert_eq!(ids(&after, owner).await, acknowledged);
}

pub async fn rule_5_a_cancelled_begin_loses_nothing_of_others(fixture: Fixture) {
    cancel_again_and_again(fixture, |fixture, _| {
        Box::pin(async move {
            drop(fixture.chat.begin(Access::Write).await);
        })
    })
    .await;
}

pub async fn rule_5_a_cancelled_first_statement_loses_nothing_of_others(fixture: Fixture) {
    cancel_again_and_again(fixture, |fixture, owner| {
        Box::pin(async move {
            let Ok(mut unit) = fixture.chat.begin(Access::Write).await else {
                return;
            };
            let _ = unit.sessions().insert(&fixture.new_session(owner)).await;
        })
    })
    .await;
}

pub async fn rule_5_a_cancelled_unit_loses_nothing_of_others(fixture: Fixture) {
    cancel_again_and_again(fixture, |fixture, owner| {
        Box::pin(async move {
            let (mut unit, both) = unit_with_two(fixture, owner).await;
            for id in both {
                let _ = unit.sessions().delete(owner, id, None, fixture.now()).await;
            }
            let _ = unit.rollback().await;
        })
    })
    .await;
}

pub async fn rule_5_a_cancelled_read_loses_nothing_of_others(fixture: Fixture) {
    cancel_again_and_again(fixture, |fixture, owner| {
        Box::pin(async move {
            let Ok(mut view) = fixture.chat.begin(Access::Read).await else {
                return;
            };
            let _ = view.sessions().find(owner, fixture.session_id()).await;
            let _ = view.sessions().list(owner, &Default::default(), None, 10).await;
        })
    })
    .await;
}

type Victim<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Starts `victim` hundreds of times, several at once, cancels each at another moment, and stores sessions in between. Every
/// acknowledged session must have survived in the end, when whatever was left uncommitted is gone, and the pool must still serve.
async fn cancel_again_and_again(fixture: Fixture, victim: impl for<'a> Fn(&'a Fixture, OwnerId) -> Victim<'a>) {
    let (owner, nobody) = (fixture.owner(), fixture.owner());
    let mut acknowledged = BTreeSet::new();
    for round in 0..60_usize {
        let by_polls = (0..3).map(|lane| polled(1 + (round + 5 * lane) % 12, victim(&fixture, nobody)));
        let by_time = (0..2).map(|lane| {
            let span = Duration::from_micros(((round * 37 + lane * 611) % 3_000) as u64);
            for_a_while(span, victim(&fixture, nobody))
        });
        let stored = async {
            match round % 3 {
                0 => Some(store_one(&fixture, owner).await),
                _ => None,
            }
        };
        let (_, _, stored) = tokio::join!(
            futures_util::future::join_all(by_polls),
            futures_util::future::join_all(by_time),
            stored
        );
        let (between, refusals) = store_one(&fixture, owner).await;
        assert_eq!(refusals, 0);
        acknowledged.insert(between);
        acknowledged.extend(stored.map(|(id, _)| id));
    }
    // As many units at once as the pool has room for: none of its places is lost.
    let at_once = at_once(fixture.pool_size(), async |_| fixture.session_ids(owner).await).await;
    assert!(at_once.iter().all(|found| found.len() == acknowledged.len()));

    let after = fixture.crash().await;
    recover(&after).await;
    assert_eq!(ids(&after, owner).await, acknowledged);
    assert_eq!(ids(&after, nobody).await, BTreeSet::new());
}

// Rule 6: units don't nest.

pub async fn rule_6_a_unit_is_not_part_of_one_that_was_left_open_before(fixture: Fixture) {
    let owner = fixture.owner();
    let mut acknowledged = BTreeSet::new();
    for _ in 0..2 * fixture.pool_size() {
        let (unit, _) = unit_with_two(&fixture, owner).await;
        drop(unit);
        let (unit, both) = unit_with_two(&fixture, owner).await;
        unit.commit().await.unwrap();
        acknowledged.extend(both);
    }
    assert_eq!(ids(&fixture, owner).await, acknowledged);
}

pub async fn rule_6_units_beside_each_other_end_on_their_own(fixture: Fixture) {
    let owner = fixture.owner();
    let mut view = fixture.chat_view().await;
    assert_eq!(
        view.sessions().list(owner, &Default::default(), None, 9).await.unwrap(),
        []
    );
    let (unit, both) = unit_with_two(&fixture, owner).await;
    drop(view);
    unit.commit().await.unwrap();
    assert_eq!(ids(&fixture, owner).await, both);
}

// Access.

pub async fn access_a_reading_unit_sees_what_is_committed_when_each_statement_begins(fixture: Fixture) {
    let owner = fixture.owner();
    let mut view = fixture.chat_view().await;
    assert_eq!(
        view.sessions().list(owner, &Default::default(), None, 9).await.unwrap(),
        []
    );
    let (first, _) = store_one(&fixture, owner).await;
    let (unit, _) = unit_with_two(&fixture, owner).await;
    let seen = view.sessions().list(owner, &Default::default(), None, 9).await.unwrap();
    assert_eq!(seen.iter().map(|session| session.id).collect::<Vec<_>>(), [first]);
    unit.rollback().await.unwrap();
}

pub async fn access_a_reading_unit_refuses_to_write_conversations(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.new_session(owner);
    fixture.store(&session).await.unwrap();
    let messages = fixture.new_messages(owner, session.id, &["hello"]);
    let renamed = larder_domain::chat::Session {
        name: Some("renamed".into()),
        ..session.clone()
    };

    let mut view = fixture.chat_view().await;
    assert!(view.sessions().insert(&fixture.new_session(owner)).await.is_err());
    refused(view).await;
    let mut view = fixture.chat_view().await;
    assert!(view.sessions().update(&renamed, 1).await.is_err());
    refused(view).await;
    let mut view = fixture.chat_view().await;
    assert!(
        view.sessions()
            .delete(owner, session.id, None, fixture.now())
            .await
            .is_err()
    );
    refused(view).await;
    let mut view = fixture.chat_view().await;
    assert!(
        view.messages()
            .append(owner, session.id, &messages, true, fixture.now())
            .await
            .is_err()
    );
    refused(view).await;

    assert_eq!(fixture.session_ids(owner).await, [session.id]);
    assert_eq!(fixture.session(owner, session.id).await, Some(session));

    async fn refused(view: Box<dyn ChatUnit>) {
        assert_aborted(view.commit().await);
    }
}

pub async fn access_a_reading_unit_refuses_to_write_accounts(fixture: Fixture) {
    let user = fixture.new_user("ann", None);
    fixture.store_user(&user).await.unwrap();
    let login = fixture.new_login(user.id);
    let changed = larder_domain::identity::User {
        username: "bob".into(),
        ..user.clone()
    };

    let mut view = fixture.identity_view().await;
    assert!(view.users().claim_first(user.id).await.is_err());
    assert_aborted(view.commit().await);
    let mut view = fixture.identity_view().await;
    assert!(view.users().insert(&fixture.new_user("carl", None)).await.is_err());
    assert_aborted(view.commit().await);
    let mut view = fixture.identity_view().await;
    assert!(view.users().update(&changed, 1).await.is_err());
    assert_aborted(view.commit().await);
    let mut view = fixture.identity_view().await;
    assert!(view.users().note_login(user.id, fixture.now()).await.is_err());
    assert_aborted(view.commit().await);
    let mut view = fixture.identity_view().await;
    assert!(view.logins().insert(&login).await.is_err());
    assert_aborted(view.commit().await);

    assert_eq!(fixture.user(user.id).await, Some(user.clone()));
    let mut view = fixture.identity_view().await;
    assert!(!view.users().any_ever().await.unwrap());
    assert_eq!(view.logins().find_with_user(user.id, login.id).await.unwrap(), None);
}
