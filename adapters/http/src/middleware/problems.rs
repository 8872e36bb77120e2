use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use poem::error::MethodNotAllowedError;
use poem::http::{HeaderValue, Method, Uri};
use poem::{Endpoint, PathPattern, Request, Response, Result};
use poem_openapi::{OpenApi, OperationId};

use super::request_id::RequestId;
use crate::compat::{LegacyAction, Refused, SurfaceLayer};
use crate::failure;
use crate::problem::Problem;

/// Turns every failure below it into a problem document, or into the form of the compatibility surface: those of the operations, those
/// of the framework, and panics.
pub(super) struct Problems<E> {
    inner: E,
    surface: SurfaceLayer,
    /// What `Allow` says, by the router's pattern of a path.
    allowed: HashMap<String, HeaderValue>,
}

impl<E> Problems<E> {
    /// Around the routes of an API and of the compatibility surface.
    pub(super) fn new<T: OpenApi>(inner: E, surface: SurfaceLayer) -> Self {
        let mut methods: HashMap<String, Vec<Method>> = HashMap::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let of_path = methods.entry(pattern_of(&path.path)).or_default();
            of_path.extend(path.operations.into_iter().map(|operation| operation.method));
        }
        for (path, method) in surface.pairs() {
            methods.entry(path.to_owned()).or_default().push(method.clone());
        }
        let allowed = methods.into_iter().filter_map(|(pattern, mut methods)| {
            if methods.contains(&Method::GET) {
                methods.push(Method::HEAD);
            }
            let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
            Some((pattern, HeaderValue::try_from(names.join(", ")).ok()?))
        });
        Self {
            inner,
            allowed: allowed.collect(),
            surface,
        }
    }

    fn of_error(&self, error: poem::Error) -> Refused {
        if !error.is::<MethodNotAllowedError>() {
            return Refused::of(error);
        }
        let pattern = error.data::<PathPattern>();
        let methods = pattern
            .and_then(|pattern| self.allowed.get(pattern.0.as_ref()))
            .cloned();
        // Paths that the document doesn't show can only be read.
        let methods = methods.unwrap_or(HeaderValue::from_static("GET, HEAD"));
        failure::of_framework(error).allowing(methods).into()
    }
}

/// The router's pattern of a path of the document: it numbers the parameters.
fn pattern_of(path: &str) -> String {
    let mut number = 0;
    let segments = path.split('/').map(|segment| {
        if !segment.starts_with('{') {
            return segment.to_owned();
        }
        number += 1;
        format!(":param{}", number - 1)
    });
    segments.collect::<Vec<String>>().join("/")
}

/// Says nothing of the panic's own text, which may hold anything: the hook of the process tells that.
#[derive(Debug, thiserror::Error)]
#[error("a panic, which was told before")]
struct Panicked;

impl<E: Endpoint<Output = Response>> Endpoint for Problems<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let uri: Uri = request.uri().clone();
        let old = self.surface.recognise(request.method(), uri.path());
        let id = RequestId::of(&request);
        // Nothing that the request touched is used again after a panic: its units of work are dropped while unwinding.
        let (mut operation, mut action) = (None, None);
        let refused = match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(mut response)) => {
                if let Some(old) = old {
                    old.finish(&mut response);
                }
                return Ok(response);
            }
            Ok(Err(error)) => {
                operation = error.data::<OperationId>().copied();
                action = error.data::<LegacyAction>().copied();
                self.of_error(error)
            }
            Err(_) => Problem::internal(Panicked).into(),
        };
        let mut response = match old {
            Some(old) => old.refuse(refused),
            None => refused.problem.into_response(uri.path(), id.as_str()),
        };
        if let Some(operation) = operation {
            response.set_data(operation);
        }
        if let Some(action) = action {
            response.set_data(action);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_number_their_parameters() {
        assert_eq!(pattern_of("/a"), "/a");
        assert_eq!(pattern_of("/a/{b}/c/{d}"), "/a/:param0/c/:param1");
    }
}
