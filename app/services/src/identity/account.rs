use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{
    InvitationToken, Login, LoginMethod, LoginName, PasswordPolicy, Principal, Role, User, UserDraft,
};
use larder_domain::{Instant, Invalid, LoginId, OwnerId, Violations};
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::{
    AccountUseCases, ClientInfo, LogIn, LogInError, SignUp, SignUpError, SignedIn, Tokens,
};
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{
    Access, AccessClaims, Clock, IdGenerator, PasswordHasher, Rule, SecretSource, StorageError, Store, TokenIssuer,
};
use secrecy::{ExposeSecret, SecretString};

use super::PrincipalCache;
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
    /// How long a login lasts at most.
    pub refresh_max_ttl: Duration,
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
            refresh_max_ttl: 90 * DAY,
            max_logins: 50,
            principal_cache_ttl: Duration::from_secs(30),
        }
    }
}

/// What [`Accounts`] needs from the outside.
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
    /// Comparison of invitations.
    pub secrets: Arc<dyn SecretSource>,
}

/// The use cases of accounts.
pub struct Accounts {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    config: AccountsConfig,
    retry: RetryPolicy,
}

impl Accounts {
    /// Over these ports; `cache` is shared with the [`Authenticator`](super::Authenticator).
    pub fn new(ports: AccountPorts, cache: Arc<PrincipalCache>, config: AccountsConfig) -> Self {
        Self {
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
    async fn store(&self, user: &User, admission: &Admission, login: Option<&Login>) -> Result<User, SignUpError> {
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
            if let Some(login) = login {
                unit.logins().insert(login).await?;
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

    /// The account that a login name stands for.
    async fn find_by_name(&self, typed: &str) -> Result<Option<User>, Failure> {
        let name = LoginName::parse(typed);
        let (LoginName::Email(norm) | LoginName::Username(norm)) = &name;
        if norm.contains('\0') {
            // Nobody's name: no engine keeps the character, and PostgreSQL would take offence at the question.
            return Ok(None);
        }
        retrying(&self.retry, "find account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find_by_login_name(&name).await?;
            undo(unit).await;
            Ok(found)
        })
        .await
    }

    /// The account, if it may log in with this password. Every answer costs exactly one verification (`ID-10`, `ID-11`).
    async fn verified(&self, known: Option<User>, password: &SecretString) -> Result<Option<User>, Failure> {
        let is_comparable = PasswordPolicy::is_comparable(password.expose_secret());
        let candidate =
            known.filter(|user| is_comparable && user.disabled_at.is_none() && user.password_hash.is_some());
        let hash = candidate.as_ref().and_then(|user| user.password_hash.clone());
        let fits = self.ports.hasher.verify(password, hash).await?;
        Ok(candidate.filter(|_| fits))
    }

    /// A new hash for an account whose hash was made at another cost (`ID-06`). Without one the login goes on with the old hash.
    async fn renewed_hash(&self, user: &User, password: &SecretString) -> Option<String> {
        let hash = user.password_hash.as_deref()?;
        if !self.ports.hasher.is_outdated(hash) {
            return None;
        }
        match self.ports.hasher.hash(password).await {
            Ok(hash) => Some(hash),
            Err(error) => {
                tracing::warn!(%error, "an outdated password hash was not renewed");
                None
            }
        }
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

    /// The answer to a sign-up or login that is committed.
    fn signed_in(&self, user: User, login: &Login) -> Result<SignedIn, Failure> {
        let issued_at = login.created_at.whole_seconds();
        let expires_at = issued_at.plus(self.config.access_ttl);
        let claims = AccessClaims::of(&user, login.id, self.ports.ids.next(), issued_at, expires_at);
        let tokens = Tokens {
            access_token: self.ports.issuer.issue(&claims)?,
            expires_in: self.config.access_ttl,
        };
        Ok(SignedIn { user, tokens })
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
        let user = self.store(&user, &admission, Some(&login)).await?;
        Ok(self.signed_in(user, &login)?)
    }

    async fn create(&self, request: SignUp) -> Result<User, SignUpError> {
        let user = self.newcomer(&request).await?;
        self.store(&user, &Admission::Free, None).await
    }

    async fn log_in(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError> {
        let known = self.find_by_name(&request.login).await?;
        let Some(user) = self.verified(known, &request.password).await? else {
            return Err(LogInError::InvalidCredentials);
        };
        let new_hash = self.renewed_hash(&user, &request.password).await;
        let now = self.ports.clock.now();
        let login = self.new_login(user.id, LoginMethod::Password, client, now);
        let (user, evicted) = retrying(&self.retry, "log in", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            // Written before it is read: the row stays locked, so nobody disables the account or changes its password until the
            // login is there to be revoked, and parallel logins don't exceed their number.
            unit.users().note_login(user.id, now).await?;
            let found = unit.users().find(user.id).await?;
            // A new hash of the same password leaves `password_changed_at` alone.
            let Some(found) = found
                .filter(|found| found.disabled_at.is_none() && found.password_changed_at == user.password_changed_at)
            else {
                return refuse(unit, LogInError::InvalidCredentials).await;
            };
            let mut found = User {
                last_login_at: Some(now),
                ..found
            };
            if new_hash.is_some() && found.password_hash == user.password_hash {
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
            unit.commit().await?;
            Ok((found, evicted))
        })
        .await?;
        self.cache.forget(&evicted);
        Ok(self.signed_in(user, &login)?)
    }

    async fn account(&self, caller: &Principal) -> Result<User, Failure> {
        retrying(&self.retry, "get account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find(caller.owner_id).await?;
            undo(unit).await;
            found.ok_or_else(|| Unfinished::Refused(Failure::Internal("the caller's account is gone".into())))
        })
        .await
    }
}

/// What is kept of a text that is only shown to its owner: what a column can hold, nothing instead of an empty text.
fn cut(text: Option<String>, most: usize) -> Option<String> {
    let kept: String = text?.chars().filter(|c| *c != '\0').take(most).collect();
    (!kept.is_empty()).then_some(kept)
}
