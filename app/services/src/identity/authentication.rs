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
/// Only callers that were let in are remembered. Whatever ends a login or changes an account must [`forget`](Self::forget) the
/// logins concerned after its commit.
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

impl PrincipalCache {
    /// Remembers a caller for `ttl`; zero is not at all.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            callers: Cache::new(MOST_CALLERS),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Drops what is known of these logins.
    pub fn forget(&self, logins: &[LoginId]) {
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
