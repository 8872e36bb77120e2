//! The removal of accounts with all that their owners have.

use std::time::Duration;

use larder_domain::identity::{Erasure, ErasureState, Principal, PrincipalKind, Role};
use larder_domain::{ErasureId, OwnerId, Patch};
use larder_ports::inbound::NotFoundError;
use larder_ports::inbound::chat::{Turn, TurnTarget};
use larder_ports::inbound::identity::{
    ChangeUser, ChangeUserError, EraseAccount, EraseAccountError, LogInError, SignedIn,
};
use secrecy::ExposeSecret;

use crate::make::{PASSWORD, device, log_in, says, sign_up};
use crate::schedule::at_once;
use crate::{Fixture, Settings};

const CACHE: Duration = Duration::from_secs(30);

impl Fixture {
    fn remembering_callers(&self) -> Self {
        self.with(Settings {
            principal_cache_ttl: CACHE,
            ..Settings::default()
        })
    }

    async fn principal_of(&self, signed_in: &SignedIn) -> Principal {
        let token = signed_in.tokens.access_token.expose_secret();
        self.authentication.authenticate(token).await.unwrap()
    }

    /// An administrator and somebody else with this many conversations.
    async fn two_people(&self, conversations: usize) -> (OwnerId, SignedIn) {
        let admin = self.newcomer("admin").await;
        let ann = self.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
        for _ in 0..conversations {
            self.talk(ann.user.id).await;
        }
        (admin, ann)
    }

    async fn talk(&self, owner_id: OwnerId) {
        let turn = Turn {
            target: TurnTarget::New(Default::default()),
            messages: vec![says("question"), says("answer")],
            touch: true,
            newest: None,
        };
        self.messages.take_turn(owner_id, turn).await.unwrap();
    }

    async fn start_erasing(&self, signed_in: &SignedIn) -> Result<Erasure, EraseAccountError> {
        let caller = self.principal_of(signed_in).await;
        self.erasures.start(&caller, request("ann", Some(PASSWORD))).await
    }

    async fn state_of(&self, id: ErasureId) -> Erasure {
        self.erasures.get(id).await.unwrap()
    }
}

fn request(confirm: &str, password: Option<&str>) -> EraseAccount {
    EraseAccount {
        current_password: password.map(Into::into),
        confirm: confirm.into(),
    }
}

pub async fn t_025_everything_of_the_person_goes_and_the_name_is_free(fixture: Fixture) {
    let fixture = fixture.remembering_callers();
    let (admin, ann) = fixture.two_people(2).await;
    fixture.talk(admin).await;
    let id = ann.user.id;
    let token = fixture.reading_token(id).await;
    let (access, api) = (ann.tokens.access_token.expose_secret(), token.text.expose_secret());
    assert!(fixture.admits(access).await && fixture.admits(api).await);

    let erasure = fixture.start_erasing(&ann).await.unwrap();
    assert_eq!(erasure.state, ErasureState::Running);
    assert!(!fixture.admits(access).await && !fixture.admits(api).await, "at once");
    let refused = fixture.accounts.log_in(log_in("ann"), device()).await;
    assert!(matches!(refused, Err(LogInError::InvalidCredentials)), "{refused:?}");

    let rest = fixture.erasure_work.work().await.unwrap();
    assert_eq!(
        rest,
        Duration::from_secs(30),
        "it is looked again before the pause is over"
    );
    assert!(fixture.session_ids(id).await.is_empty());
    assert_eq!(fixture.state_of(erasure.id).await.state, ErasureState::Running);
    fixture.advance(2 * CACHE.as_secs());
    fixture.erasure_work.work().await.unwrap();

    let done = fixture.state_of(erasure.id).await;
    assert_eq!(
        (done.state, done.finished_at),
        (ErasureState::Done, Some(fixture.now()))
    );
    let chat = done.context("chat");
    assert!(chat.is_done && chat.rows == 6, "two sessions of two messages: {chat:?}");
    assert_eq!(fixture.user(id).await, None);
    let mut view = fixture.identity_view().await;
    assert!(view.erasures().was_erased(id).await.unwrap());
    assert!(!view.erasures().was_erased(admin).await.unwrap());
    drop(view);
    assert_eq!(
        fixture.session_ids(admin).await.len(),
        1,
        "nothing of others is touched"
    );

    let again = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    assert_ne!(again.user.id, id);
    assert!(fixture.session_ids(again.user.id).await.is_empty());
    assert!(!fixture.admits(access).await && !fixture.admits(api).await);
}

pub async fn id_44_needs_the_name_and_the_password(fixture: Fixture) {
    let (_, ann) = fixture.two_people(0).await;
    let caller = fixture.principal_of(&ann).await;
    let start = async |request| fixture.erasures.start(&caller, request).await;
    for confirm in ["", "Ann", "bob"] {
        let refused = start(request(confirm, Some(PASSWORD))).await;
        assert!(matches!(refused, Err(EraseAccountError::Invalid(_))), "{refused:?}");
    }
    for password in [None, Some("wrong"), Some("")] {
        let refused = start(request("ann", password)).await;
        assert!(
            matches!(refused, Err(EraseAccountError::CurrentPasswordWrong)),
            "{refused:?}"
        );
    }
    assert!(fixture.admits(ann.tokens.access_token.expose_secret()).await);
    let mut view = fixture.identity_view().await;
    assert_eq!(view.erasures().list_running(10).await.unwrap(), []);
}

pub async fn id_44_guesses_of_the_password_are_counted(fixture: Fixture) {
    let (_, ann) = fixture.two_people(0).await;
    let caller = fixture.principal_of(&ann).await;
    for _ in 0..5 {
        let refused = fixture.erasures.start(&caller, request("ann", Some("wrong"))).await;
        assert!(
            matches!(refused, Err(EraseAccountError::CurrentPasswordWrong)),
            "{refused:?}"
        );
    }
    let refused = fixture.erasures.start(&caller, request("ann", Some(PASSWORD))).await;
    assert!(matches!(refused, Err(EraseAccountError::Throttled(_))), "{refused:?}");
}

pub async fn id_44_an_account_without_a_password_needs_none(fixture: Fixture) {
    let (_, ann) = fixture.two_people(0).await;
    fixture.change_user(&ann.user, |user| user.password_hash = None).await;
    let caller = fixture.principal_of(&ann).await;
    fixture.erasures.start(&caller, request("ann", None)).await.unwrap();
}

pub async fn id_43_the_last_administrator_is_not_erased(fixture: Fixture) {
    let ann = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let bob = fixture.newcomer("bob").await;
    let refused = fixture.start_erasing(&ann).await;
    assert!(matches!(refused, Err(EraseAccountError::LastAdmin)), "{refused:?}");
    assert!(fixture.admits(ann.tokens.access_token.expose_secret()).await);
    let user = fixture.user(bob).await.unwrap();
    fixture.change_user(&user, |user| user.roles = vec![Role::Admin]).await;
    fixture.start_erasing(&ann).await.unwrap();
}

pub async fn id_43_of_two_administrators_who_leave_at_once_one_stays(fixture: Fixture) {
    let people = [fixture.newcomer("ann").await, fixture.newcomer("bob").await];
    let bob = fixture.user(people[1]).await.unwrap();
    fixture.change_user(&bob, |user| user.roles = vec![Role::Admin]).await;
    let names = ["ann", "bob"];
    let answers = at_once(2, async |number| {
        let caller = Principal {
            owner_id: people[number],
            name: names[number].into(),
            email: None,
            roles: vec![Role::Admin],
            kind: PrincipalKind::Login(fixture.login_id()),
        };
        fixture
            .erasures
            .start(&caller, request(names[number], Some(PASSWORD)))
            .await
    })
    .await;
    let started = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(started, 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .any(|answer| matches!(answer, Err(EraseAccountError::LastAdmin)))
    );
}

pub async fn id_44_the_second_pass_catches_what_came_late(fixture: Fixture) {
    let fixture = fixture.remembering_callers();
    let (_, ann) = fixture.two_people(1).await;
    let erasure = fixture.start_erasing(&ann).await.unwrap();
    fixture.erasure_work.work().await.unwrap();
    // A request that another process let in on what it remembered.
    fixture.talk(ann.user.id).await;
    fixture.advance(2 * CACHE.as_secs() - 1);
    fixture.erasure_work.work().await.unwrap();
    assert_eq!(fixture.session_ids(ann.user.id).await.len(), 1, "the pause is not over");
    fixture.advance(1);
    fixture.erasure_work.work().await.unwrap();
    assert!(fixture.session_ids(ann.user.id).await.is_empty());
    let done = fixture.state_of(erasure.id).await;
    assert_eq!((done.state, done.context("chat").rows), (ErasureState::Done, 6));
}

/// Works until the erasure is done. Connections that died in a pool may fail a few units.
async fn work_to_the_end(fixture: &Fixture, id: ErasureId) -> Erasure {
    for _ in 0..20 {
        let _ = fixture.erasure_work.work().await;
        match fixture.erasures.get(id).await {
            Ok(erasure) if erasure.state == ErasureState::Done => return erasure,
            Ok(_) | Err(NotFoundError::Failure(_)) => fixture.advance(2 * CACHE.as_secs()),
            Err(error) => panic!("{error:?}"),
        };
    }
    panic!("not done: {:?}", fixture.erasures.get(id).await);
}

pub async fn id_44_goes_on_after_a_crash_in_the_first_pass(fixture: Fixture) {
    let fixture = fixture.remembering_callers();
    let (_, ann) = fixture.two_people(2).await;
    let erasure = fixture.start_erasing(&ann).await.unwrap();
    let mut unit = fixture.chat_unit().await;
    assert_eq!(unit.owned_rows().erase(ann.user.id, 3).await.unwrap(), 3);
    let fixture = fixture.crash().await;
    drop(unit);
    let done = work_to_the_end(&fixture, erasure.id).await;
    assert_eq!(done.context("chat").rows, 6, "what was not committed is deleted anew");
    assert_eq!(fixture.user(ann.user.id).await, None);
}

pub async fn id_44_goes_on_after_a_crash_between_the_passes(fixture: Fixture) {
    let fixture = fixture.remembering_callers();
    let (_, ann) = fixture.two_people(2).await;
    let erasure = fixture.start_erasing(&ann).await.unwrap();
    fixture.erasure_work.work().await.unwrap();
    let swept_at = fixture.state_of(erasure.id).await.context("chat").swept_at;
    assert_eq!(swept_at, Some(fixture.now()));
    let fixture = fixture.crash().await;
    let done = work_to_the_end(&fixture, erasure.id).await;
    let chat = done.context("chat");
    assert_eq!(
        (chat.rows, chat.swept_at),
        (6, swept_at),
        "the first pass is not made again"
    );
    assert_eq!(fixture.user(ann.user.id).await, None);
}

pub async fn id_44_workers_at_once_do_no_harm(fixture: Fixture) {
    let (_, ann) = fixture.two_people(3).await;
    let erasure = fixture.start_erasing(&ann).await.unwrap();
    let others = [
        fixture.with(Settings::default()),
        fixture.with(Settings::default()),
        fixture.with(Settings::default()),
    ];
    for _ in 0..5 {
        at_once(3, async |number| others[number].erasure_work.work().await.unwrap()).await;
    }
    let done = fixture.state_of(erasure.id).await;
    assert_eq!(done.state, ErasureState::Done);
    // A worker that finds nothing left may end the erasure before another one has noted what it removed, so the count of several
    // is only never too high.
    assert!(done.context("chat").rows <= 9, "{done:?}");
    assert!(fixture.session_ids(ann.user.id).await.is_empty());
    assert_eq!(fixture.user(ann.user.id).await, None);
}

pub async fn id_44_a_request_that_is_sent_twice_starts_one(fixture: Fixture) {
    let (_, ann) = fixture.two_people(0).await;
    let caller = fixture.principal_of(&ann).await;
    let answers = at_once(3, async |_| {
        fixture.erasures.start(&caller, request("ann", Some(PASSWORD))).await
    })
    .await;
    let started: Vec<&Erasure> = answers.iter().flatten().collect();
    assert!(!started.is_empty());
    assert!(started.iter().all(|erasure| erasure.id == started[0].id), "{answers:?}");
    let mut view = fixture.identity_view().await;
    assert_eq!(view.erasures().list_running(10).await.unwrap().len(), 1);
}

pub async fn id_44_whoever_is_being_erased_is_not_brought_back(fixture: Fixture) {
    let (_, ann) = fixture.two_people(0).await;
    fixture.start_erasing(&ann).await.unwrap();
    let change = ChangeUser {
        id: ann.user.id,
        patch: larder_domain::identity::UserPatch {
            disabled: Patch::Set(false),
            ..Default::default()
        },
        if_match: None,
    };
    let refused = fixture.users.change(change).await;
    assert!(matches!(refused, Err(ChangeUserError::NotFound)), "{refused:?}");
    let refused = fixture.users.promote("ann").await;
    assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
}

pub async fn id_44_a_batch_is_bounded_and_leaves_others_alone(fixture: Fixture) {
    let (ann, bob) = (fixture.owner(), fixture.owner());
    for owner in [ann, bob] {
        fixture.talk(owner).await;
        fixture.talk(owner).await;
    }
    let erase = async |limit| {
        let mut unit = fixture.chat_unit().await;
        let deleted = unit.owned_rows().erase(ann, limit).await.unwrap();
        unit.commit().await.unwrap();
        deleted
    };
    assert_eq!(erase(5).await, 5);
    assert_eq!(erase(5).await, 1);
    assert_eq!(erase(5).await, 0);
    assert!(fixture.session_ids(ann).await.is_empty());
    assert_eq!(fixture.session_ids(bob).await.len(), 2);
}

pub async fn id_44_an_unknown_erasure_is_not_found(fixture: Fixture) {
    let unknown = fixture.erasures.get(ErasureId(fixture.id())).await;
    assert!(matches!(unknown, Err(NotFoundError::NotFound)), "{unknown:?}");
}
