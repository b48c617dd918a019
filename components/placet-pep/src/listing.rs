//! Answers that name what there is: a catalogue without the tools that can never be allowed, and what a server can do
//! without what its asker never may.

use placet_model::{Json, Kind, Stage};

use crate::exchange::{Scene, request};
use crate::identity::Proposed;
use crate::message::INVALID_PARAMS;
use crate::permit::Permit;
use crate::reply::{Reply, response};
use crate::splice::{Object, list, with_member};

/// A request whose answer depends on who asks.
#[derive(Clone, Debug)]
pub struct Asked {
    id: String,
    call: String,
    server: Option<String>,
}

/// An answer that names things, of which those that can never be allowed are to be left out.
#[derive(Clone, Debug)]
pub struct Filter {
    asked: Asked,
    of: Of,
    /// JSON text.
    result: String,
}

/// What an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Tools,
    Capabilities,
}

/// Capabilities that are only of use to those who may make such a call.
const CAPABILITIES: [(&str, &str); 3] = [
    ("resources", "mcp:resources/read"),
    ("prompts", "mcp:prompts/get"),
    ("completions", "mcp:completion/complete"),
];

/// Capabilities that are open to everybody: what they bring is decided one by one.
const OPEN: [&str; 2] = ["tools", "logging"];

/// The method that asks for a tool catalogue.
pub(crate) const METHOD: &str = "tools/list";

/// The request for a page of a tool catalogue; of the `_meta` of another request, what does not belong to that alone.
pub(crate) fn question(id: &str, cursor: Option<&str>, meta: Option<Json<'_>>) -> String {
    let mut params = Object::new();
    if let Some(cursor) = cursor {
        params = params.string("cursor", cursor);
    }
    if let Some(meta) = meta {
        params = params.raw("_meta", &Object::new().members_but(meta, "progressToken").finish());
    }
    let request = Object::new().string("jsonrpc", "2.0").string("id", id).string("method", METHOD);
    request.raw("params", &params.finish()).finish()
}

pub(crate) fn open(id: &str, params: Option<Json<'_>>, scene: &Scene<'_>) -> Result<(Permit, Asked), Reply> {
    let known = ["cursor", "_meta"];
    if let Some((name, _)) =
        params.into_iter().flat_map(Json::members).find(|(n, _)| !known.contains(&n.as_ref()))
    {
        let message = format!("`tools/list` has no parameter `{name}`");
        return Err(Reply::error(400, Some(id), INVALID_PARAMS, &message));
    }
    Ok((request(Some(id), "tools/list", params), Asked::new(id, params, scene)))
}

impl Asked {
    pub(crate) fn new(id: &str, params: Option<Json<'_>>, scene: &Scene<'_>) -> Asked {
        let Scene { identity, now, server, .. } = *scene;
        let session = scene.session_of(params);
        let session = session.as_deref();
        let of = Proposed { stage: Stage::List, tool: "*", args: "{}", content: None, session, now };
        Asked { id: id.to_owned(), call: identity.call(&of), server: server.map(str::to_owned) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// A tool catalogue, if the result is one.
    pub(crate) fn tools(&self, result: Json<'_>) -> Option<Filter> {
        let tools = result.get("tools").filter(|tools| tools.kind() == Kind::Array)?;
        let named = |tool: Json<'_>| tool.get("name").and_then(Json::as_str).is_some();
        let filter = || Filter { asked: self.clone(), of: Of::Tools, result: result.text().to_owned() };
        tools.elements().all(named).then(filter)
    }

    /// What a server says that it can do; a JSON text.
    pub(crate) fn capabilities(&self, result: &str) -> Filter {
        Filter { asked: self.clone(), of: Of::Capabilities, result: result.to_owned() }
    }

    fn policy_name(&self, name: &str) -> String {
        match &self.server {
            Some(server) => format!("{server}.{name}"),
            None => name.to_owned(),
        }
    }
}

impl Filter {
    /// The call, as JSON, that says who asks.
    pub fn call(&self) -> &[u8] {
        self.asked.call.as_bytes()
    }

    /// Of a tool catalogue: the server, by the name that policies have for it, and the list `tools` as JSON text.
    pub fn catalogue(&self) -> Option<(Option<&str>, &str)> {
        let tools = parsed(&self.result).and_then(|result| result.get("tools"));
        let tools = tools.filter(|_| self.of == Of::Tools)?;
        Some((self.asked.server.as_deref(), tools.text()))
    }

    /// What policies call a tool of this catalogue.
    pub fn policy_name(&self, tool: &str) -> String {
        self.asked.policy_name(tool)
    }

    /// The names to ask about, as policies have them.
    pub fn names(&self) -> Vec<String> {
        match self.of {
            Of::Tools => {
                tools(&self.result).into_iter().map(|(name, _)| self.asked.policy_name(&name)).collect()
            }
            Of::Capabilities => CAPABILITIES.iter().map(|(_, tool)| self.asked.policy_name(tool)).collect(),
        }
    }

    /// The response for the agent, given for each name whether it is shown and what is to be said about it. An answer
    /// that was made for one principal is nobody else's to reuse.
    pub fn filtered(&self, show: impl Fn(&str) -> Option<Option<String>>) -> String {
        let Some(json) = parsed(&self.result) else { return response(&self.asked.id, "result", "{}") };
        let mut result = match self.of {
            Of::Tools => with_member(json, "tools", &self.shown_tools(show)),
            Of::Capabilities => with_member(json, "capabilities", &self.shown_capabilities(json, show)),
        };
        if json.get("cacheScope").is_some() {
            result = parsed(&result).map_or(String::new(), |of| with_member(of, "cacheScope", "\"private\""));
        }
        response(&self.asked.id, "result", &result)
    }

    fn shown_tools(&self, show: impl Fn(&str) -> Option<Option<String>>) -> String {
        let mut shown = Vec::new();
        for (name, tool) in tools(&self.result) {
            match show(&self.asked.policy_name(&name)) {
                None => {}
                Some(None) => shown.push(tool.to_owned()),
                Some(Some(guidance)) => shown.push(guided(tool, &guidance)),
            }
        }
        list(shown.iter().map(String::as_str))
    }

    fn shown_capabilities(&self, result: Json<'_>, show: impl Fn(&str) -> Option<Option<String>>) -> String {
        let offered = |name: &str| result.get("capabilities").and_then(|all| all.get(name));
        let decided = CAPABILITIES.iter().filter(|(_, tool)| show(&self.asked.policy_name(tool)).is_some());
        let names = OPEN.into_iter().chain(decided.map(|(name, _)| *name));
        names
            .filter_map(|name| Some((name, offered(name)?)))
            .fold(Object::new(), |object, (name, of)| object.raw(name, of.text()))
            .finish()
    }
}

fn parsed(text: &str) -> Option<Json<'_>> {
    Json::parse(text.as_bytes(), usize::MAX, usize::MAX).ok()
}

fn tools(result: &str) -> Vec<(String, &str)> {
    let tools = parsed(result).and_then(|result| result.get("tools"));
    let name = |tool: Json<'_>| tool.get("name").and_then(Json::as_str).map(|name| name.into_owned());
    let tools = tools.into_iter().flat_map(Json::elements);
    tools.filter_map(|tool| Some((name(tool)?, tool.text()))).collect()
}

/// A tool whose description also says what the policy will ask.
fn guided(tool: &str, guidance: &str) -> String {
    let Some(tool) = parsed(tool) else { return "null".to_owned() };
    let mut description = tool.get("description").and_then(Json::as_str).unwrap_or_default().into_owned();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str("Policy: ");
    description.push_str(guidance);
    let mut text = String::new();
    placet_model::json::write_string(&mut text, &description);
    with_member(tool, "description", &text)
}
