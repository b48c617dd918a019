//! What is said about decisions: metrics, the log, properties for access logs, and records for the host.

use std::cell::RefCell;

use placet_model::{Code, Decision, Verdict};
use placet_pep::Record;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{LogLevel, MetricType};

use crate::abi::{self, count, define, set_property};
use crate::config::{Log, Setup};

/// Metrics, and records that wait to be sent.
pub struct Report {
    name: String,
    log: Log,
    verdicts: Vec<(Verdict, Option<u32>)>,
    codes: Vec<(Code, Option<u32>)>,
    /// Requests that were refused before there was a call to decide.
    refused: Option<u32>,
    /// Records that could not be sent to the host.
    lost: Option<u32>,
    took: Option<u32>,
    /// How many may wait; 0: none are sent.
    waiting: usize,
    queue: RefCell<Vec<String>>,
}

impl Report {
    /// Defines the metrics.
    pub fn new(setup: &Setup) -> Report {
        let counter = |name: &str| define(MetricType::Counter, name);
        let verdicts = [Verdict::Allow, Verdict::Escalate, Verdict::Deny].into_iter();
        let codes = Code::ALL.iter();
        Report {
            name: setup.name.clone(),
            log: setup.log,
            verdicts: verdicts
                .map(|of| (of, counter(&format!("placet.decisions.{}", of.as_str()))))
                .collect(),
            codes: codes.map(|of| (*of, counter(&format!("placet.codes.{}", of.as_str())))).collect(),
            refused: counter("placet.requests.refused"),
            lost: counter("placet.records.lost"),
            took: define(MetricType::Histogram, "placet.decision_us"),
            waiting: setup.records.as_ref().map_or(0, |records| records.waiting),
            queue: RefCell::default(),
        }
    }

    /// A decision, or what became of a call.
    pub fn record(&self, record: &Record<'_>) {
        if let Some(decision) = record.decision {
            count(self.verdicts.iter().find(|(of, _)| *of == decision.verdict).and_then(|(_, id)| *id));
            count(self.codes.iter().find(|(of, _)| *of == decision.code).and_then(|(_, id)| *id));
        }
        let refused = record.decision.is_some_and(|decision| decision.verdict != Verdict::Allow);
        let logged = self.log == Log::All || self.log == Log::Refused && refused;
        if !logged && self.waiting == 0 {
            return;
        }
        let line = record.to_json(&self.name);
        if logged {
            say(LogLevel::Info, &line);
        }
        if self.waiting > 0 {
            let mut queue = self.queue.borrow_mut();
            if queue.len() < self.waiting { queue.push(line) } else { self.lost(1) }
        }
    }

    /// A decision for access logs: `%FILTER_STATE(wasm.placet.verdict:PLAIN)%` in Envoy.
    pub fn expose(&self, tool: &str, decision: &Decision, is_envoy: bool) {
        let rules = decision.rules.join(",");
        let fields = [
            ("placet.verdict", decision.verdict.as_str()),
            ("placet.code", decision.code.as_str()),
            ("placet.rules", &rules),
            ("placet.tool", tool),
            ("placet.policy", &decision.policy),
        ];
        for (name, value) in fields {
            match is_envoy {
                true => set_property(&[name], value),
                false => set_property(&["wasmx", name], value),
            }
        }
    }

    /// A request that was refused before there was a call.
    pub fn refused(&self) {
        count(self.refused);
    }

    /// Records that did not reach the host.
    pub fn lost(&self, records: usize) {
        (0..records).for_each(|_| count(self.lost));
    }

    /// How long a decision took, in microseconds.
    pub fn took(&self, micros: u64) {
        abi::observe(self.took, micros);
    }

    /// What waits to be sent, and nothing waits any more.
    pub fn take(&self) -> Vec<String> {
        self.queue.take()
    }
}

/// Writes to the proxy's log.
pub fn say(level: LogLevel, what: &str) {
    let _ = hostcalls::log(level, &format!("placet: {what}"));
}
