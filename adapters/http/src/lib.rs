//! The HTTP adapter: REST as one OpenAPI contract, health, and the documentation, over the inbound ports.
//!
//! A request passes `middleware`, is routed, its caller is judged (`identity`), its path, query and body are read (`values`,
//! `body`), one use case is asked, and the answer is written (`answer`) or becomes a problem document (`failure`, `problem`).
//!
//! To add an operation: a method with `#[oai]` in the file of its aggregate, under the context's folder; a new code goes to
//! `problem.rs`, a new error of a port to `failure.rs`; then refresh the document with
//! `cargo run -- openapi > openapi/openapi.json`.

mod answer;
mod body;
mod chat;
mod docs;
mod etag;
mod failure;
mod health;
mod idempotency;
mod identity;
mod middleware;
mod page;
mod problem;
mod values;

use std::sync::Arc;
use std::time::Duration;

use larder_ports::inbound::Readiness;
use larder_ports::inbound::chat::{MessageUseCases, SessionUseCases};
use larder_ports::inbound::identity::{AccountUseCases, Authentication};
use larder_ports::outbound::{Clock, IdGenerator};
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};
use poem_openapi::Tags;

pub use docs::openapi_document;

/// What the adapter needs of the application.
pub struct Api {
    /// Accounts.
    pub accounts: Arc<dyn AccountUseCases>,
    /// Who is calling.
    pub authentication: Arc<dyn Authentication>,
    /// Conversations.
    pub sessions: Arc<dyn SessionUseCases>,
    /// Messages.
    pub messages: Arc<dyn MessageUseCases>,
    /// The states of the contexts.
    pub readiness: Arc<dyn Readiness>,
    /// The time that `/health` shows.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// What can be configured.
#[derive(Clone, Copy, Debug)]
pub struct HttpOptions {
    /// The most bytes of a body; more is 413. 1 MiB by default.
    pub body_limit: usize,
    /// How long a request may take, its body included; longer is 504. 30 seconds by default.
    pub request_deadline: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            request_deadline: Duration::from_secs(30),
        }
    }
}

/// How the document groups operations.
#[derive(Tags)]
enum Tag {
    /// Making an account, logging in, reading your own.
    Accounts,
    /// Conversations.
    Sessions,
    /// What was said in them.
    Messages,
    /// The service itself.
    Service,
}

type Operations = (
    identity::AccountApi,
    chat::SessionApi,
    chat::MessageApi,
    health::HealthApi,
    docs::DocsApi,
);

/// The whole HTTP application. Never answers an error: every failure is a response already.
pub fn endpoint(api: Api, options: HttpOptions) -> impl Endpoint<Output = Response> + 'static {
    let operations: Operations = (
        identity::AccountApi(api.accounts),
        chat::SessionApi(api.sessions),
        chat::MessageApi(api.messages),
        health::HealthApi {
            readiness: api.readiness,
            clock: api.clock,
        },
        docs::DocsApi,
    );
    let routes = docs::service(operations)
        .into_endpoint()
        .data(api.authentication)
        .data(body::BodyLimit(options.body_limit));
    middleware::around(routes, api.ids, options.request_deadline)
}
