//! What keeps a login alive, in the store.

use std::time::Duration;

use larder_domain::identity::{Login, RefreshToken, Use};
use larder_domain::{OwnerId, RefreshTokenId};
use larder_ports::outbound::identity::{IdentityUnit, KnownToken};
use larder_ports::outbound::{Access, StorageError};

use crate::Fixture;
use crate::schedule::overlap;

impl Fixture {
    /// An account with a login.
    async fn signed_in(&self, username: &str) -> Login {
        let user = self.new_user(username, None);
        self.store_user(&user).await.unwrap();
        let login = self.new_login(user.id);
        let mut unit = self.identity_unit().await;
        unit.logins().insert(&login).await.unwrap();
        unit.commit().await.unwrap();
        login
    }

    fn new_refresh_token(&self, login: &Login) -> RefreshToken {
        RefreshToken {
            owner_id: login.owner_id,
            id: RefreshTokenId(self.id()),
            login_id: login.id,
            secret_hash: [7; 32],
            issued_at: self.now(),
            expires_at: self.now().plus(Duration::from_secs(60)),
            used: None,
        }
    }

    async fn store_token(&self, token: &RefreshToken) -> Result<(), StorageError> {
        let mut unit = self.identity.begin(Access::Write).await?;
        unit.refresh_tokens().insert(token).await?;
        unit.commit().await
    }

    async fn rotate(&self, presented: RefreshTokenId, successor: &RefreshToken) {
        let mut unit = self.identity_unit().await;
        unit.refresh_tokens().rotate(presented, successor).await.unwrap();
        unit.commit().await.unwrap();
    }

    async fn token(&self, owner_id: OwnerId, id: RefreshTokenId) -> Option<KnownToken> {
        let mut view = self.identity_view().await;
        view.refresh_tokens().find_with_user(owner_id, id).await.unwrap()
    }
}

pub async fn id_30_a_refresh_token_is_found_by_its_keys(fixture: Fixture) {
    let (of_ann, of_bob) = (fixture.signed_in("ann").await, fixture.signed_in("bob").await);
    let token = fixture.new_refresh_token(&of_ann);
    let other = RefreshToken {
        owner_id: of_bob.owner_id,
        login_id: of_bob.id,
        used: Some(Use {
            at: fixture.now(),
            successor_id: None,
        }),
        ..token.clone()
    };
    // One id of two owners is no conflict.
    fixture.store_token(&token).await.unwrap();
    fixture.store_token(&other).await.unwrap();
    let ann = fixture.user(of_ann.owner_id).await.unwrap();
    let found = fixture.token(ann.id, token.id).await;
    let live = Some(token.id);
    let user = ann.clone();
    assert_eq!(
        found,
        Some(KnownToken {
            token: token.clone(),
            live,
            user
        })
    );
    let found = fixture.token(of_bob.owner_id, token.id).await.unwrap();
    assert_eq!((found.token, found.live), (other, None));
    assert_eq!(fixture.token(ann.id, RefreshTokenId(fixture.id())).await, None);
}

pub async fn id_31_a_login_has_one_live_token(fixture: Fixture) {
    let login = fixture.signed_in("ann").await;
    let first = fixture.new_refresh_token(&login);
    fixture.store_token(&first).await.unwrap();
    let second = fixture.new_refresh_token(&login);
    let refused = fixture.store_token(&second).await;
    assert!(matches!(refused, Err(StorageError::Internal(_))), "{refused:?}");
    assert_eq!(fixture.token(login.owner_id, second.id).await, None);
}

pub async fn id_31_a_rotation_uses_the_token_and_stores_its_successor(fixture: Fixture) {
    let login = fixture.signed_in("ann").await;
    let first = fixture.new_refresh_token(&login);
    fixture.store_token(&first).await.unwrap();
    let at = fixture.advance(5);
    let second = fixture.new_refresh_token(&login);
    fixture.rotate(first.id, &second).await;
    let found = fixture.token(login.owner_id, first.id).await.unwrap();
    let used = Some(Use {
        at,
        successor_id: Some(second.id),
    });
    assert_eq!(found.token, RefreshToken { used, ..first });
    assert_eq!(found.live, Some(second.id));
    let found = fixture.token(login.owner_id, second.id).await.unwrap();
    assert_eq!((found.live, found.token), (Some(second.id), second));
}

pub async fn id_33_a_second_rotation_displaces_the_successor(fixture: Fixture) {
    let login = fixture.signed_in("ann").await;
    let first = fixture.new_refresh_token(&login);
    fixture.store_token(&first).await.unwrap();
    let second = fixture.new_refresh_token(&login);
    let first_use = fixture.now();
    fixture.rotate(first.id, &second).await;
    let again = fixture.advance(5);
    let third = fixture.new_refresh_token(&login);
    fixture.rotate(first.id, &third).await;
    let used = |token: KnownToken| token.token.used.unwrap();
    let of_first = used(fixture.token(login.owner_id, first.id).await.unwrap());
    assert_eq!((of_first.at, of_first.successor_id), (first_use, Some(third.id)));
    let of_second = used(fixture.token(login.owner_id, second.id).await.unwrap());
    assert_eq!((of_second.at, of_second.successor_id), (again, None));
    assert_eq!(
        fixture.token(login.owner_id, third.id).await.unwrap().live,
        Some(third.id)
    );
}

pub async fn id_31_used_tokens_go_when_they_have_expired(fixture: Fixture) {
    let (login, other) = (fixture.signed_in("ann").await, fixture.signed_in("bob").await);
    let first = fixture.new_refresh_token(&login);
    fixture.store_token(&first).await.unwrap();
    let of_other = RefreshToken {
        used: Some(Use {
            at: fixture.now(),
            successor_id: None,
        }),
        ..fixture.new_refresh_token(&other)
    };
    fixture.store_token(&of_other).await.unwrap();
    fixture.advance(50);
    let second = fixture.new_refresh_token(&login);
    fixture.rotate(first.id, &second).await;
    assert!(fixture.token(login.owner_id, first.id).await.is_some());
    fixture.advance(11);
    let third = fixture.new_refresh_token(&login);
    fixture.rotate(second.id, &third).await;
    assert_eq!(fixture.token(login.owner_id, first.id).await, None);
    assert!(fixture.token(login.owner_id, second.id).await.is_some());
    // Nobody sweeps for others.
    assert!(fixture.token(other.owner_id, of_other.id).await.is_some());
}

/// What a refresh does in its unit; answers which token was live.
async fn refresh(
    unit: &mut dyn IdentityUnit,
    presented: &RefreshToken,
    successor: &RefreshToken,
) -> Result<Option<RefreshTokenId>, StorageError> {
    let RefreshToken {
        owner_id,
        id,
        issued_at,
        ..
    } = *presented;
    let touched = unit.logins().touch_by_token(owner_id, id, issued_at).await?;
    assert!(touched.is_some());
    let found = unit.refresh_tokens().find_with_user(owner_id, id).await?;
    unit.refresh_tokens().rotate(id, successor).await?;
    Ok(found.unwrap().live)
}

pub async fn id_31_requests_with_tokens_of_one_login_come_one_after_another(fixture: Fixture) {
    let login = fixture.signed_in("ann").await;
    let first = fixture.new_refresh_token(&login);
    fixture.store_token(&first).await.unwrap();
    let (second, third) = (fixture.new_refresh_token(&login), fixture.new_refresh_token(&login));
    let [one, other] = overlap(
        &*fixture.identity,
        async |unit| refresh(unit, &first, &second).await,
        async |unit| refresh(unit, &first, &third).await,
    )
    .await;
    // The second one saw what the first one had committed.
    assert_eq!((one.unwrap(), other.unwrap()), (Some(first.id), Some(second.id)));
}

pub async fn id_31_a_use_moves_the_login_and_no_other(fixture: Fixture) {
    let login = fixture.signed_in("ann").await;
    let token = fixture.new_refresh_token(&login);
    fixture.store_token(&token).await.unwrap();
    let stranger = fixture.signed_in("bob").await;
    let now = fixture.advance(5);
    let mut unit = fixture.identity_unit().await;
    let logins = unit.logins();
    for (owner_id, id) in [
        (login.owner_id, RefreshTokenId(fixture.id())),
        (stranger.owner_id, token.id),
    ] {
        assert_eq!(logins.touch_by_token(owner_id, id, now).await.unwrap(), None);
    }
    let moved = Login {
        last_used_at: now,
        ..login.clone()
    };
    let touched = logins.touch_by_token(login.owner_id, token.id, now).await.unwrap();
    assert_eq!(touched, Some(moved));
    unit.commit().await.unwrap();
    let mut view = fixture.identity_view().await;
    let found = view
        .logins()
        .find_with_user(stranger.owner_id, stranger.id)
        .await
        .unwrap();
    assert_eq!(found.unwrap().0, stranger);
}
