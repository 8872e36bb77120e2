//! Metrics for Prometheus: an [`Observer`] that counts what it is told, and writes it down when asked.
//!
//! The library is the official client. It keeps no global state, so several services may live in one process, and it draws in
//! nothing but a lock and number formatting. Every label is a word of the program's own (`CF-46`, `ID-71`): no name, no id, no
//! address, no host.
//!
//! To add a metric: an [`Event`] in `ports/src/outbound/observer.rs`, told where it happens; then a field here, its registration
//! with a help text, and what the event does to it.

mod labels;

use std::time::Duration;

use larder_ports::outbound::{Event, LogInEnd, Observer, TokenRefusal, UnitEnd};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use labels::{
    ActionLabels, ListenerLabels, OperationLabels, OutcomeLabels, ReasonLabels, RequestLabels, StatementLabels,
    StatementsLabels, Status, UnitLabels,
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Upper bounds in seconds for whole requests.
const REQUEST_SECONDS: [f64; 13] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Upper bounds in seconds for statements. There are many statements, so there are few bounds.
const STATEMENT_SECONDS: [f64; 8] = [0.000_25, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 10.0];

/// Upper bounds in seconds for waiting.
const WAIT_SECONDS: [f64; 8] = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    connections: Family<ListenerLabels, Gauge>,
    requests_in_flight: Gauge,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histograms<OperationLabels>,
    legacy_actions: Family<ActionLabels, Counter>,
    statements: Family<StatementsLabels, Counter>,
    statement_seconds: Histograms<StatementLabels>,
    units: Family<UnitLabels, Counter>,
    hashing_queue: Gauge,
    hashing_wait_seconds: Histogram,
    hashing_given_up: Counter,
    logins: Family<OutcomeLabels, Counter>,
    rehashes: Counter,
    refresh_reuses: Counter,
    tokens_refused: Family<ReasonLabels, Counter>,
}

impl Metrics {
    /// Nothing has happened yet. `version` is the program's.
    pub fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("larder");
        registry.register(
            "build",
            "The running program",
            Info::new([("version", version.to_owned())]),
        );
        let mut book = Book(&mut registry);
        let metrics = Self {
            connections: book.enter("connections", "Open connections of clients, by listener"),
            requests_in_flight: book.enter("http_requests_in_flight", "Requests that are being worked on"),
            requests: book.enter(
                "http_requests",
                "Requests by operation, method and status; the status `cancelled` is a client that went away",
            ),
            request_seconds: book.put(
                "http_request_duration_seconds",
                "How long requests took, the reading of their bodies included",
                Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            ),
            legacy_actions: book.enter(
                "legacy_actions",
                "What operations of the compatibility surface were asked for",
            ),
            statements: book.enter("statements", "Statements sent to the database, by context and outcome"),
            statement_seconds: book.put(
                "statement_duration_seconds",
                "How long the database took to answer, by context and statement",
                Family::new_with_constructor(|| Histogram::new(STATEMENT_SECONDS)),
            ),
            units: book.enter(
                "units_of_work",
                "Units of work by context and end; each `contended` one was run again, at most five times in a row",
            ),
            hashing_queue: book.enter("password_hashing_queue", "Passwords that wait to be hashed"),
            hashing_wait_seconds: book.put(
                "password_hashing_wait_seconds",
                "How long passwords waited to be hashed",
                Histogram::new(WAIT_SECONDS),
            ),
            hashing_given_up: book.enter(
                "password_hashing_given_up",
                "Passwords that waited in vain, or whose client went away",
            ),
            logins: book.enter("logins", "Attempts to log in with a password, by outcome"),
            rehashes: book.enter(
                "password_rehashes",
                "Password hashes that were renewed at the configured cost",
            ),
            refresh_reuses: book.enter(
                "refresh_reuses",
                "Used refresh tokens that came again and ended their login",
            ),
            tokens_refused: book.enter("tokens_refused", "Bearer tokens that were refused, by reason"),
            registry,
        };
        metrics.start_at_zero();
        metrics
    }

    /// Makes the series whose labels are known, so that their first rise is seen as one.
    fn start_at_zero(&self) {
        for end in [LogInEnd::Ok, LogInEnd::Failed, LogInEnd::Throttled] {
            drop(self.logins.get_or_create(&end.into()));
        }
        for reason in [
            TokenRefusal::Expired,
            TokenRefusal::Invalid,
            TokenRefusal::LoginEnded,
            TokenRefusal::AccountUnknown,
            TokenRefusal::LinkRequired,
            TokenRefusal::IssuerUnavailable,
        ] {
            drop(self.tokens_refused.get_or_create(&reason.into()));
        }
    }

    /// Does the same for what exists once per context.
    pub fn know_context(&self, context: &'static str) {
        for end in [
            UnitEnd::Read,
            UnitEnd::Committed,
            UnitEnd::RolledBack,
            UnitEnd::Contended,
            UnitEnd::Failed,
        ] {
            drop(self.units.get_or_create(&UnitLabels::new(context, end)));
        }
        for is_ok in [true, false] {
            drop(self.statements.get_or_create(&StatementsLabels::new(context, is_ok)));
        }
    }

    /// Everything so far, in the text format of Prometheus ([`CONTENT_TYPE`]).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only if a metric does, and none of them can.
        if prometheus_text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    fn request_ended(&self, operation: &'static str, method: &'static str, status: Option<u16>, took: Duration) {
        self.requests_in_flight.dec();
        let labels = RequestLabels {
            operation,
            method,
            status: Status(status),
        };
        self.requests.get_or_create(&labels).inc();
        let labels = OperationLabels { operation, method };
        self.request_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    fn statement_ended(&self, context: &'static str, statement: &'static str, is_ok: bool, took: Duration) {
        self.statements
            .get_or_create(&StatementsLabels::new(context, is_ok))
            .inc();
        let labels = StatementLabels { context, statement };
        self.statement_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }
}

impl Observer for Metrics {
    fn observe(&self, event: Event) {
        match event {
            Event::ConnectionOpened(listener) => {
                self.connections.get_or_create(&ListenerLabels { listener }).inc();
            }
            Event::ConnectionClosed(listener) => {
                self.connections.get_or_create(&ListenerLabels { listener }).dec();
            }
            Event::RequestBegan => {
                self.requests_in_flight.inc();
            }
            Event::RequestEnded {
                operation,
                method,
                status,
                took,
            } => self.request_ended(operation, method, status, took),
            Event::LegacyAction { operation, action } => {
                self.legacy_actions
                    .get_or_create(&ActionLabels { operation, action })
                    .inc();
            }
            Event::StatementEnded {
                context,
                statement,
                is_ok,
                took,
            } => self.statement_ended(context, statement, is_ok, took),
            Event::UnitEnded { context, end } => {
                self.units.get_or_create(&UnitLabels::new(context, end)).inc();
            }
            Event::HashingQueued => {
                self.hashing_queue.inc();
            }
            Event::HashingBegan { waited } => {
                self.hashing_queue.dec();
                self.hashing_wait_seconds.observe(waited.as_secs_f64());
            }
            Event::HashingGivenUp => {
                self.hashing_queue.dec();
                self.hashing_given_up.inc();
            }
            Event::LogIn(end) => {
                self.logins.get_or_create(&end.into()).inc();
            }
            Event::PasswordRehashed => {
                self.rehashes.inc();
            }
            Event::RefreshReused => {
                self.refresh_reuses.inc();
            }
            Event::TokenRefused(reason) => {
                self.tokens_refused.get_or_create(&reason.into()).inc();
            }
        }
    }
}

/// Where metrics are entered under their names.
struct Book<'a>(&'a mut Registry);

impl Book<'_> {
    fn put<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn enter<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.put(name, help, M::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, line: &str) -> bool {
        text.lines().any(|found| found == line)
    }

    #[test]
    fn id_71_what_happened_is_counted() {
        let metrics = Metrics::new("1.2.3");
        let begun = metrics.text();
        for line in [
            "larder_build_info{version=\"1.2.3\"} 1",
            "larder_logins_total{outcome=\"throttled\"} 0",
            "larder_tokens_refused_total{reason=\"expired\"} 0",
            "larder_refresh_reuses_total 0",
        ] {
            assert!(has(&begun, line), "{line} in {begun}");
        }
        for event in [
            Event::LogIn(LogInEnd::Ok),
            Event::LogIn(LogInEnd::Failed),
            Event::LogIn(LogInEnd::Failed),
            Event::PasswordRehashed,
            Event::RefreshReused,
            Event::TokenRefused(TokenRefusal::LoginEnded),
        ] {
            metrics.observe(event);
        }
        let text = metrics.text();
        for line in [
            "larder_logins_total{outcome=\"ok\"} 1",
            "larder_logins_total{outcome=\"failed\"} 2",
            "larder_logins_total{outcome=\"throttled\"} 0",
            "larder_password_rehashes_total 1",
            "larder_refresh_reuses_total 1",
            "larder_tokens_refused_total{reason=\"login_ended\"} 1",
        ] {
            assert!(has(&text, line), "{line} in {text}");
        }
    }

    #[test]
    fn requests_by_operation_method_and_status() {
        let metrics = Metrics::new("1");
        for status in [Some(200), Some(200), Some(504), None] {
            metrics.observe(Event::RequestBegan);
            metrics.observe(Event::RequestEnded {
                operation: "list_sessions",
                method: "GET",
                status,
                took: Duration::from_millis(3),
            });
        }
        metrics.observe(Event::RequestBegan);
        let text = metrics.text();
        for line in [
            "larder_http_requests_in_flight 1",
            "larder_http_requests_total{operation=\"list_sessions\",method=\"GET\",status=\"200\"} 2",
            "larder_http_requests_total{operation=\"list_sessions\",method=\"GET\",status=\"504\"} 1",
            "larder_http_requests_total{operation=\"list_sessions\",method=\"GET\",status=\"cancelled\"} 1",
            "larder_http_request_duration_seconds_count{operation=\"list_sessions\",method=\"GET\"} 4",
            "larder_http_request_duration_seconds_bucket{operation=\"list_sessions\",method=\"GET\",le=\"0.0025\"} 0",
            "larder_http_request_duration_seconds_bucket{operation=\"list_sessions\",method=\"GET\",le=\"0.005\"} 4",
        ] {
            assert!(has(&text, line), "{line} in {text}");
        }
    }

    #[test]
    fn cf_46_statements_and_units_of_each_context() {
        let metrics = Metrics::new("1");
        metrics.know_context("chat");
        assert!(has(
            &metrics.text(),
            "larder_units_of_work_total{context=\"chat\",end=\"contended\"} 0"
        ));
        for (statement, is_ok) in [
            ("sessions.find", true),
            ("sessions.list", true),
            ("sessions.find", false),
        ] {
            metrics.observe(Event::StatementEnded {
                context: "chat",
                statement,
                is_ok,
                took: Duration::from_millis(1),
            });
        }
        for end in [UnitEnd::Contended, UnitEnd::Committed] {
            metrics.observe(Event::UnitEnded { context: "chat", end });
        }
        let text = metrics.text();
        for line in [
            "larder_statements_total{context=\"chat\",outcome=\"ok\"} 2",
            "larder_statements_total{context=\"chat\",outcome=\"failed\"} 1",
            "larder_statement_duration_seconds_count{context=\"chat\",statement=\"sessions.find\"} 2",
            "larder_units_of_work_total{context=\"chat\",end=\"committed\"} 1",
            "larder_units_of_work_total{context=\"chat\",end=\"contended\"} 1",
        ] {
            assert!(has(&text, line), "{line} in {text}");
        }
    }

    #[test]
    fn a_queue_has_whoever_still_waits() {
        let metrics = Metrics::new("1");
        for _ in 0..3 {
            metrics.observe(Event::HashingQueued);
        }
        metrics.observe(Event::HashingBegan {
            waited: Duration::from_millis(20),
        });
        metrics.observe(Event::HashingGivenUp);
        let text = metrics.text();
        for line in [
            "larder_password_hashing_queue 1",
            "larder_password_hashing_given_up_total 1",
            "larder_password_hashing_wait_seconds_count 1",
        ] {
            assert!(has(&text, line), "{line} in {text}");
        }
        metrics.observe(Event::ConnectionOpened("http"));
        metrics.observe(Event::ConnectionOpened("http"));
        metrics.observe(Event::ConnectionClosed("http"));
        let text = metrics.text();
        assert!(has(&text, "larder_connections{listener=\"http\"} 1"), "{text}");
    }
}
