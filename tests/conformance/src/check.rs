//! Compares what came out with what a case expects.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::case::{Expect, ExpectDelta};

/// What a target made of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameOut {
    /// The decision's JSON, when a call was decided: its very bytes.
    pub decision: String,
    /// The delta's JSON, from targets that show it.
    pub delta: Option<String>,
    /// The session's new state, from targets that show it.
    pub state: Option<Vec<u8>>,
    /// The tools that are shown, when they were listed.
    pub visible: Option<Vec<String>>,
}

/// What is not as expected, a line each; `None`: all is. Of a target that shows no delta, none is compared.
pub fn differences(expect: &Expect, out: &CameOut) -> Option<String> {
    let mut lines = String::new();
    let mut compare = |name: &str, expected: Value, actual: Value| {
        if expected != actual {
            let _ = writeln!(lines, "{name}: {actual}, and {expected} is expected");
        }
    };
    if let Some(visible) = &expect.visible {
        compare("visible", serde_json::json!(visible), serde_json::json!(out.visible));
        return (!lines.is_empty()).then_some(lines);
    }
    let decision: Value = match serde_json::from_str(&out.decision) {
        Ok(decision) => decision,
        Err(error) => return Some(format!("the decision is no JSON: {error}: {}", out.decision)),
    };
    let field = |name: &str| decision.get(name).cloned().unwrap_or(Value::Null);
    let text = |text: &Option<String>| text.clone().map(Value::String);
    let fields = [
        ("verdict", text(&expect.verdict)),
        ("code", text(&expect.code)),
        ("rules", expect.rules.as_ref().map(|rules| serde_json::json!(rules))),
        ("reason", text(&expect.reason)),
        ("obligations", expect.obligations.clone()),
        ("approval", expect.approval.clone()),
        ("shadow", expect.shadow.clone()),
    ];
    for (name, expected) in fields {
        if let Some(expected) = expected {
            compare(name, expected, field(name));
        }
    }
    if let (Some(expected), Some(delta)) = (&expect.delta, &out.delta) {
        let delta: Value = serde_json::from_str(delta).unwrap_or_default();
        let ExpectDelta { charges, settlements, session } = expected;
        for (name, expected) in [("charges", charges), ("settlements", settlements)] {
            if let Some(expected) = expected {
                let actual = named(delta.get(name).unwrap_or(&Value::Null), expected);
                compare(name, serde_json::json!(expected), actual);
            }
        }
        if let Some(expected) = session {
            compare("session is written", (*expected).into(), out.state.is_some().into());
        }
    }
    (!lines.is_empty()).then_some(lines)
}

/// Of each object of a list, the members that its counterpart has.
fn named(list: &Value, counterparts: &[Map<String, Value>]) -> Value {
    let Value::Array(list) = list else { return list.clone() };
    let keep = |(n, object): (usize, &Value)| match (object, counterparts.get(n)) {
        (Value::Object(object), Some(wanted)) => {
            let kept = object.iter().filter(|(name, _)| wanted.contains_key(*name));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        (other, _) => other.clone(),
    };
    Value::Array(list.iter().enumerate().map(keep).collect())
}

/// How a target differs from the reference, byte for byte, in what it shows; `None`: it does not.
pub fn disagreement(reference: &CameOut, out: &CameOut) -> Option<String> {
    let mut lines = String::new();
    let mut compare = |name: &str, reference: &dyn std::fmt::Debug, out: &dyn std::fmt::Debug| {
        let _ = writeln!(lines, "{name} is not that of the reference:\n  {out:?}\n  {reference:?}");
    };
    if reference.visible != out.visible {
        compare("what is shown", &reference.visible, &out.visible);
    }
    if reference.decision != out.decision {
        compare("the decision", &reference.decision, &out.decision);
    }
    if out.delta.is_some() && (&reference.delta, &reference.state) != (&out.delta, &out.state) {
        compare("the delta", &(&reference.delta, &reference.state), &(&out.delta, &out.state));
    }
    (!lines.is_empty()).then_some(lines)
}
