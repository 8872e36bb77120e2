use poem::http::HeaderMap;
use poem::http::header::HeaderName;
use poem::{Endpoint, Request, Response, Result};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::request_id::RequestId;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Everything that is logged while a request is worked on carries its id and, where the client sent a `traceparent`, the id of the
/// trace that it belongs to.
pub(super) struct Traced<E> {
    pub(super) inner: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for Traced<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let id = RequestId::of(&request);
        // At the level of errors, so that whatever is logged at all has it.
        let span = tracing::error_span!(
            target: "larder::request",
            "request",
            request_id = id.as_str(),
            trace_id = Empty
        );
        if let Some(trace_id) = trace_id(request.headers()) {
            span.record("trace_id", display(trace_id));
        }
        self.inner.call(request).instrument(span).await
    }
}

/// The trace that a request belongs to, by the Trace Context recommendation of the W3C. A header that is not sound counts for
/// nothing, like several of them.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let mut fields = value.to_str().ok()?.split('-');
    let version = fields.next().filter(|field| is_hex(field, 2) && *field != "ff")?;
    let trace_id = fields.next().filter(|field| is_hex(field, 32) && has_meaning(field))?;
    fields.next().filter(|field| is_hex(field, 16) && has_meaning(field))?;
    fields.next().filter(|field| is_hex(field, 2))?;
    // A later version may have more fields.
    (version != "00" || fields.next().is_none()).then_some(trace_id)
}

fn is_hex(field: &str, length: usize) -> bool {
    field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn has_meaning(field: &str) -> bool {
    field.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        trace_id(&headers).map(str::to_owned)
    }

    #[test]
    fn a_sound_traceparent_names_its_trace() {
        for value in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes"),
        ] {
            assert_eq!(of(&[&value]).as_deref(), Some(TRACE), "{value}");
        }
    }

    #[test]
    fn any_other_counts_for_nothing() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&good, &good]), None);
        for value in [
            "",
            "00",
            "a trace",
            TRACE,
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
            &format!("00-{TRACE}-00f067aa0ba902b7-1"),
            &format!("0-{TRACE}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(of(&[value]), None, "{value}");
        }
    }
}
