//! Traces, sent to a collector by OTLP over HTTP (the feature `otlp`).
//!
//! What is sent are the spans with the target [`TRACE`]: one for each request, and one for each statement in it. They carry no
//! text of a user, no id and no value of a statement.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Collector, Environment};
use crate::exit::{Exit, Status};
use crate::log::TRACE;

/// How long a collector may take to accept what is sent to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of a collector's answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Sends spans until it is told to stop.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends to a collector, on the runtime that this is called on. Nothing is sent yet, and a collector that is away is no error:
    /// what can't be sent is dropped.
    pub(crate) fn start(collector: &Collector, environment: Environment) -> Result<Self, Exit> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client(Handle::current()))
            .with_endpoint(format!("{}/v1/traces", collector.url))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| Exit::of(Status::Configuration, &error))?;
        let sampler = Sampler::TraceIdRatioBased(f64::from(collector.sample_percent) / 100.0);
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "larder"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("deployment.environment.name", environment.as_str()),
            ])
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// The layer that turns spans into what is sent.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        OpenTelemetryLayer::new(self.0.tracer("larder"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(Targets::new().with_target(TRACE, tracing::Level::DEBUG))
    }

    /// Sends what is left.
    pub(crate) async fn stop(self) {
        // It waits for the thread that sends, which needs this runtime.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Makes a request's span part of the trace that the client names, and answers the id of the trace that it is part of.
pub(crate) fn link(span: &Span, headers: &HeaderMap) -> Option<String> {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    if parent.span().span_context().is_valid() {
        let _ = span.set_parent(parent);
    }
    let context = span.context();
    let current = context.span();
    let current = current.span_context();
    current.is_valid().then(|| current.trace_id().to_string())
}

/// Sends over HTTP/1.1 without TLS: a collector stands beside the service, or behind something that adds it.
#[derive(Debug)]
struct Client(Handle);

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The thread that calls this is none of the runtime's.
        let sent = self.0.spawn(async move { timeout(PATIENCE, send(request)).await });
        sent.await??
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or("the collector has no host")?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16().unwrap_or(80);
    parts.headers.insert(HOST, HeaderValue::try_from(authority.as_str())?);
    parts.uri = parts.uri.path().parse()?;
    let socket = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(parts, body))
}
