use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{
    InvitationToken, Login, LoginMethod, PasswordPolicy, Principal, RefreshToken, RevokeReason, Role, User, UserDraft,
};
use larder_domain::{Code, Instant, Invalid, LoginId, OwnerId, Violations};
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::{
    AccountUseCases, ChangeAccount, ChangeAccountError, ChangePassword, ChangePasswordError, ClientInfo, LogIn,
    LogInError, SignUp, SignUpError, SignedIn, Tokens,
};
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{
    Access, Clock, Event, IdGenerator, KeyedDigest, LogInEnd, Observer, PasswordHasher, Rule, Seal, SecretSource,
    StorageError, Store, TokenIssuer,
};
use secrecy::{ExposeSecret, SecretString};

use super::PrincipalCache;
use super::password_check::{PasswordChecks, Proven, Unproven};
use super::token_pair::TokenPairs;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// How long a login that ended is kept (`ID-14`).
const KEPT_AFTER_END: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Who may make an account (`ID-02`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignUpMode {
    /// Everybody.
    Open,
    /// Whoever has an invitation; and the first one ever, without.
    #[default]
    Invite,
    /// Nobody: accounts are made by the command line.
    Closed,
}

/// How accounts are kept.
#[derive(Clone, Copy, Debug)]
pub struct AccountsConfig {
    /// Who may sign up.
    pub sign_up: SignUpMode,
    /// What a new password must be like.
    pub password_policy: PasswordPolicy,
    /// How long an access token counts.
    pub access_ttl: Duration,
    /// The same for a login through the compatibility surface (`CO-12`).
    pub compat_token_ttl: Duration,
    /// How long a refresh token counts unless it is used before.
    pub refresh_idle_ttl: Duration,
    /// How long a login lasts at most.
    pub refresh_max_ttl: Duration,
    /// How long after its use a refresh token counts once more, should the answer have been lost; zero is not at all.
    pub refresh_grace: Duration,
    /// Most live logins of one account, at least 1.
    pub max_logins: u32,
    /// How old the state of a login may be on which a request is let in, for [`PrincipalCache::new`]; zero is always fresh.
    pub principal_cache_ttl: Duration,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            sign_up: SignUpMode::default(),
            password_policy: PasswordPolicy { min_length: 10 },
            access_ttl: Duration::from_secs(15 * 60),
            compat_token_ttl: Duration::from_secs(24 * 60 * 60),
            refresh_idle_ttl: 30 * DAY,
            refresh_max_ttl: 90 * DAY,
            refresh_grace: Duration::from_secs(10),
            max_logins: 50,
            principal_cache_ttl: Duration::from_secs(30),
        }
    }
}

/// What [`Accounts`] and [`AccountLogins`](super::AccountLogins) need from the outside.
#[derive(Clone)]
pub struct AccountPorts {
    /// The store of accounts.
    pub store: Arc<dyn Store<dyn IdentityUnit>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn IdGenerator>,
    /// Password hashes.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Access tokens.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Refresh tokens, and the comparison of invitations.
    pub secrets: Arc<dyn SecretSource>,
    /// Under which name attempts to log in are counted.
    pub digests: Arc<dyn KeyedDigest>,
    /// Cursors.
    pub seal: Arc<dyn Seal>,
    /// Who counts logins.
    pub observer: Arc<dyn Observer>,
}

impl AccountPorts {
    pub(super) fn token_pairs(&self, config: &AccountsConfig) -> TokenPairs {
        TokenPairs {
            ids: Arc::clone(&self.ids),
            issuer: Arc::clone(&self.issuer),
            secrets: Arc::clone(&self.secrets),
            access_ttl: config.access_ttl,
            refresh_idle_ttl: config.refresh_idle_ttl,
        }
    }

    pub(super) fn password_checks(&self) -> PasswordChecks {
        PasswordChecks {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            hasher: Arc::clone(&self.hasher),
            digests: Arc::clone(&self.digests),
            retry: RetryPolicy::default(),
        }
    }
}

/// The use cases of accounts.
pub struct Accounts {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    config: AccountsConfig,
    passwords: PasswordChecks,
    pairs: TokenPairs,
    retry: RetryPolicy,
}

impl Accounts {
    /// Over these ports; `cache` is shared with the [`Authenticator`](super::Authenticator).
    pub fn new(ports: AccountPorts, cache: Arc<PrincipalCache>, config: AccountsConfig) -> Self {
        Self {
            passwords: ports.password_checks(),
            pairs: ports.token_pairs(&config),
            ports,
            cache,
            config,
            retry: RetryPolicy::default(),
        }
    }

    /// Checks names and password (`ID-01`, `ID-05`), hashes the password, and makes the account, still without roles.
    async fn newcomer(&self, request: &SignUp) -> Result<User, SignUpError> {
        let email = request.email.as_deref();
        let draft = UserDraft::new(request.username.clone(), request.email.clone());
        let password =
            self.config
                .password_policy
                .check(request.password.expose_secret(), &request.username, email, "/password");
        let draft = match (draft, password) {
            (Ok(draft), Ok(())) => draft,
            (draft, password) => {
                let mut violations = Violations::new();
                violations.keep(draft);
                violations.keep(password);
                return Err(Invalid::from(violations).into());
            }
        };
        let password_hash = self.ports.hasher.hash(&request.password).await.map_err(Failure::from)?;
        let now = self.ports.clock.now();
        Ok(User {
            id: OwnerId(self.ports.ids.next()),
            username: draft.username,
            email: draft.email,
            email_verified_at: None,
            password_hash: Some(password_hash),
            password_changed_at: Some(now),
            roles: Vec::new(),
            disabled_at: None,
            last_login_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// Stores a new account with its first login, if it has one, and answers it with its roles (`ID-02` to `ID-04`).
    ///
    /// The first account is an administrator. When any of it is refused, the claim to be the first and the use of the invitation
    /// are undone with the rest.
    async fn store(
        &self,
        user: &User,
        admission: &Admission,
        login: Option<(&Login, &RefreshToken)>,
    ) -> Result<User, SignUpError> {
        retrying(&self.retry, "make account", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let roles = if unit.users().claim_first(user.id).await? {
                vec![Role::Admin]
            } else {
                match admission {
                    Admission::Free => Vec::new(),
                    // Judged before the names, so that nobody uninvited learns which accounts exist.
                    Admission::Invited(token) => {
                        match self.use_invitation(unit.as_mut(), token.as_ref(), user).await? {
                            Some(roles) => Role::sorted(roles),
                            None => return refuse(unit, SignUpError::InvitationInvalid).await,
                        }
                    }
                }
            };
            let user = User { roles, ..user.clone() };
            match unit.users().insert(&user).await {
                Err(StorageError::Broken(Rule::UsernameTaken)) => {
                    return refuse(unit, SignUpError::UsernameTaken).await;
                }
                Err(StorageError::Broken(Rule::EmailTaken)) => return refuse(unit, SignUpError::EmailTaken).await,
                inserted => inserted?,
            }
            if let Some((login, token)) = login {
                unit.logins().insert(login).await?;
                unit.refresh_tokens().insert(token).await?;
            }
            unit.commit().await?;
            Ok(user)
        })
        .await
    }

    /// Uses an invitation up and answers the roles that it gives; `None` when it does not admit `user`.
    async fn use_invitation(
        &self,
        unit: &mut dyn IdentityUnit,
        token: Option<&InvitationToken>,
        user: &User,
    ) -> Result<Option<Vec<Role>>, StorageError> {
        let Some(token) = token else {
            return Ok(None);
        };
        let Some(invitation) = unit.invitations().find(token.id).await? else {
            return Ok(None);
        };
        let now = user.created_at;
        let digest = self.ports.secrets.digest(&token.secret);
        let admits = self.ports.secrets.same(&digest, &invitation.secret_hash)
            && invitation.admits(user.email.as_deref(), now)
            && unit.invitations().consume(invitation.id, user.id, now).await?;
        Ok(admits.then_some(invitation.roles))
    }

    /// A new hash for an account whose hash was made at another cost (`ID-06`). Without one the login goes on with the old hash.
    async fn renewed_hash(&self, user: &User, password: &SecretString) -> Option<String> {
        let hash = user.password_hash.as_deref()?;
        if !self.ports.hasher.is_outdated(hash) {
            return None;
        }
        match self.ports.hasher.hash(password).await {
            Ok(hash) => {
                tracing::info!("a password was hashed anew, at the cost that is configured now");
                Some(hash)
            }
            Err(error) => {
                tracing::warn!(%error, "an outdated password hash was not renewed");
                None
            }
        }
    }

    /// Logs in, uncounted.
    async fn open_login(
        &self,
        request: LogIn,
        client: ClientInfo,
        method: LoginMethod,
    ) -> Result<SignedIn, LogInError> {
        let Proven { user, counter } = self.passwords.by_name(&request.login, &request.password).await?;
        let new_hash = self.renewed_hash(&user, &request.password).await;
        let now = self.ports.clock.now();
        let login = self.new_login(user.id, method, client, now);
        let drawn = self.pairs.draw();
        let token = self.pairs.row(&drawn, &login, now);
        let (user, is_rehashed) = retrying(&self.retry, "log in", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            // Written before it is read: the row stays locked, so nobody disables the account or changes its password until the
            // login is there to be revoked, and parallel logins don't exceed their number.
            unit.users().note_login(user.id, now).await?;
            let found = unit.users().find(user.id).await?;
            let Some(found) = found.filter(|found| found.disabled_at.is_none() && has_same_password(&user, found))
            else {
                return refuse(unit, LogInError::InvalidCredentials).await;
            };
            let mut found = User {
                last_login_at: Some(now),
                ..found
            };
            let is_rehashed = new_hash.is_some() && found.password_hash == user.password_hash;
            if is_rehashed {
                let read = found.version;
                found = User {
                    password_hash: new_hash.clone(),
                    updated_at: now,
                    version: read + 1,
                    ..found
                };
                if !unit.users().update(&found, read).await? {
                    return Err(StorageError::Contended.into());
                }
            }
            unit.logins().sweep(user.id, now.minus(KEPT_AFTER_END)).await?;
            let others = self.config.max_logins.saturating_sub(1);
            let evicted = unit.logins().evict(user.id, others, now).await?;
            unit.logins().insert(&login).await?;
            unit.refresh_tokens().insert(&token).await?;
            unit.login_throttles().reset(&counter).await?;
            let _forgetting = self.cache.forgetting(evicted);
            unit.commit().await?;
            Ok((found, is_rehashed))
        })
        .await?;
        if is_rehashed {
            self.ports.observer.observe(Event::PasswordRehashed);
        }
        let tokens = self.pairs_of(method).pair(&user, &drawn, &token)?;
        Ok(SignedIn { user, tokens })
    }

    fn new_login(&self, owner_id: OwnerId, method: LoginMethod, client: ClientInfo, now: Instant) -> Login {
        Login {
            owner_id,
            id: LoginId(self.ports.ids.next()),
            method,
            user_agent: cut(client.user_agent, 400),
            ip_address: cut(client.ip_address, 45),
            created_at: now,
            last_used_at: now,
            expires_at: now.plus(self.config.refresh_max_ttl),
            revoked: None,
        }
    }

    /// Proves who somebody is, opens a login of this kind, and counts the attempt (`ID-10` to `ID-14`).
    async fn sign_in(&self, request: LogIn, client: ClientInfo, method: LoginMethod) -> Result<SignedIn, LogInError> {
        let outcome = self.open_login(request, client, method).await;
        let end = match &outcome {
            Ok(_) => Some(LogInEnd::Ok),
            Err(LogInError::InvalidCredentials) => Some(LogInEnd::Failed),
            Err(LogInError::Throttled(_)) => Some(LogInEnd::Throttled),
            Err(LogInError::Failure(_)) => None,
        };
        if let Some(end) = end {
            self.ports.observer.observe(Event::LogIn(end));
        }
        outcome
    }

    /// What makes the pairs of a login of this kind: the access tokens of an old client count longer (`CO-12`).
    fn pairs_of(&self, method: LoginMethod) -> TokenPairs {
        match method {
            LoginMethod::Compat => TokenPairs {
                access_ttl: self.config.compat_token_ttl,
                ..self.pairs.clone()
            },
            LoginMethod::Password | LoginMethod::SignUp => self.pairs.clone(),
        }
    }
}

/// What lets a new account in.
enum Admission {
    /// Nothing is needed.
    Free,
    /// An invitation is; `None` when what was sent can't be one.
    Invited(Option<InvitationToken>),
}

#[async_trait]
impl AccountUseCases for Accounts {
    async fn sign_up(&self, request: SignUp, client: ClientInfo) -> Result<SignedIn, SignUpError> {
        let admission = match self.config.sign_up {
            SignUpMode::Closed => return Err(SignUpError::Closed),
            SignUpMode::Open => Admission::Free,
            SignUpMode::Invite => {
                let sent = request.invitation.as_ref();
                Admission::Invited(sent.and_then(|text| InvitationToken::parse(text.expose_secret())))
            }
        };
        let user = self.newcomer(&request).await?;
        // A new account has no other logins, so there is nothing to sweep or to evict.
        let login = self.new_login(user.id, LoginMethod::SignUp, client, user.created_at);
        let user = User {
            last_login_at: Some(login.created_at),
            ..user
        };
        let drawn = self.pairs.draw();
        let token = self.pairs.row(&drawn, &login, login.created_at);
        let user = self.store(&user, &admission, Some((&login, &token))).await?;
        let tokens = self.pairs.pair(&user, &drawn, &token)?;
        Ok(SignedIn { user, tokens })
    }

    async fn create(&self, request: SignUp) -> Result<User, SignUpError> {
        let user = self.newcomer(&request).await?;
        self.store(&user, &Admission::Free, None).await
    }

    async fn log_in(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError> {
        self.sign_in(request, client, LoginMethod::Password).await
    }

    async fn log_in_compat(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError> {
        self.sign_in(request, client, LoginMethod::Compat).await
    }

    async fn account(&self, caller: &Principal) -> Result<User, Failure> {
        retrying(&self.retry, "get account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find(caller.owner_id).await?;
            undo(unit).await;
            found.ok_or_else(|| Unfinished::Refused(gone()))
        })
        .await
    }

    async fn change(&self, caller: &Principal, change: ChangeAccount) -> Result<User, ChangeAccountError> {
        let (id, now) = (caller.owner_id, self.ports.clock.now());
        // What is stored now tells whether the password is needed; whether it still was is judged again in the unit.
        let stored = self.account(caller).await?;
        if change.if_match.is_some_and(|version| version != stored.version) {
            return Err(ChangeAccountError::Stale);
        }
        let wanted = stored.patched(change.patch.clone(), now)?;
        let proven = match &change.current_password {
            _ if !needs_password(&stored, &wanted) => None,
            None => return Err(ChangeAccountError::CurrentPasswordWrong),
            Some(password) => Some(self.passwords.of_account(id, password).await?),
        };
        retrying(&self.retry, "change account", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let Some(found) = unit.users().find(id).await? else {
                return refuse(unit, gone().into()).await;
            };
            if change.if_match.is_some_and(|version| version != found.version) {
                return refuse(unit, ChangeAccountError::Stale).await;
            }
            let changed = match found.patched(change.patch.clone(), now) {
                Ok(changed) => changed,
                Err(invalid) => return refuse(unit, invalid.into()).await,
            };
            if changed == found {
                undo(unit).await;
                return Ok(found);
            }
            let is_proven = proven
                .as_ref()
                .is_some_and(|proven| has_same_password(&proven.user, &found));
            if needs_password(&found, &changed) && !is_proven {
                return refuse(unit, ChangeAccountError::CurrentPasswordWrong).await;
            }
            match unit.users().update(&changed, found.version).await {
                Err(StorageError::Broken(Rule::UsernameTaken)) => {
                    return refuse(unit, ChangeAccountError::UsernameTaken).await;
                }
                Err(StorageError::Broken(Rule::EmailTaken)) => {
                    return refuse(unit, ChangeAccountError::EmailTaken).await;
                }
                updated => {
                    if !updated? {
                        return Err(StorageError::Contended.into());
                    }
                }
            }
            if let Some(proven) = &proven {
                unit.login_throttles().reset(&proven.counter).await?;
            }
            let _forgetting = self.cache.forgetting_all_of(id);
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }

    async fn change_password(
        &self,
        caller: &Principal,
        change: ChangePassword,
        client: ClientInfo,
    ) -> Result<Tokens, ChangePasswordError> {
        const POINTER: &str = "/new_password";
        let id = caller.owner_id;
        let new = change.new.expose_secret();
        self.config
            .password_policy
            .check(new, &caller.name, caller.email.as_deref(), POINTER)
            .map_err(Invalid::from)?;
        let Proven { user, counter } = self.passwords.of_account(id, &change.current).await?;
        if new == change.current.expose_secret() {
            return Err(Invalid::one(POINTER, Code::PasswordUnchanged, "must not be the current password").into());
        }
        let hash = self.ports.hasher.hash(&change.new).await.map_err(Failure::from)?;
        let now = self.ports.clock.now();
        let login = self.new_login(id, LoginMethod::Password, client, now);
        let drawn = self.pairs.draw();
        let token = self.pairs.row(&drawn, &login, now);
        let user = retrying(&self.retry, "change password", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            // Written before it is read: whoever logs in with the old password waits for the row, and then finds the new one.
            unit.users().note_login(id, now).await?;
            let found = unit.users().find(id).await?;
            let found = found.filter(|found| found.disabled_at.is_none() && has_same_password(&user, found));
            let Some(found) = found else {
                return refuse(unit, ChangePasswordError::CurrentPasswordWrong).await;
            };
            let read = found.version;
            let changed = User {
                password_hash: Some(hash.clone()),
                password_changed_at: Some(now),
                last_login_at: Some(now),
                updated_at: now,
                version: read + 1,
                ..found
            };
            if !unit.users().update(&changed, read).await? {
                return Err(StorageError::Contended.into());
            }
            unit.logins().revoke_all(id, RevokeReason::PasswordChange, now).await?;
            if change.revoke_api_tokens {
                unit.api_tokens().revoke_all(id, now).await?;
            }
            unit.logins().sweep(id, now.minus(KEPT_AFTER_END)).await?;
            unit.logins().insert(&login).await?;
            unit.refresh_tokens().insert(&token).await?;
            unit.login_throttles().reset(&counter).await?;
            let _forgetting = self.cache.forgetting_all_of(id);
            unit.commit().await?;
            Ok(changed)
        })
        .await?;
        Ok(self.pairs.pair(&user, &drawn, &token)?)
    }
}

/// Whether a change needs the current password: another email could be used to take the account over (`ID-41`).
fn needs_password(stored: &User, changed: &User) -> bool {
    stored.password_hash.is_some() && stored.email != changed.email
}

/// Whether the password was not changed between two readings. A new hash of the same password leaves `password_changed_at` alone.
fn has_same_password(one: &User, other: &User) -> bool {
    one.password_changed_at == other.password_changed_at
}

fn gone() -> Failure {
    Failure::Internal("the caller's account is gone".into())
}

impl From<Unproven> for LogInError {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Wrong => Self::InvalidCredentials,
            Unproven::Throttled(throttled) => throttled.into(),
            Unproven::Failure(failure) => failure.into(),
        }
    }
}

impl From<Unproven> for ChangeAccountError {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Wrong => Self::CurrentPasswordWrong,
            Unproven::Throttled(throttled) => throttled.into(),
            Unproven::Failure(failure) => failure.into(),
        }
    }
}

impl From<Unproven> for ChangePasswordError {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Wrong => Self::CurrentPasswordWrong,
            Unproven::Throttled(throttled) => throttled.into(),
            Unproven::Failure(failure) => failure.into(),
        }
    }
}

/// What is kept of a text that is only shown to its owner: what a column can hold, nothing instead of an empty text.
fn cut(text: Option<String>, most: usize) -> Option<String> {
    let kept: String = text?.chars().filter(|c| *c != '\0').take(most).collect();
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use larder_domain::identity::LoginThrottle;
    use larder_domain::identity::{Invitation, InvitationSecret, PrincipalKind};
    use larder_domain::{Code, InvitationId};
    use larder_ports::inbound::identity::Authentication;
    use larder_ports::inbound::identity::Throttled;
    use larder_ports::outbound::{AccessClaims, HashingError, Outage};
    use larder_ports::testing::{
        Ending, FixedClock, IdentityMocks, MockTokenIssuer, MockTokenVerifier, Observed, ScriptedStore, SequentialIds,
    };
    use mockall::Sequence;
    use uuid::Uuid;

    use super::*;
    use crate::identity::{Authenticator, AuthenticatorPorts};
    use crate::testing::{PlainSeal, PlainSecrets, Seen, identity_unit, login, owner, user};

    const GOOD: &str = "a good password";

    /// The hash of a password is the password behind the word `new`, or `old` for one that is outdated.
    struct FakeHasher {
        store: Arc<ScriptedStore<IdentityMocks>>,
        hashed: AtomicU32,
        /// The hashes that passwords were compared with.
        verified: Seen<Option<String>>,
        overloaded: bool,
    }

    impl FakeHasher {
        /// `ID-06`: no hash is computed while a unit is open.
        fn assert_no_unit_is_open(&self) {
            assert_eq!(self.store.opened().len(), self.store.endings().len(), "a unit is open");
        }
    }

    #[async_trait]
    impl PasswordHasher for FakeHasher {
        async fn hash(&self, password: &SecretString) -> Result<String, HashingError> {
            self.assert_no_unit_is_open();
            self.hashed.fetch_add(1, Ordering::SeqCst);
            if self.overloaded {
                return Err(HashingError::Overloaded);
            }
            Ok(format!("new:{}", password.expose_secret()))
        }

        async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, HashingError> {
            self.assert_no_unit_is_open();
            self.verified.note(hash.clone());
            let expected = hash.as_deref().and_then(|hash| hash.split_once(':'));
            Ok(expected.is_some_and(|(_, expected)| expected == password.expose_secret()))
        }

        fn is_outdated(&self, hash: &str) -> bool {
            hash.starts_with("old:")
        }
    }

    struct Office {
        accounts: Accounts,
        store: Arc<ScriptedStore<IdentityMocks>>,
        hasher: Arc<FakeHasher>,
        cache: Arc<PrincipalCache>,
        issued: Seen<AccessClaims>,
        observer: Arc<Observed>,
    }

    fn over(store: ScriptedStore<IdentityMocks>, sign_up: SignUpMode) -> Office {
        office(store, sign_up, false)
    }

    fn office(store: ScriptedStore<IdentityMocks>, sign_up: SignUpMode, overloaded: bool) -> Office {
        let store = Arc::new(store);
        let hasher = Arc::new(FakeHasher {
            store: store.clone(),
            hashed: AtomicU32::new(0),
            verified: Seen::new(),
            overloaded,
        });
        let observer = Arc::new(Observed::default());
        let issued = Seen::new();
        let noted = issued.clone();
        let mut issuer = MockTokenIssuer::new();
        issuer.expect_issue().returning(move |claims| {
            noted.note(claims.clone());
            Ok("token".into())
        });
        let clock = Arc::new(FixedClock::new());
        // So that cutting to whole seconds shows.
        clock.advance(Duration::from_millis(1_500));
        let ports = AccountPorts {
            store: store.clone(),
            clock,
            ids: Arc::new(SequentialIds::default()),
            hasher: hasher.clone(),
            issuer: Arc::new(issuer),
            secrets: Arc::new(PlainSecrets),
            digests: Arc::new(PlainSeal),
            seal: Arc::new(PlainSeal),
            observer: observer.clone(),
        };
        let config = AccountsConfig {
            sign_up,
            ..AccountsConfig::default()
        };
        let cache = Arc::new(PrincipalCache::new(config.principal_cache_ttl));
        Office {
            accounts: Accounts::new(ports, cache.clone(), config),
            store,
            hasher,
            cache,
            issued,
            observer,
        }
    }

    fn now() -> Instant {
        FixedClock::new().now().plus(Duration::from_millis(1_500))
    }

    fn request() -> SignUp {
        SignUp {
            username: "Ann".into(),
            password: GOOD.into(),
            email: Some("ann@example.com".into()),
            invitation: None,
        }
    }

    fn invited(secret: InvitationSecret) -> SignUp {
        let token = InvitationToken {
            id: InvitationId(Uuid::from_u128(7)),
            secret,
        };
        SignUp {
            invitation: Some(token.text().into()),
            ..request()
        }
    }

    fn invitation() -> Invitation {
        Invitation {
            id: InvitationId(Uuid::from_u128(7)),
            secret_hash: PlainSecrets.digest(&[1; 32]),
            email_norm: None,
            roles: vec![Role::Worker],
            created_by: owner(9),
            created_at: FixedClock::new().now(),
            expires_at: now().plus(Duration::from_secs(1)),
            used: None,
            revoked_at: None,
        }
    }

    /// A unit that stores an account.
    fn stores(is_first: bool, expect: impl FnOnce(&mut IdentityMocks)) -> IdentityMocks {
        identity_unit(|mocks| {
            mocks.users.expect_claim_first().returning(move |_| Ok(is_first));
            mocks.users.expect_insert().times(1).returning(|_| Ok(()));
            mocks.logins.expect_insert().returning(|_| Ok(()));
            mocks.refresh_tokens.expect_insert().returning(|_| Ok(()));
            expect(mocks);
        })
    }

    #[tokio::test]
    async fn id_01_id_05_all_violations_are_told_at_once_and_cost_nothing() {
        let office = over(ScriptedStore::default(), SignUpMode::Open);
        let wrong = SignUp {
            username: "a b".into(),
            password: "short".into(),
            email: Some("nobody".into()),
            invitation: None,
        };
        let refused = office.accounts.sign_up(wrong, ClientInfo::default()).await;
        let Err(SignUpError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        let found: Vec<_> = invalid
            .violations()
            .iter()
            .map(|violation| (violation.pointer.as_str(), violation.code))
            .collect();
        assert_eq!(
            found,
            [
                ("/username", Code::BadFormat),
                ("/email", Code::BadFormat),
                ("/password", Code::PasswordTooShort)
            ]
        );
        assert!(office.store.opened().is_empty());
        assert_eq!(office.hasher.hashed.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn id_02_closed_refuses_also_the_first() {
        let office = over(ScriptedStore::default(), SignUpMode::Closed);
        let refused = office.accounts.sign_up(request(), ClientInfo::default()).await;
        assert!(matches!(refused, Err(SignUpError::Closed)));
        assert!(office.store.opened().is_empty());
    }

    #[tokio::test]
    async fn id_02_id_03_the_first_account_needs_no_invitation_and_is_admin() {
        let office = over(ScriptedStore::default().unit(stores(true, |_| ())), SignUpMode::Invite);
        let signed_in = office.accounts.sign_up(request(), ClientInfo::default()).await.unwrap();
        assert_eq!(signed_in.user.roles, [Role::Admin]);
        assert_eq!(office.issued.all()[0].roles, [Role::Admin]);
        assert_eq!(office.store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn id_03_a_later_account_has_no_role() {
        let office = over(ScriptedStore::default().unit(stores(false, |_| ())), SignUpMode::Open);
        let signed_in = office.accounts.sign_up(request(), ClientInfo::default()).await.unwrap();
        assert!(signed_in.user.roles.is_empty());
    }

    #[tokio::test]
    async fn id_02_the_command_line_makes_accounts_in_any_mode_and_signs_nobody_in() {
        for (mode, is_first) in [(SignUpMode::Closed, true), (SignUpMode::Invite, false)] {
            let unit = identity_unit(|mocks| {
                mocks.users.expect_claim_first().returning(move |_| Ok(is_first));
                mocks.users.expect_insert().times(1).returning(|_| Ok(()));
            });
            let office = over(ScriptedStore::default().unit(unit), mode);
            let user = office.accounts.create(request()).await.unwrap();
            assert_eq!(user.roles.contains(&Role::Admin), is_first);
            assert_eq!(user.last_login_at, None);
            assert!(office.issued.all().is_empty());
        }
    }

    #[tokio::test]
    async fn id_04_an_invitation_is_used_and_gives_its_roles() {
        let unit = stores(false, |mocks| {
            mocks.invitations.expect_find().returning(|_| Ok(Some(invitation())));
            mocks
                .invitations
                .expect_consume()
                .withf(|id, user_id, at| *id == invitation().id && user_id.0 == Uuid::from_u128(1) && *at == now())
                .times(1)
                .returning(|_, _, _| Ok(true));
        });
        let office = over(ScriptedStore::default().unit(unit), SignUpMode::Invite);
        let signed_in = office
            .accounts
            .sign_up(invited([1; 32]), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.user.roles, [Role::Worker]);
        assert_eq!(office.store.endings(), [Ending::Committed]);
    }

    #[tokio::test]
    async fn id_02_id_04_without_a_fitting_invitation_no_name_is_looked_up() {
        let for_another = Invitation {
            email_norm: Some("bob@example.com".into()),
            ..invitation()
        };
        let expired = Invitation {
            expires_at: now(),
            ..invitation()
        };
        let forged = SignUp {
            invitation: Some("lri_forged".into()),
            ..request()
        };
        for (request, found, consumed) in [
            (request(), None, false),
            (forged, None, false),
            (invited([1; 32]), None, false),
            (invited([2; 32]), Some(invitation()), true),
            (invited([1; 32]), Some(for_another), true),
            (invited([1; 32]), Some(expired), true),
            (invited([1; 32]), Some(invitation()), false),
        ] {
            // `users().insert` is not expected: a call would fail the test.
            let unit = identity_unit(|mocks| {
                mocks.users.expect_claim_first().returning(|_| Ok(false));
                mocks.invitations.expect_find().return_once(move |_| Ok(found));
                mocks
                    .invitations
                    .expect_consume()
                    .returning(move |_, _, _| Ok(consumed));
            });
            let office = over(ScriptedStore::default().unit(unit), SignUpMode::Invite);
            let refused = office.accounts.sign_up(request, ClientInfo::default()).await;
            assert!(matches!(refused, Err(SignUpError::InvitationInvalid)));
            assert_eq!(office.store.endings(), [Ending::RolledBack]);
        }
    }

    #[tokio::test]
    async fn id_03_a_taken_name_undoes_the_claim_to_be_first() {
        for rule in [Rule::UsernameTaken, Rule::EmailTaken] {
            let unit = identity_unit(|mocks| {
                mocks.users.expect_claim_first().returning(|_| Ok(true));
                mocks
                    .users
                    .expect_insert()
                    .returning(move |_| Err(StorageError::Broken(rule)));
            });
            let office = over(ScriptedStore::default().unit(unit), SignUpMode::Open);
            let refused = office.accounts.sign_up(request(), ClientInfo::default()).await;
            match rule {
                Rule::UsernameTaken => assert!(matches!(refused, Err(SignUpError::UsernameTaken))),
                _ => assert!(matches!(refused, Err(SignUpError::EmailTaken))),
            }
            assert_eq!(office.store.endings(), [Ending::RolledBack]);
        }
    }

    #[tokio::test]
    async fn a_retried_sign_up_writes_the_same_account_and_login() {
        let (users, logins, tokens) = (Seen::new(), Seen::new(), Seen::new());
        let unit = || {
            let (users, logins, tokens) = (users.clone(), logins.clone(), tokens.clone());
            identity_unit(|mocks| {
                mocks.users.expect_claim_first().returning(|_| Ok(true));
                mocks.users.expect_insert().times(1).returning(move |user| {
                    users.note(user.clone());
                    Ok(())
                });
                mocks.logins.expect_insert().times(1).returning(move |login| {
                    logins.note(login.clone());
                    Ok(())
                });
                mocks.refresh_tokens.expect_insert().times(1).returning(move |token| {
                    tokens.note(token.clone());
                    Ok(())
                });
            })
        };
        let store = ScriptedStore::default()
            .unit_committing(unit(), Err(StorageError::Contended))
            .unit(unit());
        let office = over(store, SignUpMode::Open);
        let client = ClientInfo {
            user_agent: Some("ä".repeat(500)),
            ip_address: Some(String::new()),
        };
        let signed_in = office.accounts.sign_up(request(), client).await.unwrap();
        let (users, logins) = (users.all(), logins.all());
        assert_eq!(users, [signed_in.user.clone(), signed_in.user.clone()]);
        assert_eq!(logins[0], logins[1]);
        let expected = Login {
            owner_id: signed_in.user.id,
            id: logins[0].id,
            method: LoginMethod::SignUp,
            user_agent: Some("ä".repeat(400)),
            ip_address: None,
            created_at: now(),
            last_used_at: now(),
            expires_at: now().plus(AccountsConfig::default().refresh_max_ttl),
            revoked: None,
        };
        assert_eq!(logins[0], expected);
        let tokens: Vec<RefreshToken> = tokens.all();
        assert_eq!(tokens[0], tokens[1]);
        assert_eq!(
            (tokens[0].owner_id, tokens[0].login_id),
            (signed_in.user.id, logins[0].id)
        );
        let idle = AccountsConfig::default().refresh_idle_ttl;
        assert_eq!((tokens[0].issued_at, tokens[0].expires_at), (now(), now().plus(idle)));
        assert_eq!(signed_in.tokens.refresh_expires_in, idle);
        assert_eq!(signed_in.user.last_login_at, Some(now()));
        assert_eq!(office.hasher.hashed.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nobody_is_signed_in_before_the_commit_succeeded() {
        let store = ScriptedStore::default().unit_committing(stores(true, |_| ()), Err(StorageError::Aborted));
        let office = over(store, SignUpMode::Open);
        let failed = office.accounts.sign_up(request(), ClientInfo::default()).await;
        assert!(matches!(failed, Err(SignUpError::Failure(Failure::Internal(_)))));
        assert!(office.issued.all().is_empty());
    }

    #[tokio::test]
    async fn id_06_when_no_worker_is_free_no_unit_is_opened() {
        let office = office(ScriptedStore::default(), SignUpMode::Open, true);
        let failed = office.accounts.sign_up(request(), ClientInfo::default()).await;
        assert!(matches!(
            failed,
            Err(SignUpError::Failure(Failure::Unavailable(Outage::PoolExhausted, _)))
        ));
        assert!(office.store.opened().is_empty());
    }

    fn credentials(password: &str) -> LogIn {
        LogIn {
            login: "ann".into(),
            password: password.into(),
        }
    }

    /// A unit that counts an attempt, the first one, and finds an account.
    fn looks_up(found: Option<User>) -> IdentityMocks {
        identity_unit(|mocks| {
            counts(mocks, LoginThrottle::none(now()));
            mocks
                .users
                .expect_find_by_login_name()
                .times(1)
                .return_once(move |_| Ok(found));
        })
    }

    /// Expects that an attempt is counted after those of `before`.
    fn counts(mocks: &mut IdentityMocks, before: LoginThrottle) {
        let counters = &mut mocks.login_throttles;
        counters.expect_lock().times(1).returning(move |_, _| Ok(before));
        counters
            .expect_update()
            .withf(move |_, counted| counted.failures == before.failures + 1)
            .times(1)
            .returning(|_, _| Ok(()));
        counters
            .expect_sweep()
            .withf(|before| *before == now().minus(LoginThrottle::FORGOTTEN_AFTER))
            .times(1)
            .returning(|_| Ok(()));
    }

    /// A unit that signs `found` in and evicts `evicted`.
    fn signs_in(found: User, evicted: Vec<LoginId>, expect: impl FnOnce(&mut IdentityMocks)) -> IdentityMocks {
        identity_unit(|mocks| {
            mocks.users.expect_note_login().times(1).returning(|_, _| Ok(()));
            mocks.users.expect_find().return_once(move |_| Ok(Some(found)));
            mocks.logins.expect_sweep().times(1).returning(|_, _| Ok(()));
            mocks
                .logins
                .expect_evict()
                .times(1)
                .return_once(move |_, _, _| Ok(evicted));
            mocks.logins.expect_insert().times(1).returning(|_| Ok(()));
            mocks.refresh_tokens.expect_insert().times(1).returning(|_| Ok(()));
            mocks.login_throttles.expect_reset().times(1).returning(|_| Ok(()));
            expect(mocks);
        })
    }

    #[tokio::test]
    async fn id_12_a_refused_attempt_costs_no_verification_and_counts_nothing() {
        let blocked = LoginThrottle {
            failures: 7,
            last_failed_at: now(),
            blocked_until: Some(now().plus(Duration::from_secs(4))),
        };
        let unit = identity_unit(|mocks| {
            mocks.login_throttles.expect_lock().returning(move |_, _| Ok(blocked));
        });
        let office = over(ScriptedStore::default().unit(unit), SignUpMode::Open);
        let refused = office.accounts.log_in(credentials(GOOD), ClientInfo::default()).await;
        let Err(LogInError::Throttled(Throttled(wait))) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(wait, Duration::from_secs(4));
        assert!(office.hasher.verified.all().is_empty());
        assert_eq!(office.store.endings(), [Ending::RolledBack]);
        assert_eq!(office.observer.events(), [Event::LogIn(LogInEnd::Throttled)]);
    }

    #[tokio::test]
    async fn id_12_every_spelling_of_a_name_has_one_counter() {
        let keys = Seen::new();
        for login in ["ann", " ANN ", "ann@example.com", "Ann@Example.com", "bob", "ann\0b"] {
            let noted = keys.clone();
            let unit = identity_unit(|mocks| {
                mocks.login_throttles.expect_lock().returning(move |key, _| {
                    noted.note(*key);
                    Err(StorageError::Internal("far enough".into()))
                });
            });
            let office = over(ScriptedStore::default().unit(unit), SignUpMode::Open);
            let request = LogIn {
                login: login.into(),
                password: GOOD.into(),
            };
            assert!(office.accounts.log_in(request, ClientInfo::default()).await.is_err());
        }
        let keys = keys.all();
        assert_eq!((keys[0], keys[2]), (keys[1], keys[3]));
        assert!(keys[0] != keys[2] && keys[0] != keys[4] && keys[0] != keys[5]);
    }

    #[tokio::test]
    async fn id_10_id_11_every_refusal_is_the_same_and_costs_one_verification() {
        let ann = || user(owner(1));
        let without_password = User {
            password_hash: None,
            ..ann()
        };
        let disabled = User {
            disabled_at: Some(now()),
            ..ann()
        };
        let long = "x".repeat(73);
        let of_long = User {
            password_hash: Some(format!("new:{long}")),
            ..ann()
        };
        let of_nul = User {
            password_hash: Some("new:nul\0here".into()),
            ..ann()
        };
        for (found, password, compared) in [
            (None, GOOD, None),
            (Some(ann()), "another password", ann().password_hash),
            (Some(without_password), GOOD, None),
            (Some(disabled), GOOD, None),
            (Some(of_long), long.as_str(), None),
            (Some(of_nul), "nul\0here", None),
        ] {
            let office = over(ScriptedStore::default().unit(looks_up(found)), SignUpMode::Open);
            let refused = office
                .accounts
                .log_in(credentials(password), ClientInfo::default())
                .await;
            assert!(matches!(refused, Err(LogInError::InvalidCredentials)));
            assert_eq!(office.hasher.verified.all(), [compared]);
            // Counted in a commit, before the hash was computed.
            assert_eq!(office.store.opened(), [Access::Write]);
            assert_eq!(office.store.endings(), [Ending::Committed]);
            assert_eq!(office.observer.events(), [Event::LogIn(LogInEnd::Failed)]);
        }
    }

    #[tokio::test]
    async fn id_11_a_name_that_no_store_can_hold_is_an_unknown_one() {
        let unit = identity_unit(|mocks| counts(mocks, LoginThrottle::none(now())));
        let office = over(ScriptedStore::default().unit(unit), SignUpMode::Open);
        let request = LogIn {
            login: "an\0n".into(),
            password: GOOD.into(),
        };
        let refused = office.accounts.log_in(request, ClientInfo::default()).await;
        assert!(matches!(refused, Err(LogInError::InvalidCredentials)));
        assert_eq!(office.hasher.verified.all(), [None]);
    }

    #[tokio::test]
    async fn id_14_a_login_locks_the_account_sweeps_evicts_and_is_stored_in_one_commit() {
        let ann = user(owner(1));
        let found = ann.clone();
        let unit = identity_unit(|mocks| {
            let mut order = Sequence::new();
            mocks
                .users
                .expect_note_login()
                .withf(|id, at| *id == owner(1) && *at == now())
                .times(1)
                .in_sequence(&mut order)
                .returning(|_, _| Ok(()));
            mocks
                .users
                .expect_find()
                .times(1)
                .in_sequence(&mut order)
                .return_once(move |_| Ok(Some(found)));
            mocks
                .logins
                .expect_sweep()
                .withf(|id, before| *id == owner(1) && *before == now().minus(Duration::from_secs(7 * 86_400)))
                .times(1)
                .in_sequence(&mut order)
                .returning(|_, _| Ok(()));
            mocks
                .logins
                .expect_evict()
                .withf(|id, keep, at| *id == owner(1) && *keep == 49 && *at == now())
                .times(1)
                .in_sequence(&mut order)
                .returning(|_, _, _| Ok(Vec::new()));
            mocks
                .logins
                .expect_insert()
                .withf(|login| login.owner_id == owner(1) && login.method == LoginMethod::Password)
                .times(1)
                .in_sequence(&mut order)
                .returning(|_| Ok(()));
            mocks
                .refresh_tokens
                .expect_insert()
                .withf(|token| token.owner_id == owner(1) && token.used.is_none())
                .times(1)
                .in_sequence(&mut order)
                .returning(|_| Ok(()));
            mocks
                .login_throttles
                .expect_reset()
                .times(1)
                .in_sequence(&mut order)
                .returning(|_| Ok(()));
        });
        let store = ScriptedStore::default().unit(looks_up(Some(ann))).unit(unit);
        let office = over(store, SignUpMode::Closed);
        let signed_in = office
            .accounts
            .log_in(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.user.last_login_at, Some(now()));
        assert_eq!(signed_in.tokens.expires_in, Duration::from_secs(900));
        assert_eq!(office.store.opened(), [Access::Write; 2]);
        assert_eq!(office.store.endings(), [Ending::Committed; 2]);
        assert_eq!(office.hasher.verified.all().len(), 1);
    }

    #[tokio::test]
    async fn id_20_a_token_counts_whole_seconds_from_its_login() {
        let store = ScriptedStore::default()
            .unit(looks_up(Some(user(owner(1)))))
            .unit(signs_in(user(owner(1)), Vec::new(), |_| ()));
        let office = over(store, SignUpMode::Open);
        office
            .accounts
            .log_in(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        let start = FixedClock::new().now().plus(Duration::from_secs(1));
        let ids = SequentialIds::default();
        let (login_id, _refresh_token_id, token_id) = (LoginId(ids.next()), ids.next(), ids.next());
        let expires_at = start.plus(Duration::from_secs(900));
        assert_eq!(
            office.issued.all(),
            [AccessClaims::of(&user(owner(1)), login_id, token_id, start, expires_at)]
        );
    }

    #[tokio::test]
    async fn co_12_a_login_of_an_old_client_is_known_as_one_and_its_token_counts_longer() {
        let unit = signs_in(user(owner(1)), Vec::new(), |_| ());
        let store = ScriptedStore::default().unit(looks_up(Some(user(owner(1))))).unit(unit);
        let office = over(store, SignUpMode::Closed);
        let signed_in = office
            .accounts
            .log_in_compat(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.tokens.expires_in, Duration::from_secs(86_400));
        let issued = office.issued.all();
        assert_eq!(
            issued[0].expires_at,
            issued[0].issued_at.plus(Duration::from_secs(86_400))
        );
    }

    #[tokio::test]
    async fn id_10_an_account_that_changed_meanwhile_is_refused() {
        let disabled = User {
            disabled_at: Some(now()),
            ..user(owner(1))
        };
        let new_password = User {
            password_hash: Some("new:another password".into()),
            password_changed_at: Some(now()),
            ..user(owner(1))
        };
        for found in [None, Some(disabled), Some(new_password)] {
            let unit = identity_unit(|mocks| {
                mocks.users.expect_note_login().returning(|_, _| Ok(()));
                mocks.users.expect_find().return_once(move |_| Ok(found));
            });
            let store = ScriptedStore::default().unit(looks_up(Some(user(owner(1))))).unit(unit);
            let office = over(store, SignUpMode::Open);
            let refused = office.accounts.log_in(credentials(GOOD), ClientInfo::default()).await;
            assert!(matches!(refused, Err(LogInError::InvalidCredentials)));
            assert_eq!(office.store.endings(), [Ending::Committed, Ending::RolledBack]);
        }
    }

    fn outdated() -> User {
        User {
            password_hash: Some(format!("old:{GOOD}")),
            ..user(owner(1))
        }
    }

    #[tokio::test]
    async fn id_06_an_outdated_hash_is_replaced_in_the_commit_of_the_login() {
        let unit = signs_in(outdated(), Vec::new(), |mocks| {
            mocks
                .users
                .expect_update()
                .withf(|user, expected| {
                    user.password_hash == Some(format!("new:{GOOD}"))
                        && user.password_changed_at == outdated().password_changed_at
                        && (user.version, *expected) == (2, 1)
                })
                .times(1)
                .returning(|_, _| Ok(true));
        });
        let store = ScriptedStore::default().unit(looks_up(Some(outdated()))).unit(unit);
        let office = over(store, SignUpMode::Open);
        let signed_in = office
            .accounts
            .log_in(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.user.version, 2);
        assert_eq!(
            office.observer.events(),
            [Event::PasswordRehashed, Event::LogIn(LogInEnd::Ok)]
        );
    }

    #[tokio::test]
    async fn id_06_a_hash_that_a_parallel_login_replaced_is_left_alone() {
        let store = ScriptedStore::default().unit(looks_up(Some(outdated()))).unit(signs_in(
            user(owner(1)),
            Vec::new(),
            |_| (),
        ));
        let office = over(store, SignUpMode::Open);
        let signed_in = office
            .accounts
            .log_in(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.user.version, 1);
        assert_eq!(office.observer.events(), [Event::LogIn(LogInEnd::Ok)]);
    }

    #[tokio::test]
    async fn id_06_a_good_login_goes_on_when_no_new_hash_can_be_made() {
        let store =
            ScriptedStore::default()
                .unit(looks_up(Some(outdated())))
                .unit(signs_in(outdated(), Vec::new(), |_| ()));
        let office = office(store, SignUpMode::Open, true);
        let signed_in = office
            .accounts
            .log_in(credentials(GOOD), ClientInfo::default())
            .await
            .unwrap();
        assert_eq!(signed_in.user.password_hash, outdated().password_hash);
    }

    /// Whether a caller that was remembered before a login which evicts `evicted`, and whose commit answers `commit`, still is.
    async fn is_remembered(evicted: Vec<LoginId>, commit: Result<(), StorageError>) -> bool {
        let evicts = signs_in(user(owner(1)), evicted, |_| ());
        let store = ScriptedStore::default()
            .unit(looks_up(Some(user(owner(1)))))
            .unit_committing(evicts, commit);
        let office = over(store, SignUpMode::Open);
        let remembered = identity_unit(|mocks| {
            mocks
                .logins
                .expect_find_with_user()
                .return_once(|_, _| Ok(Some((login(owner(1)), user(owner(1))))));
        });
        let mut verifier = MockTokenVerifier::new();
        verifier.expect_verify().returning(|_, now| {
            let login_id = login(owner(1)).id;
            Ok(AccessClaims::of(&user(owner(1)), login_id, Uuid::nil(), now, now))
        });
        // Has one unit: what is not remembered afterwards fails.
        let ports = AuthenticatorPorts {
            store: Arc::new(ScriptedStore::default().unit(remembered)),
            clock: Arc::new(FixedClock::new()),
            verifier: Arc::new(verifier),
            secrets: Arc::new(PlainSecrets),
            observer: office.observer.clone(),
        };
        let authenticator = Authenticator::new(ports, office.cache.clone());
        authenticator.authenticate("token").await.unwrap();
        let _ = office.accounts.log_in(credentials(GOOD), ClientInfo::default()).await;
        authenticator.authenticate("token").await.is_ok()
    }

    #[tokio::test]
    async fn id_14_an_evicted_login_is_forgotten_when_its_eviction_may_be_committed() {
        let evicted = || vec![login(owner(1)).id];
        let unknown = Err(StorageError::CommitUnknown("connection lost".into()));
        assert!(!is_remembered(evicted(), Ok(())).await);
        assert!(!is_remembered(evicted(), unknown).await);
        assert!(is_remembered(vec![LoginId(Uuid::from_u128(43))], Ok(())).await);
    }

    #[tokio::test]
    async fn the_callers_account_is_read_by_the_owner_id() {
        let find = |found: Option<User>| {
            identity_unit(|mocks| {
                mocks
                    .users
                    .expect_find()
                    .withf(|id| *id == owner(1))
                    .return_once(move |_| Ok(found));
            })
        };
        let store = ScriptedStore::default()
            .unit(find(Some(user(owner(1)))))
            .unit(find(None));
        let office = over(store, SignUpMode::Open);
        let caller = Principal {
            owner_id: owner(1),
            name: String::new(),
            email: None,
            roles: Vec::new(),
            kind: PrincipalKind::Login(login(owner(1)).id),
        };
        assert_eq!(office.accounts.account(&caller).await.unwrap(), user(owner(1)));
        assert!(office.accounts.account(&caller).await.is_err());
        assert_eq!(office.store.opened(), [Access::Read; 2]);
    }
}
