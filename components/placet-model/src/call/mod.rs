//! One proposed action of one agent, and the strict reader for it.

use std::borrow::Cow;

use crate::json::Json;
use crate::time::Timestamp;

/// Where in an exchange the decision is asked for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before execution.
    #[default]
    Call,
    /// A tool's result on its way back.
    Result,
    /// Text on its way to a model.
    Prompt,
    /// A tool catalogue on its way to the agent.
    List,
}

/// An agent or a user.
#[derive(Clone, Debug)]
pub struct Principal<'a> {
    /// Stable id.
    pub id: Cow<'a, str>,
    /// Role names.
    pub roles: Vec<Cow<'a, str>>,
    /// Capability scopes (users only; empty for agents).
    pub scopes: Vec<Cow<'a, str>>,
    /// A JSON object of further attributes.
    pub attrs: Json<'a>,
}

/// What the call acts on.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    /// Kind of thing, such as `account`.
    pub kind: Cow<'a, str>,
    /// Stable id.
    pub id: Cow<'a, str>,
    /// A JSON object of further attributes.
    pub attrs: Json<'a>,
}

/// One proposed action, after the model chose it and before anything runs. See `docs/` for the meaning of each field.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Default `call`.
    pub stage: Stage,
    /// Canonical tool name, `server.tool` or `tool`.
    pub tool: Cow<'a, str>,
    /// A JSON object, exactly as it will be executed.
    pub args: Json<'a>,
    /// The acting agent.
    pub agent: Principal<'a>,
    /// The person it acts for.
    pub user: Option<Principal<'a>>,
    /// RFC 8693 `act` chain of actor ids, outermost last.
    pub chain: Vec<Cow<'a, str>>,
    /// Where it acts.
    pub tenant: Cow<'a, str>,
    /// Where it acts, within the tenant.
    pub project: Option<Cow<'a, str>>,
    /// Where it acts: the environment, such as `production`.
    pub env: Option<Cow<'a, str>>,
    /// Any stable id: MCP session, task, or trace.
    pub session: Option<Cow<'a, str>>,
    /// What it acts on.
    pub resource: Option<Resource<'a>>,
    /// The only clock there is.
    pub now: Timestamp,
    /// Capability tokens and intent contracts.
    pub grants: Vec<Cow<'a, str>>,
    /// Proof that people approved this very call.
    pub approval: Option<Cow<'a, str>>,
    /// Stages `result` and `prompt`: the text or JSON to inspect.
    pub content: Option<Json<'a>>,
}

/// How much the reader accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Greatest length of the call's JSON text in bytes; default 1 MiB.
    pub max_bytes: usize,
    /// Greatest nesting of arrays and objects, the call's own object counted; default 128.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_bytes: 1 << 20, max_depth: 128 }
    }
}

/// Why a text is not a call. Its message is safe to show to an agent: it names fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    message: String,
}

impl BadRequest {
    /// A refusal with this message: lower case, no full stop, field names in backticks.
    pub fn new(message: impl Into<String>) -> BadRequest {
        BadRequest { message: message.into() }
    }
}

impl std::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadRequest {}

mod read;

pub use read::{Parts, PrincipalParts, ResourceParts};

#[cfg(test)]
mod tests;
