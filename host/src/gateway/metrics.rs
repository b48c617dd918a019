//! What the gateway counts, in the text format of OpenMetrics, which Prometheus reads. Labels have few values: those of an
//! enumeration, or the names of servers in the configuration. Tools and users are in the decision log.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use placet_model::Decision;
use placet_pep::pin::Kind;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Deserialize;

/// Where metrics are served. Without a `listen`, at `/metrics` of the gateway's own listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// A listener of its own, such as `127.0.0.1:9464`.
    pub listen: Option<SocketAddr>,
}

/// Bounds of decisions, in seconds: from what a native decision takes to what a lost store may.
const DECIDE: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
/// Bounds of servers' answers, in seconds.
const ANSWER: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    verdict: &'static str,
    code: &'static str,
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtStage {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfServer {
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    server: String,
    finding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    what: &'static str,
    result: &'static str,
}

/// Counts refusals by their HTTP status.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Family<Refused, Counter>);

impl Refusals {
    /// One more.
    pub fn count(&self, status: u16) {
        self.0.get_or_create(&Refused { status }).inc();
    }
}

/// What is reloaded belongs to the process: files are watched before there is a gateway.
static RELOADS: LazyLock<Family<Reloaded, Counter>> = LazyLock::new(Family::default);

/// Counts a reload of the `policy`, the `lock`, or another file.
pub fn reloaded(what: &'static str, done: bool) {
    let result = if done { "done" } else { "failed" };
    RELOADS.get_or_create(&Reloaded { what, result }).inc();
}

/// Every metric of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    refusals: Refusals,
    decide: Histograms<AtStage>,
    answer: Histograms<OfServer>,
    failures: Family<OfServer, Counter>,
    sessions: Gauge,
    streams: Gauge,
    findings: Family<Found, Counter>,
    unavailable: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("placet"),
            decisions: Family::default(),
            refusals: Refusals::default(),
            decide: Family::new_with_constructor(|| Histogram::new(DECIDE)),
            answer: Family::new_with_constructor(|| Histogram::new(ANSWER)),
            failures: Family::default(),
            sessions: Gauge::default(),
            streams: Gauge::default(),
            findings: Family::default(),
            unavailable: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let of = &mut self.registry;
        of.register("decisions", "Decisions that were recorded", self.decisions.clone());
        of.register("refusals", "Requests that were refused before any decision", self.refusals.0.clone());
        of.register("decide_seconds", "Time that a decision took, state included", self.decide.clone());
        of.register("upstream_seconds", "Time until a server began to answer", self.answer.clone());
        of.register(
            "upstream_errors",
            "Messages to which a server gave no usable answer",
            self.failures.clone(),
        );
        of.register("sessions", "Sessions that are open", self.sessions.clone());
        of.register("streams", "Streams of events that clients read", self.streams.clone());
        of.register("reloads", "Files that were read again", RELOADS.clone());
        of.register("tool_findings", "New findings about tools in catalogues", self.findings.clone());
        of.register("tools_unavailable", "Tools with open findings", self.unavailable.clone());
    }

    /// A decision that was recorded.
    pub fn decided(&self, stage: &'static str, decision: &Decision, began: Instant) {
        let labels = Decided { verdict: decision.verdict.as_str(), code: decision.code.as_str(), stage };
        self.decisions.get_or_create(&labels).inc();
        self.decide.get_or_create(&AtStage { stage }).observe(began.elapsed().as_secs_f64());
    }

    /// A request that was refused before any decision, with this HTTP status.
    pub fn refused(&self, status: u16) {
        self.refusals.count(status);
    }

    /// The counter of those, for whoever refuses earlier.
    pub fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }

    /// A server began to answer.
    pub fn answered(&self, server: &str, began: Instant) {
        let labels = OfServer { server: server.to_owned() };
        self.answer.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    }

    /// A server gave no usable answer.
    pub fn failed(&self, server: &str) {
        self.failures.get_or_create(&OfServer { server: server.to_owned() }).inc();
    }

    /// A new finding about a tool.
    pub fn found(&self, server: &str, kind: Kind) {
        let labels = Found { server: server.to_owned(), finding: kind.as_str() };
        self.findings.get_or_create(&labels).inc();
    }

    /// How many tools have open findings.
    pub fn unavailable(&self, tools: usize) {
        self.unavailable.set(count(tools));
    }

    /// Counts a stream for as long as what is returned lives.
    pub fn stream(&self) -> Open {
        self.streams.inc();
        Open(self.streams.clone())
    }

    /// Everything, as text.
    pub fn text(&self, sessions: usize) -> String {
        self.sessions.set(count(sessions));
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// Something that is counted while it lives.
#[derive(Debug)]
pub struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves `/metrics`, for a listener that has nothing else.
pub fn router(text: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    Router::new().route("/metrics", get(move || std::future::ready(response(text()))))
}

/// The answer with everything.
pub fn response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use placet_model::Code;

    use super::*;

    #[test]
    fn what_is_counted_is_in_the_text() {
        let metrics = Metrics::default();
        let stream = metrics.stream();
        metrics.decided("call", &Decision::deny(Code::Denied, "no", "digest"), Instant::now());
        metrics.refused(400);
        metrics.answered("crm", Instant::now());
        metrics.failed("crm");
        metrics.found("crm", Kind::LookAlike);
        metrics.unavailable(2);
        reloaded("lock", false);
        let text = metrics.text(3);
        for line in [
            r#"placet_decisions_total{verdict="deny",code="denied",stage="call"} 1"#,
            r#"placet_refusals_total{status="400"} 1"#,
            r#"placet_decide_seconds_count{stage="call"} 1"#,
            r#"placet_upstream_seconds_bucket{le="+Inf",server="crm"} 1"#,
            r#"placet_upstream_errors_total{server="crm"} 1"#,
            r#"placet_tool_findings_total{server="crm",finding="look-alike"} 1"#,
            "placet_tools_unavailable 2",
            "placet_sessions 3",
            "placet_streams 1",
            r#"placet_reloads_total{what="lock",result="failed"} 1"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|of| of == line), "{line} is not in\n{text}");
        }
        drop(stream);
        assert!(metrics.text(0).contains("placet_streams 0"));
    }
}
