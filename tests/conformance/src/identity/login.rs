//! Signed-in devices in the store.

use std::time::Duration;

use larder_domain::identity::{Login, LoginMethod, RevokeReason, User};
use larder_domain::{LoginId, OwnerId};

use crate::Fixture;

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
