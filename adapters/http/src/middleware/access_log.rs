use std::time::Instant;

use poem::http::header::CONTENT_LENGTH;
use poem::{Endpoint, Request, Response, Result};

use super::operation;

/// Most bytes of a path in the log.
const LONGEST_PATH: usize = 256;

/// One line per request, which its span gives the id: no query, no body, no header, since each may hold what is nobody's business.
pub(super) struct AccessLog<E> {
    pub(super) inner: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for AccessLog<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let started = Instant::now();
        let method = request.method().clone();
        let uri = request.uri().clone();
        let response = self.inner.call(request).await?;
        let status = response.status().as_u16();
        let path = uri.path();
        let path = &path[..path.floor_char_boundary(LONGEST_PATH)];
        let length = response.headers().get(CONTENT_LENGTH);
        let bytes: u64 = length.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        let duration_ms = started.elapsed().as_micros() as f64 / 1_000.0;
        let operation = operation::of_response(&response);
        let method = method.as_str();
        // The level is part of an event's static description, hence one call each.
        match status {
            500 => {
                tracing::error!(target: "larder::request", method, path, status, duration_ms, bytes, operation, "request")
            }
            501.. => {
                tracing::warn!(target: "larder::request", method, path, status, duration_ms, bytes, operation, "request")
            }
            _ => {
                tracing::info!(target: "larder::request", method, path, status, duration_ms, bytes, operation, "request")
            }
        }
        Ok(response)
    }
}
