//! Who calls: a fixed identity, and the calls made in its name.

use placet_model::json::write_string;
use placet_model::{Json, Stage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::splice::Object;

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
    /// Nobody: for requests that say themselves whose call they are about.
    pub(crate) fn nobody() -> Identity {
        let agent = Principal { id: String::new(), roles: Vec::new(), scopes: Vec::new(), attrs: Map::new() };
        Identity {
            tenant: String::new(),
            agent,
            user: None,
            chain: Vec::new(),
            project: None,
            env: None,
            session: None,
        }
    }

    /// A session's id that no other agent or user can have: theirs, and what the transport calls the session. One that
    /// the identity fixes counts as it stands.
    pub fn session_id(&self, transport: &str) -> String {
        let mut id = String::new();
        let user = self.user.as_ref().map_or("", |user| user.id.as_str());
        for part in [self.agent.id.as_str(), user] {
            id.push_str(&part.replace('%', "%25").replace('/', "%2F"));
            id.push('/');
        }
        id.push_str(transport);
        id
    }

    /// What an approval of a call is bound to: canonical JSON (RFC 8785) of tenant, agent, user, tool, args, session
    /// and policy digest. The tool's name carries its server.
    pub(crate) fn subject(&self, tool: &str, args: &str, session: Option<&str>, policy: &str) -> String {
        let text = |value: &str| {
            let mut text = String::new();
            write_string(&mut text, value);
            text
        };
        let mut object = Object::new().string("agent", &self.agent.id).raw("args", args);
        object = object.string("policy", policy);
        object = object.raw("session", &session.map_or("null".to_owned(), text));
        object = object.string("tenant", &self.tenant).string("tool", tool);
        object = object.raw("user", &self.user.as_ref().map_or("null".to_owned(), |user| text(&user.id)));
        let (written, mut canonical) = (object.finish(), String::new());
        if let Ok(json) = Json::parse(written.as_bytes(), usize::MAX, usize::MAX) {
            json.write_canonical(&mut canonical);
        }
        canonical
    }

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
