//! Doubles of the ports for tests: mocks of every trait, a unit of work that follows a script, a clock and ids that are set.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::Instant;
use larder_domain::chat::{Message, MessageDraft, Session, SessionDraft};
use larder_domain::identity::{Invitation, Login, LoginName, Principal, User};
use larder_domain::{InvitationId, LoginId, MessageId, OwnerId, SessionId, Version};
use mockall::mock;
use secrecy::SecretString;
use uuid::Uuid;

use crate::inbound::chat::{
    AppendError, ChangeSession, ChangeSessionError, CreateSessionError, ListError, ListMessages, ListMessagesError,
    MessageUseCases, MessageView, NotFoundError, SessionUseCases, Turn, TurnTaken,
};
use crate::inbound::identity::{
    AccountUseCases, Authentication, AuthenticationError, ClientInfo, LogIn, LogInError, SignUp, SignUpError, SignedIn,
};
use crate::inbound::{ContextState, Done, Failure, Once, Page, PageRequest, Readiness};
use crate::outbound::chat::{ChatUnit, MessageFilter, Messages, Order, SessionFilter, Sessions};
use crate::outbound::identity::{IdentityUnit, Invitations, Logins, Users};
use crate::outbound::{
    Access, AccessClaims, Claim, Clock, HashingError, IdGenerator, IdempotencyKeys, PasswordHasher, Place, RequestKey,
    StorageError, Store, StoredAnswer, TokenError, TokenIssuer, TokenVerifier, UnitOfWork,
};

mock! {
    /// Mock of [`Sessions`].
    pub Sessions {}
    #[async_trait]
    impl Sessions for Sessions {
        async fn insert(&mut self, session: &Session) -> Result<(), StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, filter: &SessionFilter, after: Option<Place>, limit: u32) -> Result<Vec<Session>, StorageError>;
        async fn update(&mut self, session: &Session, expected: Version) -> Result<bool, StorageError>;
        async fn delete(&mut self, owner_id: OwnerId, id: SessionId, expected: Option<Version>, now: Instant) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`Messages`].
    pub Messages {}
    #[async_trait]
    impl Messages for Messages {
        async fn append(&mut self, owner_id: OwnerId, session_id: SessionId, messages: &[Message], touch: bool, now: Instant) -> Result<Option<Session>, StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, session_id: SessionId, filter: MessageFilter, order: Order, after: Option<i64>, limit: u32) -> Result<Option<Vec<Message>>, StorageError>;
    }
}

mock! {
    /// Mock of [`Users`].
    pub Users {}
    #[async_trait]
    impl Users for Users {
        async fn claim_first(&mut self, id: OwnerId) -> Result<bool, StorageError>;
        async fn any_ever(&mut self) -> Result<bool, StorageError>;
        async fn insert(&mut self, user: &User) -> Result<(), StorageError>;
        async fn find_by_login_name(&mut self, name: &LoginName) -> Result<Option<User>, StorageError>;
        async fn find(&mut self, id: OwnerId) -> Result<Option<User>, StorageError>;
        async fn update(&mut self, user: &User, expected: Version) -> Result<bool, StorageError>;
        async fn note_login(&mut self, id: OwnerId, at: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`Logins`].
    pub Logins {}
    #[async_trait]
    impl Logins for Logins {
        async fn insert(&mut self, login: &Login) -> Result<(), StorageError>;
        async fn find_with_user(&mut self, owner_id: OwnerId, id: LoginId) -> Result<Option<(Login, User)>, StorageError>;
        async fn evict(&mut self, owner_id: OwnerId, keep: u32, now: Instant) -> Result<Vec<LoginId>, StorageError>;
        async fn sweep(&mut self, owner_id: OwnerId, before: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`Invitations`].
    pub Invitations {}
    #[async_trait]
    impl Invitations for Invitations {
        async fn insert(&mut self, invitation: &Invitation) -> Result<(), StorageError>;
        async fn find(&mut self, id: InvitationId) -> Result<Option<Invitation>, StorageError>;
        async fn consume(&mut self, id: InvitationId, user_id: OwnerId, now: Instant) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`IdempotencyKeys`].
    pub IdempotencyKeys {}
    #[async_trait]
    impl IdempotencyKeys for IdempotencyKeys {
        async fn claim(&mut self, owner_id: OwnerId, request: &RequestKey, now: Instant, expired: Instant) -> Result<Claim, StorageError>;
        async fn keep(&mut self, owner_id: OwnerId, key: &str, answer: &StoredAnswer, expired: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`PasswordHasher`].
    pub PasswordHasher {}
    #[async_trait]
    impl PasswordHasher for PasswordHasher {
        async fn hash(&self, password: &SecretString) -> Result<String, HashingError>;
        async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, HashingError>;
        fn is_outdated(&self, hash: &str) -> bool;
    }
}

mock! {
    /// Mock of [`TokenIssuer`].
    pub TokenIssuer {}
    impl TokenIssuer for TokenIssuer {
        fn issue(&self, claims: &AccessClaims) -> Result<SecretString, TokenError>;
    }
}

mock! {
    /// Mock of [`TokenVerifier`].
    pub TokenVerifier {}
    impl TokenVerifier for TokenVerifier {
        fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenError>;
    }
}

mock! {
    /// Mock of [`SessionUseCases`].
    pub SessionUseCases {}
    #[async_trait]
    impl SessionUseCases for SessionUseCases {
        async fn create(&self, owner_id: OwnerId, draft: SessionDraft) -> Result<Session, CreateSessionError>;
        async fn create_once(&self, owner_id: OwnerId, draft: SessionDraft, once: Once<Session>) -> Result<Done<Session>, CreateSessionError>;
        async fn list(&self, owner_id: OwnerId, filter: SessionFilter, page: PageRequest) -> Result<Page<Session>, ListError>;
        async fn get(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError>;
        async fn change(&self, owner_id: OwnerId, change: ChangeSession) -> Result<Session, ChangeSessionError>;
        async fn delete(&self, owner_id: OwnerId, id: SessionId, if_match: Option<Version>) -> Result<(), ChangeSessionError>;
    }
}

mock! {
    /// Mock of [`MessageUseCases`].
    pub MessageUseCases {}
    #[async_trait]
    impl MessageUseCases for MessageUseCases {
        async fn append(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft, touch: bool) -> Result<MessageView, AppendError>;
        async fn take_turn(&self, owner_id: OwnerId, turn: Turn) -> Result<TurnTaken, AppendError>;
        async fn take_turn_once(&self, owner_id: OwnerId, turn: Turn, once: Once<TurnTaken>) -> Result<Done<TurnTaken>, AppendError>;
        async fn append_once(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft, touch: bool, once: Once<MessageView>) -> Result<Done<MessageView>, AppendError>;
        async fn get(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError>;
        async fn list(&self, owner_id: OwnerId, request: ListMessages) -> Result<Page<MessageView>, ListMessagesError>;
    }
}

mock! {
    /// Mock of [`AccountUseCases`].
    pub AccountUseCases {}
    #[async_trait]
    impl AccountUseCases for AccountUseCases {
        async fn sign_up(&self, request: SignUp, client: ClientInfo) -> Result<SignedIn, SignUpError>;
        async fn create(&self, request: SignUp) -> Result<User, SignUpError>;
        async fn log_in(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError>;
        async fn account(&self, caller: &Principal) -> Result<User, Failure>;
    }
}

mock! {
    /// Mock of [`Authentication`].
    pub Authentication {}
    #[async_trait]
    impl Authentication for Authentication {
        async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError>;
    }
}

mock! {
    /// Mock of [`Readiness`].
    pub Readiness {}
    #[async_trait]
    impl Readiness for Readiness {
        async fn states(&self) -> Vec<ContextState>;
    }
}

/// How a scripted unit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By `commit`, whatever it answered.
    Committed,
    /// By `rollback`.
    RolledBack,
    /// By being dropped.
    Dropped,
}

/// A unit of work whose repositories are mocks and whose commit answers what the test says.
pub struct ScriptedUnit<R> {
    /// The mocked repositories: [`ChatMocks`] or [`IdentityMocks`].
    pub mocks: R,
    commit: Option<Result<(), StorageError>>,
    endings: Arc<Mutex<Vec<Ending>>>,
}

/// The repositories of a chat unit.
#[derive(Default)]
pub struct ChatMocks {
    /// Conversations.
    pub sessions: MockSessions,
    /// Messages.
    pub messages: MockMessages,
    /// Answers of repeatable requests.
    pub idempotency: MockIdempotencyKeys,
}

/// The repositories of an identity unit.
#[derive(Default)]
pub struct IdentityMocks {
    /// Accounts.
    pub users: MockUsers,
    /// Logins.
    pub logins: MockLogins,
    /// Invitations.
    pub invitations: MockInvitations,
    /// Answers of repeatable requests.
    pub idempotency: MockIdempotencyKeys,
}

impl<R> ScriptedUnit<R> {
    fn end(&mut self, ending: Ending) {
        if self.commit.is_some() {
            self.endings
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .push(ending);
        }
    }
}

impl<R> Drop for ScriptedUnit<R> {
    fn drop(&mut self) {
        self.end(Ending::Dropped);
    }
}

#[async_trait]
impl<R: Send> UnitOfWork for ScriptedUnit<R> {
    async fn commit(mut self: Box<Self>) -> Result<(), StorageError> {
        self.end(Ending::Committed);
        self.commit.take().unwrap_or(Ok(()))
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StorageError> {
        self.end(Ending::RolledBack);
        self.commit = None;
        Ok(())
    }
}

impl ChatUnit for ScriptedUnit<ChatMocks> {
    fn sessions(&mut self) -> &mut dyn Sessions {
        &mut self.mocks.sessions
    }

    fn messages(&mut self) -> &mut dyn Messages {
        &mut self.mocks.messages
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        &mut self.mocks.idempotency
    }
}

impl IdentityUnit for ScriptedUnit<IdentityMocks> {
    fn users(&mut self) -> &mut dyn Users {
        &mut self.mocks.users
    }

    fn logins(&mut self) -> &mut dyn Logins {
        &mut self.mocks.logins
    }

    fn invitations(&mut self) -> &mut dyn Invitations {
        &mut self.mocks.invitations
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        &mut self.mocks.idempotency
    }
}

/// What the next `begin` answers: the mocks of a unit and the answer of its commit, or a failure.
type Planned<R> = Result<(R, Result<(), StorageError>), StorageError>;

/// A store that hands out prepared units, one after another, and remembers how each was opened and how it ended.
pub struct ScriptedStore<R> {
    script: Mutex<VecDeque<Planned<R>>>,
    opened: Mutex<Vec<Access>>,
    endings: Arc<Mutex<Vec<Ending>>>,
}

impl<R> Default for ScriptedStore<R> {
    fn default() -> Self {
        Self {
            script: Mutex::default(),
            opened: Mutex::default(),
            endings: Arc::default(),
        }
    }
}

impl<R> ScriptedStore<R> {
    /// The next unit uses these mocks and commits successfully.
    #[must_use]
    pub fn unit(self, mocks: R) -> Self {
        self.unit_committing(mocks, Ok(()))
    }

    /// The next unit uses these mocks and its commit answers `commit`.
    #[must_use]
    pub fn unit_committing(self, mocks: R, commit: Result<(), StorageError>) -> Self {
        lock(&self.script).push_back(Ok((mocks, commit)));
        self
    }

    /// The next `begin` fails.
    #[must_use]
    pub fn failing(self, error: StorageError) -> Self {
        lock(&self.script).push_back(Err(error));
        self
    }

    /// How units were opened, in order.
    pub fn opened(&self) -> Vec<Access> {
        lock(&self.opened).clone()
    }

    /// How units ended, in order.
    pub fn endings(&self) -> Vec<Ending> {
        lock(&self.endings).clone()
    }

    fn next(&self, access: Access) -> Result<Box<ScriptedUnit<R>>, StorageError> {
        lock(&self.opened).push(access);
        let next = lock(&self.script).pop_front();
        let (mocks, commit) =
            next.unwrap_or_else(|| Err(StorageError::Internal("the script has no further unit".into())))?;
        Ok(Box::new(ScriptedUnit {
            mocks,
            commit: Some(commit),
            endings: Arc::clone(&self.endings),
        }))
    }
}

#[async_trait]
impl Store<dyn ChatUnit> for ScriptedStore<ChatMocks> {
    async fn begin(&self, access: Access) -> Result<Box<dyn ChatUnit>, StorageError> {
        Ok(self.next(access)?)
    }
}

#[async_trait]
impl Store<dyn IdentityUnit> for ScriptedStore<IdentityMocks> {
    async fn begin(&self, access: Access) -> Result<Box<dyn IdentityUnit>, StorageError> {
        Ok(self.next(access)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Stands at 2026-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self(AtomicI64::new(1_767_225_600_000_000))
    }

    /// Moves forward.
    pub fn advance(&self, span: Duration) {
        self.0
            .fetch_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst)).unwrap_or(Instant::EPOCH)
    }
}

/// Ids that count up from 1.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdGenerator for SequentialIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 1)
    }
}
