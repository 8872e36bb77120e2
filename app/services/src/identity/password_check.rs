use std::sync::Arc;

use larder_domain::OwnerId;
use larder_domain::identity::{LoginName, LoginThrottle, PasswordPolicy, User};
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::Throttled;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, Clock, KeyedDigest, PasswordHasher, Store};
use secrecy::{ExposeSecret, SecretString};

use crate::retry::{RetryPolicy, refuse, retrying};

/// Compares passwords with those of accounts, and no oftener than the back-off allows (`ID-12`): every attempt is counted in a
/// commit before a hash is computed, so guesses that are sent at once can't pass the counter.
#[derive(Clone)]
pub(crate) struct PasswordChecks {
    pub(crate) store: Arc<dyn Store<dyn IdentityUnit>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) digests: Arc<dyn KeyedDigest>,
    pub(crate) retry: RetryPolicy,
}

/// A password that was right.
pub(crate) struct Proven {
    /// The account as it was before the comparison.
    pub(crate) user: User,
    /// The counter of the attempt. Whoever goes on resets it in the commit of what the password was needed for.
    pub(crate) counter: [u8; 32],
}

/// Why nothing is proven.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// The password is not that of the account; or there is no account, or none with a password, or it is disabled.
    Wrong,
    /// Too many attempts.
    Throttled(Throttled),
    /// Not the caller's fault.
    Failure(Failure),
}

impl From<Failure> for Unproven {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Which account is meant.
enum Whom {
    Name(LoginName),
    Account(OwnerId),
    /// A name that no account can have.
    Nobody,
}

impl PasswordChecks {
    /// The account that a login name stands for, if this is its password. Every answer but [`Unproven::Throttled`] costs exactly one
    /// verification (`ID-10`, `ID-11`).
    pub(crate) async fn by_name(&self, typed: &str, password: &SecretString) -> Result<Proven, Unproven> {
        let name = LoginName::parse(typed);
        let (LoginName::Email(norm) | LoginName::Username(norm)) = &name;
        let counter = self.digests.keyed_digest("login name", norm.as_bytes());
        // No engine keeps U+0000, and PostgreSQL would take offence at the question.
        let whom = if norm.contains('\0') {
            Whom::Nobody
        } else {
            Whom::Name(name)
        };
        self.check(&whom, counter, password).await
    }

    /// The account with this id, if this is its password.
    pub(crate) async fn of_account(&self, id: OwnerId, password: &SecretString) -> Result<Proven, Unproven> {
        let counter = self.digests.keyed_digest("user", id.0.as_bytes());
        self.check(&Whom::Account(id), counter, password).await
    }

    async fn check(&self, whom: &Whom, counter: [u8; 32], password: &SecretString) -> Result<Proven, Unproven> {
        let found = self.counted(whom, &counter).await?;
        let is_comparable = PasswordPolicy::is_comparable(password.expose_secret());
        let candidate =
            found.filter(|user| is_comparable && user.disabled_at.is_none() && user.password_hash.is_some());
        let hash = candidate.as_ref().and_then(|user| user.password_hash.clone());
        let fits = self.hasher.verify(password, hash).await.map_err(Failure::from)?;
        match candidate.filter(|_| fits) {
            Some(user) => Ok(Proven { user, counter }),
            None => Err(Unproven::Wrong),
        }
    }

    /// Counts an attempt and reads the account, in one commit.
    async fn counted(&self, whom: &Whom, counter: &[u8; 32]) -> Result<Option<User>, Unproven> {
        let now = self.clock.now();
        retrying(&self.retry, "count attempt", || async {
            let mut unit = self.store.begin(Access::Write).await?;
            let throttle = unit.login_throttles().lock(counter, now).await?;
            let throttle = match throttle.attempt(now) {
                Ok(throttle) => throttle,
                Err(wait) => return refuse(unit, Unproven::Throttled(Throttled(wait))).await,
            };
            unit.login_throttles().update(counter, &throttle).await?;
            let forgotten = now.minus(LoginThrottle::FORGOTTEN_AFTER);
            unit.login_throttles().sweep(forgotten).await?;
            let found = match whom {
                Whom::Name(name) => unit.users().find_by_login_name(name).await?,
                Whom::Account(id) => unit.users().find(*id).await?,
                Whom::Nobody => None,
            };
            unit.commit().await?;
            Ok(found)
        })
        .await
    }
}
