//! What the gateway knows of itself and of its servers' tools: metrics, traces, and pins.

use std::collections::BTreeSet;

use placet_model::{Code, Decision};
use placet_pep::Filter;
use placet_pep::http::Proposal;
use placet_pep::pin::{Finding, UNNAMED};

use super::metrics::{self, Metrics, MetricsConfig};
use super::pins::{self, Pinned, ToolsConfig};
use super::telemetry::{Telemetry, TelemetryConfig};
use super::{Gateway, ServeError};
use crate::audit::Record;

/// What is observed, and where it is told.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    /// What keeps tools as they were accepted.
    pub tools: ToolsConfig,
    /// Where metrics are served; `None`: nowhere.
    pub metrics: Option<MetricsConfig>,
    /// Where traces go; `None`: nowhere.
    pub telemetry: Option<TelemetryConfig>,
}

/// The running parts of it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub metrics: Metrics,
    pub telemetry: Telemetry,
    pub pins: Pinned,
    /// Where metrics are served.
    metrics_at: Option<MetricsConfig>,
    /// For each server: its catalogue is read by one exchange at a time.
    pub reading: Vec<tokio::sync::Mutex<()>>,
}

impl Observed {
    pub fn new(config: &Observe, servers: usize) -> Result<Observed, ServeError> {
        let telemetry = config.telemetry.as_ref().map(Telemetry::new).transpose()?;
        Ok(Observed {
            metrics: Metrics::default(),
            telemetry: telemetry.unwrap_or_default(),
            pins: Pinned::new(&config.tools)?,
            metrics_at: config.metrics.clone(),
            reading: (0..servers).map(|_| tokio::sync::Mutex::default()).collect(),
        })
    }

    /// Whether the gateway's own listener serves metrics.
    pub fn serves_metrics(&self) -> bool {
        self.metrics_at.as_ref().is_some_and(|metrics| metrics.listen.is_none())
    }
}

/// A listener for metrics alone, if there is to be one; ends with what is returned.
pub(crate) async fn serve_metrics(
    gateway: &std::sync::Arc<Gateway>,
) -> Result<Option<tokio::task::JoinSet<()>>, ServeError> {
    let Some(address) = gateway.observed.metrics_at.as_ref().and_then(|of| of.listen) else {
        return Ok(None);
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "metrics are served at `/metrics`");
    let gateway = gateway.clone();
    let router = metrics::router(move || gateway.metrics_text());
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    Ok(Some(serving))
}

impl Gateway {
    /// What a server is called in metrics, traces and pins.
    pub fn label(&self, server: usize) -> &str {
        self.servers.get(server).and_then(|of| of.name()).unwrap_or(UNNAMED)
    }

    /// Everything that is counted, as text.
    pub fn metrics_text(&self) -> String {
        self.observed.metrics.unavailable(self.observed.pins.open());
        self.observed.metrics.text(self.sessions.len())
    }

    /// The denial of a call whose tool is not available; `None`: the policy decides.
    pub(super) fn unavailable(&self, proposal: &Proposal) -> Option<Decision> {
        let (server, tool) = proposal.called()?;
        let why = self.observed.pins.available(server.unwrap_or(UNNAMED), tool).err()?;
        tracing::warn!(tool = proposal.tool(), why = why.as_str(), "a call of a tool that is not available");
        let policy = self.service.policy().get().describe().digest;
        Some(Decision::deny(Code::ToolUnavailable, why.reason(), policy))
    }

    /// Compares a catalogue with what was accepted, tells what is new, and gives the names (as policies have them) of
    /// tools that are to be left out. What cannot be compared is left out altogether.
    pub(super) fn pinned(&self, filter: &Filter, exchange: &str) -> BTreeSet<String> {
        let Some((server, tools)) = filter.catalogue() else { return BTreeSet::new() };
        let Some(observed) = self.observed.pins.observe(server.unwrap_or(UNNAMED), tools) else {
            return filter.names().into_iter().collect();
        };
        for finding in &observed.alerts {
            pins::alert(finding);
            self.observed.metrics.found(&finding.server, finding.kind);
            self.record_finding(finding, &filter.policy_name(&finding.tool), exchange);
        }
        observed.hidden.iter().map(|tool| filter.policy_name(tool)).collect()
    }

    /// A finding stands in the decision log as the denial that it is from now on.
    fn record_finding(&self, finding: &Finding, tool: &str, exchange: &str) {
        let policy = self.service.policy().get().describe().digest;
        let reason = format!("{} ({}: {})", finding.kind.reason(), finding.kind.as_str(), finding.detail);
        let decision = Decision::deny(Code::ToolUnavailable, &reason, policy);
        let call = serde_json::json!({ "stage": "list", "tool": tool }).to_string();
        let time = super::enforce::now();
        let record = Record {
            time: &time,
            exchange,
            call: &call,
            decision: Some(&decision),
            state_version: None,
            outcome: None,
        };
        if let Err(error) = self.log.append(&record) {
            tracing::error!(%error, exchange, "a finding could not be recorded");
        }
    }
}
