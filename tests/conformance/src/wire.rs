//! The protocol that a command speaks: requests and answers as JSON, one on each line. The README describes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::{
    Amount, Answer, Approval, Charge, Code, Decision, Delta, Exceeded, Facts, Obligation, SessionFact,
    Settlement, Shadow, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::policy::Policy;

/// What the suite asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request<'a> {
    /// Decide by this policy from now on.
    Load {
        /// Its name, for messages.
        policy: String,
        /// The bundle, in base64.
        bundle: String,
        /// Public keys (Ed25519, hexadecimal) of which one must have signed it; none: nobody need have.
        keys: Vec<String>,
    },
    /// Decide a call.
    Decide {
        /// The call's text, which need not be JSON.
        call: std::borrow::Cow<'a, str>,
        /// What else the decision depends on.
        facts: WireFacts,
    },
    /// Say which tools the call's principal is shown.
    List {
        /// The call's text.
        call: std::borrow::Cow<'a, str>,
        /// What else it depends on.
        facts: WireFacts,
        /// The tools.
        tools: std::borrow::Cow<'a, [String]>,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Response {
    /// To `load`: the policy is in force.
    Loaded {
        /// Its digest.
        digest: String,
    },
    /// To `load`: every call is denied from now on, for this reason.
    Refused(String),
    /// To `decide`.
    Decided {
        /// The decision: these bytes are compared.
        decision: Box<RawValue>,
        /// The state change.
        delta: WireDelta,
    },
    /// To `list`: those that are shown, in the order that was asked for.
    Listed(Vec<String>),
}

/// Facts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireFacts {
    /// What is stored for the session.
    pub session: WireSession,
    /// What the store said of the charges.
    pub answer: WireAnswer,
}

/// What is stored for a session.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireSession {
    /// Nothing.
    #[default]
    Fresh,
    /// The bytes that an earlier delta asked to store, in base64.
    Stored(String),
    /// Nobody knows.
    Unavailable,
}

/// What a store said of charges.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireAnswer {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It took them.
    Taken,
    /// It took none, because of these limits.
    Exceeded(Vec<String>),
    /// It cannot be reached.
    Unavailable,
}

/// A state change: as a delta's JSON, and with the session's state itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireDelta {
    charges: Vec<WireCharge>,
    settlements: Vec<WireSettlement>,
    /// In base64; `null`: unchanged.
    session: Option<String>,
    at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCharge {
    limit: String,
    key: String,
    amount: String,
    ceiling: String,
    window_ms: u64,
    exceeded: Exceeded,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_unavailable: Option<Allow>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Allow {
    Allow,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSettlement {
    limit: String,
    key: String,
    reserved: String,
    actual: String,
    window_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDecision {
    verdict: Verdict,
    code: String,
    rules: Vec<String>,
    reason: String,
    obligations: Vec<WireObligation>,
    #[serde(default)]
    approval: Vec<Approval>,
    #[serde(default)]
    shadow: Vec<WireShadow>,
    policy: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum WireObligation {
    Redact { fields: Vec<String> },
    Mask { fields: Vec<String>, keep: u32 },
    CapRows { max: u64 },
    Notify { channels: Vec<String> },
    SignMemory,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireShadow {
    layer: String,
    verdict: Verdict,
    code: String,
    rules: Vec<String>,
}

impl<'a> Request<'a> {
    /// To load a policy.
    pub fn load(policy: &Policy) -> Request<'a> {
        let hex = |key: &[u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect();
        Request::Load {
            policy: policy.name.clone(),
            bundle: STANDARD.encode(&policy.bundle),
            keys: policy.trust.keys.iter().map(hex).collect(),
        }
    }

    /// To decide a call.
    pub fn decide(call: &'a [u8], facts: &Facts<'_>) -> Request<'a> {
        Request::Decide { call: String::from_utf8_lossy(call), facts: WireFacts::of(facts) }
    }

    /// To list tools.
    pub fn list(call: &'a [u8], facts: &Facts<'_>, tools: &'a [String]) -> Request<'a> {
        let call = String::from_utf8_lossy(call);
        Request::List { call, facts: WireFacts::of(facts), tools: tools.into() }
    }
}

impl WireFacts {
    fn of(facts: &Facts<'_>) -> WireFacts {
        WireFacts {
            session: match facts.session {
                SessionFact::Fresh => WireSession::Fresh,
                SessionFact::Stored(bytes) => WireSession::Stored(STANDARD.encode(bytes)),
                SessionFact::Unavailable => WireSession::Unavailable,
            },
            answer: match &facts.answer {
                Answer::NotAsked => WireAnswer::NotAsked,
                Answer::Taken => WireAnswer::Taken,
                Answer::Exceeded(limits) => WireAnswer::Exceeded(limits.clone()),
                Answer::Unavailable => WireAnswer::Unavailable,
            },
        }
    }

    /// Calls `with` with the facts as the engine takes them.
    ///
    /// # Errors
    /// When the session's state is not base64.
    pub fn with<T>(self, with: impl FnOnce(&Facts<'_>) -> T) -> Result<T, String> {
        let stored = match &self.session {
            WireSession::Stored(text) => STANDARD.decode(text).map_err(|error| error.to_string())?,
            _ => Vec::new(),
        };
        let session = match self.session {
            WireSession::Fresh => SessionFact::Fresh,
            WireSession::Stored(_) => SessionFact::Stored(&stored),
            WireSession::Unavailable => SessionFact::Unavailable,
        };
        let answer = match self.answer {
            WireAnswer::NotAsked => Answer::NotAsked,
            WireAnswer::Taken => Answer::Taken,
            WireAnswer::Exceeded(limits) => Answer::Exceeded(limits),
            WireAnswer::Unavailable => Answer::Unavailable,
        };
        Ok(with(&Facts { session, answer }))
    }
}

impl Response {
    /// The answer to `decide`.
    ///
    /// # Errors
    /// Never for a decision of the engine.
    pub fn decided(decision: &Decision) -> Result<Response, String> {
        let mut text = String::new();
        decision.write_json(&mut text);
        let raw = RawValue::from_string(text).map_err(|error| error.to_string())?;
        Ok(Response::Decided { decision: raw, delta: WireDelta::of(&decision.delta) })
    }
}

impl WireDelta {
    fn of(delta: &Delta) -> WireDelta {
        let charge = |it: &Charge| WireCharge {
            limit: it.limit.clone(),
            key: it.key.clone(),
            amount: it.amount.to_string(),
            ceiling: it.ceiling.to_string(),
            window_ms: it.window_ms,
            exceeded: it.exceeded,
            on_unavailable: it.allow_if_unavailable.then_some(Allow::Allow),
        };
        let settlement = |it: &Settlement| WireSettlement {
            limit: it.limit.clone(),
            key: it.key.clone(),
            reserved: it.reserved.to_string(),
            actual: it.actual.to_string(),
            window_ms: it.window_ms,
        };
        WireDelta {
            charges: delta.charges.iter().map(charge).collect(),
            settlements: delta.settlements.iter().map(settlement).collect(),
            session: delta.session.as_ref().map(|bytes| STANDARD.encode(bytes)),
            at: delta.at.to_string(),
        }
    }

    fn into_delta(self) -> Result<Delta, String> {
        let charge = |it: WireCharge| {
            let (amount, ceiling) = (amount(&it.amount)?, amount(&it.ceiling)?);
            let WireCharge { limit, key, window_ms, exceeded, on_unavailable, .. } = it;
            let allow_if_unavailable = on_unavailable.is_some();
            Ok(Charge { limit, key, amount, ceiling, window_ms, exceeded, allow_if_unavailable })
        };
        let settlement = |it: WireSettlement| {
            let (reserved, actual) = (amount(&it.reserved)?, amount(&it.actual)?);
            let WireSettlement { limit, key, window_ms, .. } = it;
            Ok(Settlement { limit, key, reserved, actual, window_ms })
        };
        let session = self.session.map(|text| STANDARD.decode(text)).transpose();
        Ok(Delta {
            session: session.map_err(|error| error.to_string())?,
            charges: self.charges.into_iter().map(charge).collect::<Result<_, String>>()?,
            settlements: self.settlements.into_iter().map(settlement).collect::<Result<_, String>>()?,
            at: Timestamp::parse_rfc3339(&self.at).ok_or_else(|| format!("`{}` is no time", self.at))?,
        })
    }
}

/// Reads a decision and its delta; what it reads must be written back to the very same bytes.
///
/// # Errors
/// What is not as it should be.
pub fn decision_of(raw: &RawValue, delta: WireDelta) -> Result<Decision, String> {
    let code = |text: &str| Code::parse(text).ok_or_else(|| format!("`{text}` is no code"));
    let wire: WireDecision =
        serde_json::from_str(raw.get()).map_err(|error| format!("no decision: {error}: {raw}"))?;
    let obligation = |it: WireObligation| match it {
        WireObligation::Redact { fields } => Obligation::Redact { fields },
        WireObligation::Mask { fields, keep } => Obligation::Mask { fields, keep },
        WireObligation::CapRows { max } => Obligation::CapRows { max },
        WireObligation::Notify { channels } => Obligation::Notify { channels },
        WireObligation::SignMemory => Obligation::SignMemory,
    };
    let shadow = |it: WireShadow| {
        let code = code(&it.code)?;
        Ok(Shadow { layer: it.layer, verdict: it.verdict, code, rules: it.rules })
    };
    let decision = Decision {
        verdict: wire.verdict,
        code: code(&wire.code)?,
        rules: wire.rules,
        reason: wire.reason,
        obligations: wire.obligations.into_iter().map(obligation).collect(),
        approvals: wire.approval,
        shadow: wire.shadow.into_iter().map(shadow).collect::<Result<_, String>>()?,
        policy: wire.policy,
        delta: delta.into_delta()?,
    };
    let mut written = String::new();
    decision.write_json(&mut written);
    if written != raw.get() {
        return Err(format!("the decision is not written canonically: {raw} and not {written}"));
    }
    Ok(decision)
}

/// A decimal with at most six places, exactly.
fn amount(text: &str) -> Result<Amount, String> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let places_fit = places.len() <= 6 && digits(places);
    let millionths = format!("{whole}{places:0<6}").parse::<u64>();
    match millionths {
        Ok(millionths) if places_fit && !whole.is_empty() && digits(whole) => Ok(Amount(millionths)),
        _ => Err(format!("`{text}` is no amount")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, amount, decision_of};
    use placet_model::{Amount, Approval, Code, Decision, Obligation, Shadow, Verdict};

    #[test]
    fn amounts() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.1", Some(100_000)),
            ("18446744073709.551615", Some(u64::MAX)),
            ("18446744073709.551616", None),
            ("1.0000001", None),
            (".5", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(amount(text).ok(), expected.map(Amount), "{text}");
        }
    }

    #[test]
    fn decisions_there_and_back() {
        let mut decision = Decision::deny(Code::Denied, "No.", "ab");
        for verdict in [Verdict::Allow, Verdict::Escalate, Verdict::Deny] {
            decision.verdict = verdict;
            decision.approvals = if verdict == Verdict::Escalate {
                let (rule, approvers) = ("org/a".to_owned(), vec!["ann".to_owned()]);
                vec![Approval { rule, approvers, quorum: 1, timeout_ms: 5, notify: Vec::new() }]
            } else {
                Vec::new()
            };
            decision.obligations = vec![Obligation::CapRows { max: 5 }, Obligation::SignMemory];
            decision.shadow =
                vec![Shadow { layer: "team".to_owned(), verdict, code: Code::Denied, rules: Vec::new() }];
            let Ok(Response::Decided { decision: raw, delta }) = Response::decided(&decision) else {
                panic!("it is written");
            };
            assert_eq!(decision_of(&raw, delta), Ok(decision.clone()));
        }
    }
}
