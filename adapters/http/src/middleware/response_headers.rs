use poem::http::HeaderValue;
use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use poem::{Endpoint, Request, Response, Result};

/// Headers for browsers on every response. What an operation set itself stays.
pub(super) struct ResponseHeaders<E> {
    pub(super) inner: E,
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
        Ok(response)
    }
}
