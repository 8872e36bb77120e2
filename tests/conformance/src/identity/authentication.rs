//! Who is calling.

use std::time::Duration;

use larder_domain::identity::{PrincipalKind, Role, User};
use larder_ports::inbound::identity::{AuthenticationError, SignedIn};
use secrecy::ExposeSecret;

use crate::make::{device, log_in, sign_up};
use crate::{Fixture, Settings};

impl Fixture {
    /// Changes an account as another process would: past the use cases of this one.
    pub(crate) async fn change_user(&self, user: &User, change: impl FnOnce(&mut User)) -> User {
        let mut changed = self.user(user.id).await.unwrap();
        let read = changed.version;
        change(&mut changed);
        changed.version += 1;
        let mut unit = self.identity_unit().await;
        assert!(unit.users().update(&changed, read).await.unwrap());
        unit.commit().await.unwrap();
        changed
    }

    async fn ann(&self) -> (SignedIn, String) {
        let signed_in = self.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
        let token = signed_in.tokens.access_token.expose_secret().to_owned();
        (signed_in, token)
    }

    async fn is_let_in(&self, token: &str) -> bool {
        match self.authentication.authenticate(token).await {
            Ok(_) => true,
            Err(AuthenticationError::Invalid | AuthenticationError::LoginEnded) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

pub async fn id_20_a_token_counts_until_it_expires(fixture: Fixture) {
    let (signed_in, token) = fixture.ann().await;
    assert_eq!(signed_in.tokens.expires_in, Settings::default().access_ttl);
    fixture.advance(signed_in.tokens.expires_in.as_secs() + 29);
    assert!(fixture.is_let_in(&token).await, "the leeway is 30 seconds");
    fixture.advance(2);
    let refused = fixture.authentication.authenticate(&token).await;
    assert!(matches!(refused, Err(AuthenticationError::Expired)), "{refused:?}");
}

pub async fn id_20_a_changed_token_never_was_good(fixture: Fixture) {
    let (_, token) = fixture.ann().await;
    let parts: Vec<&str> = token.split('.').collect();
    let swapped = |index: usize| {
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let first = if parts[index].starts_with('A') { "B" } else { "A" };
        parts[index].replace_range(..1, first);
        parts.join(".")
    };
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    for text in [
        "",
        "x",
        "a.b.c",
        &unsigned,
        &swapped(0),
        &swapped(1),
        &swapped(2),
        &format!("{token}x"),
    ] {
        assert!(!fixture.is_let_in(text).await, "{text}");
    }
    assert!(fixture.is_let_in(&token).await);
}

pub async fn id_23_a_disabled_account_is_not_let_in(fixture: Fixture) {
    let (signed_in, token) = fixture.ann().await;
    assert!(fixture.is_let_in(&token).await);
    let now = fixture.now();
    fixture
        .change_user(&signed_in.user, |user| user.disabled_at = Some(now))
        .await;
    assert!(!fixture.is_let_in(&token).await);
}

pub async fn id_23_a_revoked_login_is_not_let_in(fixture: Fixture) {
    let (signed_in, token) = fixture.ann().await;
    let other = fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    let mut unit = fixture.identity_unit().await;
    unit.logins().evict(signed_in.user.id, 0, fixture.now()).await.unwrap();
    unit.commit().await.unwrap();
    assert!(!fixture.is_let_in(&token).await);
    assert!(!fixture.is_let_in(other.tokens.access_token.expose_secret()).await);
    let again = fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    assert!(fixture.is_let_in(again.tokens.access_token.expose_secret()).await);
}

pub async fn id_23_an_expired_login_is_not_let_in(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        login_ttl: Duration::from_secs(60),
        ..Settings::default()
    });
    let (_, token) = fixture.ann().await;
    fixture.advance(59);
    assert!(fixture.is_let_in(&token).await);
    fixture.advance(1);
    assert!(!fixture.is_let_in(&token).await);
}

pub async fn id_23_the_caller_is_who_the_row_says(fixture: Fixture) {
    let (signed_in, token) = fixture.ann().await;
    let before = fixture.authentication.authenticate(&token).await.unwrap();
    assert_eq!(
        (before.name.as_str(), before.roles.as_slice()),
        ("ann", [Role::Admin].as_slice())
    );
    let changed = fixture
        .change_user(&signed_in.user, |user| {
            user.username = "renamed".into();
            user.email = Some("new@example.com".into());
            user.roles = vec![Role::Worker];
        })
        .await;
    let after = fixture.authentication.authenticate(&token).await.unwrap();
    assert_eq!(
        (after.owner_id, after.name, after.email),
        (changed.id, changed.username, changed.email)
    );
    assert_eq!(after.roles, [Role::Worker]);
    assert_eq!(after.kind, before.kind);
}

pub async fn id_23_a_cached_caller_is_asked_for_again_in_time(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let (signed_in, token) = fixture.ann().await;
    assert!(fixture.is_let_in(&token).await);
    let now = fixture.now();
    fixture
        .change_user(&signed_in.user, |user| user.disabled_at = Some(now))
        .await;
    fixture.advance(30);
    assert!(!fixture.is_let_in(&token).await);
}

pub async fn id_23_who_ends_a_login_forgets_it_at_once(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        max_logins: 1,
        ..Settings::default()
    });
    let (_, token) = fixture.ann().await;
    assert!(fixture.is_let_in(&token).await);
    let second = fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    assert!(!fixture.is_let_in(&token).await);
    assert!(fixture.is_let_in(second.tokens.access_token.expose_secret()).await);
}

pub async fn id_23_every_login_is_a_caller_of_its_own(fixture: Fixture) {
    let (_, token) = fixture.ann().await;
    let second = fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    let one = fixture.authentication.authenticate(&token).await.unwrap();
    let other = fixture
        .authentication
        .authenticate(second.tokens.access_token.expose_secret())
        .await
        .unwrap();
    assert_eq!(one.owner_id, other.owner_id);
    assert!(matches!(one.kind, PrincipalKind::Login(_)));
    assert_ne!(one.kind, other.kind);
}
