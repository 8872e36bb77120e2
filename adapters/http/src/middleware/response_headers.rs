use std::time::Duration;

use poem::http::HeaderValue;
use poem::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use poem::{Endpoint, Request, Response, Result};

/// Headers for browsers on every response. What an operation set itself stays.
pub(super) struct ResponseHeaders<E> {
    inner: E,
    hsts: Option<HeaderValue>,
}

impl<E> ResponseHeaders<E> {
    /// With `hsts`, browsers are told to come by TLS only for so long.
    pub(super) fn new(inner: E, hsts: Option<Duration>) -> Self {
        let hsts = hsts.and_then(|span| HeaderValue::try_from(format!("max-age={}", span.as_secs())).ok());
        Self { inner, hsts }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for ResponseHeaders<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = self.inner.call(request).await?;
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers
            .entry(CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        // Answers are somebody's own: no shared cache keeps them, and the person's browser asks again with the tag.
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("private, no-cache"));
        if let Some(hsts) = &self.hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        Ok(response)
    }
}
