use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{ApiToken, KeyedSecret, Principal, PrincipalKind, User};
use larder_domain::{ApiTokenId, Instant, LoginId, OwnerId};
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::{Authentication, AuthenticationError};
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{
    Access, AccessClaims, Clock, Event, Observer, SecretSource, Store, TokenError, TokenRefusal, TokenVerifier,
};
use quick_cache::sync::Cache;

use super::AccountExternalIdentities;
use crate::retry::{RetryPolicy, Unfinished, retrying, undo};

/// Most callers that are remembered; the one asked for least gives way.
const MOST_CALLERS: usize = 10_000;

/// The callers of late, so that not every request reads the live state of its login (`ID-23`).
///
/// Only callers that were let in are remembered. Whatever ends a login or a token, or changes an account, holds a
/// [`forgetting`](Self::forgetting) of the callers concerned over its commit.
pub struct PrincipalCache {
    ttl: Duration,
    callers: Cache<CallerKey, Caller>,
    /// How often something was forgotten, so that what was read before is not remembered after.
    forgotten: AtomicU64,
}

/// What a caller is let in by, as the cache knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum CallerKey {
    /// An access token of this login.
    Login(LoginId),
    /// An API token. Its id may be of the owner's making, so it is nobody else's only together with the owner.
    ApiToken(OwnerId, ApiTokenId),
    /// A subject of an external issuer: the SHA-256 of both.
    External([u8; 32]),
}

impl From<LoginId> for CallerKey {
    fn from(id: LoginId) -> Self {
        Self::Login(id)
    }
}

#[derive(Clone)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    /// The SHA-256 of the secret that the caller must have, where a secret proves who it is.
    secret_hash: Option<[u8; 32]>,
    /// When an earlier account of an external subject was erased; tokens issued before don't count (`ID-56`).
    pub(super) erased_at: Option<Instant>,
    loaded_at: Instant,
    /// The end of the time that the entry may be used, at most that of the login or token.
    ends_at: Instant,
}

/// What was forgotten when a reading began.
#[derive(Clone, Copy)]
pub(super) struct Mark(u64);

/// See [`PrincipalCache::forgetting`].
pub(crate) struct Forgetting<'a> {
    cache: &'a PrincipalCache,
    callers: Forgotten,
}

/// Which callers are forgotten.
enum Forgotten {
    These(Vec<CallerKey>),
    AllOf(OwnerId),
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        match &self.callers {
            Forgotten::These(callers) => self.cache.forget(callers),
            Forgotten::AllOf(owner_id) => self.cache.forget_all_of(*owner_id),
        }
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

    /// Forgets these callers when the answer goes out of scope. Taken before a commit that ends them, it does so after the commit,
    /// whatever that answered, and also when the request is cancelled in the middle of it.
    pub(crate) fn forgetting<K: Into<CallerKey>>(&self, callers: Vec<K>) -> Forgetting<'_> {
        let callers = callers.into_iter().map(Into::into).collect();
        Forgetting {
            cache: self,
            callers: Forgotten::These(callers),
        }
    }

    /// The same for every caller who acts for this account.
    pub(crate) fn forgetting_all_of(&self, owner_id: OwnerId) -> Forgetting<'_> {
        Forgetting {
            cache: self,
            callers: Forgotten::AllOf(owner_id),
        }
    }

    fn forget(&self, callers: &[CallerKey]) {
        if callers.is_empty() {
            return;
        }
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for caller in callers {
            self.callers.remove(caller);
        }
    }

    fn forget_all_of(&self, owner_id: OwnerId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.callers.retain(|_, caller| caller.principal.owner_id != owner_id);
    }

    pub(super) fn get(&self, key: CallerKey, now: Instant) -> Option<Caller> {
        let caller = self.callers.get(&key)?;
        (caller.loaded_at..caller.ends_at).contains(&now).then_some(caller)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.forgotten.load(Ordering::SeqCst))
    }

    /// A caller as it was read at `loaded_at`, who counts until `ends_at` at most.
    pub(super) fn caller(&self, principal: Principal, loaded_at: Instant, ends_at: Instant) -> Caller {
        Caller {
            principal,
            secret_hash: None,
            erased_at: None,
            loaded_at,
            ends_at: loaded_at.plus(self.ttl).min(ends_at),
        }
    }

    /// Remembers what was read since `mark`, unless something was forgotten meanwhile: the reading may be older than that.
    pub(super) fn remember(&self, key: CallerKey, caller: Caller, mark: Mark) {
        if self.ttl.is_zero() {
            return;
        }
        self.callers.insert(key, caller);
        if self.mark().0 != mark.0 {
            self.callers.remove(&key);
        }
    }
}

/// What [`Authenticator`] needs from the outside.
#[derive(Clone)]
pub struct AuthenticatorPorts {
    /// The store of accounts.
    pub store: Arc<dyn Store<dyn IdentityUnit>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Access tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Comparison of the secrets of API tokens.
    pub secrets: Arc<dyn SecretSource>,
    /// Who counts the tokens that are refused.
    pub observer: Arc<dyn Observer>,
}

/// Tells who is behind a bearer token.
pub struct Authenticator {
    ports: AuthenticatorPorts,
    external: Option<Arc<AccountExternalIdentities>>,
    cache: Arc<PrincipalCache>,
    retry: RetryPolicy,
}

impl Authenticator {
    /// Over these ports; `cache` is the one that [`Accounts`](super::Accounts) was given.
    pub fn new(ports: AuthenticatorPorts, cache: Arc<PrincipalCache>) -> Self {
        Self {
            ports,
            external: None,
            cache,
            retry: RetryPolicy::default(),
        }
    }

    /// Lets in the subjects of external issuers as well (`ID-50`).
    #[must_use]
    pub fn with_external(self, external: Arc<AccountExternalIdentities>) -> Self {
        Self {
            external: Some(external),
            ..self
        }
    }

    async fn load(&self, claims: &AccessClaims, now: Instant) -> Result<Principal, AuthenticationError> {
        let mark = self.cache.mark();
        let (login, user) = retrying(&self.retry, "authenticate", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.logins().find_with_user(claims.owner_id, claims.login_id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(AuthenticationError::Invalid))
        })
        .await?;
        let is_owner = login.owner_id == claims.owner_id && user.id == claims.owner_id;
        if !is_owner || now >= login.expires_at || user.disabled_at.is_some() {
            return Err(AuthenticationError::Invalid);
        }
        if login.revoked.is_some() {
            return Err(AuthenticationError::LoginEnded);
        }
        let principal = principal(user, login.id);
        let caller = self.cache.caller(principal.clone(), now, login.expires_at);
        self.cache.remember(login.id.into(), caller, mark);
        Ok(principal)
    }

    /// The caller behind the text of an API token (`ID-60` to `ID-63`). The secret is compared on every request, remembered or not.
    async fn by_api_token(&self, token: &str, now: Instant) -> Result<Principal, AuthenticationError> {
        let text = KeyedSecret::parse(KeyedSecret::API_TOKEN, token).ok_or(AuthenticationError::Invalid)?;
        let key = CallerKey::ApiToken(text.owner_id, ApiTokenId(text.id));
        let caller = match self.cache.get(key, now) {
            Some(caller) => caller,
            None => self.load_api_token(&text, now).await?,
        };
        let digest = self.ports.secrets.digest(&text.secret);
        let is_proven = caller
            .secret_hash
            .is_some_and(|stored| self.ports.secrets.same(&digest, &stored));
        if is_proven {
            Ok(caller.principal)
        } else {
            Err(AuthenticationError::Invalid)
        }
    }

    async fn load_api_token(&self, text: &KeyedSecret, now: Instant) -> Result<Caller, AuthenticationError> {
        let mark = self.cache.mark();
        let (token, user) = retrying(&self.retry, "authenticate", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit
                .api_tokens()
                .find_with_user(text.owner_id, ApiTokenId(text.id))
                .await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(AuthenticationError::Invalid))
        })
        .await?;
        if !token.is_active(now) || user.disabled_at.is_some() {
            return Err(AuthenticationError::Invalid);
        }
        let digest = self.ports.secrets.digest(&text.secret);
        if token.is_use_noted(now) && self.ports.secrets.same(&digest, &token.secret_hash) {
            self.note_use(&token, now).await;
        }
        let ends_at = token.expires_at.unwrap_or(Instant::MAX);
        let principal = Principal {
            owner_id: user.id,
            name: user.username,
            email: user.email,
            roles: token.lends(&user.roles),
            kind: PrincipalKind::ApiToken(token.id, token.scopes),
        };
        let caller = Caller {
            secret_hash: Some(token.secret_hash),
            ..self.cache.caller(principal, now, ends_at)
        };
        self.cache
            .remember(CallerKey::ApiToken(token.owner_id, token.id), caller.clone(), mark);
        Ok(caller)
    }

    /// Notes a use. A request is not refused because that failed: the next one notes it.
    async fn note_use(&self, token: &ApiToken, now: Instant) {
        let noted: Result<(), Failure> = retrying(&self.retry, "note use of an API token", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let before = now.minus(ApiToken::USE_IS_NOTED_EVERY);
            unit.api_tokens()
                .note_use(token.owner_id, token.id, now, before)
                .await?;
            Ok(unit.commit().await?)
        })
        .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the use of an API token was not noted");
        }
    }
}

#[async_trait]
impl Authentication for Authenticator {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError> {
        let outcome = self.judge(token).await;
        if let Some(reason) = outcome.as_ref().err().and_then(refusal) {
            self.ports.observer.observe(Event::TokenRefused(reason));
        }
        outcome
    }
}

/// As what a refusal is counted; a failure inside is none.
fn refusal(error: &AuthenticationError) -> Option<TokenRefusal> {
    Some(match error {
        AuthenticationError::Expired => TokenRefusal::Expired,
        AuthenticationError::Invalid => TokenRefusal::Invalid,
        AuthenticationError::LoginEnded => TokenRefusal::LoginEnded,
        AuthenticationError::AccountUnknown => TokenRefusal::AccountUnknown,
        AuthenticationError::IdentityLinkRequired => TokenRefusal::LinkRequired,
        AuthenticationError::IssuerUnavailable => TokenRefusal::IssuerUnavailable,
        AuthenticationError::Failure(_) => return None,
    })
}

impl Authenticator {
    /// Tells who is behind a token, uncounted.
    async fn judge(&self, token: &str) -> Result<Principal, AuthenticationError> {
        let now = self.ports.clock.now();
        if token.starts_with(KeyedSecret::API_TOKEN) {
            return self.by_api_token(token, now).await;
        }
        let claims = match self.ports.verifier.verify(token, now) {
            Ok(claims) => claims,
            Err(TokenError::Expired) => return Err(AuthenticationError::Expired),
            // Not one of ours. No external issuer has our name, so none is asked about a token of ours.
            Err(TokenError::Invalid) => {
                return match &self.external {
                    Some(external) => external.authenticate(token, now).await,
                    None => Err(AuthenticationError::Invalid),
                };
            }
            Err(error @ TokenError::Signing) => return Err(AuthenticationError::Failure(error.into())),
        };
        match self.cache.get(claims.login_id.into(), now) {
            Some(caller) if caller.principal.owner_id == claims.owner_id => Ok(caller.principal),
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
    use larder_domain::identity::{Login, RevokeReason, Role, Scope};
    use larder_ports::outbound::{Outage, StorageError};
    use larder_ports::testing::{Ending, FixedClock, IdentityMocks, MockTokenVerifier, Observed, ScriptedStore};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSecrets, identity_unit, login, owner, user};

    const TTL: Duration = Duration::from_secs(30);

    struct Gate {
        authenticator: Authenticator,
        store: Arc<ScriptedStore<IdentityMocks>>,
        clock: Arc<FixedClock>,
        cache: Arc<PrincipalCache>,
        observer: Arc<Observed>,
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
        let observer = Arc::new(Observed::default());
        let ports = AuthenticatorPorts {
            store: store.clone(),
            clock: clock.clone(),
            verifier: Arc::new(verifier),
            secrets: Arc::new(PlainSecrets),
            observer: observer.clone(),
        };
        let authenticator = Authenticator::new(ports, cache.clone());
        Gate {
            authenticator,
            store,
            clock,
            cache,
            observer,
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
    async fn id_71_refused_tokens_are_counted_by_reason() {
        let ended = Login {
            revoked: Some((FixedClock::new().now(), RevokeReason::Logout)),
            ..login(owner(1))
        };
        let store = ScriptedStore::default()
            .unit(finds(Some((ended, user(owner(1))))))
            .unit(finds(live()));
        let gate = over(store, Duration::ZERO);
        for token in ["old", "forged", "good"] {
            assert!(gate.authenticator.authenticate(token).await.is_err(), "{token}");
        }
        assert!(gate.authenticator.authenticate("good").await.is_ok());
        let reasons = [TokenRefusal::Expired, TokenRefusal::Invalid, TokenRefusal::LoginEnded];
        assert_eq!(gate.observer.events(), reasons.map(Event::TokenRefused));
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
            let is_refused = matches!(
                refused,
                Err(AuthenticationError::Invalid | AuthenticationError::LoginEnded)
            );
            assert!(is_refused, "{refused:?}");
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
        gate.cache.forget(&[login(owner(1)).id.into()]);
        assert!(gate.authenticator.authenticate("good").await.is_err());
    }

    #[tokio::test]
    async fn id_23_what_is_forgotten_while_it_is_read_is_not_remembered() {
        let cache = Arc::new(PrincipalCache::new(TTL));
        let forgets = Arc::clone(&cache);
        let ends_meanwhile = identity_unit(|mocks| {
            mocks.logins.expect_find_with_user().return_once(move |_, id| {
                forgets.forget(&[id.into()]);
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

    fn api_token(scopes: &[Scope]) -> ApiToken {
        ApiToken {
            owner_id: owner(1),
            id: ApiTokenId(Uuid::from_u128(7)),
            name: "import".into(),
            secret_hash: PlainSecrets.digest(&[5; 32]),
            scopes: scopes.iter().copied().collect(),
            created_at: FixedClock::new().now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }
    }

    fn text_of(secret: [u8; 32]) -> String {
        let (owner_id, id) = (owner(1), Uuid::from_u128(7));
        KeyedSecret { owner_id, id, secret }.text(KeyedSecret::API_TOKEN)
    }

    fn finds_token(token: ApiToken) -> IdentityMocks {
        identity_unit(|mocks| {
            let found = Some((token, user(owner(1))));
            mocks
                .api_tokens
                .expect_find_with_user()
                .return_once(move |_, _| Ok(found));
        })
    }

    fn notes_use() -> IdentityMocks {
        identity_unit(|mocks| {
            mocks
                .api_tokens
                .expect_note_use()
                .once()
                .withf(|_, _, now, before| *before == now.minus(Duration::from_secs(60)))
                .returning(|_, _, _, _| Ok(()));
        })
    }

    #[tokio::test]
    async fn id_60_the_secret_is_compared_with_what_is_remembered_too() {
        let token = api_token(&[Scope::ChatRead]);
        let store = ScriptedStore::default().unit(finds_token(token)).unit(notes_use());
        let gate = over(store, TTL);
        for _ in 0..2 {
            let principal = gate.authenticator.authenticate(&text_of([5; 32])).await.unwrap();
            assert!(matches!(principal.kind, PrincipalKind::ApiToken(_, scopes) if scopes.has(Scope::ChatRead)));
            let guessed = gate.authenticator.authenticate(&text_of([6; 32])).await;
            assert!(matches!(guessed, Err(AuthenticationError::Invalid)));
        }
        assert_eq!(gate.store.opened(), [Access::Read, Access::Write]);
    }

    #[tokio::test]
    async fn id_60_a_guess_is_no_use() {
        let gate = over(
            ScriptedStore::default().unit(finds_token(api_token(&[]))),
            Duration::ZERO,
        );
        let guessed = gate.authenticator.authenticate(&text_of([6; 32])).await;
        assert!(matches!(guessed, Err(AuthenticationError::Invalid)));
        assert_eq!(gate.store.opened(), [Access::Read]);
    }

    #[tokio::test]
    async fn a_use_that_can_not_be_noted_is_no_reason_to_refuse() {
        let store = ScriptedStore::default()
            .unit(finds_token(api_token(&[])))
            .failing(StorageError::Unavailable(Outage::PoolExhausted, None));
        let gate = over(store, TTL);
        gate.authenticator.authenticate(&text_of([5; 32])).await.unwrap();
    }

    #[tokio::test]
    async fn id_23_every_caller_of_an_account_is_forgotten_with_it() {
        let store = ScriptedStore::default()
            .unit(finds(live()))
            .unit(finds_token(api_token(&[])))
            .unit(notes_use())
            .unit(finds(None));
        let gate = over(store, TTL);
        let program = text_of([5; 32]);
        gate.authenticator.authenticate("good").await.unwrap();
        gate.authenticator.authenticate(&program).await.unwrap();
        drop(gate.cache.forgetting_all_of(owner(2)));
        gate.authenticator.authenticate("good").await.unwrap();
        drop(gate.cache.forgetting_all_of(owner(1)));
        assert!(gate.authenticator.authenticate("good").await.is_err());
        assert!(gate.authenticator.authenticate(&program).await.is_err());
    }
}
