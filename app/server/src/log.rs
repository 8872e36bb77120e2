//! Logs on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// The target of the spans that traces are made of. They are no part of the log.
pub(crate) const TRACE: &str = "larder::trace";

/// Starts logging. A second call in one process changes nothing.
pub(crate) fn start(log: &Log) {
    drop(Registry::default().with(layer(log)).try_init());
}

/// The same, and whatever else is to be done with events and spans.
#[cfg(feature = "otlp")]
pub(crate) fn start_with(log: &Log, other: impl Layer<Registry> + Send + Sync) {
    drop(Registry::default().with(other).with(layer(log)).try_init());
}

fn layer<S>(log: &Log) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    // The filter was checked when the configuration was read.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        // The span of the request alone: it is the outermost, and has the ids.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let is_logged = filter_fn(|metadata| !metadata.is_span() || metadata.target() != TRACE);
    lines.with_filter(filter).with_filter(is_logged).boxed()
}
