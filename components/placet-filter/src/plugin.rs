//! What the requests of one plugin share: its setup, its metrics, and how calls are decided.

use std::time::{Duration, UNIX_EPOCH};

use placet_model::{Code, Decision, Facts, Timestamp};
use placet_pdp::Visibility;
use placet_pdp::state::cells::CellStore;
use placet_pdp::state::{Outcome, Place, Round, session_fact};
use placet_pep::http::Head;
use proxy_wasm::hostcalls;

use crate::abi::{self, SharedData};
use crate::claims::claims;
use crate::config::{Phase, Setup};
use crate::report::Report;

/// One configured plugin.
pub struct Plugin {
    /// Its configuration.
    pub setup: Setup,
    /// Its metrics and records.
    pub report: Report,
}

/// The time by the proxy's clock: microseconds since the epoch, and RFC 3339.
pub fn now() -> (u64, String) {
    let since = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let text = Timestamp { seconds, nanos: since.subsec_micros().saturating_mul(1_000) }.to_string();
    (u64::try_from(since.as_micros()).unwrap_or(u64::MAX), text)
}

/// Whether the proxy is an Envoy: only there is the listener's configuration a property.
pub fn is_envoy() -> bool {
    ["listener_direction", "node"].iter().any(|name| abi::property(&["xds", name]).is_some())
}

impl Plugin {
    /// Whether a request waits in its headers.
    pub fn holds_headers(&self, is_envoy: bool) -> bool {
        match self.setup.phase {
            Phase::Auto => is_envoy,
            Phase::Headers => true,
            Phase::Body => false,
        }
    }

    /// The verified claims, as far as the configuration asks for any.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn claims(&self) -> Result<Option<String>, String> {
        let Some(names) = &self.setup.guard.config().identity.claims else { return Ok(None) };
        let jwt = &self.setup.jwt;
        let root = ["metadata", "filter_metadata", &jwt.namespace, &jwt.key];
        if abi::property(&root).is_none() {
            return Ok(None);
        }
        claims(names, |path| abi::property(&[&root[..], path].concat())).map(Some)
    }

    /// Decides a call on the proxy's shared data; `None` when that is the host's.
    pub fn decide(&self, call: &[u8]) -> Option<Outcome> {
        let store = CellStore::new(SharedData, self.setup.bounds?);
        let (begun, _) = now();
        let made = self.setup.with(|pdp| {
            let decide = |call: &[u8], facts: &Facts<'_>| pdp.decide_json(call, facts);
            Round::start(call, false, decide).run(&store, || {})
        });
        self.report.took(now().0.saturating_sub(begun));
        Some(made)
    }

    /// Which of these tools to show. Where the host has the state, what depends on it is not shown.
    pub fn list_tools(&self, call: &[u8], tools: &[String]) -> Vec<Visibility> {
        let read = match (Place::of(call), self.setup.bounds) {
            (Some(Place { tenant, session: Some(id) }), Some(bounds)) => {
                CellStore::new(SharedData, bounds).read_session(&tenant, &id)
            }
            (_, None) => Err(placet_pdp::state::Unavailable),
            _ => Ok(None),
        };
        let facts = Facts { session: session_fact(&read), ..Facts::default() };
        self.setup.with(|pdp| pdp.list_tools(call, &facts, tools))
    }

    /// Posts a call to the host; says whether there will be an answer.
    pub fn ask(&self, path: &str, call: &[u8], timeout: Duration) -> bool {
        self.post(path, "application/json", call, timeout)
    }

    /// Posts something to the host.
    pub fn post(&self, path: &str, media: &str, body: &[u8], timeout: Duration) -> bool {
        let Some(host) = &self.setup.host else { return false };
        let headers = vec![
            (":method", "POST"),
            (":path", path),
            (":authority", &host.authority),
            (":scheme", "http"),
            ("content-type", media),
        ];
        hostcalls::dispatch_http_call(&host.cluster, headers, Some(body), Vec::new(), timeout).is_ok()
    }

    /// What holds when the host gives no decision.
    pub fn no_answer(&self) -> Outcome {
        let reason = "The host that decides gave no decision.";
        let digest = self.setup.with(|pdp| pdp.describe().digest);
        Outcome { decision: Decision::deny(Code::StateUnavailable, reason, digest), state_version: None }
    }
}

/// Whether the headers say that there is no body.
pub fn is_bodyless(head: &Head<'_>) -> bool {
    let none = |length: &str| length.trim() == "0";
    head.all("transfer-encoding").next().is_none() && head.all("content-length").all(none)
}
