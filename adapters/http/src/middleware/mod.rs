//! What happens around every request, one layer each.

mod access_log;
mod deadline;
mod problems;
mod request_id;
mod response_headers;

use std::sync::Arc;
use std::time::Duration;

use larder_ports::outbound::IdGenerator;
use poem::{Endpoint, Response};

use access_log::AccessLog;
use deadline::Deadline;
use problems::Problems;
use request_id::RequestIds;
use response_headers::ResponseHeaders;

use crate::compat::SurfaceLayer;

/// Puts the layers around the routes. The id comes first, because everything else names it; problems are rendered inside of what
/// adds headers and logs, so that they have both.
pub(crate) fn around<E: Endpoint<Output = Response>>(
    routes: E,
    surface: SurfaceLayer,
    ids: Arc<dyn IdGenerator>,
    deadline: Duration,
) -> impl Endpoint<Output = Response> {
    let routes = Deadline {
        inner: routes,
        deadline,
    };
    let routes = Problems::new::<crate::NativeOperations>(routes, surface);
    let routes = ResponseHeaders { inner: routes };
    let routes = AccessLog { inner: routes };
    RequestIds { inner: routes, ids }
}
