//! Rules, memory, limits and obligations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::constraint::Constraint;
use super::{Applies, Names};

/// A rule: it matches when its tools, selector, argument constraints and condition all hold.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique within the layer; decisions name it as `layer/id`
    id: String,
    description: Option<String>,
    /// Tool names or globs
    tools: Names,
    /// When the rule is asked: before the call (default), of its result, or of a prompt
    stage: Option<Stage>,
    applies: Option<Applies>,
    /// Constraints by argument; an argument that is not named makes the rule not match, unless `others: any`
    args: Option<BTreeMap<String, Constraint>>,
    /// A condition in CEL
    when: Option<Expression>,
    outcome: Outcome,
    /// Who must approve, with `outcome: escalate`
    approval: Option<Approval>,
    /// What the agent is told; must be safe to show
    reason: Option<String>,
    /// What must be done for an `allow` to stand
    obligations: Option<Obligations>,
    /// `allow`: the call goes on when state that the rule needs is out of reach
    on_unavailable: Option<OnUnavailable>,
}

/// A CEL expression.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Expression {
    Text(String),
    Constant(bool),
    Number(f64),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Call,
    Result,
    Prompt,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allow,
    Deny,
    Escalate,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnUnavailable {
    Deny,
    Allow,
}

/// Who must approve a call.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Approval {
    /// Ids, or roles written `role:NAME`
    approvers: Option<Names>,
    /// How many different people
    quorum: Option<u32>,
    /// Until when, such as `15m`; then the call is denied
    timeout: Option<String>,
    /// Where to ask, such as `slack:fin-approvals`
    notify: Option<Names>,
}

/// What must be done for an `allow` to stand.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Obligations {
    /// Fields to take out of the result, such as `rows.*.ssn`
    redact: Option<Names>,
    mask: Option<Mask>,
    /// Greatest number of rows
    cap_rows: Option<u64>,
    /// Channels to tell
    notify: Option<Names>,
    /// Sign what the agent writes to its long-term memory
    sign_memory: Option<bool>,
}

/// Fields whose values become asterisks.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mask {
    fields: Option<Names>,
    /// How many trailing characters stay
    keep: Option<u32>,
}

/// Something that sessions remember of allowed calls, or of results.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remember {
    on: On,
    /// The name that conditions ask for: `session.has('NAME')`
    #[serde(rename = "as")]
    name: String,
    /// An expression that tells memories of one name apart
    key: Option<String>,
    /// How long, such as `8h`; as long as the session when absent
    #[serde(rename = "for")]
    duration: Option<String>,
    on_unavailable: Option<OnUnavailable>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct On {
    tools: Names,
    /// `call` (default): when the call is allowed; `result`: when its result is
    stage: Option<Stage>,
    when: Option<Expression>,
}

/// A ceiling for each key and window.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    id: String,
    /// Tool names or globs; all when absent
    tools: Option<Names>,
    /// What is counted: calls by their cost (default), denials, or identical repeated calls
    count: Option<CountWord>,
    /// What has a counter of its own: tenant, agent, user, session, tool, or expressions
    per: Option<Names>,
    /// An expression; 1 when absent
    cost: Option<Expression>,
    /// What the call turned out to cost, asked of its result
    settle: Option<Expression>,
    /// The most that may be counted within the window
    max: f64,
    /// How long a charge counts, such as `1h`
    window: String,
    exceeded: Option<Exceeded>,
    approval: Option<Approval>,
    reason: Option<String>,
    on_unavailable: Option<OnUnavailable>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum CountWord {
    Calls,
    Denied,
    Identical,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Exceeded {
    Deny,
    Escalate,
    Quarantine,
}

/// Obligations on the results of tools.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultRule {
    tools: Names,
    redact: Option<Names>,
    mask: Option<Mask>,
    cap_rows: Option<u64>,
    notify: Option<Names>,
    sign_memory: Option<bool>,
}
