//! The service itself: where things are, whether it lives, whether it is ready.

use std::sync::Arc;

use larder_ports::inbound::{ContextState, Readiness};
use larder_ports::outbound::Clock;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::Tag;
use crate::answer::Shown;
use crate::problem::{Answer, BARE};
use crate::values::{Timestamp, Vocabulary, Word};

/// Whether a context, or all of them, can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ready,
    Unavailable,
}

impl State {
    fn of(is_ready: bool) -> Word<Self> {
        Word(if is_ready { Self::Ready } else { Self::Unavailable })
    }
}

impl Vocabulary for State {
    const NAME: &'static str = "ReadyState";
    const MEANING: &'static str = "Whether it can be used right now.";

    fn all() -> &'static [Self] {
        &[Self::Ready, Self::Unavailable]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Where to go from here.
#[derive(Object, Serialize)]
#[oai(rename = "Welcome")]
struct WelcomeBody {
    /// `larder`
    service: String,
    /// Its version.
    version: String,
    /// The path of the documentation for people.
    docs: String,
    /// The path of the OpenAPI document.
    openapi: String,
}

/// The process answers.
#[derive(Object, Serialize)]
#[oai(rename = "Live")]
struct LiveBody {
    /// Always `live`.
    status: String,
}

/// Whether requests can be served.
#[derive(Object, Serialize)]
#[oai(rename = "Ready")]
struct ReadyBody {
    /// `ready` when every context is that must be.
    status: Word<State>,
    /// Each context.
    contexts: Vec<ContextBody>,
}

/// One context.
#[derive(Object, Serialize)]
#[oai(rename = "ContextState")]
struct ContextBody {
    /// `identity`, `chat`, ...
    context: String,
    /// Whether its store answered.
    state: Word<State>,
}

impl From<Vec<ContextState>> for ReadyBody {
    fn from(states: Vec<ContextState>) -> Self {
        Self {
            status: State::of(states.iter().all(|state| state.is_ready || state.is_optional)),
            contexts: states
                .into_iter()
                .map(|state| ContextBody {
                    context: state.context.to_owned(),
                    state: State::of(state.is_ready),
                })
                .collect(),
        }
    }
}

/// A summary for a person or a dashboard.
#[derive(Object, Serialize)]
#[oai(rename = "Health")]
struct HealthBody {
    /// `ready` when every context is that must be.
    status: Word<State>,
    /// Its version.
    version: String,
    /// What its clock shows.
    time: Timestamp,
    /// Each context.
    contexts: Vec<ContextBody>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a newcomer finds at the root.
pub(crate) struct WelcomeApi;

#[OpenApi(tag = "Tag::Service")]
impl WelcomeApi {
    /// Find your way
    #[oai(path = "/", method = "get", operation_id = "welcome")]
    async fn welcome(&self) -> Answer<Shown<WelcomeBody>, BARE> {
        Ok(Shown::new(&WelcomeBody {
            service: "larder".to_owned(),
            version: VERSION.to_owned(),
            docs: "/docs".to_owned(),
            openapi: "/openapi.json".to_owned(),
        })?)
    }
}

/// Operations on the service itself. All are public.
pub(crate) struct HealthApi {
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[OpenApi(tag = "Tag::Service")]
impl HealthApi {
    /// Is the process alive?
    ///
    /// Asks no store: for whoever restarts the process.
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn livez(&self) -> Answer<Shown<LiveBody>, BARE> {
        let status = "live".to_owned();
        Ok(Shown::new(&LiveBody { status })?)
    }

    /// Can it serve requests?
    ///
    /// Asks every store: for whoever sends requests to the process. 503 when one that must be is not ready.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self) -> Answer<Shown<ReadyBody, true>, BARE> {
        let ready = ReadyBody::from(self.readiness.states().await);
        let is_ready = ready.status == Word(State::Ready);
        let shown = Shown::new(&ready)?;
        Ok(if is_ready { shown } else { shown.unavailable() })
    }

    /// How is it?
    ///
    /// The same states with version and time, and always 200: for people and dashboards.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> Answer<Shown<HealthBody>, BARE> {
        let ready = ReadyBody::from(self.readiness.states().await);
        Ok(Shown::new(&HealthBody {
            status: ready.status,
            version: VERSION.to_owned(),
            time: Timestamp(self.clock.now()),
            contexts: ready.contexts,
        })?)
    }
}
