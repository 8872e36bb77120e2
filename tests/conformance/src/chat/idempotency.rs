//! Requests that may be repeated: key, effect and answer in one commit (conventions §3).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use larder_domain::OwnerId;
use larder_domain::chat::{Session, SessionDraft};
use larder_ports::inbound::chat::{AppendError, CreateSessionError, Turn, TurnTaken, TurnTarget};
use larder_ports::inbound::{Done, Failure, Once, PageRequest};
use larder_ports::outbound::{Claim, RequestKey, StoredAnswer};

use crate::Fixture;
use crate::make::says;
use crate::schedule::{Ending, at_once, overlap_then};

const DAY: u64 = 24 * 60 * 60;

fn request(key: &str, body: u8) -> RequestKey {
    RequestKey {
        key: key.into(),
        fingerprint: [body; 32],
    }
}

fn answered(body: String) -> StoredAnswer {
    StoredAnswer {
        status: 201,
        location: Some("/somewhere".into()),
        etag: None,
        body,
    }
}

fn once_session(key: &str, body: u8) -> Once<Session> {
    Once {
        request: request(key, body),
        answer: Arc::new(|session: &Session| answered(format!("session {}", session.id))),
    }
}

fn once_turn(key: &str, body: u8) -> Once<TurnTaken> {
    Once {
        request: request(key, body),
        answer: Arc::new(|taken: &TurnTaken| answered(format!("turn in {}", taken.session.id))),
    }
}

fn turn() -> Turn {
    Turn {
        target: TurnTarget::New(SessionDraft::default()),
        messages: vec![says("question"), says("answer")],
        touch: true,
        newest: None,
    }
}

async fn sessions_of(fixture: &Fixture, owner_id: OwnerId) -> usize {
    let page = fixture
        .sessions
        .list(owner_id, Default::default(), PageRequest::first());
    page.await.unwrap().data.len()
}

pub async fn ch_08_a_repeated_request_gets_the_answer_of_the_first(fixture: Fixture) {
    let owner_id = fixture.owner();
    let create = || {
        fixture
            .sessions
            .create_once(owner_id, SessionDraft::default(), once_session("k", 1))
    };
    let Done::Now(session) = create().await.unwrap() else {
        panic!("the first request makes it")
    };
    for _ in 0..3 {
        assert_eq!(
            create().await.unwrap(),
            Done::Before(answered(format!("session {}", session.id)))
        );
    }
    assert_eq!(sessions_of(&fixture, owner_id).await, 1);
}

pub async fn ch_08_many_equal_turns_at_once_leave_one(fixture: Fixture) {
    let owner_id = fixture.owner();
    let done = at_once(50, async |_| {
        // A client sends again as long as it is told to.
        loop {
            match fixture
                .messages
                .take_turn_once(owner_id, turn(), once_turn("k", 1))
                .await
            {
                Err(AppendError::Failure(Failure::Contended | Failure::Unavailable(..))) => {}
                done => return done.unwrap(),
            }
        }
    })
    .await;
    let answers: BTreeSet<String> = done
        .iter()
        .map(|done| match done {
            Done::Now(taken) => format!("turn in {}", taken.session.id),
            Done::Before(answer) => answer.body.clone(),
        })
        .collect();
    assert_eq!(answers.len(), 1, "every answer is the same");
    assert_eq!(done.iter().filter(|done| matches!(done, Done::Now(_))).count(), 1);
    assert_eq!(sessions_of(&fixture, owner_id).await, 1);
}

pub async fn ch_08_another_request_under_the_key_is_refused(fixture: Fixture) {
    let owner_id = fixture.owner();
    let create = |body| {
        fixture
            .sessions
            .create_once(owner_id, SessionDraft::default(), once_session("k", body))
    };
    create(1).await.unwrap();
    assert!(matches!(create(2).await, Err(CreateSessionError::KeyReused(_))));
    // The key is the owner's, not the operation's.
    let turn = fixture
        .messages
        .take_turn_once(owner_id, turn(), once_turn("k", 3))
        .await;
    assert!(matches!(turn, Err(AppendError::KeyReused(_))));
    assert_eq!(sessions_of(&fixture, owner_id).await, 1);
}

pub async fn ch_08_a_key_of_another_owner_is_another_key(fixture: Fixture) {
    for owner_id in [fixture.owner(), fixture.owner()] {
        let done = fixture
            .sessions
            .create_once(owner_id, SessionDraft::default(), once_session("k", 1))
            .await;
        assert!(matches!(done, Ok(Done::Now(_))));
    }
}

pub async fn ch_08_an_answer_is_kept_for_a_day(fixture: Fixture) {
    let owner_id = fixture.owner();
    let create = |body| {
        fixture
            .sessions
            .create_once(owner_id, SessionDraft::default(), once_session("k", body))
    };
    create(1).await.unwrap();
    fixture.advance(DAY);
    assert!(matches!(create(1).await.unwrap(), Done::Before(_)));
    fixture.advance(1);
    assert!(matches!(create(2).await.unwrap(), Done::Now(_)));
    assert!(matches!(create(2).await.unwrap(), Done::Before(_)));
    assert_eq!(sessions_of(&fixture, owner_id).await, 2);
}

pub async fn ch_08_a_refused_request_leaves_its_key_free(fixture: Fixture) {
    let owner_id = fixture.owner();
    let taken = fixture
        .sessions
        .create(owner_id, SessionDraft::default())
        .await
        .unwrap();
    let again = SessionDraft {
        id: Some(taken.id),
        ..SessionDraft::default()
    };
    let refused = fixture
        .sessions
        .create_once(owner_id, again, once_session("k", 1))
        .await;
    assert!(matches!(refused, Err(CreateSessionError::IdTaken)));
    let made = fixture
        .sessions
        .create_once(owner_id, SessionDraft::default(), once_session("k", 2))
        .await;
    assert!(matches!(made, Ok(Done::Now(_))));
}

pub async fn ch_08_of_two_units_with_one_key_one_claims_it(fixture: Fixture) {
    let (owner_id, now) = (fixture.owner(), fixture.now());
    for (ending, expected) in [(Ending::Drop, Claim::New), (Ending::Commit, claimed())] {
        let key = request(&format!("{ending:?}"), 1);
        let [_, second] = overlap_then(
            fixture.chat.as_ref(),
            async |unit| {
                let claim = unit
                    .idempotency()
                    .claim(owner_id, &key, now, now.minus(Duration::from_secs(DAY)))
                    .await?;
                assert_eq!(claim, Claim::New);
                unit.idempotency()
                    .keep(
                        owner_id,
                        &key.key,
                        &answered("first".into()),
                        now.minus(Duration::from_secs(DAY)),
                    )
                    .await?;
                Ok(claim)
            },
            ending,
            async |unit| {
                let claim = unit
                    .idempotency()
                    .claim(owner_id, &key, now, now.minus(Duration::from_secs(DAY)))
                    .await?;
                if claim == Claim::New {
                    unit.idempotency()
                        .keep(
                            owner_id,
                            &key.key,
                            &answered("second".into()),
                            now.minus(Duration::from_secs(DAY)),
                        )
                        .await?;
                }
                Ok(claim)
            },
        )
        .await;
        assert_eq!(second.unwrap(), Some(expected));
    }
}

fn claimed() -> Claim {
    Claim::Answered {
        fingerprint: [1; 32],
        answer: answered("first".into()),
    }
}
