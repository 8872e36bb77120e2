use std::sync::Arc;

use larder_ports::outbound::IdGenerator;
use poem::http::HeaderValue;
use poem::http::header::HeaderName;
use poem::{Endpoint, Request, Response, Result};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for the other layers to find with it.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request; empty outside of [`RequestIds`].
    pub(crate) fn of(request: &Request) -> Self {
        match request.data::<Self>() {
            Some(id) => id.clone(),
            None => Self(HeaderValue::from_static("")),
        }
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Gives every request an id, the client's own where that is sane, and puts it on the response.
pub(super) struct RequestIds<E> {
    pub(super) inner: E,
    pub(super) ids: Arc<dyn IdGenerator>,
}

impl<E: Endpoint<Output = Response>> Endpoint for RequestIds<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let sent = request
            .headers()
            .get(X_REQUEST_ID)
            .filter(|value| is_sane(value.as_bytes()));
        let id = match sent {
            Some(value) => value.clone(),
            None => {
                let fresh = self.ids.next().simple().to_string();
                HeaderValue::try_from(fresh).unwrap_or_else(|_| HeaderValue::from_static("none"))
            }
        };
        request.set_data(RequestId(id.clone()));
        let mut response = self.inner.call(request).await?;
        response.headers_mut().insert(X_REQUEST_ID, id);
        Ok(response)
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_over() {
        assert!(is_sane(b"a"));
        assert!(is_sane(b"Trace-1_2.3"));
        assert!(is_sane(&[b'x'; 128]));
        for id in [&b""[..], b"a b", b"a\"b", "ä".as_bytes(), &[b'x'; 129]] {
            assert!(!is_sane(id));
        }
    }
}
