//! The HTTP adapter: REST as one OpenAPI contract, health, and the documentation, over the inbound ports.
//!
//! A request passes `middleware`, is routed, its caller is judged (`identity`), its path, query and body are read (`values`,
//! `body`), one use case is asked, and the answer is written (`answer`) or becomes a problem document (`failure`, `problem`).
//!
//! To add an operation: a method with `#[oai]` in the file of its aggregate, under the context's folder; a new code goes to
//! `problem.rs`, a new error of a port to `failure.rs`; then refresh the document with
//! `cargo run -- openapi > openapi/openapi.json`.

mod admin;
mod answer;
mod body;
mod chat;
mod client;
mod compat;
mod docs;
mod etag;
mod failure;
mod health;
mod idempotency;
mod identity;
mod middleware;
mod page;
mod problem;
mod rate;
mod server;
mod values;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use larder_ports::inbound::Readiness;
use larder_ports::inbound::chat::{FavouriteUseCases, FileUseCases, MessageEditUseCases, SearchUseCases};
use larder_ports::inbound::chat::{MessageUseCases, SessionUseCases};
use larder_ports::inbound::chat::{PromptUseCases, SummaryUseCases, TagUseCases};
use larder_ports::inbound::identity::ExternalIdentityUseCases;
use larder_ports::inbound::identity::{AccountUseCases, Authentication, LoginUseCases};
use larder_ports::inbound::identity::{ApiTokenUseCases, ErasureUseCases, InvitationUseCases, UserUseCases};
use larder_ports::outbound::{Clock, IdGenerator, Observer};
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};
use poem_openapi::Tags;

use rate::Rate;

pub use admin::{Admin, Exposition, admin_endpoint};
pub use compat::CompatOptions;
pub use docs::openapi_document;
pub use middleware::{LinkTrace, Origin};
pub use server::{Server, ServerOptions};

/// What the adapter needs of the application.
pub struct Api {
    /// Accounts.
    pub accounts: Arc<dyn AccountUseCases>,
    /// Signed-in devices.
    pub logins: Arc<dyn LoginUseCases>,
    /// Tokens of programs.
    pub api_tokens: Arc<dyn ApiTokenUseCases>,
    /// How external issuers know an account.
    pub external_identities: Arc<dyn ExternalIdentityUseCases>,
    /// Accounts, as administrators see them.
    pub users: Arc<dyn UserUseCases>,
    /// Permissions to sign up.
    pub invitations: Arc<dyn InvitationUseCases>,
    /// Removal of accounts.
    pub erasures: Arc<dyn ErasureUseCases>,
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
    pub message_edits: Arc<dyn MessageEditUseCases>,
    /// Marked messages.
    pub favourites: Arc<dyn FavouriteUseCases>,
    /// What is attached to messages.
    pub files: Arc<dyn FileUseCases>,
    /// Search.
    pub search: Arc<dyn SearchUseCases>,
    /// The states of the contexts.
    pub readiness: Arc<dyn Readiness>,
    /// The time that `/health` shows.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Who counts requests.
    pub observer: Arc<dyn Observer>,
}

/// What can be configured.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The most bytes of a body; more is 413. 1 MiB by default.
    pub body_limit: usize,
    /// How long a request may take, its body included; longer is 504. 30 seconds by default.
    pub request_deadline: Duration,
    /// Who may say in `X-Forwarded-For` from whom a request comes. Nobody by default.
    pub trusted_proxies: Vec<IpNet>,
    /// How many sign-ups, logins and refreshes one address may send in a minute; more is 429. 30 by default, 0 is any number.
    pub ip_rate_per_minute: u32,
    /// The compatibility surface.
    pub compat: CompatOptions,
    /// How many requests one address may send in a minute; more is 429. 0, the default, is any number.
    pub address_rate_per_minute: u32,
    /// How many requests may be sent in a minute for one account, with whichever token; more is 429. 0, the default, is any number.
    pub account_rate_per_minute: u32,
    /// Origins whose scripts may ask this service from a browser. None by default.
    pub origins: Vec<Origin>,
    /// For how long browsers are to come by TLS only. Not told by default: only whoever put TLS in front may say so.
    pub hsts: Option<Duration>,
    /// Makes requests part of traces, where such are made.
    pub link_trace: Option<LinkTrace>,
    /// Contexts whose paths are not there. None by default.
    pub disabled_contexts: Vec<&'static str>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            request_deadline: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            ip_rate_per_minute: 30,
            compat: CompatOptions::default(),
            address_rate_per_minute: 0,
            account_rate_per_minute: 0,
            origins: Vec::new(),
            hsts: None,
            link_trace: None,
            disabled_contexts: Vec::new(),
        }
    }
}

/// How the document groups operations.
#[derive(Tags)]
enum Tag {
    /// Making an account, logging in, reading your own.
    Accounts,
    /// Tokens with which programs act for you.
    #[oai(rename = "API tokens")]
    ApiTokens,
    /// Managing accounts, for administrators.
    Administration,
    /// Conversations.
    Sessions,
    /// What was said in them.
    Messages,
    /// What is attached to messages.
    Files,
    /// Search in conversations.
    Search,
    /// Labels on conversations.
    Tags,
    /// Saved templates.
    Prompts,
    /// Digests of conversations.
    Summaries,
    /// The shapes of the predecessor, for its clients. Each is served at the place where it used to be, but where something native is,
    /// and all are under `/compat` unless configured otherwise.
    Compatibility,
    /// The service itself.
    Service,
}

/// Everything that is served.
type Operations = (NativeOperations, compat::Surface<compat::Operations>);

/// A tuple has at most 16 parts, so there is one for each context.
type NativeOperations = (
    IdentityOperations,
    docs::Enabled<ChatOperations>,
    health::WelcomeApi,
    health::HealthApi,
    docs::DocsApi,
);

type IdentityOperations = (
    identity::AccountApi,
    identity::LoginApi,
    identity::ApiTokenApi,
    identity::ExternalIdentityApi,
    identity::UserApi,
    identity::InvitationApi,
    identity::ErasureApi,
);

type ChatOperations = (
    chat::SessionApi,
    chat::TagApi,
    chat::PromptApi,
    chat::SummaryApi,
    chat::MessageApi,
    chat::MessageEditApi,
    chat::FavouriteApi,
    chat::FileApi,
    chat::SearchApi,
);

/// The whole HTTP application. Never answers an error: every failure is a response already.
pub fn endpoint(api: Api, options: HttpOptions) -> impl Endpoint<Output = Response> + 'static {
    let ports = compat::Ports {
        accounts: Arc::clone(&api.accounts),
        prompts: Arc::clone(&api.prompts),
        search: Arc::clone(&api.search),
        sessions: Arc::clone(&api.sessions),
    };
    let compat = compat::operations(ports, &options.compat);
    let identity: IdentityOperations = (
        identity::AccountApi(api.accounts),
        identity::LoginApi(api.logins),
        identity::ApiTokenApi(api.api_tokens),
        identity::ExternalIdentityApi(api.external_identities),
        identity::UserApi(api.users),
        identity::InvitationApi(api.invitations),
        identity::ErasureApi(api.erasures),
    );
    let chat: ChatOperations = (
        chat::SessionApi(api.sessions),
        chat::TagApi(api.tags),
        chat::PromptApi(api.prompts),
        chat::SummaryApi(api.summaries),
        chat::MessageApi(api.messages),
        chat::MessageEditApi(api.message_edits),
        chat::FavouriteApi(api.favourites),
        chat::FileApi(api.files),
        chat::SearchApi(api.search),
    );
    let is_enabled = |context| !options.disabled_contexts.contains(&context);
    let old = CompatOptions {
        is_enabled: options.compat.is_enabled && is_enabled("chat"),
        ..options.compat
    };
    let native: NativeOperations = (
        identity,
        docs::Enabled {
            api: chat,
            is_enabled: is_enabled("chat"),
        },
        health::WelcomeApi,
        health::HealthApi {
            readiness: api.readiness,
            clock: api.clock,
        },
        docs::DocsApi,
    );
    let operations: Operations = (native, compat::Surface::new(compat, old.clone()));
    let door = client::Doorkeeper::new(options.trusted_proxies, options.ip_rate_per_minute);
    let routes = docs::service(operations)
        .into_endpoint()
        .data(api.authentication)
        .data(body::BodyLimit(options.body_limit))
        .data(door.clone());
    let around = middleware::Around {
        ids: api.ids,
        observer: api.observer,
        deadline: options.request_deadline,
        door,
        addresses: Rate::new(options.address_rate_per_minute),
        owners: Rate::new(options.account_rate_per_minute).map(Arc::new),
        origins: options.origins,
        hsts: options.hsts,
        link_trace: options.link_trace,
        compat: old,
    };
    around.put(routes)
}
