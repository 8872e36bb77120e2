//! The compatibility surface: the shapes of the predecessor over the same use cases (`CO-01` to `CO-51`). An operation reads what
//! was sent, asks a use case, and shows what it answers; it holds no rule beyond that.
//!
//! To add an operation: a method with `#[oai]` in the file of its aggregate, at its place without the mount, as for a native one;
//! and a row for its path in `SUCCESSORS`. Where it is served (`surface`), the form of its failures (`failure`), its headers, its
//! twin under the mount and what the document says of these follow from that.

mod envelope;
mod failure;
mod login;
mod prompt;
mod session;
mod surface;
mod values;
mod words;

use std::sync::Arc;

use larder_domain::Instant;
use larder_ports::inbound::chat::{PromptUseCases, SearchUseCases, SessionUseCases};
use larder_ports::inbound::identity::AccountUseCases;

pub(crate) use failure::Refused;
pub(crate) use surface::{Surface, SurfaceLayer};

/// Every operation of the surface.
pub(crate) type Operations = (session::SessionApi, prompt::PromptApi, login::LoginApi);

/// What of the surface can be configured.
#[derive(Clone, Debug)]
pub struct CompatOptions {
    /// Whether it is served. If not, each of its paths is 404. It is by default.
    pub is_enabled: bool,
    /// The path under which it is served completely; empty is nowhere. `/compat` by default.
    pub mount: String,
    /// When it ends, if that is known.
    pub sunset: Option<Instant>,
    /// Most messages in one answer (`CO-06`). 2000 by default.
    pub max_messages: u32,
}

impl Default for CompatOptions {
    fn default() -> Self {
        Self {
            is_enabled: true,
            mount: surface::DEFAULT_MOUNT.to_owned(),
            sunset: None,
            max_messages: 2_000,
        }
    }
}

/// What an operation was asked for, where it has that under a name of its own. Set it as data of the answer or the error, and it is
/// counted (`CO-10`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LegacyAction(pub(crate) &'static str);

/// The use cases that the surface asks.
pub(crate) struct Ports {
    pub(crate) accounts: Arc<dyn AccountUseCases>,
    pub(crate) prompts: Arc<dyn PromptUseCases>,
    pub(crate) search: Arc<dyn SearchUseCases>,
    pub(crate) sessions: Arc<dyn SessionUseCases>,
}

/// The operations over these use cases.
pub(crate) fn operations(ports: Ports, options: &CompatOptions) -> Operations {
    let sessions = session::SessionApi {
        sessions: ports.sessions,
        search: ports.search,
        max_messages: options.max_messages,
    };
    (
        sessions,
        prompt::PromptApi(ports.prompts),
        login::LoginApi(ports.accounts),
    )
}
