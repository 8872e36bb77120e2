//! Signed-in devices: in the store, then through the use cases.

use std::time::Duration;

use larder_domain::identity::{
    KeyedSecret, Login, LoginMethod, Principal, PrincipalKind, RevokeReason, Role, Scope, Scopes, User,
};
use larder_domain::{ApiTokenId, LoginId, OwnerId};
use larder_ports::inbound::identity::{LogOutError, RefreshError, SignedIn, Tokens};
use larder_ports::inbound::{ListError, NotFoundError, PageRequest};
use larder_ports::outbound::Place;
use secrecy::{ExposeSecret, SecretString};

use crate::make::{device, log_in, sign_up};
use crate::schedule::at_once;
use crate::{Fixture, Settings};

impl Fixture {
    async fn store_logins(&self, logins: &[Login]) {
        let mut unit = self.identity_unit().await;
        for login in logins {
            unit.logins().insert(login).await.unwrap();
        }
        unit.commit().await.unwrap();
    }

    async fn login(&self, owner_id: OwnerId, id: LoginId) -> Option<(Login, User)> {
        self.identity_view()
            .await
            .logins()
            .find_with_user(owner_id, id)
            .await
            .unwrap()
    }

    async fn evict(&self, owner_id: OwnerId, keep: u32) -> Vec<LoginId> {
        let mut unit = self.identity_unit().await;
        let mut evicted = unit.logins().evict(owner_id, keep, self.now()).await.unwrap();
        unit.commit().await.unwrap();
        evicted.sort();
        evicted
    }

    async fn somebody(&self, username: &str) -> User {
        let user = self.new_user(username, None);
        self.store_user(&user).await.unwrap();
        user
    }
}

pub async fn id_23_a_login_is_found_with_its_account(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let open = Login {
        user_agent: Some("A browser/1.0 (ünïcode)".into()),
        ip_address: Some("2001:db8::1".into()),
        ..fixture.new_login(ann.id)
    };
    let ended = Login {
        method: LoginMethod::SignUp,
        revoked: Some((fixture.now(), RevokeReason::Logout)),
        ..fixture.new_login(ann.id)
    };
    let lapsed = Login {
        method: LoginMethod::Compat,
        expires_at: fixture.now(),
        ..fixture.new_login(ann.id)
    };
    fixture
        .store_logins(&[open.clone(), ended.clone(), lapsed.clone()])
        .await;
    for login in [open, ended, lapsed] {
        assert_eq!(
            fixture.login(ann.id, login.id).await,
            Some((login.clone(), ann.clone()))
        );
        assert_eq!(fixture.login(bob.id, login.id).await, None);
    }
    assert_eq!(fixture.login(ann.id, fixture.login_id()).await, None);
}

pub async fn id_14_those_used_longest_ago_are_evicted(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    // Made in one order, used in another.
    let start = fixture.now();
    let of_ann = [40, 10, 30, 20].map(|seconds| Login {
        last_used_at: start.plus(Duration::from_secs(seconds)),
        ..fixture.new_login(ann.id)
    });
    let ended = Login {
        last_used_at: start,
        revoked: Some((start, RevokeReason::Logout)),
        ..fixture.new_login(ann.id)
    };
    let lapsed = Login {
        last_used_at: start,
        expires_at: start.plus(Duration::from_secs(50)),
        ..fixture.new_login(ann.id)
    };
    let of_bob = fixture.new_login(bob.id);
    fixture.store_logins(&of_ann).await;
    fixture
        .store_logins(&[ended.clone(), lapsed.clone(), of_bob.clone()])
        .await;
    let now = fixture.advance(50);

    assert_eq!(fixture.evict(ann.id, 4).await, []);
    assert_eq!(fixture.evict(ann.id, 2).await, [of_ann[1].id, of_ann[3].id]);
    for (login, is_evicted) in of_ann.iter().zip([false, true, false, true]) {
        let expected = Login {
            revoked: is_evicted.then_some((now, RevokeReason::Evicted)),
            ..login.clone()
        };
        assert_eq!(fixture.login(ann.id, login.id).await.unwrap().0, expected);
    }
    for login in [ended, lapsed] {
        assert_eq!(fixture.login(ann.id, login.id).await.unwrap().0, login);
    }
    assert_eq!(fixture.login(bob.id, of_bob.id).await.unwrap().0, of_bob);

    assert_eq!(fixture.evict(ann.id, 2).await, []);
    assert_eq!(fixture.evict(ann.id, 0).await, [of_ann[0].id, of_ann[2].id]);
}

pub async fn id_14_of_logins_used_at_one_instant_exactly_the_surplus_is_evicted(fixture: Fixture) {
    let ann = fixture.somebody("ann").await;
    let logins: Vec<Login> = (0..5).map(|_| fixture.new_login(ann.id)).collect();
    fixture.store_logins(&logins).await;
    assert_eq!(fixture.evict(ann.id, 3).await.len(), 2);
    assert_eq!(fixture.evict(ann.id, 3).await, []);
}

pub async fn id_14_what_ended_long_ago_is_swept(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let before = fixture.now();
    let (earlier, later) = (
        before.minus(Duration::from_micros(1)),
        before.plus(Duration::from_micros(1)),
    );
    let expired_at = |owner_id, expires_at| Login {
        created_at: earlier.minus(Duration::from_secs(60)),
        last_used_at: earlier.minus(Duration::from_secs(60)),
        expires_at,
        ..fixture.new_login(owner_id)
    };
    let revoked_at = |at| Login {
        revoked: Some((at, RevokeReason::Admin)),
        ..expired_at(ann.id, later)
    };
    let swept = [expired_at(ann.id, earlier), revoked_at(earlier)];
    let kept = [
        expired_at(ann.id, later),
        revoked_at(later),
        expired_at(bob.id, earlier),
    ];
    fixture.store_logins(&swept).await;
    fixture.store_logins(&kept).await;

    let mut unit = fixture.identity_unit().await;
    unit.logins().sweep(ann.id, before).await.unwrap();
    unit.commit().await.unwrap();
    for login in swept {
        assert_eq!(fixture.login(ann.id, login.id).await, None);
    }
    for login in kept {
        assert_eq!(fixture.login(login.owner_id, login.id).await.unwrap().0, login);
    }
}

pub async fn id_23_one_login_id_of_two_users_is_no_conflict(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let of_ann = fixture.new_login(ann.id);
    let of_bob = Login {
        owner_id: bob.id,
        user_agent: Some("bob's".into()),
        ..of_ann.clone()
    };
    fixture.store_logins(&[of_ann.clone(), of_bob.clone()]).await;
    assert_eq!(fixture.evict(bob.id, 0).await, [of_bob.id]);
    assert_eq!(fixture.login(ann.id, of_ann.id).await, Some((of_ann, ann)));
}

pub async fn id_35_a_login_is_revoked_once(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let login = fixture.new_login(ann.id);
    let lapsed = Login {
        expires_at: fixture.now(),
        ..fixture.new_login(ann.id)
    };
    fixture.store_logins(&[login.clone(), lapsed.clone()]).await;
    let now = fixture.now();
    let revoke = async |owner_id, id| {
        let mut unit = fixture.identity_unit().await;
        let revoked = unit
            .logins()
            .revoke(owner_id, id, RevokeReason::Reuse, now)
            .await
            .unwrap();
        unit.commit().await.unwrap();
        revoked
    };
    assert!(!revoke(bob.id, login.id).await);
    assert!(!revoke(ann.id, fixture.login_id()).await);
    assert!(!revoke(ann.id, lapsed.id).await);
    assert!(revoke(ann.id, login.id).await);
    fixture.advance(5);
    assert!(!revoke(ann.id, login.id).await);
    let revoked = Some((now, RevokeReason::Reuse));
    let (found, _) = fixture.login(ann.id, login.id).await.unwrap();
    assert_eq!(found, Login { revoked, ..login });
}

pub async fn id_35_all_logins_of_one_user_are_revoked(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let [one, two, of_bob] = [ann.id, ann.id, bob.id].map(|owner_id| fixture.new_login(owner_id));
    let ended = Login {
        revoked: Some((fixture.now(), RevokeReason::Evicted)),
        ..fixture.new_login(ann.id)
    };
    fixture
        .store_logins(&[one.clone(), two.clone(), of_bob.clone(), ended.clone()])
        .await;
    let now = fixture.advance(5);
    let mut unit = fixture.identity_unit().await;
    let mut revoked = unit
        .logins()
        .revoke_all(ann.id, RevokeReason::PasswordChange, now)
        .await
        .unwrap();
    unit.commit().await.unwrap();
    revoked.sort();
    assert_eq!(revoked, [one.id, two.id]);
    for (login, reason) in [(one, Some(RevokeReason::PasswordChange)), (of_bob, None)] {
        let (found, _) = fixture.login(login.owner_id, login.id).await.unwrap();
        assert_eq!(found.revoked, reason.map(|reason| (now, reason)));
    }
    assert_eq!(fixture.login(ann.id, ended.id).await.unwrap().0, ended);
}

pub async fn id_35_live_logins_are_listed_newest_first(fixture: Fixture) {
    let (ann, bob) = (fixture.somebody("ann").await, fixture.somebody("bob").await);
    let start = fixture.now();
    let at = |seconds| Login {
        created_at: start.plus(Duration::from_secs(seconds)),
        ..fixture.new_login(ann.id)
    };
    let [first, second, third] = [at(1), at(2), at(2)];
    let ended = Login {
        revoked: Some((start, RevokeReason::Logout)),
        ..at(3)
    };
    let lapsed = Login {
        expires_at: start.plus(Duration::from_secs(5)),
        ..at(3)
    };
    fixture
        .store_logins(&[first.clone(), second.clone(), third.clone()])
        .await;
    fixture.store_logins(&[ended, lapsed, fixture.new_login(bob.id)]).await;
    let now = fixture.advance(5);
    let list = async |after: Option<&Login>, limit| {
        let after = after.map(|login| Place {
            at: login.created_at,
            id: login.id.0,
        });
        let mut view = fixture.identity_view().await;
        view.logins().list(ann.id, now, after, limit).await.unwrap()
    };
    // Of one instant, the higher id comes first.
    assert_eq!(list(None, 10).await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(list(None, 2).await, [third.clone(), second.clone()]);
    assert_eq!(list(Some(&third), 10).await, [second.clone(), first.clone()]);
    assert_eq!(list(Some(&second), 10).await, std::slice::from_ref(&first));
    assert_eq!(list(Some(&first), 10).await, []);
}

impl Fixture {
    async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, RefreshError> {
        self.logins.refresh(&tokens.refresh_token).await
    }

    async fn counts(&self, tokens: &Tokens) -> bool {
        let token = tokens.access_token.expose_secret();
        self.authentication.authenticate(token).await.is_ok()
    }

    async fn caller(&self, tokens: &Tokens) -> Principal {
        let token = tokens.access_token.expose_secret();
        self.authentication.authenticate(token).await.unwrap()
    }

    async fn sign_up_as(&self, username: &str) -> SignedIn {
        self.accounts.sign_up(sign_up(username), device()).await.unwrap()
    }

    async fn log_in_as(&self, username: &str) -> Tokens {
        self.accounts.log_in(log_in(username), device()).await.unwrap().tokens
    }

    fn with_grace(&self, seconds: u64) -> Self {
        self.with(Settings {
            refresh_grace: Duration::from_secs(seconds),
            ..Settings::default()
        })
    }

    /// A sign-up, and processes that remember callers.
    fn remembering(&self) -> Self {
        self.with(Settings {
            principal_cache_ttl: Duration::from_secs(30),
            ..Settings::default()
        })
    }
}

fn login_of(caller: &Principal) -> LoginId {
    match caller.kind {
        PrincipalKind::Login(id) => id,
        ref other => panic!("{other:?}"),
    }
}

fn is_invalid(answer: &Result<Tokens, RefreshError>) -> bool {
    matches!(answer, Err(RefreshError::Invalid))
}

fn is_reused(answer: &Result<Tokens, RefreshError>) -> bool {
    matches!(answer, Err(RefreshError::Reused))
}

pub async fn id_31_a_refresh_gives_a_new_pair(fixture: Fixture) {
    let signed_in = fixture.sign_up_as("ann").await;
    let first = signed_in.tokens;
    assert_eq!(first.refresh_expires_in, Settings::default().refresh_idle_ttl);
    let before = fixture.caller(&first).await;
    let now = fixture.advance(60);
    let user = fixture
        .change_user(&signed_in.user, |user| user.roles = vec![Role::Worker])
        .await;
    let second = fixture.refresh(&first).await.unwrap();
    assert_eq!(second.expires_in, Settings::default().access_ttl);
    assert!(second.refresh_token.expose_secret().starts_with("lrr_"));
    assert_ne!(
        second.refresh_token.expose_secret(),
        first.refresh_token.expose_secret()
    );
    // The login is the same, and the access tokens of both pairs count.
    let after = fixture.caller(&second).await;
    assert_eq!((after.kind, after.owner_id), (before.kind, user.id));
    assert!(fixture.counts(&first).await);
    let (login, _) = fixture.login(user.id, login_of(&after)).await.unwrap();
    assert_eq!(login.last_used_at, now);
    // And so on.
    let third = fixture.refresh(&second).await.unwrap();
    assert!(fixture.counts(&third).await);
}

pub async fn id_31_a_refresh_never_outlives_the_login(fixture: Fixture) {
    const DAY: u64 = 24 * 3_600;
    let mut tokens = fixture.sign_up_as("ann").await.tokens;
    for days in [29, 29, 29] {
        fixture.advance(days * DAY);
        tokens = fixture.refresh(&tokens).await.unwrap();
    }
    assert_eq!(tokens.refresh_expires_in, Duration::from_secs(3 * DAY));
    fixture.advance(3 * DAY);
    assert!(is_invalid(&fixture.refresh(&tokens).await));
}

pub async fn id_30_t_015_a_token_that_does_not_fit_revokes_nothing(fixture: Fixture) {
    let tokens = fixture.sign_up_as("ann").await.tokens;
    let bob = fixture.sign_up_as("bob").await.user.id;
    let text = tokens.refresh_token.expose_secret().to_owned();
    let real = KeyedSecret::parse(KeyedSecret::REFRESH, &text).unwrap();
    let mut other_secret = real;
    other_secret.secret[31] ^= 1;
    let other_owner = KeyedSecret { owner_id: bob, ..real };
    let other_id = KeyedSecret {
        id: fixture.id(),
        ..real
    };
    let access_token = tokens.access_token.expose_secret().to_owned();
    for wrong in [
        other_secret.text(KeyedSecret::REFRESH),
        other_owner.text(KeyedSecret::REFRESH),
        other_id.text(KeyedSecret::REFRESH),
        real.text("lrd_"),
        String::new(),
        "lrr_".into(),
        format!("{text}A"),
        "\0".into(),
        access_token,
    ] {
        let answer = fixture.logins.refresh(&SecretString::from(wrong.clone())).await;
        assert!(is_invalid(&answer), "{wrong}");
    }
    assert!(fixture.counts(&tokens).await);
    // A used one with a wrong secret revokes nothing either.
    let next = fixture.refresh(&tokens).await.unwrap();
    let forged = SecretString::from(other_secret.text(KeyedSecret::REFRESH));
    assert!(is_invalid(&fixture.logins.refresh(&forged).await));
    assert!(fixture.counts(&next).await);
    fixture.refresh(&next).await.unwrap();
}

pub async fn id_32_a_used_token_ends_its_login(fixture: Fixture) {
    let fixture = fixture.remembering();
    let first = fixture.sign_up_as("ann").await.tokens;
    let elsewhere = fixture.log_in_as("ann").await;
    let second = fixture.refresh(&first).await.unwrap();
    let third = fixture.refresh(&second).await.unwrap();
    let caller = fixture.caller(&third).await;
    assert!(is_reused(&fixture.refresh(&first).await));
    // Remembered or not, the access tokens end with the login.
    assert!(!fixture.counts(&third).await && !fixture.counts(&first).await);
    assert!(is_invalid(&fixture.refresh(&third).await));
    assert!(is_invalid(&fixture.refresh(&first).await));
    let (login, _) = fixture.login(caller.owner_id, login_of(&caller)).await.unwrap();
    assert_eq!(login.revoked.map(|(_, reason)| reason), Some(RevokeReason::Reuse));
    // Another login of the same user goes on.
    assert!(fixture.counts(&elsewhere).await);
    fixture.refresh(&elsewhere).await.unwrap();
}

pub async fn id_33_t_013_of_two_refreshes_at_once_without_grace_none_goes_on(fixture: Fixture) {
    let fixture = fixture.with_grace(0);
    let first = fixture.sign_up_as("ann").await.tokens;
    for round in 0..5 {
        let first = if round == 0 {
            first.clone()
        } else {
            fixture.log_in_as("ann").await
        };
        // The clock goes on between the two, whichever of them has to wait.
        let answers = at_once(2, async |_| {
            fixture.clock.advance(Duration::from_millis(1));
            fixture.refresh(&first).await
        })
        .await;
        assert_eq!(
            answers.iter().filter(|answer| is_reused(answer)).count(),
            1,
            "{answers:?}"
        );
        let won = answers.into_iter().find_map(Result::ok).expect("one of the two");
        assert!(!fixture.counts(&won).await && !fixture.counts(&first).await);
        assert!(is_invalid(&fixture.refresh(&won).await));
    }
}

pub async fn id_33_t_014_an_answer_that_was_lost_is_given_again(fixture: Fixture) {
    let first = fixture.sign_up_as("ann").await.tokens;
    let lost = fixture.refresh(&first).await.unwrap();
    fixture.advance(9);
    let second = fixture.refresh(&first).await.unwrap();
    assert!(fixture.counts(&second).await);
    // Whoever has the displaced one and whoever has the live one can't both go on.
    assert!(is_reused(&fixture.refresh(&lost).await));
    assert!(!fixture.counts(&second).await);
    assert!(is_invalid(&fixture.refresh(&second).await));
}

pub async fn id_33_the_grace_ends(fixture: Fixture) {
    let first = fixture.sign_up_as("ann").await.tokens;
    fixture.refresh(&first).await.unwrap();
    for _ in 0..3 {
        fixture.advance(3);
        fixture.refresh(&first).await.unwrap();
    }
    // It runs from the first use, not from the last one.
    fixture.advance(1);
    assert!(is_reused(&fixture.refresh(&first).await));
}

pub async fn id_33_once_the_successor_was_used_there_is_no_grace(fixture: Fixture) {
    let first = fixture.sign_up_as("ann").await.tokens;
    let second = fixture.refresh(&first).await.unwrap();
    let third = fixture.refresh(&second).await.unwrap();
    assert!(is_reused(&fixture.refresh(&first).await));
    assert!(is_invalid(&fixture.refresh(&third).await));
}

pub async fn id_33_refreshes_at_once_within_the_grace_leave_one_that_goes_on(fixture: Fixture) {
    let first = fixture.sign_up_as("ann").await.tokens;
    let answers = at_once(6, async |_| fixture.refresh(&first).await.unwrap()).await;
    assert_eq!(answers.len(), 6);
    let caller = fixture.caller(&first).await;
    // Five of the six successors are displaced: only one of them gets another pair, and any other ends the login.
    let mut goes_on = 0;
    for tokens in &answers {
        goes_on += usize::from(fixture.refresh(tokens).await.is_ok());
    }
    assert!(goes_on <= 1);
    let (login, _) = fixture.login(caller.owner_id, login_of(&caller)).await.unwrap();
    assert!(login.revoked.is_some());
}

pub async fn id_34_t_015_a_token_ends_when_it_is_not_used(fixture: Fixture) {
    const IDLE: u64 = 30 * 24 * 3_600;
    let tokens = fixture.sign_up_as("ann").await.tokens;
    fixture.advance(IDLE - 1);
    let tokens = fixture.refresh(&tokens).await.unwrap();
    fixture.advance(IDLE);
    assert!(is_invalid(&fixture.refresh(&tokens).await));
}

pub async fn id_34_a_disabled_user_refreshes_nothing(fixture: Fixture) {
    let signed_in = fixture.sign_up_as("ann").await;
    let now = fixture.now();
    fixture
        .change_user(&signed_in.user, |user| user.disabled_at = Some(now))
        .await;
    assert!(is_invalid(&fixture.refresh(&signed_in.tokens).await));
    fixture
        .change_user(&signed_in.user, |user| user.disabled_at = None)
        .await;
    // Nothing was revoked by that alone.
    fixture.refresh(&signed_in.tokens).await.unwrap();
}

pub async fn id_35_t_016_a_logout_ends_one_login_or_all(fixture: Fixture) {
    let fixture = fixture.remembering();
    let one = fixture.sign_up_as("ann").await.tokens;
    let other = fixture.log_in_as("ann").await;
    let stranger = fixture.sign_up_as("bob").await.tokens;
    let (caller, of_other) = (fixture.caller(&one).await, fixture.caller(&other).await);
    fixture.logins.log_out(&caller, false).await.unwrap();
    assert!(!fixture.counts(&one).await);
    assert!(is_invalid(&fixture.refresh(&one).await));
    assert!(fixture.counts(&other).await);
    // Again is no error, and ends nothing else.
    fixture.logins.log_out(&caller, false).await.unwrap();
    let third = fixture.log_in_as("ann").await;
    assert!(fixture.counts(&other).await && fixture.counts(&third).await);
    fixture.logins.log_out(&of_other, true).await.unwrap();
    assert!(!fixture.counts(&other).await && !fixture.counts(&third).await);
    assert!(is_invalid(&fixture.refresh(&third).await));
    assert!(fixture.counts(&stranger).await);
    fixture.refresh(&stranger).await.unwrap();
}

pub async fn id_35_only_a_signed_in_device_logs_out(fixture: Fixture) {
    let tokens = fixture.sign_up_as("ann").await.tokens;
    let caller = fixture.caller(&tokens).await;
    let scopes: Scopes = [Scope::ChatRead].into_iter().collect();
    let program = Principal {
        kind: PrincipalKind::ApiToken(ApiTokenId(fixture.id()), scopes),
        ..caller
    };
    for all in [false, true] {
        let refused = fixture.logins.log_out(&program, all).await;
        assert!(
            matches!(refused, Err(LogOutError::InteractiveLoginRequired)),
            "{refused:?}"
        );
    }
    assert!(fixture.counts(&tokens).await);
}

pub async fn id_35_a_user_sees_and_ends_the_own_logins(fixture: Fixture) {
    let fixture = fixture.remembering();
    let first = fixture.sign_up_as("ann").await.tokens;
    fixture.advance(1);
    let second = fixture.log_in_as("ann").await;
    let stranger = fixture.sign_up_as("bob").await.tokens;
    let (caller, of_second) = (fixture.caller(&first).await, fixture.caller(&second).await);
    let bob = fixture.caller(&stranger).await;
    let page = fixture.logins.list(&caller, PageRequest::first()).await.unwrap();
    let listed: Vec<LoginId> = page.data.iter().map(|login| login.id).collect();
    assert_eq!(listed, [login_of(&of_second), login_of(&caller)]);
    assert_eq!(page.next_cursor, None);
    assert_eq!(page.data[1].method, LoginMethod::SignUp);

    let refused = fixture.logins.end(&bob, login_of(&of_second)).await;
    assert!(matches!(refused, Err(NotFoundError::NotFound)));
    fixture.logins.end(&caller, login_of(&of_second)).await.unwrap();
    assert!(!fixture.counts(&second).await && fixture.counts(&first).await);
    let again = fixture.logins.end(&caller, login_of(&of_second)).await;
    assert!(matches!(again, Err(NotFoundError::NotFound)));
    let page = fixture.logins.list(&caller, PageRequest::first()).await.unwrap();
    assert_eq!(page.data.len(), 1);
}

pub async fn id_35_logins_are_paged(fixture: Fixture) {
    let mut tokens = fixture.sign_up_as("ann").await.tokens;
    for _ in 0..4 {
        tokens = fixture.log_in_as("ann").await;
    }
    let stranger = fixture.sign_up_as("bob").await.tokens;
    let (caller, bob) = (fixture.caller(&tokens).await, fixture.caller(&stranger).await);
    let page = |cursor| PageRequest { limit: 2, cursor };
    let mut met = Vec::new();
    let mut cursor = None;
    loop {
        let found = fixture.logins.list(&caller, page(cursor)).await.unwrap();
        met.extend(found.data.iter().map(|login| login.id));
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
        let refused = fixture.logins.list(&bob, page(cursor.clone())).await;
        assert!(matches!(refused, Err(ListError::BadCursor(_))));
    }
    assert_eq!(met.len(), 5);
    assert!(met.is_sorted_by(|one, other| one > other), "{met:?}");
}
