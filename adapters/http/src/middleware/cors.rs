use std::fmt;

use poem::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use poem::http::{Method, StatusCode, Uri};
use poem::{Endpoint, Request, Response, Result};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// What a script may send beside what every script may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, traceparent, tracestate",
);

/// What a script may read beside what every script may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Disposition, Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, \
     Sunset, WWW-Authenticate, X-Request-Id",
);

/// How long a browser may remember what it was allowed, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// An origin of pages in a browser, as it sends it: scheme, host, and the port where it isn't the scheme's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(HeaderValue);

impl Origin {
    /// Reads an origin. Patterns, paths, capitals and whatever else no browser sends are refused.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let is_as_sent = text == format!("{scheme}://{authority}")
            && !text.contains(['*', '@'])
            && !text.contains(|c: char| c.is_ascii_uppercase())
            && authority.port_u16() != Some(own_port);
        is_as_sent.then(|| HeaderValue::from_str(text).ok().map(Self))?
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Lets scripts of named origins ask this service from a browser.
///
/// An origin is either named or it is not: nothing is matched by pattern, and `*` is never answered. Credentials of the browser
/// (cookies) are not allowed, since none are used; a script sends its token itself.
pub(super) struct Cors<E> {
    pub(super) inner: E,
    /// Nobody is answered differently when there is none.
    pub(super) origins: Vec<Origin>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Cors<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if self.origins.is_empty() {
            return self.inner.call(request).await;
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let origin = origin.filter(|origin| self.origins.iter().any(|named| named.0 == *origin));
        let is_preflight =
            request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = match &origin {
            Some(_) if is_preflight => {
                let mut allowed = Response::from(StatusCode::NO_CONTENT);
                allowed.headers_mut().extend([
                    (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                    (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
                    (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
                ]);
                allowed
            }
            _ => self.inner.call(request).await?,
        };
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://[::1]:8443",
            "http://127.0.0.1:5173",
        ] {
            assert_eq!(
                Origin::parse(text).map(|origin| origin.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/app",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://ann@app.example.com",
            "ftp://app.example.com",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
