use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::chat::Session;
use larder_domain::identity::IssuerPolicy;
use larder_domain::identity::{Invitation, InvitationSecret, InvitationToken, User};
use larder_domain::{Instant, InvitationId, LoginId, MessageId, OwnerId, PromptId, SessionId};
use larder_ports::inbound::chat::{ExchangeUseCases, FavouriteUseCases, MessageEditUseCases};
use larder_ports::inbound::chat::{FileUseCases, SearchUseCases};
use larder_ports::inbound::chat::{MessageUseCases, SessionUseCases};
use larder_ports::inbound::chat::{PromptUseCases, SummaryUseCases, TagUseCases};
use larder_ports::inbound::identity::ExternalIdentityUseCases;
use larder_ports::inbound::identity::{AccountUseCases, Authentication, LoginUseCases};
use larder_ports::inbound::identity::{
    ApiTokenUseCases, ErasureUseCases, ErasureWork, InvitationUseCases, UserUseCases,
};
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, Clock, IdGenerator, StorageError, Store};
use larder_ports::testing::{FixedClock, SequentialIds};
use uuid::Uuid;

/// The stores of the contexts, on one engine.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub identity: Arc<dyn Store<dyn IdentityUnit>>,
    /// Conversations.
    pub chat: Arc<dyn Store<dyn ChatUnit>>,
}

/// The inbound ports, wired over a pair of stores.
#[derive(Clone)]
pub struct UseCases {
    /// Accounts.
    pub accounts: Arc<dyn AccountUseCases>,
    /// Signed-in devices.
    pub logins: Arc<dyn LoginUseCases>,
    /// Tokens of programs.
    pub api_tokens: Arc<dyn ApiTokenUseCases>,
    /// Accounts, as administrators see them.
    pub users: Arc<dyn UserUseCases>,
    /// Permissions to sign up.
    pub invitations: Arc<dyn InvitationUseCases>,
    /// Removal of accounts.
    pub erasures: Arc<dyn ErasureUseCases>,
    /// The work behind that.
    pub erasure_work: Arc<dyn ErasureWork>,
    /// How external issuers know an account.
    pub external_identities: Arc<dyn ExternalIdentityUseCases>,
    /// Who is calling.
    pub authentication: Arc<dyn Authentication>,
    /// Conversations.
    pub sessions: Arc<dyn SessionUseCases>,
    /// Labels on conversations.
    pub tags: Arc<dyn TagUseCases>,
    /// Saved templates.
    pub prompts: Arc<dyn PromptUseCases>,
    /// Digests of conversations.
    pub summaries: Arc<dyn SummaryUseCases>,
    /// Messages.
    pub messages: Arc<dyn MessageUseCases>,
    /// Changes of messages.
    pub edits: Arc<dyn MessageEditUseCases>,
    /// Questions and answers, changed or inserted together.
    pub exchanges: Arc<dyn ExchangeUseCases>,
    /// Marked messages.
    pub favourites: Arc<dyn FavouriteUseCases>,
    /// What is attached to messages.
    pub files: Arc<dyn FileUseCases>,
    /// Search.
    pub search: Arc<dyn SearchUseCases>,
}

/// What a case may configure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may sign up.
    pub sign_up: SignUpMode,
    /// Logins of one user.
    pub max_logins: u32,
    /// Active API tokens of one user.
    pub max_api_tokens: u32,
    /// How long an access token counts.
    pub access_ttl: Duration,
    /// How long a login counts.
    pub login_ttl: Duration,
    /// How long a refresh token counts unless it is used.
    pub refresh_idle_ttl: Duration,
    /// How long after its use a refresh token counts once more.
    pub refresh_grace: Duration,
    /// How old the state behind a token may be; zero is not at all.
    pub principal_cache_ttl: Duration,
    /// What becomes of the subjects of external issuers.
    pub issuer: IssuerPolicy,
    /// Where the keys of [`PUBLISHING_ISSUER`] are; without it, nobody asks for them.
    pub jwks_url: Option<String>,
    /// The lease of a partial message that asks for none.
    pub partial_lease: Duration,
    /// Most revisions that are kept of one message.
    pub max_revisions: u32,
    /// The configuration of summaries.
    pub summary_config_version: i64,
}

/// How a token of an external issuer is signed.
#[derive(Clone, Debug)]
pub enum Signature {
    /// HS256 with the secret that [`SHARED_ISSUER`] shares with us.
    Shared,
    /// HS256 with any secret.
    Secret(String),
    /// ES256 with the key of this number.
    Key(u8),
    /// Not at all.
    None,
}

/// The `iss` of an issuer that shares a secret with us.
pub const SHARED_ISSUER: &str = "https://shared.example.com";

/// The `iss` of an issuer that publishes its keys, if a case publishes any.
pub const PUBLISHING_ISSUER: &str = "https://publishing.example.com";

/// Who may sign up (`ID-02`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignUpMode {
    /// Everybody.
    Open,
    /// The invited.
    Invite,
    /// Nobody.
    Closed,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sign_up: SignUpMode::Open,
            max_logins: 50,
            max_api_tokens: 50,
            access_ttl: Duration::from_secs(15 * 60),
            login_ttl: Duration::from_secs(90 * 24 * 3_600),
            refresh_idle_ttl: Duration::from_secs(30 * 24 * 3_600),
            refresh_grace: Duration::from_secs(10),
            principal_cache_ttl: Duration::ZERO,
            issuer: IssuerPolicy::default(),
            jwks_url: None,
            partial_lease: Duration::from_secs(120),
            max_revisions: 100,
            summary_config_version: 1,
        }
    }
}

/// The adapter under test: the only thing in which fixtures differ.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Kills whatever holds units open, at this very moment and without warning, and answers the stores as they are found
    /// afterwards.
    ///
    /// A database server's connections are cut under their units, and the stores are the same as before: they must recover by
    /// themselves. An embedded engine has no connection to lose but dies with its process: the stores are opened on what the files
    /// held at this moment, while units of before live on beside them, in a world in which nothing happened.
    async fn crash(&self) -> Stores;

    /// How many units the pool of each store lets be open at once.
    fn pool_size(&self) -> usize;

    /// How many statements the stores have sent so far, those that end transactions included.
    fn statements(&self) -> u64;
}

/// The application, the same on every engine.
pub trait Application: Send + Sync {
    /// Wires the use cases over a pair of stores.
    fn wire(&self, stores: &Stores, clock: Arc<FixedClock>, ids: Arc<SequentialIds>, settings: &Settings) -> UseCases;

    /// The hash under which an invitation's secret is stored.
    fn digest(&self, secret: &InvitationSecret) -> [u8; 32];

    /// The hash under which an erased subject is remembered.
    fn digest_text(&self, text: &str) -> [u8; 32];

    /// A token with this header and these claims, as JSON, signed in any way.
    fn external_token(&self, header: &str, claims: &str, signature: &Signature) -> String;

    /// The public half of the key of this number as an issuer publishes it, as JSON.
    fn published_key(&self, kid: &str, number: u8) -> String;
}

/// Stores on a fresh, migrated database, and the use cases over them.
#[derive(Clone)]
pub struct Fixture {
    /// The store of accounts.
    pub identity: Arc<dyn Store<dyn IdentityUnit>>,
    /// The store of conversations.
    pub chat: Arc<dyn Store<dyn ChatUnit>>,
    /// Accounts.
    pub accounts: Arc<dyn AccountUseCases>,
    /// Signed-in devices.
    pub logins: Arc<dyn LoginUseCases>,
    /// Tokens of programs.
    pub api_tokens: Arc<dyn ApiTokenUseCases>,
    /// Accounts, as administrators see them.
    pub users: Arc<dyn UserUseCases>,
    /// Permissions to sign up.
    pub invitations: Arc<dyn InvitationUseCases>,
    /// Removal of accounts.
    pub erasures: Arc<dyn ErasureUseCases>,
    /// The work behind that.
    pub erasure_work: Arc<dyn ErasureWork>,
    /// How external issuers know an account.
    pub external_identities: Arc<dyn ExternalIdentityUseCases>,
    /// Who is calling.
    pub authentication: Arc<dyn Authentication>,
    /// Conversations.
    pub sessions: Arc<dyn SessionUseCases>,
    /// Labels on conversations.
    pub tags: Arc<dyn TagUseCases>,
    /// Saved templates.
    pub prompts: Arc<dyn PromptUseCases>,
    /// Digests of conversations.
    pub summaries: Arc<dyn SummaryUseCases>,
    /// Messages.
    pub messages: Arc<dyn MessageUseCases>,
    /// Changes of messages.
    pub edits: Arc<dyn MessageEditUseCases>,
    /// Questions and answers, changed or inserted together.
    pub exchanges: Arc<dyn ExchangeUseCases>,
    /// Marked messages.
    pub favourites: Arc<dyn FavouriteUseCases>,
    /// What is attached to messages.
    pub files: Arc<dyn FileUseCases>,
    /// Search.
    pub search: Arc<dyn SearchUseCases>,
    /// The time, as the use cases see it.
    pub clock: Arc<FixedClock>,
    ids: Arc<SequentialIds>,
    engine: Arc<dyn Engine>,
    application: Arc<dyn Application>,
    settings: Settings,
}

impl Fixture {
    /// A fixture with the default settings.
    pub fn new(engine: Arc<dyn Engine>, application: Arc<dyn Application>, stores: Stores) -> Self {
        let (clock, ids, settings) = (Arc::default(), Arc::default(), Settings::default());
        let use_cases = application.wire(&stores, Arc::clone(&clock), Arc::clone(&ids), &settings);
        Self {
            identity: stores.identity,
            chat: stores.chat,
            accounts: use_cases.accounts,
            logins: use_cases.logins,
            api_tokens: use_cases.api_tokens,
            users: use_cases.users,
            invitations: use_cases.invitations,
            erasures: use_cases.erasures,
            erasure_work: use_cases.erasure_work,
            external_identities: use_cases.external_identities,
            authentication: use_cases.authentication,
            sessions: use_cases.sessions,
            tags: use_cases.tags,
            prompts: use_cases.prompts,
            summaries: use_cases.summaries,
            messages: use_cases.messages,
            edits: use_cases.edits,
            exchanges: use_cases.exchanges,
            favourites: use_cases.favourites,
            files: use_cases.files,
            search: use_cases.search,
            clock,
            ids,
            engine,
            application,
            settings,
        }
    }

    /// The same stores, clock and ids under other settings: another process of the same installation.
    pub(crate) fn with(&self, settings: Settings) -> Self {
        self.rewired(self.stores(), settings)
    }

    /// See [`Engine::crash`]. Every connection that died in a pool may fail one more unit.
    pub(crate) async fn crash(&self) -> Self {
        self.rewired(self.engine.crash().await, self.settings.clone())
    }

    fn stores(&self) -> Stores {
        Stores {
            identity: Arc::clone(&self.identity),
            chat: Arc::clone(&self.chat),
        }
    }

    fn rewired(&self, stores: Stores, settings: Settings) -> Self {
        let use_cases = self
            .application
            .wire(&stores, Arc::clone(&self.clock), Arc::clone(&self.ids), &settings);
        Self {
            identity: stores.identity,
            chat: stores.chat,
            accounts: use_cases.accounts,
            logins: use_cases.logins,
            api_tokens: use_cases.api_tokens,
            users: use_cases.users,
            invitations: use_cases.invitations,
            erasures: use_cases.erasures,
            erasure_work: use_cases.erasure_work,
            external_identities: use_cases.external_identities,
            authentication: use_cases.authentication,
            sessions: use_cases.sessions,
            tags: use_cases.tags,
            prompts: use_cases.prompts,
            summaries: use_cases.summaries,
            messages: use_cases.messages,
            edits: use_cases.edits,
            exchanges: use_cases.exchanges,
            favourites: use_cases.favourites,
            files: use_cases.files,
            search: use_cases.search,
            settings,
            ..self.clone()
        }
    }

    /// The application behind the ports.
    pub(crate) fn application(&self) -> &dyn Application {
        self.application.as_ref()
    }

    /// See [`Engine::pool_size`].
    pub(crate) fn pool_size(&self) -> usize {
        self.engine.pool_size()
    }

    /// See [`Engine::statements`].
    pub(crate) fn statements(&self) -> u64 {
        self.engine.statements()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn advance(&self, seconds: u64) -> Instant {
        self.clock.advance(Duration::from_secs(seconds));
        self.clock.now()
    }

    pub(crate) fn id(&self) -> Uuid {
        self.ids.next()
    }

    pub(crate) fn owner(&self) -> OwnerId {
        OwnerId(self.id())
    }

    pub(crate) fn session_id(&self) -> SessionId {
        SessionId(self.id())
    }

    pub(crate) fn prompt_id(&self) -> PromptId {
        PromptId(self.id())
    }

    pub(crate) fn message_id(&self) -> MessageId {
        MessageId(self.id())
    }

    pub(crate) fn login_id(&self) -> LoginId {
        LoginId(self.id())
    }

    /// A unit that writes conversations.
    pub(crate) async fn chat_unit(&self) -> Box<dyn ChatUnit> {
        self.chat.begin(Access::Write).await.unwrap()
    }

    /// A unit that reads conversations.
    pub(crate) async fn chat_view(&self) -> Box<dyn ChatUnit> {
        self.chat.begin(Access::Read).await.unwrap()
    }

    /// A unit that writes accounts.
    pub(crate) async fn identity_unit(&self) -> Box<dyn IdentityUnit> {
        self.identity.begin(Access::Write).await.unwrap()
    }

    /// A unit that reads accounts.
    pub(crate) async fn identity_view(&self) -> Box<dyn IdentityUnit> {
        self.identity.begin(Access::Read).await.unwrap()
    }

    /// Stores a session in a unit of its own.
    pub(crate) async fn store(&self, session: &Session) -> Result<(), StorageError> {
        let mut unit = self.chat.begin(Access::Write).await?;
        unit.sessions().insert(session).await?;
        unit.commit().await
    }

    /// Reads a live session in a unit of its own.
    pub(crate) async fn session(&self, owner_id: OwnerId, id: SessionId) -> Option<Session> {
        self.chat_view().await.sessions().find(owner_id, id).await.unwrap()
    }

    /// The ids of the owner's live sessions, read in one statement.
    pub(crate) async fn session_ids(&self, owner_id: OwnerId) -> Vec<SessionId> {
        let mut view = self.chat_view().await;
        let sessions = view
            .sessions()
            .list(owner_id, &Default::default(), None, 200)
            .await
            .unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    }

    /// Stores an account in a unit of its own.
    pub(crate) async fn store_user(&self, user: &User) -> Result<(), StorageError> {
        let mut unit = self.identity.begin(Access::Write).await?;
        unit.users().insert(user).await?;
        unit.commit().await
    }

    /// Reads an account in a unit of its own.
    pub(crate) async fn user(&self, id: OwnerId) -> Option<User> {
        self.identity_view().await.users().find(id).await.unwrap()
    }

    /// Stores an invitation for a week, changed as `shape` says, and answers what its holder was given.
    pub(crate) async fn invite(&self, shape: impl FnOnce(&mut Invitation)) -> InvitationToken {
        let token = InvitationToken {
            id: InvitationId(self.id()),
            secret: [7; 32],
        };
        let mut invitation = Invitation {
            id: token.id,
            secret_hash: self.application.digest(&token.secret),
            email_norm: None,
            roles: Vec::new(),
            created_by: self.owner(),
            created_at: self.now(),
            expires_at: self.now().plus(Duration::from_secs(7 * 24 * 3_600)),
            used: None,
            revoked_at: None,
        };
        shape(&mut invitation);
        let mut unit = self.identity_unit().await;
        unit.invitations().insert(&invitation).await.unwrap();
        unit.commit().await.unwrap();
        token
    }
}
