use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use poem::error::MethodNotAllowedError;
use poem::http::{HeaderValue, Uri};
use poem::{Endpoint, PathPattern, Request, Response, Result};
use poem_openapi::OpenApi;

use super::request_id::RequestId;
use crate::failure;
use crate::problem::Problem;

/// Turns every failure below it into a problem document: those of the operations, those of the framework, and panics.
pub(super) struct Problems<E> {
    inner: E,
    /// What `Allow` says, by the router's pattern of a path.
    allowed: HashMap<String, HeaderValue>,
}

impl<E> Problems<E> {
    /// Around the routes of an API.
    pub(super) fn new<T: OpenApi>(inner: E) -> Self {
        let mut allowed = HashMap::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let mut methods: Vec<&str> = path
                .operations
                .iter()
                .map(|operation| operation.method.as_str())
                .collect();
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            if let Ok(methods) = HeaderValue::try_from(methods.join(", ")) {
                allowed.insert(pattern_of(&path.path), methods);
            }
        }
        Self { inner, allowed }
    }

    fn of_error(&self, error: poem::Error) -> Problem {
        if !error.is::<MethodNotAllowedError>() {
            return failure::of_framework(error);
        }
        let pattern = error.data::<PathPattern>();
        let methods = pattern
            .and_then(|pattern| self.allowed.get(pattern.0.as_ref()))
            .cloned();
        // Paths that the document doesn't show can only be read.
        let methods = methods.unwrap_or(HeaderValue::from_static("GET, HEAD"));
        failure::of_framework(error).allowing(methods)
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

#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
struct Panicked(String);

impl Panicked {
    fn with(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self(text.unwrap_or("without a message").to_owned())
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Problems<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let uri: Uri = request.uri().clone();
        let id = RequestId::of(&request);
        // Nothing that the request touched is used again after a panic: its units of work are dropped while unwinding.
        let problem = match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => self.of_error(error),
            Err(payload) => Problem::internal(Panicked::with(payload.as_ref())),
        };
        Ok(problem.into_response(uri.path(), id.as_str()))
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
