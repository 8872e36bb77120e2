//! What is for operators alone, on a listener of its own: metrics, beside the states that everybody may see.

use std::sync::Arc;
use std::time::Duration;

use larder_ports::inbound::Readiness;
use larder_ports::outbound::{Clock, IdGenerator};
use poem::http::StatusCode;
use poem::http::header::{CONTENT_TYPE, HeaderValue};
use poem::{Endpoint, IntoEndpoint, IntoResponse, Response};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::{ApiResponse, OpenApi};

use crate::docs;
use crate::health::HealthApi;
use crate::middleware::around_admin;

/// Longest time for one request of an operator.
const DEADLINE: Duration = Duration::from_secs(30);

/// Metrics in a text format.
pub trait Exposition: Send + Sync {
    /// The media type of [`text`](Self::text).
    fn content_type(&self) -> &'static str;

    /// Everything so far.
    fn text(&self) -> String;
}

/// What the admin listener needs of the application.
pub struct Admin {
    /// The states of the contexts.
    pub readiness: Arc<dyn Readiness>,
    /// The time that `/health` shows.
    pub clock: Arc<dyn Clock>,
    /// Request ids.
    pub ids: Arc<dyn IdGenerator>,
    /// The metrics.
    pub metrics: Arc<dyn Exposition>,
}

type AdminOperations = (HealthApi, MetricsApi);

/// The application of the admin listener: `/metrics`, `/livez`, `/readyz` and `/health`. It knows no callers, so it must be
/// reachable by operators alone.
pub fn admin_endpoint(admin: Admin) -> impl Endpoint<Output = Response> + 'static {
    let health = HealthApi {
        readiness: admin.readiness,
        clock: admin.clock,
    };
    let routes = docs::service((health, MetricsApi(admin.metrics))).into_endpoint();
    around_admin::<AdminOperations>(routes, admin.ids, DEADLINE)
}

struct MetricsApi(Arc<dyn Exposition>);

#[OpenApi]
impl MetricsApi {
    #[oai(path = "/metrics", method = "get", hidden)]
    async fn metrics(&self) -> Exposed {
        Exposed {
            content_type: self.0.content_type(),
            text: self.0.text(),
        }
    }
}

struct Exposed {
    content_type: &'static str,
    text: String,
}

impl IntoResponse for Exposed {
    fn into_response(self) -> Response {
        let mut response = self.text.into_response();
        response.set_status(StatusCode::OK);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response
    }
}

impl ApiResponse for Exposed {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![] }
    }

    fn register(_: &mut Registry) {}
}
