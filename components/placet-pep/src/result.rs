//! Results on their way to the agent, and what a server asks of the client: decided before the agent sees them.

use placet_model::{Code, Decision, Json, Kind, Obligation, Stage, Verdict};

use crate::call::{arguments, enforceable, method_tool};
use crate::exchange::{Who, request};
use crate::http::HttpReply;
use crate::identity::{Identity, Proposed};
use crate::obligation;
use crate::reply::{META, notice, refusal_error, refused, response};
use crate::splice::{Object, with_member};

/// A tool call that the server was given.
#[derive(Debug)]
pub struct Running {
    pub(crate) shape: Shape,
    pub(crate) tool: String,
    pub(crate) args: String,
    pub(crate) identity: Identity,
    pub(crate) session: Option<String>,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) decision: String,
    /// What policies call the server.
    pub(crate) server: Option<String>,
}

/// What a result comes in.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// The result of a tool, in the response to a request of this id (JSON text).
    Tool(String),
    /// The result of another method, likewise.
    Method(String),
    /// The body of an HTTP response.
    Plain,
    /// A request of the server to the client: its id (JSON text).
    Ask(String),
}

/// A result that waits for its decision.
#[derive(Debug)]
pub struct PendingResult {
    shape: Shape,
    /// The server's outcome: `result` or `error`, and its text.
    outcome: (&'static str, String),
    tool: String,
    args: String,
    identity: Identity,
    session: Option<String>,
    obligations: Vec<Obligation>,
    decision: String,
    /// What policies call the server.
    server: Option<String>,
    /// What the policy sees of it.
    content: String,
    ok: bool,
    /// Whether it is no result yet: more input is needed.
    waits: bool,
}

impl Running {
    /// The request's id, a JSON text.
    pub(crate) fn id(&self) -> &str {
        match &self.shape {
            Shape::Tool(id) | Shape::Method(id) | Shape::Ask(id) => id,
            Shape::Plain => "null",
        }
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    pub(crate) fn returned(&self, result: Json<'_>) -> PendingResult {
        let waits = result.get("resultType").and_then(Json::as_str).as_deref() == Some("input_required");
        let ok = !waits && result.get("isError").and_then(Json::as_bool) != Some(true);
        let mut content = Object::new().raw("ok", if ok { "true" } else { "false" });
        if waits {
            content = content.raw("input_required", "true");
        }
        let structured = match self.shape {
            Shape::Tool(_) => result.get("structuredContent"),
            Shape::Method(_) | Shape::Plain | Shape::Ask(_) => Some(result),
        };
        if let Some(structured) = structured {
            content = content.raw("structured", structured.text());
        }
        let text = texts(result);
        let content = content.string("text", &text.join("\n")).finish();
        PendingResult { waits, ..self.pending(("result", result.text().to_owned()), content, ok) }
    }

    pub(crate) fn failed(&self, error: Json<'_>) -> PendingResult {
        let text = error.get("message").and_then(Json::as_str).unwrap_or_default();
        let content = Object::new().raw("ok", "false").string("text", &text).finish();
        self.pending(("error", error.text().to_owned()), content, false)
    }

    /// The answer of a plain HTTP interface.
    pub(crate) fn answered(&self, status: u16, body: &str) -> PendingResult {
        let ok = (200..300).contains(&status);
        let mut content = Object::new().raw("ok", if ok { "true" } else { "false" });
        content = content.raw("status", &status.to_string());
        if let Ok(json) = Json::parse(body.as_bytes(), usize::MAX, usize::MAX) {
            content = content.raw("structured", json.text());
        }
        let content = content.string("text", body).finish();
        self.pending(("result", body.to_owned()), content, ok)
    }

    /// Whether the result must be read before it goes to the agent.
    pub(crate) fn is_bound(&self) -> bool {
        !self.obligations.is_empty()
    }

    fn pending(&self, outcome: (&'static str, String), content: String, ok: bool) -> PendingResult {
        PendingResult {
            shape: self.shape.clone(),
            outcome,
            tool: self.tool.clone(),
            args: self.args.clone(),
            identity: self.identity.clone(),
            session: self.session.clone(),
            obligations: self.obligations.clone(),
            decision: self.decision.clone(),
            server: self.server.clone(),
            content,
            ok,
            waits: false,
        }
    }
}

/// The texts of a result: of a tool's content, a resource's contents, a prompt's messages.
fn texts(result: Json<'_>) -> Vec<String> {
    let lists = ["content", "contents", "messages"].into_iter().filter_map(|name| result.get(name));
    let blocks = lists.filter(|blocks| blocks.kind() == Kind::Array).flat_map(Json::elements);
    let text = |block: Json<'_>| {
        let block = block.get("content").filter(|content| content.kind() == Kind::Object).unwrap_or(block);
        block.get("text").and_then(Json::as_str).map(|text| text.into_owned())
    };
    blocks.filter_map(text).collect()
}

impl PendingResult {
    /// A request of the server: the call of `mcp:METHOD` whose arguments are its parameters.
    pub(crate) fn asked(who: &Who, id: &str, method: &str, params: Option<Json<'_>>) -> PendingResult {
        PendingResult {
            shape: Shape::Ask(id.to_owned()),
            outcome: ("ask", request(Some(id), method, params).into_body()),
            tool: method_tool(who.server.as_deref(), method),
            args: arguments(params),
            identity: who.identity.clone(),
            session: who.session.clone(),
            obligations: Vec::new(),
            decision: String::new(),
            server: who.server.clone(),
            content: String::new(),
            ok: true,
            waits: false,
        }
    }

    /// The call to have decided at a time (RFC 3339), as JSON. It is of stage `result`, where conditions see as `result`
    /// the object `{ok, text}`, and `structured` when the tool gave structured content; for what the server asks of
    /// the client, it is of stage `call`.
    pub fn call(&self, now: &str) -> String {
        let (stage, content) = match self.shape {
            Shape::Ask(_) => (Stage::Call, None),
            Shape::Tool(_) | Shape::Method(_) | Shape::Plain => (Stage::Result, Some(self.content.as_str())),
        };
        self.proposed(stage, &self.tool, &self.args, content, now)
    }

    /// What a result that needs more input would have the client do (MCP 2026-07-28, `inputRequests`): calls to have
    /// decided, all of which must be allowed before the result is.
    pub fn inputs(&self, now: &str) -> Vec<String> {
        let parsed = Json::parse(self.outcome.1.as_bytes(), usize::MAX, usize::MAX);
        let Some(wanted) = parsed.ok().filter(|_| self.waits).and_then(|of| of.get("inputRequests")) else {
            return Vec::new();
        };
        let server = self.server.as_deref();
        let call = |(_, request): (_, Json<'_>)| {
            // What names no method is no request, and no rule can allow it.
            let method = request.get("method").and_then(Json::as_str).unwrap_or_default();
            let args = arguments(request.get("params"));
            self.proposed(Stage::Call, &method_tool(server, &method), &args, None, now)
        };
        wanted.members().map(call).collect()
    }

    fn proposed(&self, stage: Stage, tool: &str, args: &str, content: Option<&str>, now: &str) -> String {
        let session = self.session.as_deref();
        self.identity.call(&Proposed { stage, tool, args, content, session, now })
    }

    /// The id of what the server asks of the client (JSON text), when that is what this is.
    pub fn ask(&self) -> Option<&str> {
        match &self.shape {
            Shape::Ask(id) => Some(id),
            Shape::Tool(_) | Shape::Method(_) | Shape::Plain => None,
        }
    }

    /// Whether the tool says that it worked.
    pub fn ok(&self) -> bool {
        self.ok
    }

    /// As [`PendingCall::enforceable`]; also a denial when the obligations cannot be met on this very result.
    pub fn enforceable(&self, decision: Decision) -> Decision {
        let decision = enforceable(decision);
        if decision.verdict != Verdict::Allow || self.met(&decision.obligations).is_some() {
            return decision;
        }
        let reason = "The result is not of a kind that this gateway can redact or cut, as the policy asks.";
        Decision { rules: decision.rules, ..Decision::deny(Code::UnmetObligation, reason, decision.policy) }
    }

    /// The response for the agent: the result after its obligations, or a refusal in its place.
    pub fn decided(self, decision: &Decision) -> String {
        let result = match decision.verdict {
            Verdict::Allow => self.met(&decision.obligations),
            Verdict::Escalate | Verdict::Deny => None,
        };
        let (kind, _) = self.outcome;
        match (&self.shape, result) {
            (Shape::Plain | Shape::Ask(_), Some(body)) => body,
            (Shape::Ask(_), None) => notice(decision),
            (Shape::Plain, None) => HttpReply::refused(decision, None).body,
            (Shape::Tool(id), None) => response(id, "result", &refused(decision, None)),
            (Shape::Method(id), None) => refusal_error(id, decision, None),
            (Shape::Tool(id) | Shape::Method(id), Some(error)) if kind == "error" => {
                response(id, kind, &error)
            }
            (Shape::Tool(id) | Shape::Method(id), Some(result)) => {
                response(id, kind, &self.with_meta(&result))
            }
        }
    }

    /// The HTTP status for the agent, when it is not the server's.
    pub fn status(&self, decision: &Decision) -> Option<u16> {
        let refused = decision.verdict != Verdict::Allow || self.met(&decision.obligations).is_none();
        (matches!(self.shape, Shape::Plain) && refused).then_some(403)
    }

    /// The outcome's text after the obligations of the call and of its result.
    fn met(&self, more: &[Obligation]) -> Option<String> {
        let (kind, text) = &self.outcome;
        if *kind == "error" {
            return Some(text.clone());
        }
        let mut obligations = self.obligations.clone();
        obligations.extend(more.iter().cloned());
        obligations.sort();
        obligations.dedup();
        match self.shape {
            Shape::Ask(_) => obligations.is_empty().then(|| text.clone()),
            Shape::Tool(_) => obligation::meet(text, &obligations),
            Shape::Method(_) | Shape::Plain => obligation::meet_plain(text, &obligations),
        }
    }

    fn with_meta(&self, result: &str) -> String {
        let Ok(json) = Json::parse(result.as_bytes(), usize::MAX, usize::MAX) else {
            return result.to_owned();
        };
        if json.kind() != Kind::Object {
            return result.to_owned();
        }
        let meta = json.get("_meta").filter(|meta| meta.kind() == Kind::Object).unwrap_or(Json::EMPTY_OBJECT);
        with_member(json, "_meta", &with_member(meta, META, &self.decision))
    }
}
