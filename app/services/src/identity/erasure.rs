use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{ErasedSubject, Erasure, ErasureState, Principal, RevokeReason, User};
use larder_domain::{Code, ErasureId, Invalid, OwnerId};
use larder_ports::inbound::identity::{EraseAccount, EraseAccountError, ErasureUseCases, ErasureWork};
use larder_ports::inbound::{Failure, NotFoundError};
use larder_ports::outbound::{Access, ErasableContext, StorageError};
use tokio::sync::Notify;

use super::password_check::{PasswordChecks, Unproven};
use super::{AccountPorts, PrincipalCache};
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// Most erasures that one call looks at.
const AT_A_TIME: u32 = 100;

/// The rest when nothing is to be done: other processes may start erasures too.
const IDLE: Duration = Duration::from_secs(30);

/// The rest after a context could not be asked.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The use cases of erasures, and the work behind them.
pub struct AccountErasures {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    passwords: PasswordChecks,
    contexts: Vec<Arc<dyn ErasableContext>>,
    /// Between the passes: two lifetimes of a remembered caller, so that none that was let in before is still at work.
    pause: Duration,
    started: Notify,
    retry: RetryPolicy,
}

/// Which time a context is gone through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    First,
    Second,
}

impl AccountErasures {
    /// Over these ports and every context that has rows of an owner. `cache` is the one that the
    /// [`Authenticator`](super::Authenticator) was given, `cache_ttl` how long any process remembers a caller.
    pub fn new(
        ports: AccountPorts,
        cache: Arc<PrincipalCache>,
        contexts: Vec<Arc<dyn ErasableContext>>,
        cache_ttl: Duration,
    ) -> Self {
        Self {
            passwords: ports.password_checks(),
            ports,
            cache,
            contexts,
            pause: cache_ttl * 2,
            started: Notify::new(),
            retry: RetryPolicy::default(),
        }
    }

    async fn account(&self, id: OwnerId) -> Result<User, Failure> {
        retrying(&self.retry, "get account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find(id).await?;
            undo(unit).await;
            found.ok_or_else(|| Unfinished::Refused(gone()))
        })
        .await
    }

    /// Does what can be done now for one erasure, and answers how long to wait before there is more to do.
    async fn pursue(&self, mut erasure: Erasure) -> Result<Duration, Failure> {
        let names: Vec<&str> = self.contexts.iter().map(|context| context.name()).collect();
        if !self.pass(&mut erasure, Pass::First).await? {
            return Ok(Duration::ZERO);
        }
        let now = self.ports.clock.now();
        match erasure.second_pass_at(&names, self.pause) {
            Some(at) if at <= now => {}
            Some(at) => return Ok(at.since(now)),
            None => return Ok(Duration::ZERO),
        }
        if self.pass(&mut erasure, Pass::Second).await? && erasure.is_swept_of(&names) {
            self.finish(&erasure).await?;
        }
        Ok(IDLE)
    }

    /// Goes through every context that this pass has not been through. `false`: the erasure was ended by another process.
    async fn pass(&self, erasure: &mut Erasure, pass: Pass) -> Result<bool, Failure> {
        for context in &self.contexts {
            let name = context.name();
            loop {
                let progress = erasure.context(name);
                let is_through = match pass {
                    Pass::First => progress.swept_at.is_some(),
                    Pass::Second => progress.is_done,
                };
                if is_through {
                    break;
                }
                let deleted: u64 = retrying(&self.retry, "erase", || async {
                    Ok::<_, Unfinished<Failure>>(context.erase_batch(erasure.user_id).await?)
                })
                .await?;
                match self.note(erasure.id, name, deleted, pass).await? {
                    Some(noted) => *erasure = noted,
                    None => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    /// Counts a batch; one without rows ends the pass through its context. `None`: the erasure is over.
    async fn note(&self, id: ErasureId, context: &str, deleted: u64, pass: Pass) -> Result<Option<Erasure>, Failure> {
        let now = self.ports.clock.now();
        retrying(&self.retry, "note erasure", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let read = unit.erasures().find(id).await?;
            let Some(read) = read.filter(|erasure| erasure.state == ErasureState::Running) else {
                undo(unit).await;
                return Ok(None);
            };
            let mut next = read.clone();
            let progress = next.contexts.entry(context.to_owned()).or_default();
            progress.rows += deleted;
            match pass {
                Pass::First if deleted == 0 => progress.swept_at = progress.swept_at.or(Some(now)),
                Pass::Second if deleted == 0 => progress.is_done = true,
                Pass::First | Pass::Second => {}
            }
            if !unit.erasures().advance(&next, &read).await? {
                return Err(StorageError::Contended.into());
            }
            unit.commit().await?;
            Ok(Some(next))
        })
        .await
    }

    /// Deletes the account, whose rows are gone everywhere else, and leaves the trace of its subjects.
    async fn finish(&self, erasure: &Erasure) -> Result<(), Failure> {
        let (id, now) = (erasure.user_id, self.ports.clock.now());
        retrying(&self.retry, "finish erasure", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let done = Erasure {
                state: ErasureState::Done,
                finished_at: Some(now),
                ..erasure.clone()
            };
            // Also keeps another process from finishing it beside this one.
            if !unit.erasures().advance(&done, erasure).await? {
                undo(unit).await;
                return Ok(());
            }
            let local = (ErasedSubject::LOCAL.to_owned(), id.to_string());
            let subjects = unit.erasures().subjects_of(id).await?;
            for (issuer, subject) in subjects.into_iter().chain([local]) {
                let subject_hash = self.ports.secrets.digest(subject.as_bytes());
                let subject = ErasedSubject {
                    issuer,
                    subject_hash,
                    user_id: id,
                    erased_at: now,
                };
                unit.erasures().remember(&subject).await?;
            }
            unit.erasures().delete_account(id).await?;
            let _forgetting = self.cache.forgetting_all_of(id);
            Ok::<_, Unfinished<Failure>>(unit.commit().await?)
        })
        .await?;
        tracing::info!(erasure = %erasure.id, "an account was erased");
        Ok(())
    }
}

#[async_trait]
impl ErasureUseCases for AccountErasures {
    async fn start(&self, caller: &Principal, request: EraseAccount) -> Result<Erasure, EraseAccountError> {
        let id = caller.owner_id;
        let known = self.account(id).await?;
        if request.confirm != known.username {
            return Err(Invalid::one("/confirm", Code::BadFormat, "must be the username of the account").into());
        }
        let proven = match (&known.password_hash, &request.current_password) {
            (None, _) => None,
            (Some(_), None) => return Err(EraseAccountError::CurrentPasswordWrong),
            (Some(_), Some(password)) => Some(self.passwords.of_account(id, password).await?),
        };
        let now = self.ports.clock.now();
        let erasure = Erasure::new(ErasureId(self.ports.ids.next()), id, now);
        let erasure = retrying(&self.retry, "start erasure", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            unit.users().lock_admins().await?;
            unit.users().lock(id).await?;
            let Some(stored) = unit.users().find(id).await? else {
                return refuse(unit, gone().into()).await;
            };
            if let Some(running) = unit.erasures().find_running_of(id).await? {
                undo(unit).await;
                return Ok(running);
            }
            if stored.password_changed_at != known.password_changed_at {
                return refuse(unit, EraseAccountError::CurrentPasswordWrong).await;
            }
            if stored.is_enabled_admin() && !unit.users().has_other_admin(id).await? {
                return refuse(unit, EraseAccountError::LastAdmin).await;
            }
            let read = stored.version;
            let disabled = User {
                disabled_at: stored.disabled_at.or(Some(now)),
                updated_at: now,
                version: read + 1,
                ..stored
            };
            if !unit.users().update(&disabled, read).await? {
                return Err(StorageError::Contended.into());
            }
            unit.logins().revoke_all(id, RevokeReason::Disabled, now).await?;
            unit.api_tokens().revoke_all(id, now).await?;
            if let Some(proven) = &proven {
                unit.login_throttles().reset(&proven.counter).await?;
            }
            unit.erasures().insert(&erasure).await?;
            let _forgetting = self.cache.forgetting_all_of(id);
            unit.commit().await?;
            Ok(erasure.clone())
        })
        .await?;
        self.started.notify_one();
        Ok(erasure)
    }

    async fn get(&self, id: ErasureId) -> Result<Erasure, NotFoundError> {
        retrying(&self.retry, "get erasure", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.erasures().find(id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }
}

#[async_trait]
impl ErasureWork for AccountErasures {
    async fn work(&self) -> Result<Duration, Failure> {
        let running = retrying(&self.retry, "list erasures", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let running = unit.erasures().list_running(AT_A_TIME).await?;
            undo(unit).await;
            Ok::<_, Unfinished<Failure>>(running)
        })
        .await?;
        let mut rest = IDLE;
        for erasure in running {
            let id = erasure.id;
            let next = self.pursue(erasure).await.unwrap_or_else(|error| {
                tracing::warn!(%error, erasure = %id, "an erasure waits");
                AFTER_FAILURE
            });
            rest = rest.min(next);
        }
        Ok(rest)
    }

    async fn started(&self) {
        self.started.notified().await;
    }
}

fn gone() -> Failure {
    Failure::Internal("the caller's account is gone".into())
}

impl From<Unproven> for EraseAccountError {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Wrong => Self::CurrentPasswordWrong,
            Unproven::Throttled(throttled) => throttled.into(),
            Unproven::Failure(failure) => failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_ports::outbound::{Clock, Outage, Unobserved};
    use larder_ports::testing::{
        Ending, FixedClock, IdentityMocks, MockErasableContext, MockPasswordHasher, MockTokenIssuer, ScriptedStore,
        SequentialIds,
    };
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, PlainSecrets, identity_unit, owner};

    const CACHE: Duration = Duration::from_secs(30);

    fn over(store: ScriptedStore<IdentityMocks>, contexts: Vec<MockErasableContext>) -> AccountErasures {
        let ports = AccountPorts {
            store: Arc::new(store),
            clock: Arc::new(FixedClock::new()),
            ids: Arc::new(SequentialIds::default()),
            hasher: Arc::new(MockPasswordHasher::new()),
            issuer: Arc::new(MockTokenIssuer::new()),
            secrets: Arc::new(PlainSecrets),
            digests: Arc::new(PlainSeal),
            seal: Arc::new(PlainSeal),
            observer: Arc::new(Unobserved),
        };
        let contexts = contexts
            .into_iter()
            .map(|context| Arc::new(context) as Arc<dyn ErasableContext>)
            .collect();
        AccountErasures::new(ports, Arc::new(PrincipalCache::new(CACHE)), contexts, CACHE)
    }

    fn running() -> Erasure {
        Erasure::new(ErasureId(Uuid::from_u128(1)), owner(1), FixedClock::new().now())
    }

    fn lists(found: Vec<Erasure>) -> IdentityMocks {
        identity_unit(|mocks| {
            mocks.erasures.expect_list_running().return_once(|_| Ok(found));
        })
    }

    fn notes(read: Erasure, check: fn(&Erasure)) -> IdentityMocks {
        identity_unit(|mocks| {
            let before = read.clone();
            mocks.erasures.expect_find().return_once(|_| Ok(Some(read)));
            mocks
                .erasures
                .expect_advance()
                .once()
                .withf(move |_, read| *read == before)
                .returning(move |next, _| {
                    check(next);
                    Ok(true)
                });
        })
    }

    fn context(batches: Vec<Result<u64, StorageError>>) -> MockErasableContext {
        let mut context = MockErasableContext::new();
        context.expect_name().return_const("chat");
        let mut batches = batches.into_iter();
        context.expect_erase_batch().returning(move |owner_id| {
            assert_eq!(owner_id, owner(1));
            batches
                .next()
                .unwrap_or_else(|| Err(StorageError::Internal("no further batch".into())))
        });
        context
    }

    #[tokio::test]
    async fn id_44_without_erasures_there_is_nothing_to_do_for_a_while() {
        let erasures = over(ScriptedStore::default().unit(lists(vec![])), vec![context(vec![])]);
        assert_eq!(erasures.work().await.unwrap(), IDLE);
    }

    #[tokio::test]
    async fn id_44_every_batch_is_counted_and_the_pause_is_kept() {
        let counted = |rows, swept_at| {
            let mut erasure = running();
            let progress = erasure.contexts.entry("chat".into()).or_default();
            (progress.rows, progress.swept_at) = (rows, swept_at);
            erasure
        };
        let store = ScriptedStore::default()
            .unit(lists(vec![running()]))
            .unit(notes(running(), |next| {
                let chat = next.context("chat");
                assert_eq!((chat.rows, chat.swept_at), (500, None));
            }))
            .unit(notes(counted(500, None), |next| {
                let chat = next.context("chat");
                assert_eq!((chat.rows, chat.swept_at), (500, Some(FixedClock::new().now())));
                assert!(!chat.is_done);
            }));
        let erasures = over(store, vec![context(vec![Ok(500), Ok(0)])]);
        // The pause is as long as two lifetimes of the cache, and longer than a rest.
        assert_eq!(erasures.work().await.unwrap(), IDLE);
    }

    #[tokio::test]
    async fn id_44_a_context_that_is_away_is_asked_again_later() {
        let away = StorageError::Unavailable(Outage::Unreachable, None);
        let erasures = over(
            ScriptedStore::default().unit(lists(vec![running()])),
            vec![context(vec![Err(away)])],
        );
        assert_eq!(erasures.work().await.unwrap(), AFTER_FAILURE);
    }

    #[tokio::test]
    async fn id_44_what_another_process_ended_is_left_alone() {
        let ended = identity_unit(|mocks| {
            mocks.erasures.expect_find().return_once(|_| {
                Ok(Some(Erasure {
                    state: ErasureState::Done,
                    ..running()
                }))
            });
        });
        let store = Arc::new(ScriptedStore::default().unit(lists(vec![running()])).unit(ended));
        let erasures = over(ScriptedStore::default(), vec![context(vec![Ok(0)])]);
        let erasures = AccountErasures {
            ports: AccountPorts {
                store: store.clone(),
                ..erasures.ports.clone()
            },
            ..erasures
        };
        erasures.work().await.unwrap();
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);
    }
}
