//! Where the surface is served, and what holds for every operation of it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use larder_domain::Instant;
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem::http::header::{HeaderName, HeaderValue, LINK};
use poem::{EndpointExt, Response};
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, MetaOperation, Registry};

use super::CompatOptions;
use super::failure::{Form, Refused};
use crate::docs::route_not_found;
use crate::problem::header_of;

/// Where the surface is complete unless configured otherwise, and in the document.
pub(super) const DEFAULT_MOUNT: &str = "/compat";

/// What is native at its place and therefore served under the mount only.
const MOUNT_ONLY: [(Method, &str); 2] = [
    (Method::GET, "/api/v1/chat/prompts"),
    (Method::POST, "/api/v1/chat/prompts"),
];

/// Each path of the surface, and what takes its place.
const SUCCESSORS: &[(&str, &str)] = &[
    ("/api/v1/chat/sessions", "/api/v1/chat/sessions"),
    ("/api/v1/chat/sessions/list", "/api/v1/chat/sessions"),
    ("/api/v1/chat/sessions/search", "/api/v1/chat/search"),
    ("/api/v1/chat/sessions/create-task", "/api/v1/chat/sessions"),
    ("/api/v1/chat/prompts", "/api/v1/chat/prompts"),
    ("/api/v1/chat/prompts/list", "/api/v1/chat/prompts"),
    ("/api/v1/chat/auth/login", "/api/v1/auth/login"),
];

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The surface is deprecated from the first version on: the start of 2026, as RFC 9745 writes it.
const DEPRECATED_SINCE: &str = "@1767225600";

fn is_mount_only(method: &Method, path: &str) -> bool {
    MOUNT_ONLY.iter().any(|only| (&only.0, only.1) == (method, path))
}

fn is_legacy(path: &str) -> bool {
    path.ends_with("/legacy") || path.ends_with("/api/db")
}

/// The operations `T`, at their places and under the mount.
pub(crate) struct Surface<T> {
    operations: T,
    options: CompatOptions,
}

impl<T> Surface<T> {
    /// The operations as they are configured.
    pub(crate) fn new(operations: T, options: CompatOptions) -> Self {
        Self { operations, options }
    }
}

/// The names of the twins under the mount. The document wants names that live for ever.
fn twins<T: OpenApi>() -> &'static HashMap<&'static str, &'static str> {
    static TWINS: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    TWINS.get_or_init(|| {
        let apis = T::meta();
        let names = operations_of(&apis).filter_map(|(_, operation)| operation.operation_id);
        names.map(|name| (name, &*format!("{name}_mounted").leak())).collect()
    })
}

fn operations_of(apis: &[MetaApi]) -> impl Iterator<Item = (&str, &MetaOperation)> {
    let paths = apis.iter().flat_map(|api| &api.paths);
    paths.flat_map(|path| path.operations.iter().map(|operation| (path.path.as_str(), operation)))
}

impl<T: OpenApi> OpenApi for Surface<T> {
    fn meta() -> Vec<MetaApi> {
        let (mut placed, mut mounted) = (T::meta(), T::meta());
        for path in placed.iter_mut().flat_map(|api| &mut api.paths) {
            path.operations
                .retain(|operation| !is_mount_only(&operation.method, &path.path));
        }
        let twins = twins::<T>();
        for path in mounted.iter_mut().flat_map(|api| &mut api.paths) {
            path.path.insert_str(0, DEFAULT_MOUNT);
            for operation in &mut path.operations {
                operation.operation_id = operation.operation_id.and_then(|name| twins.get(name).copied());
            }
        }
        placed.append(&mut mounted);
        for api in &mut placed {
            api.paths.retain(|path| !path.operations.is_empty());
            for operation in api.paths.iter_mut().flat_map(|path| &mut path.operations) {
                operation.deprecated = true;
                for response in &mut operation.responses.responses {
                    response.headers.extend([
                        header_of(
                            "Deprecation",
                            "Since when the operation is deprecated (RFC 9745).",
                            true,
                        ),
                        header_of("Sunset", "When the operation ends, if that is known (RFC 8594).", false),
                        header_of("Link", "What takes its place, with `rel=\"successor-version\"`.", true),
                    ]);
                }
            }
        }
        placed
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let CompatOptions { is_enabled, mount, .. } = self.options;
        let mut own = HashMap::new();
        self.operations.add_routes(&mut own);
        for (path, methods) in own {
            for (method, operation) in methods {
                let operation = Arc::new(operation);
                if !is_mount_only(&method, &path) {
                    // A path that is not served may have other methods, or be an id for a native operation. It is 404 all the same.
                    let endpoint = match is_enabled {
                        true => Arc::clone(&operation).boxed(),
                        false => route_not_found(),
                    };
                    routes.entry(path.clone()).or_default().insert(method.clone(), endpoint);
                }
                if is_enabled && !mount.is_empty() {
                    let path = format!("{mount}{path}");
                    routes.entry(path).or_default().insert(method, operation.boxed());
                }
            }
        }
    }
}

/// Tells requests of the surface from others, and what their answers have in common.
pub(crate) struct SurfaceLayer {
    /// By path.
    operations: HashMap<String, Vec<Known>>,
    options: CompatOptions,
    sunset: Option<HeaderValue>,
}

struct Known {
    method: Method,
    form: Form,
    successor: Option<HeaderValue>,
}

/// A request of the surface.
pub(crate) struct Old<'a> {
    layer: &'a SurfaceLayer,
    /// None for a path or a method that there isn't under the mount.
    known: Option<&'a Known>,
}

impl SurfaceLayer {
    /// For the operations `T` as they are configured.
    pub(crate) fn new<T: OpenApi>(options: CompatOptions) -> Self {
        let mut operations: HashMap<String, Vec<Known>> = HashMap::new();
        for (path, operation) in operations_of(&T::meta()) {
            let known = || Known {
                method: operation.method.clone(),
                form: if is_legacy(path) { Form::Legacy } else { Form::Envelope },
                successor: successor(path),
            };
            if options.is_enabled && !is_mount_only(&operation.method, path) {
                operations.entry(path.to_owned()).or_default().push(known());
            }
            if options.is_enabled && !options.mount.is_empty() {
                let path = format!("{}{path}", options.mount);
                operations.entry(path).or_default().push(known());
            }
        }
        let sunset = options.sunset.and_then(http_date);
        Self {
            operations,
            options,
            sunset,
        }
    }

    /// Where there is no surface.
    pub(crate) fn none() -> Self {
        Self::new::<()>(CompatOptions {
            is_enabled: false,
            ..CompatOptions::default()
        })
    }

    /// Whether a request is one of the surface. Beside the operations that is everything under the mount (`CO-02`).
    pub(crate) fn recognise(&self, method: &Method, path: &str) -> Option<Old<'_>> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let operations = self.operations.get(path).into_iter().flatten();
        let known = operations.into_iter().find(|known| known.method == method);
        if known.is_none() && !self.is_mounted(path) {
            return None;
        }
        Some(Old { layer: self, known })
    }

    fn is_mounted(&self, path: &str) -> bool {
        let CompatOptions { is_enabled, mount, .. } = &self.options;
        let below = path.strip_prefix(mount.as_str());
        *is_enabled && !mount.is_empty() && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    /// Every path and method at which an operation is served.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &Method)> {
        let operations = self.operations.iter();
        operations.flat_map(|(path, known)| known.iter().map(|known| (path.as_str(), &known.method)))
    }
}

impl Old<'_> {
    /// The answer to a request that was refused.
    pub(crate) fn refuse(&self, refused: Refused) -> Response {
        let form = self.known.map_or(Form::Envelope, |known| known.form);
        let mut response = refused.into_response(form);
        self.finish(&mut response);
        response
    }

    /// Puts the headers of the surface on an answer (`CO-10`). It is counted by its operation, as any other.
    pub(crate) fn finish(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(DEPRECATION, HeaderValue::from_static(DEPRECATED_SINCE));
        if let Some(sunset) = &self.layer.sunset {
            headers.insert(SUNSET, sunset.clone());
        }
        let Some(known) = self.known else { return };
        if let Some(successor) = &known.successor {
            headers.append(LINK, successor.clone());
        }
    }
}

/// The `Link` of a path.
fn successor(path: &str) -> Option<HeaderValue> {
    let (_, target) = SUCCESSORS.iter().find(|(old, _)| *old == path)?;
    HeaderValue::try_from(format!("<{target}>; rel=\"successor-version\"")).ok()
}

/// An instant as headers write it. Those before 1970 have no such form.
fn http_date(instant: Instant) -> Option<HeaderValue> {
    let micros = u64::try_from(instant.as_micros()).ok()?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))?;
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Operations;
    use super::*;

    fn layer(options: CompatOptions) -> SurfaceLayer {
        SurfaceLayer::new::<Operations>(options)
    }

    #[test]
    fn co_10_every_path_has_a_successor_and_no_other_has_a_row() {
        let apis = Operations::meta();
        let mut paths: Vec<&str> = operations_of(&apis).map(|(path, _)| path).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut rows: Vec<&str> = SUCCESSORS.iter().map(|(path, _)| *path).collect();
        rows.sort_unstable();
        assert_eq!(paths, rows);
    }

    #[test]
    fn co_02_everything_under_the_mount_is_of_the_surface() {
        let layer = layer(CompatOptions::default());
        for (path, expected) in [
            ("/compat", true),
            ("/compat/", true),
            ("/compat/nowhere", true),
            ("/compat/api/v1/chat/sessions", true),
            ("/compatible", false),
            ("/api/v1/chat/sessions", false),
            ("/", false),
        ] {
            assert_eq!(layer.recognise(&Method::GET, path).is_some(), expected, "{path}");
        }
        assert!(layer.recognise(&Method::PATCH, "/api/v1/chat/sessions").is_some());
    }

    #[test]
    fn without_mount_or_when_off_less_is() {
        let unmounted = layer(CompatOptions {
            mount: String::new(),
            ..CompatOptions::default()
        });
        assert!(unmounted.recognise(&Method::GET, "/compat/nowhere").is_none());
        assert!(unmounted.recognise(&Method::GET, "/nowhere").is_none());
        assert!(unmounted.recognise(&Method::PATCH, "/api/v1/chat/sessions").is_some());
        let off = layer(CompatOptions {
            is_enabled: false,
            ..CompatOptions::default()
        });
        assert!(off.recognise(&Method::GET, "/compat/nowhere").is_none());
        assert!(off.recognise(&Method::PATCH, "/api/v1/chat/sessions").is_none());
    }

    #[test]
    fn a_sunset_is_an_http_date() {
        let instant = Instant::parse("2027-06-30T12:00:00Z").unwrap();
        assert_eq!(http_date(instant).unwrap(), "Wed, 30 Jun 2027 12:00:00 GMT");
        assert!(http_date(Instant::MIN).is_none());
        assert!(http_date(Instant::MAX).is_some());
    }
}
