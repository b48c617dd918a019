//! One record.

use placet_model::Decision;
use serde::Serialize;
use serde_json::value::RawValue;

/// What became of a call that was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The tool says that it worked.
    Ran,
    /// The tool, or its server, says that it did not.
    Failed,
    /// No answer: it may have run.
    Unknown,
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

#[derive(Serialize)]
struct Wire<'a> {
    v: u8,
    time: &'a str,
    host: &'a str,
    exchange: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_version: Option<u64>,
    call: Call<'a>,
}

/// The call's own text; a text that is no JSON is kept as a string.
#[derive(Serialize)]
#[serde(untagged)]
enum Call<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

impl Record<'_> {
    /// The record as one line, without its end.
    pub fn to_json(&self, host: &str) -> String {
        let decision = self.decision.and_then(|decision| {
            let mut text = String::new();
            decision.write_json(&mut text);
            RawValue::from_string(text).ok()
        });
        let call = match serde_json::from_str::<&RawValue>(self.call) {
            Ok(json) if !self.call.contains(['\n', '\r']) => Call::Json(json),
            _ => Call::Text(self.call),
        };
        let wire = Wire {
            v: 1,
            time: self.time,
            host,
            exchange: self.exchange,
            outcome: self.outcome,
            decision,
            state_version: self.state_version,
            call,
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }
}
