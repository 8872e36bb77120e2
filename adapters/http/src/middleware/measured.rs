use std::sync::Arc;
use std::time::Instant;

use larder_ports::outbound::{Event, Observer};
use poem::{Endpoint, Request, Response, Result};

use super::operation::{self, Operations};
use crate::compat::LegacyAction;

/// Tells an observer of every request.
pub(super) struct Measured<E> {
    pub(super) inner: E,
    pub(super) operations: Arc<Operations>,
    pub(super) observer: Arc<dyn Observer>,
}

/// A request under way. A client that goes away drops it.
struct UnderWay<'a> {
    observer: &'a dyn Observer,
    operations: &'a Operations,
    method: poem::http::Method,
    uri: poem::http::Uri,
    began: Instant,
    is_over: bool,
}

impl<'a> UnderWay<'a> {
    fn end(&mut self, operation: Option<&'static str>, status: Option<u16>) {
        self.is_over = true;
        self.observer.observe(Event::RequestEnded {
            operation: operation.unwrap_or_else(|| self.operations.find(&self.method, self.uri.path())),
            method: operation::method_name(&self.method),
            status,
            took: self.began.elapsed(),
        });
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(None, None);
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Measured<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.observer.observe(Event::RequestBegan);
        let mut under_way = UnderWay {
            observer: self.observer.as_ref(),
            operations: &self.operations,
            method: request.method().clone(),
            uri: request.uri().clone(),
            began: Instant::now(),
            is_over: false,
        };
        let response = self.inner.call(request).await?;
        let operation = operation::of_response(&response);
        under_way.end(operation, Some(response.status().as_u16()));
        if let (Some(operation), Some(&LegacyAction(action))) = (operation, response.data()) {
            self.observer.observe(Event::LegacyAction { operation, action });
        }
        Ok(response)
    }
}
