//! What happens around every request, one layer each.

mod access_log;
mod cors;
mod deadline;
mod limits;
mod measured;
mod operation;
mod problems;
mod request_id;
mod response_headers;
mod trace;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use larder_domain::OwnerId;
use larder_ports::outbound::{IdGenerator, Observer};
use poem::{Endpoint, Response};
use poem_openapi::OpenApi;

use crate::client::Doorkeeper;
use crate::compat::{self, CompatOptions, SurfaceLayer};
use crate::rate::Rate;
use access_log::AccessLog;
use cors::Cors;
use deadline::Deadline;
use limits::{CountAddresses, TellLimits};
use measured::Measured;
use operation::Operations;
use problems::Problems;
use request_id::RequestIds;
use response_headers::ResponseHeaders;
use trace::Traced;

pub use cors::Origin;
pub(crate) use limits::Counted;
pub use trace::LinkTrace;

/// What the layers need.
pub(crate) struct Around {
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) deadline: Duration,
    pub(crate) door: Doorkeeper,
    pub(crate) addresses: Option<Rate<IpAddr>>,
    pub(crate) owners: Option<Arc<Rate<OwnerId>>>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) hsts: Option<Duration>,
    pub(crate) link_trace: Option<LinkTrace>,
    pub(crate) compat: CompatOptions,
}

impl Around {
    /// Puts the layers around the routes. The id comes first, because everything else names it; problems are rendered
    /// inside of what adds headers and logs, so that they have both.
    pub(crate) fn put(self, routes: impl Endpoint<Output = Response>) -> impl Endpoint<Output = Response> {
        let routes = Deadline {
            inner: routes,
            deadline: self.deadline,
        };
        let routes = CountAddresses {
            inner: routes,
            addresses: self.addresses,
            door: self.door,
        };
        let mount = self.compat.mount.clone();
        let surface = SurfaceLayer::new::<compat::Operations>(self.compat);
        let routes = Problems::new::<crate::NativeOperations>(routes, surface);
        let routes = TellLimits {
            inner: routes,
            owners: self.owners,
        };
        let routes = Cors {
            inner: routes,
            origins: self.origins,
        };
        let routes = ResponseHeaders::new(routes, self.hsts);
        let routes = AccessLog { inner: routes };
        let operations = Arc::new(Operations::of::<(crate::NativeOperations, compat::Operations)>(mount));
        let routes = Measured {
            inner: routes,
            operations: Arc::clone(&operations),
            observer: self.observer,
        };
        let routes = Traced {
            inner: routes,
            operations,
            link: self.link_trace,
        };
        RequestIds {
            inner: routes,
            ids: self.ids,
        }
    }
}

/// The layers around the routes of an API for operators: nobody counts or logs whoever watches.
pub(crate) fn around_admin<T: OpenApi>(
    routes: impl Endpoint<Output = Response>,
    ids: Arc<dyn IdGenerator>,
    deadline: Duration,
) -> impl Endpoint<Output = Response> {
    let routes = Deadline {
        inner: routes,
        deadline,
    };
    let routes = Problems::new::<T>(routes, SurfaceLayer::none());
    let routes = ResponseHeaders::new(routes, None);
    let routes = Traced {
        inner: routes,
        operations: Arc::new(Operations::of::<T>(String::new())),
        link: None,
    };
    RequestIds { inner: routes, ids }
}
