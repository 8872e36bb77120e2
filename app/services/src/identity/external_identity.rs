use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::identity::{
    ExternalClaims, ExternalIdentity, IssuerPolicy, LoginName, Principal, PrincipalKind, User, email_norm,
};
use larder_domain::{ExternalIdentityId, Instant, OwnerId};
use larder_ports::inbound::identity::{AuthenticationError, ExternalIdentityUseCases, LinkError, UnlinkError};
use larder_ports::inbound::{Done, Failure, ListError, Once, Page, PageRequest};
use larder_ports::outbound::identity::{IdentityUnit, KnownSubject, Subject};
use larder_ports::outbound::{Access, ExternalTokenError, ExternalTokenVerifier, Rule, StorageError, UnitOfWork};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::authentication::{Caller, CallerKey};
use super::{AccountPorts, PrincipalCache};
use crate::cursor::Paging;
use crate::idempotency::{claim, keep};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// How many names are drawn for a newcomer before it is given up. Two equal ones are a matter of 48 random bits, or of somebody who
/// took one on purpose.
const NAMES: u32 = 5;

/// The tokens of external issuers, and what is configured about each by its `iss`.
#[derive(Clone)]
pub struct ExternalIssuers {
    /// Checks the tokens.
    pub verifier: Arc<dyn ExternalTokenVerifier>,
    /// By `iss`. A token of an issuer that is not here is refused.
    pub policies: HashMap<String, IssuerPolicy>,
}

/// The use cases of external identities, and who is behind an external token.
pub struct AccountExternalIdentities {
    ports: AccountPorts,
    issuers: ExternalIssuers,
    cache: Arc<PrincipalCache>,
    retry: RetryPolicy,
}

/// Why a subject that is seen for the first time was not brought in.
enum NotBrought {
    /// Another account has the generated name.
    NameTaken,
    /// The outcome for the caller.
    Refused(AuthenticationError),
}

impl From<Failure> for NotBrought {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.into())
    }
}

impl AccountExternalIdentities {
    /// Over these ports; `cache` is the one that the [`Authenticator`](super::Authenticator) was given.
    pub fn new(ports: AccountPorts, issuers: ExternalIssuers, cache: Arc<PrincipalCache>) -> Self {
        Self {
            ports,
            issuers,
            cache,
            retry: RetryPolicy::default(),
        }
    }

    /// The caller behind a token of an external issuer (`ID-50` to `ID-56`).
    pub(super) async fn authenticate(&self, token: &str, now: Instant) -> Result<Principal, AuthenticationError> {
        let claims = self.issuers.verifier.verify(token, now).await;
        let claims = claims.map_err(|error| match error {
            ExternalTokenError::Expired => AuthenticationError::Expired,
            ExternalTokenError::Invalid => AuthenticationError::Invalid,
            ExternalTokenError::Unavailable => AuthenticationError::IssuerUnavailable,
        })?;
        let policy = self.policy(&claims.issuer).ok_or(AuthenticationError::Invalid)?;
        if claims.is_anonymous && !policy.allow_anonymous {
            return Err(AuthenticationError::AccountUnknown);
        }
        let key = self.key(&claims.issuer, &claims.subject);
        let caller = match self.cache.get(key, now) {
            Some(caller) => caller,
            None => self.load(&claims, policy, key, now).await?,
        };
        if caller.erased_at.is_some_and(|erased_at| claims.predates(erased_at)) {
            return Err(AuthenticationError::Invalid);
        }
        Ok(caller.principal)
    }

    fn policy(&self, issuer: &str) -> Option<IssuerPolicy> {
        self.issuers.policies.get(issuer).copied()
    }

    /// How the cache knows a subject. No issuer has a NUL in its name, so no two pairs read the same.
    fn key(&self, issuer: &str, subject: &str) -> CallerKey {
        let pair = [issuer.as_bytes(), b"\0", subject.as_bytes()].concat();
        CallerKey::External(self.ports.secrets.digest(&pair))
    }

    fn subject(&self, claims: &ExternalClaims) -> Subject {
        Subject {
            issuer: claims.issuer.clone(),
            subject: claims.subject.clone(),
            hash: self.ports.secrets.digest(claims.subject.as_bytes()),
        }
    }

    async fn load(
        &self,
        claims: &ExternalClaims,
        policy: IssuerPolicy,
        key: CallerKey,
        now: Instant,
    ) -> Result<Caller, AuthenticationError> {
        let mark = self.cache.mark();
        let subject = self.subject(claims);
        let known: Result<_, Failure> = retrying(&self.retry, "authenticate", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let known = unit.external_identities().find_with_user(&subject).await?;
            undo(unit).await;
            Ok(known)
        })
        .await;
        let known = match known? {
            Some(known) => known,
            None => self.bring_in(claims, policy, &subject, now).await?,
        };
        let is_erased = known.erased_at.is_some_and(|erased_at| claims.predates(erased_at));
        if is_erased || known.user.disabled_at.is_some() {
            return Err(AuthenticationError::Invalid);
        }
        if known.identity.is_sight_noted(now) {
            self.note_sight(&known.identity, claims, now).await;
        }
        let principal = Principal {
            owner_id: known.user.id,
            name: known.user.username,
            email: known.user.email,
            roles: known.user.roles,
            kind: PrincipalKind::External(known.identity.id),
        };
        // The end of the token is judged with the token.
        let mut caller = self.cache.caller(principal, now, Instant::MAX);
        caller.erased_at = known.erased_at;
        self.cache.remember(key, caller.clone(), mark);
        Ok(caller)
    }

    /// Notes a use. A request is not refused because that failed: the next one notes it.
    async fn note_sight(&self, identity: &ExternalIdentity, claims: &ExternalClaims, now: Instant) {
        let seen = ExternalIdentity {
            email: claims.email.clone(),
            last_seen_at: now,
            ..identity.clone()
        };
        let noted: Result<(), Failure> = retrying(&self.retry, "note use of an external identity", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            unit.external_identities().note_sight(&seen).await?;
            Ok(unit.commit().await?)
        })
        .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the use of an external identity was not noted");
        }
    }

    /// The account of a subject that had none a moment ago: linked or made, in one commit (`ID-54`, `ID-55`).
    async fn bring_in(
        &self,
        claims: &ExternalClaims,
        policy: IssuerPolicy,
        subject: &Subject,
        now: Instant,
    ) -> Result<KnownSubject, AuthenticationError> {
        for _ in 0..NAMES {
            let newcomer = claims.newcomer(
                OwnerId(self.ports.ids.next()),
                ExternalClaims::generated_username(self.ports.ids.next()),
                policy,
                now,
            );
            let identity_id = ExternalIdentityId(self.ports.ids.next());
            let brought = retrying(&self.retry, "bring in an external identity", || async {
                let mut unit = self.ports.store.begin(Access::Write).await?;
                // Another request may have been quicker.
                if let Some(known) = unit.external_identities().find_with_user(subject).await? {
                    undo(unit).await;
                    return Ok(known);
                }
                let erased_at = unit.external_identities().erased_at(subject).await?;
                if erased_at.is_some_and(|erased_at| claims.predates(erased_at)) {
                    return refuse(unit, NotBrought::Refused(AuthenticationError::Invalid)).await;
                }
                let user = match holder(unit.as_mut(), claims.email.as_deref()).await? {
                    Some(holder) if claims.links_itself_to(&holder, policy) => {
                        // Its address may have moved on while it was looked at.
                        if !unit.users().lock(holder.id).await?
                            || unit.users().find(holder.id).await?.as_ref() != Some(&holder)
                        {
                            return contended(unit).await;
                        }
                        if holder.disabled_at.is_some() {
                            return refuse(unit, NotBrought::Refused(AuthenticationError::Invalid)).await;
                        }
                        holder
                    }
                    Some(_) => {
                        // Perhaps the account that another request has made of this very subject since.
                        if let Some(known) = unit.external_identities().find_with_user(subject).await? {
                            undo(unit).await;
                            return Ok(known);
                        }
                        return refuse(unit, NotBrought::Refused(AuthenticationError::IdentityLinkRequired)).await;
                    }
                    None if !policy.auto_create => {
                        return refuse(unit, NotBrought::Refused(AuthenticationError::AccountUnknown)).await;
                    }
                    None => {
                        let id = unused(unit.as_mut(), claims.proposed_id())
                            .await?
                            .unwrap_or(newcomer.id);
                        let user = User { id, ..newcomer.clone() };
                        // The first account ever is taken, and nobody becomes an administrator by it (`ID-03`).
                        unit.users().claim_first(user.id).await?;
                        match unit.users().insert(&user).await {
                            Err(StorageError::Broken(Rule::UsernameTaken)) => {
                                return refuse(unit, NotBrought::NameTaken).await;
                            }
                            // Looked at a moment ago: somebody was quicker, perhaps with this very subject.
                            Err(StorageError::Broken(Rule::EmailTaken | Rule::UserIdTaken)) => {
                                return contended(unit).await;
                            }
                            inserted => inserted?,
                        }
                        user
                    }
                };
                let identity = claims.identity(identity_id, user.id, now);
                match unit.external_identities().insert(&identity).await {
                    Err(StorageError::Broken(Rule::ExternalIdentityTaken)) => return contended(unit).await,
                    inserted => inserted?,
                }
                unit.commit().await?;
                Ok(KnownSubject {
                    identity,
                    user,
                    erased_at,
                })
            })
            .await;
            match brought {
                Ok(known) => return Ok(known),
                Err(NotBrought::NameTaken) => {}
                Err(NotBrought::Refused(outcome)) => return Err(outcome),
            }
        }
        Err(AuthenticationError::Failure(Failure::Contended))
    }

    /// Whom a token that is to be linked names.
    fn judge(&self, verified: Result<ExternalClaims, ExternalTokenError>) -> Result<ExternalClaims, LinkError> {
        let claims = verified.map_err(|error| match error {
            ExternalTokenError::Expired | ExternalTokenError::Invalid => LinkError::TokenInvalid,
            ExternalTokenError::Unavailable => LinkError::IssuerUnavailable,
        })?;
        let policy = self.policy(&claims.issuer).ok_or(LinkError::TokenInvalid)?;
        if claims.is_anonymous && !policy.allow_anonymous {
            return Err(LinkError::AccountUnknown);
        }
        Ok(claims)
    }
}

/// The account that has an email.
async fn holder(unit: &mut dyn IdentityUnit, email: Option<&str>) -> Result<Option<User>, StorageError> {
    match email {
        Some(email) => {
            let name = LoginName::Email(email_norm(email));
            unit.users().find_by_login_name(&name).await
        }
        None => Ok(None),
    }
}

/// The id, if it never was a user's. An account goes and its erasure is noted in one commit, so looked at in this order neither is
/// missed.
async fn unused(unit: &mut dyn IdentityUnit, id: Option<OwnerId>) -> Result<Option<OwnerId>, StorageError> {
    let Some(id) = id else { return Ok(None) };
    let is_used = unit.users().find(id).await?.is_some() || unit.erasures().was_erased(id).await?;
    Ok((!is_used).then_some(id))
}

/// Undoes a unit that met another one, to be run again.
async fn contended<U: UnitOfWork + ?Sized, T, E>(unit: Box<U>) -> Result<T, Unfinished<E>> {
    undo(unit).await;
    Err(StorageError::Contended.into())
}

#[async_trait]
impl ExternalIdentityUseCases for AccountExternalIdentities {
    async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<ExternalIdentity>, ListError> {
        let (seal, owner_id) = (self.ports.seal.as_ref(), caller.owner_id);
        let paging: Paging<'_, Uuid> = Paging::new(seal, "identity.external_identities", owner_id, b"", &page)?;
        retrying(&self.retry, "list external identities", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let after = paging.after().map(ExternalIdentityId);
            let rows = unit.external_identities().list(owner_id, after, paging.fetch()).await?;
            undo(unit).await;
            Ok(paging.page(rows, |identity| identity.id.0))
        })
        .await
    }

    async fn link(
        &self,
        caller: &Principal,
        token: &SecretString,
        once: Option<Once<ExternalIdentity>>,
    ) -> Result<Done<ExternalIdentity>, LinkError> {
        let (now, owner_id) = (self.ports.clock.now(), caller.owner_id);
        let verified = self.issuers.verifier.verify(token.expose_secret(), now).await;
        if once.is_none() {
            self.judge(verified.clone())?;
        }
        let id = ExternalIdentityId(self.ports.ids.next());
        retrying(&self.retry, "link external identity", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            match claim(unit.idempotency(), owner_id, once.as_ref(), now).await? {
                Some(Err(reused)) => return refuse(unit, reused.into()).await,
                Some(Ok(answer)) => {
                    undo(unit).await;
                    return Ok(Done::Before(answer));
                }
                None => {}
            }
            // Judged only now: a request that is repeated gets its answer also when the token has expired since.
            let claims = match self.judge(verified.clone()) {
                Ok(claims) => claims,
                Err(outcome) => return refuse(unit, outcome).await,
            };
            let erased_at = unit.external_identities().erased_at(&self.subject(&claims)).await?;
            if erased_at.is_some_and(|erased_at| claims.predates(erased_at)) {
                return refuse(unit, LinkError::TokenInvalid).await;
            }
            // Locked, so that an account is not given another name of its own while it is being erased.
            unit.users().lock(owner_id).await?;
            let user = unit.users().find(owner_id).await?;
            if user.is_none_or(|user| user.disabled_at.is_some()) {
                return refuse(unit, LinkError::AccountUnknown).await;
            }
            let identity = claims.identity(id, owner_id, now);
            match unit.external_identities().insert(&identity).await {
                Err(StorageError::Broken(Rule::ExternalIdentityTaken)) => {
                    return refuse(unit, LinkError::IdentityTaken).await;
                }
                inserted => inserted?,
            }
            keep(unit.idempotency(), owner_id, once.as_ref(), &identity, now).await?;
            unit.commit().await?;
            Ok(Done::Now(identity))
        })
        .await
    }

    async fn unlink(&self, caller: &Principal, id: ExternalIdentityId) -> Result<(), UnlinkError> {
        let owner_id = caller.owner_id;
        retrying(&self.retry, "unlink external identity", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            // The account is locked, so that of two means of login not both go at once.
            unit.users().lock(owner_id).await?;
            let Some(removed) = unit.external_identities().delete(owner_id, id).await? else {
                return refuse(unit, UnlinkError::NotFound).await;
            };
            let Some(user) = unit.users().find(owner_id).await? else {
                return refuse(unit, gone().into()).await;
            };
            if user.password_hash.is_none() && !unit.external_identities().has_others(owner_id, id).await? {
                return refuse(unit, UnlinkError::LastCredential).await;
            }
            let _forgetting = self.cache.forgetting(vec![self.key(&removed.issuer, &removed.subject)]);
            unit.commit().await?;
            Ok(())
        })
        .await
    }
}

fn gone() -> Failure {
    Failure::Internal("the caller's account is gone".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_ports::outbound::{Clock, Outage, Unobserved};
    use larder_ports::testing::{
        Ending, FixedClock, IdentityMocks, MockExternalTokenVerifier, MockPasswordHasher, MockTokenIssuer,
        ScriptedStore, SequentialIds,
    };

    use super::*;
    use crate::testing::{PlainSeal, PlainSecrets, identity_unit, owner, user};

    const ISSUER: &str = "https://issuer.example.com";

    struct Desk {
        external: AccountExternalIdentities,
        store: Arc<ScriptedStore<IdentityMocks>>,
        clock: Arc<FixedClock>,
    }

    impl Desk {
        async fn admits(&self, token: &str) -> Result<Principal, AuthenticationError> {
            self.external.authenticate(token, self.clock.now()).await
        }
    }

    fn claims() -> ExternalClaims {
        ExternalClaims {
            issuer: ISSUER.into(),
            subject: "ann".into(),
            email: Some("ann@example.com".into()),
            is_email_unverified: false,
            is_anonymous: false,
            issued_at: FixedClock::new().now(),
        }
    }

    fn over(store: ScriptedStore<IdentityMocks>, ttl: Duration) -> Desk {
        let mut verifier = MockExternalTokenVerifier::new();
        verifier.expect_verify().returning(|token, _| match token {
            "good" => Ok(claims()),
            "of nobody's issuer" => Ok(ExternalClaims {
                issuer: "https://other.example.com".into(),
                ..claims()
            }),
            "old" => Err(ExternalTokenError::Expired),
            "in the dark" => Err(ExternalTokenError::Unavailable),
            _ => Err(ExternalTokenError::Invalid),
        });
        let (store, clock) = (Arc::new(store), Arc::new(FixedClock::new()));
        let ports = AccountPorts {
            store: store.clone(),
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::default()),
            hasher: Arc::new(MockPasswordHasher::new()),
            issuer: Arc::new(MockTokenIssuer::new()),
            secrets: Arc::new(PlainSecrets),
            digests: Arc::new(PlainSeal),
            seal: Arc::new(PlainSeal),
            observer: Arc::new(Unobserved),
        };
        let issuers = ExternalIssuers {
            verifier: Arc::new(verifier),
            policies: HashMap::from([(ISSUER.to_owned(), IssuerPolicy::default())]),
        };
        Desk {
            external: AccountExternalIdentities::new(ports, issuers, Arc::new(PrincipalCache::new(ttl))),
            store,
            clock,
        }
    }

    fn known() -> KnownSubject {
        let user = user(owner(1));
        KnownSubject {
            identity: claims().identity(ExternalIdentityId(Uuid::from_u128(9)), user.id, user.created_at),
            user,
            erased_at: None,
        }
    }

    fn finds(found: Option<KnownSubject>) -> IdentityMocks {
        identity_unit(|mocks| {
            let find = mocks.external_identities.expect_find_with_user();
            find.return_once(move |_| Ok(found));
        })
    }

    #[tokio::test]
    async fn id_50_a_refused_token_costs_no_unit() {
        let desk = over(ScriptedStore::default(), Duration::ZERO);
        assert!(matches!(desk.admits("old").await, Err(AuthenticationError::Expired)));
        for token in ["forged", "of nobody's issuer"] {
            assert!(
                matches!(desk.admits(token).await, Err(AuthenticationError::Invalid)),
                "{token}"
            );
        }
        let refused = desk.admits("in the dark").await;
        assert!(matches!(refused, Err(AuthenticationError::IssuerUnavailable)));
        assert!(desk.store.opened().is_empty());
    }

    #[tokio::test]
    async fn id_53_a_known_subject_costs_one_reading_unit_and_then_none() {
        let desk = over(
            ScriptedStore::default().unit(finds(Some(known()))),
            Duration::from_secs(30),
        );
        for _ in 0..2 {
            let caller = desk.admits("good").await.unwrap();
            assert_eq!(
                (caller.owner_id, caller.kind),
                (owner(1), PrincipalKind::External(known().identity.id))
            );
        }
        assert_eq!(desk.store.opened(), [Access::Read]);
    }

    #[tokio::test]
    async fn a_use_that_can_not_be_noted_refuses_nobody() {
        let away = StorageError::Unavailable(Outage::Unreachable, None);
        let store = ScriptedStore::default().unit(finds(Some(known()))).failing(away);
        let desk = over(store, Duration::ZERO);
        desk.clock.advance(ExternalIdentity::SIGHT_IS_NOTED_EVERY);
        desk.admits("good").await.unwrap();
        assert_eq!(desk.store.opened(), [Access::Read, Access::Write]);
    }

    #[tokio::test]
    async fn id_54_somebody_quicker_with_the_same_subject_is_found_at_the_next_attempt() {
        let beaten = identity_unit(|mocks| {
            mocks
                .external_identities
                .expect_find_with_user()
                .returning(|_| Ok(None));
            mocks.external_identities.expect_erased_at().returning(|_| Ok(None));
            mocks.users.expect_find_by_login_name().returning(|_| Ok(None));
            mocks.users.expect_claim_first().returning(|_| Ok(false));
            mocks
                .users
                .expect_insert()
                .return_once(|_| Err(StorageError::Broken(Rule::EmailTaken)));
        });
        let store = ScriptedStore::default()
            .unit(finds(None))
            .unit(beaten)
            .unit(finds(Some(known())));
        let desk = over(store, Duration::ZERO);
        assert_eq!(desk.admits("good").await.unwrap().owner_id, owner(1));
        assert_eq!(desk.store.endings(), [Ending::RolledBack; 3]);
    }

    #[tokio::test]
    async fn id_55_the_holder_of_the_email_may_be_the_account_just_made() {
        let beaten = identity_unit(|mocks| {
            let mut answers = [None, Some(known())].into_iter();
            let find = mocks.external_identities.expect_find_with_user().times(2);
            find.returning(move |_| Ok(answers.next().flatten()));
            mocks.external_identities.expect_erased_at().returning(|_| Ok(None));
            let holder = mocks.users.expect_find_by_login_name();
            holder.returning(|_| Ok(Some(user(owner(1)))));
        });
        let desk = over(ScriptedStore::default().unit(finds(None)).unit(beaten), Duration::ZERO);
        assert_eq!(desk.admits("good").await.unwrap().owner_id, owner(1));
    }
}
