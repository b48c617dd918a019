//! The JSON Schema of policy files, for editors: the language's fields once more, as types with their documentation.
//!
//! The compiler does not read through these types, because its diagnostics need places; a test compares the two.
#![allow(dead_code, reason = "the types are only described, never built")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

mod constraint;
mod section;

use section::{Limit, Remember, ResultRule, Rule};

/// The schema of a policy file.
pub fn schema_of_policies() -> Value {
    schemars::schema_for!(PolicyFile).to_value()
}

/// One string, or a list of them.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Names {
    /// One name
    One(String),
    /// Several names
    Many(Vec<String>),
}

/// A Placet policy: what agents may do with tools.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Placet policy")]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The policy's name
    policy: String,
    /// What the policy is for
    description: Option<String>,
    /// The layer it belongs to; the first one when absent. A lower layer narrows what the layers above allow
    layer: Option<String>,
    /// The order of the layers, root first, when it is not org, team, agent; in one root file
    layers: Option<Vec<String>>,
    /// The tenants there are; any other has no policy. In one root file
    tenants: Option<Names>,
    /// Which calls the policy is about; every call when absent
    applies: Option<Applies>,
    /// What the layer says of calls that no rule decides. The root layer denies; a lower one inherits
    default: Option<Default>,
    /// `shadow`: decide and record, do not enforce
    mode: Option<Mode>,
    /// How large calls and sessions may be; in one root file
    bounds: Option<Bounds>,
    /// The tool catalogue, by name; `$import` names a file with a server's `tools/list` result
    tools: Option<BTreeMap<String, Option<ToolOrImport>>>,
    /// Capability scopes by role
    roles: Option<BTreeMap<String, Role>>,
    /// Roles of the actors that a delegation chain may name
    actors: Option<BTreeMap<String, Names>>,
    /// What is allowed, denied, or asked of people
    rules: Option<Vec<Rule>>,
    /// What a session remembers
    remember: Option<Vec<Remember>>,
    /// How much may be done in a while
    limits: Option<Vec<Limit>>,
    /// What must be done to results
    results: Option<Vec<ResultRule>>,
    /// The JSON Schema that editors check the file against
    #[serde(rename = "$schema")]
    schema: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Default {
    Deny,
    Inherit,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Enforce,
    Shadow,
}

/// Which calls. Tenants are exact; everything else may be globs.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Applies {
    tenant: Option<Names>,
    tenants: Option<Names>,
    project: Option<Names>,
    projects: Option<Names>,
    env: Option<Names>,
    envs: Option<Names>,
    /// Which agents
    agents: Option<Principals>,
    /// For which users
    users: Option<Principals>,
}

/// Any of these ids that has any of these roles.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Principals {
    ids: Option<Names>,
    roles: Option<Names>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bounds {
    /// Largest call in bytes; 1 MiB when absent
    call_bytes: Option<u64>,
    /// Deepest nesting of a call; 128 when absent
    call_depth: Option<u32>,
    /// Largest session state in bytes; 16 KiB when absent
    session_bytes: Option<u32>,
    /// Steps that the conditions of one decision may take
    steps: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum ToolOrImport {
    /// A file with a `tools/list` result
    Import(String),
    /// A tool
    Tool(Box<Tool>),
}

/// A tool: facts about it that conditions may read as `tool`.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tool {
    description: Option<String>,
    /// What a call of it does
    effects: Option<Vec<Effect>>,
    risk: Option<Risk>,
    /// Classes of data it touches
    data: Option<Names>,
    /// What a call of it costs
    cost: Option<f64>,
    /// An expression that gives the capability scope a call needs, such as `'payments:refund'`
    scope: Option<String>,
    /// JSON Schema of the arguments: in place, or `{$schema: FILE}`
    args: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Read,
    Write,
    Destructive,
    External,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

/// Scopes such as `crm:read` or `crm:*`; a denied scope wins.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Role {
    allow: Option<Names>,
    deny: Option<Names>,
}

#[cfg(test)]
mod tests;
