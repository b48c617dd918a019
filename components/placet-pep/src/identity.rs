//! Who calls: a fixed identity, and the calls made in its name.

use placet_model::Stage;
use placet_model::json::write_string;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The agent that the gateway stands before, and for whom it acts: the identity fields of a call, by the names that
/// `semantics.md` gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Whose policies and state.
    pub tenant: String,
    /// The acting agent.
    pub agent: Principal,
    /// The person it acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Principal>,
    /// Actor ids of the delegation, outermost last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Where it acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where it acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// One session for every call, whatever the transport says: then an agent cannot leave what it has done behind by
    /// starting another.
    #[serde(default, skip_serializing)]
    pub session: Option<String>,
}

/// An agent, or a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// Stable id.
    pub id: String,
    /// Role names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Capability scopes; users only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Anything else that conditions may ask for.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attrs: Map<String, Value>,
}

/// What changes from call to call.
pub(crate) struct Proposed<'a> {
    pub stage: Stage,
    pub tool: &'a str,
    /// JSON text.
    pub args: &'a str,
    /// JSON text.
    pub content: Option<&'a str>,
    pub session: Option<&'a str>,
    /// RFC 3339.
    pub now: &'a str,
}

impl Identity {
    /// The call as the JSON text that decision points read.
    pub(crate) fn call(&self, of: &Proposed<'_>) -> String {
        // An object always serialises, and never to an empty one: two fields are required.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.pop();
        let mut string = |name: &str, value: &str| {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            write_string(&mut text, value);
        };
        string("stage", stage(of.stage));
        string("tool", of.tool);
        string("now", of.now);
        if let Some(session) = of.session {
            text.push_str(",\"session\":{\"id\":");
            write_string(&mut text, session);
            text.push('}');
        }
        text.push_str(",\"args\":");
        text.push_str(of.args);
        if let Some(content) = of.content {
            text.push_str(",\"content\":");
            text.push_str(content);
        }
        text.push('}');
        text
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Call => "call",
        Stage::Result => "result",
        Stage::Prompt => "prompt",
        Stage::List => "list",
    }
}
