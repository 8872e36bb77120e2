use std::sync::Arc;

use poem::http::HeaderMap;
use poem::http::header::HeaderName;
use poem::{Endpoint, Request, Response, Result};
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use super::operation::{self, Operations};
use super::request_id::RequestId;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Makes the span of a request part of the trace that its headers name, and answers the id of the trace that it is part of then.
pub type LinkTrace = fn(&Span, &HeaderMap) -> Option<String>;

/// Everything that is logged while a request is worked on carries its id and the id of the trace that it belongs to, where there is
/// one: by its `traceparent`, or because traces are made here.
pub(super) struct Traced<E> {
    pub(super) inner: E,
    pub(super) operations: Arc<Operations>,
    pub(super) link: Option<LinkTrace>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Traced<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        // What a collector is sent. Disabled, and so next to nothing, where there is none.
        let sent = tracing::info_span!(
            target: "larder::trace",
            "request",
            otel.name = self.operations.find(request.method(), request.uri().path()),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = operation::method_name(request.method()),
            http.response.status_code = Empty
        );
        let linked = self.link.and_then(|link| link(&sent, request.headers()));
        let id = RequestId::of(&request);
        // At the level of errors, so that whatever is logged at all has it.
        let logged = tracing::error_span!(
            target: "larder::request",
            parent: &sent,
            "request",
            request_id = id.as_str(),
            trace_id = Empty
        );
        if let Some(trace_id) = linked.as_deref().or_else(|| trace_id(request.headers())) {
            logged.record("trace_id", display(trace_id));
        }
        let response = self.inner.call(request).instrument(logged).await?;
        let status = response.status();
        sent.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            sent.record("otel.status_code", "ERROR");
        }
        Ok(response)
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
