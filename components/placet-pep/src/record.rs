//! The record of one decision: one line of JSON, the same from every enforcement point.

use placet_model::{Decision, Json};

use crate::reply::json;
use crate::splice::Object;

/// What became of a call that was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tool says that it worked.
    Ran,
    /// The tool, or its server, says that it did not.
    Failed,
    /// No answer: it may have run.
    Unknown,
}

impl Outcome {
    /// The word in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ran => "ran",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }
}

/// One decision, or what became of one.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When it was made, RFC 3339.
    pub time: &'a str,
    /// Joins the records of one exchange.
    pub exchange: &'a str,
    /// The call as it was decided; a JSON text.
    pub call: &'a str,
    /// The decision; `None` when only the outcome is recorded.
    pub decision: Option<&'a Decision>,
    /// The version of the session's state that it was made on.
    pub state_version: Option<u64>,
    /// What became of the call.
    pub outcome: Option<Outcome>,
}

impl Record<'_> {
    /// The record as one line, without its end; `host` is who made it.
    pub fn to_json(&self, host: &str) -> String {
        let mut line = Object::new()
            .raw("v", "1")
            .string("time", self.time)
            .string("host", host)
            .string("exchange", self.exchange);
        if let Some(outcome) = self.outcome {
            line = line.string("outcome", outcome.as_str());
        }
        if let Some(decision) = self.decision {
            line = line.raw("decision", &json(decision));
        }
        if let Some(version) = self.state_version {
            line = line.raw("state_version", &version.to_string());
        }
        // The call's own text; what is no JSON, or has several lines, is kept as a string.
        let call = self.call;
        let is_json = Json::parse(call.as_bytes(), usize::MAX, MAX_DEPTH).is_ok();
        match is_json && !call.contains(['\n', '\r']) {
            true => line.raw("call", call).finish(),
            false => line.string("call", call).finish(),
        }
    }
}

/// Deeper calls are kept as strings.
const MAX_DEPTH: usize = 128;
