use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{Login, Principal, PrincipalKind, User};
use larder_domain::{Instant, LoginId};
use larder_ports::inbound::identity::{Authentication, AuthenticationError};
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, AccessClaims, Clock, Store, TokenError, TokenVerifier};
use quick_cache::sync::Cache;

use crate::retry::{RetryPolicy, Unfinished, retrying, undo};

/// Most callers that are remembered; the one asked for least gives way.
const MOST_CALLERS: usize = 10_000;

/// The callers of late, so that not every request reads the live state of its login (`ID-23`).
///
/// Only callers that were let in are remembered. Whatever ends a login or changes an account holds a
/// [`forgetting`](Self::forgetting) of the logins concerned over its commit.
pub struct PrincipalCache {
    ttl: Duration,
    callers: Cache<LoginId, Caller>,
    /// How often something was forgotten, so that what was read before is not remembered after.
    forgotten: AtomicU64,
}

#[derive(Clone)]
struct Caller {
    principal: Principal,
    loaded_at: Instant,
    /// The end of the time that the entry may be used, at most that of the login.
    ends_at: Instant,
}

/// What was forgotten when a reading began.
#[derive(Clone, Copy)]
struct Mark(u64);

/// See [`PrincipalCache::forgetting`].
pub(crate) struct Forgetting<'a> {
    cache: &'a PrincipalCache,
    logins: Vec<LoginId>,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.cache.forget(&self.logins);
    }
}

impl PrincipalCache {
    /// Remembers a caller for `ttl`; zero is not at all.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            callers: Cache::new(MOST_CALLERS),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Forgets these logins when the answer goes out of scope. Taken before a commit that ends them, it does so after the commit,
    /// whatever that answered, and also when the request is cancelled in the middle of it.
    pub(crate) fn forgetting(&self, logins: Vec<LoginId>) -> Forgetting<'_> {
        Forgetting { cache: self, logins }
    }

    fn forget(&self, logins: &[LoginId]) {
        if logins.is_empty() {
            return;
        }
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for login in logins {
            self.callers.remove(login);
        }
    }

    fn get(&self, login_id: LoginId, now: Instant) -> Option<Principal> {
        let caller = self.callers.get(&login_id)?;
        (caller.loaded_at..caller.ends_at)
            .contains(&now)
            .then_some(caller.principal)
    }

    fn mark(&self) -> Mark {
        Mark(self.forgotten.load(Ordering::SeqCst))
    }

    /// Remembers what was read since `mark`, unless something was forgotten meanwhile: the reading may be older than that.
    fn remember(&self, login: &Login, principal: &Principal, loaded_at: Instant, mark: Mark) {
        if self.ttl.is_zero() {
            return;
        }
        let caller = Caller {
            principal: principal.clone(),
            loaded_at,
            ends_at: loaded_at.plus(self.ttl).min(login.expires_at),
        };
        self.callers.insert(login.id, caller);
        if self.mark().0 != mark.0 {
            self.callers.remove(&login.id);
        }
    }
}

/// Tells who is behind an access token.
pub struct Authenticator {
    store: Arc<dyn Store<dyn IdentityUnit>>,
    clock: Arc<dyn Clock>,
    verifier: Arc<dyn TokenVerifier>,
    cache: Arc<PrincipalCache>,
    retry: RetryPolicy,
}

impl Authenticator {
    /// Over these ports; `cache` is the one that [`Accounts`](super::Accounts) was given.
    pub fn new(
        store: Arc<dyn Store<dyn IdentityUnit>>,
        clock: Arc<dyn Clock>,
        verifier: Arc<dyn TokenVerifier>,
        cache: Arc<PrincipalCache>,
    ) -> Self {
        Self {
            store,
            clock,
            verifier,
            cache,
            retry: RetryPolicy::default(),
        }
    }

    async fn load(&self, claims: &AccessClaims, now: Instant) -> Result<Principal, AuthenticationError> {
        let mark = self.cache.mark();
        let (login, user) = retrying(&self.retry, "authenticate", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let found = unit.logins().find_with_user(claims.owner_id, claims.login_id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(AuthenticationError::Invalid))
        })
        .await?;
        let is_owner = login.owner_id == claims.owner_id && user.id == claims.owner_id;
        if !is_owner || !login.is_live(now) || user.disabled_at.is_some() {
            return Err(AuthenticationError::Invalid);
        }
        let principal = principal(user, login.id);
        self.cache.remember(&login, &principal, now, mark);
        Ok(principal)
    }
}

#[async_trait]
impl Authentication for Authenticator {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError> {
        let now = self.clock.now();
        let claims = self.verifier.verify(token, now).map_err(|error| match error {
            TokenError::Expired => AuthenticationError::Expired,
            TokenError::Invalid => AuthenticationError::Invalid,
            error @ TokenError::Signing => AuthenticationError::Failure(error.into()),
        })?;
        match self.cache.get(claims.login_id, now) {
            Some(principal) if principal.owner_id == claims.owner_id => Ok(principal),
            _ => self.load(&claims, now).await,
        }
    }
}

fn principal(user: User, login_id: LoginId) -> Principal {
    Principal {
        owner_id: user.id,
        name: user.username,
        email: user.email,
        roles: user.roles,
        kind: PrincipalKind::Login(login_id),
    }
}

#[cfg(test)]
mod tests {
    use larder_domain::OwnerId;
    use larder_domain::identity::{RevokeReason, Role};
    use larder_ports::inbound::Failure;
    use larder_ports::outbound::{Outage, StorageError};
    use larder_ports::testing::{Ending, FixedClock, IdentityMocks, MockTokenVerifier, ScriptedStore};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{identity_unit, login, owner, user};

    const TTL: Duration = Duration::from_secs(30);

    struct Gate {
        authenticator: Authenticator,
        store: Arc<ScriptedStore<IdentityMocks>>,
        clock: Arc<FixedClock>,
        cache: Arc<PrincipalCache>,
    }

    fn over(store: ScriptedStore<IdentityMocks>, ttl: Duration) -> Gate {
        let mut verifier = MockTokenVerifier::new();
        verifier.expect_verify().returning(|token, _| match token {
            "good" => Ok(claims(owner(1))),
            "of another owner" => Ok(claims(owner(2))),
            "old" => Err(TokenError::Expired),
            _ => Err(TokenError::Invalid),
        });
        let (store, clock) = (Arc::new(store), Arc::new(FixedClock::new()));
        let cache = Arc::new(PrincipalCache::new(ttl));
        let authenticator = Authenticator::new(store.clone(), clock.clone(), Arc::new(verifier), cache.clone());
        Gate {
            authenticator,
            store,
            clock,
            cache,
        }
    }

    /// Claims that say more than the account has.
    fn claims(owner_id: OwnerId) -> AccessClaims {
        let now = FixedClock::new().now();
        let boasting = User {
            roles: vec![Role::Admin],
            ..user(owner_id)
        };
        AccessClaims::of(&boasting, login(owner_id).id, Uuid::nil(), now, now.plus(TTL))
    }

    fn finds(found: Option<(Login, User)>) -> IdentityMocks {
        identity_unit(|mocks| {
            mocks.logins.expect_find_with_user().return_once(move |_, _| Ok(found));
        })
    }

    fn live() -> Option<(Login, User)> {
        Some((login(owner(1)), user(owner(1))))
    }

    #[tokio::test]
    async fn id_22_a_refused_token_costs_no_unit() {
        let gate = over(ScriptedStore::default(), TTL);
        let old = gate.authenticator.authenticate("old").await;
        assert!(matches!(old, Err(AuthenticationError::Expired)));
        let forged = gate.authenticator.authenticate("forged").await;
        assert!(matches!(forged, Err(AuthenticationError::Invalid)));
        assert!(gate.store.opened().is_empty());
    }

    #[tokio::test]
    async fn id_23_owner_roles_and_names_come_from_the_account() {
        let stored = User {
            username: "renamed".into(),
            email: None,
            roles: vec![Role::Worker],
            ..user(owner(1))
        };
        let gate = over(
            ScriptedStore::default().unit(finds(Some((login(owner(1)), stored)))),
            TTL,
        );
        let principal = gate.authenticator.authenticate("good").await.unwrap();
        let expected = Principal {
            owner_id: owner(1),
            name: "renamed".into(),
            email: None,
            roles: vec![Role::Worker],
            kind: PrincipalKind::Login(login(owner(1)).id),
        };
        assert_eq!(principal, expected);
        assert_eq!(gate.store.opened(), [Access::Read]);
    }

    #[tokio::test]
    async fn id_23_only_a_live_login_of_an_enabled_account_counts() {
        let now = FixedClock::new().now();
        let (good, account) = (login(owner(1)), user(owner(1)));
        let refused = [
            None,
            Some((
                Login {
                    revoked: Some((now, RevokeReason::Logout)),
                    ..good.clone()
                },
                account.clone(),
            )),
            Some((
                Login {
                    expires_at: now,
                    ..good.clone()
                },
                account.clone(),
            )),
            Some((
                good.clone(),
                User {
                    disabled_at: Some(now),
                    ..account.clone()
                },
            )),
            Some((
                Login {
                    owner_id: owner(2),
                    ..good
                },
                account,
            )),
        ];
        let count = refused.len();
        let store = refused
            .into_iter()
            .fold(ScriptedStore::default(), |store, found| store.unit(finds(found)));
        // A unit for every request: nothing negative is remembered.
        let gate = over(store, TTL);
        for _ in 0..count {
            let refused = gate.authenticator.authenticate("good").await;
            assert!(matches!(refused, Err(AuthenticationError::Invalid)));
        }
        assert_eq!(gate.store.opened().len(), count);
    }

    #[tokio::test]
    async fn a_store_that_fails_is_not_the_callers_fault() {
        let away = StorageError::Unavailable(Outage::Unreachable, None);
        let gate = over(ScriptedStore::default().failing(away), TTL);
        let failed = gate.authenticator.authenticate("good").await;
        assert!(matches!(
            failed,
            Err(AuthenticationError::Failure(Failure::Unavailable(..)))
        ));
    }

    #[tokio::test]
    async fn id_23_a_caller_is_remembered_for_the_configured_time() {
        let gate = over(ScriptedStore::default().unit(finds(live())).unit(finds(None)), TTL);
        gate.authenticator.authenticate("good").await.unwrap();
        gate.clock.advance(TTL - Duration::from_micros(1));
        gate.authenticator.authenticate("good").await.unwrap();
        assert_eq!(gate.store.opened().len(), 1);
        gate.clock.advance(Duration::from_micros(1));
        assert!(gate.authenticator.authenticate("good").await.is_err());
        assert_eq!(gate.store.opened().len(), 2);
    }

    #[tokio::test]
    async fn id_23_zero_is_no_cache() {
        let gate = over(
            ScriptedStore::default().unit(finds(live())).unit(finds(live())),
            Duration::ZERO,
        );
        for _ in 0..2 {
            gate.authenticator.authenticate("good").await.unwrap();
        }
        assert_eq!(gate.store.endings(), [Ending::RolledBack; 2]);
    }

    #[tokio::test]
    async fn a_caller_is_not_remembered_beyond_the_end_of_the_login() {
        let end = FixedClock::new().now().plus(Duration::from_secs(5));
        let short = Login {
            expires_at: end,
            ..login(owner(1))
        };
        let found = || finds(Some((short.clone(), user(owner(1)))));
        let gate = over(ScriptedStore::default().unit(found()).unit(found()), TTL);
        gate.authenticator.authenticate("good").await.unwrap();
        gate.clock.advance(Duration::from_secs(5));
        assert!(gate.authenticator.authenticate("good").await.is_err());
    }

    #[tokio::test]
    async fn a_remembered_login_lets_its_own_owner_in_only() {
        let gate = over(ScriptedStore::default().unit(finds(live())).unit(finds(None)), TTL);
        gate.authenticator.authenticate("good").await.unwrap();
        let other = gate.authenticator.authenticate("of another owner").await;
        assert!(matches!(other, Err(AuthenticationError::Invalid)));
        assert_eq!(gate.store.opened().len(), 2);
    }

    #[tokio::test]
    async fn id_23_what_is_forgotten_is_read_again() {
        let gate = over(ScriptedStore::default().unit(finds(live())).unit(finds(None)), TTL);
        gate.authenticator.authenticate("good").await.unwrap();
        gate.cache.forget(&[login(owner(1)).id]);
        assert!(gate.authenticator.authenticate("good").await.is_err());
    }

    #[tokio::test]
    async fn id_23_what_is_forgotten_while_it_is_read_is_not_remembered() {
        let cache = Arc::new(PrincipalCache::new(TTL));
        let forgets = Arc::clone(&cache);
        let ends_meanwhile = identity_unit(|mocks| {
            mocks.logins.expect_find_with_user().return_once(move |_, id| {
                forgets.forget(&[id]);
                Ok(live())
            });
        });
        let gate = over(ScriptedStore::default().unit(ends_meanwhile).unit(finds(None)), TTL);
        let authenticator = Authenticator {
            cache,
            ..gate.authenticator
        };
        authenticator.authenticate("good").await.unwrap();
        assert!(authenticator.authenticate("good").await.is_err());
    }
}
