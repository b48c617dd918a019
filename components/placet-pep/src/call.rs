//! `tools/call` and other requests that run or read something: decided before they are forwarded, their results decided
//! before the agent sees them.

use placet_model::{Code, Decision, Json, Kind, Obligation, Stage, Verdict};

use crate::answer::Forwarded;
use crate::exchange::Scene;
use crate::http::HttpReply;
use crate::identity::{Identity, Proposed};
use crate::message::INVALID_PARAMS;
use crate::obligation;
use crate::permit::Permit;
use crate::reply::{META, Reply, json, refusal_error, refused, response};
use crate::splice::{Object, with_member};

const TOOLS_CALL: &str = "tools/call";

/// A tool call, or another request, that waits for its decision.
#[derive(Debug)]
pub struct PendingCall {
    id: String,
    tool: String,
    args: String,
    /// `tools/call`, or another method.
    method: String,
    /// The parameters as they will be forwarded.
    params: Option<String>,
    identity: Identity,
    session: Option<String>,
    call: String,
    reference: Option<String>,
}

/// What a decision makes of a tool call.
#[derive(Debug)]
pub enum Decided {
    /// It may go on.
    Forward(Permit, Forwarded),
    /// It may not; this is the answer.
    Refuse(Reply),
}

pub(crate) fn open(id: &str, params: Option<Json<'_>>, scene: &Scene<'_>) -> Result<PendingCall, Reply> {
    let refuse = |message: &str| Reply::error(400, Some(id), INVALID_PARAMS, message);
    let params = params.ok_or_else(|| refuse("`tools/call` needs parameters"))?;
    // Without sessions, a call that needed more input comes again with it, and is decided again.
    let again: &[&str] = if scene.mirror.is_stateless() { &["inputResponses", "requestState"] } else { &[] };
    let known = |name: &str| ["name", "arguments", "_meta"].contains(&name) || again.contains(&name);
    if let Some((name, _)) = params.members().find(|(name, _)| !known(name)) {
        return Err(refuse(&format!("`tools/call` has no parameter `{name}` here")));
    }
    let name = params.get("name").and_then(Json::as_str).ok_or_else(|| refuse("`name` must be a string"))?;
    let args = params.get("arguments").unwrap_or(Json::EMPTY_OBJECT);
    if args.kind() != Kind::Object {
        return Err(refuse("`arguments` must be an object"));
    }
    let mut forwarded = Object::new().string("name", &name).raw("arguments", args.text());
    for other in ["_meta"].iter().chain(again) {
        if let Some(value) = params.get(other) {
            forwarded = forwarded.raw(other, value.text());
        }
    }
    let Scene { identity, now, .. } = *scene;
    let (tool, session) = (scene.tool(&name), scene.session_of(Some(params)));
    let session = session.as_deref();
    let of = Proposed { stage: Stage::Call, tool: &tool, args: args.text(), content: None, session, now };
    let call = identity.call(&of);
    Ok(PendingCall {
        id: id.to_owned(),
        args: args.text().to_owned(),
        method: TOOLS_CALL.to_owned(),
        params: Some(forwarded.finish()),
        identity: identity.clone(),
        session: session.map(str::to_owned),
        tool,
        call,
        reference: None,
    })
}

/// A request of another method: the call of `mcp:METHOD` whose arguments are the parameters.
pub(crate) fn open_method(
    id: &str,
    method: &str,
    params: Option<Json<'_>>,
    scene: &Scene<'_>,
) -> PendingCall {
    let args = Object::new().members_but(params.unwrap_or(Json::EMPTY_OBJECT), "_meta").finish();
    let Scene { identity, now, .. } = *scene;
    let (tool, session) = (scene.tool(&format!("mcp:{method}")), scene.session_of(params));
    let session = session.as_deref();
    let of = Proposed { stage: Stage::Call, tool: &tool, args: &args, content: None, session, now };
    let call = identity.call(&of);
    PendingCall {
        id: id.to_owned(),
        method: method.to_owned(),
        params: params.map(|params| params.text().to_owned()),
        identity: identity.clone(),
        session: session.map(str::to_owned),
        args,
        tool,
        call,
        reference: None,
    }
}

impl PendingCall {
    /// Whether it is a tool that is called: then a refusal can be a tool's result.
    pub(crate) fn is_tool_call(&self) -> bool {
        self.method == TOOLS_CALL
    }

    /// The call to have decided, as JSON.
    pub fn call(&self) -> &[u8] {
        self.call.as_bytes()
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Turns an `allow` with an obligation that cannot be met into a denial. What comes out is to be recorded, and is
    /// the only thing that [`PendingCall::decided`] should be given.
    pub fn enforceable(&self, decision: Decision) -> Decision {
        enforceable(decision)
    }

    /// What an approval of this call under a policy is bound to: canonical JSON. Its SHA-256 is the reference.
    pub fn subject(&self, policy: &str) -> String {
        self.identity.subject(&self.tool, &self.args, self.session.as_deref(), policy)
    }

    /// Has an escalated call answered with a reference for those who approve.
    pub fn refer(&mut self, reference: String) {
        self.reference = Some(reference);
    }

    /// The request's id, a JSON text.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Who calls.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A permit out of an `allow` that can be enforced, a refusal out of anything else.
    pub fn decided(self, decision: &Decision) -> Decided {
        let reference = self.reference.as_deref();
        if decision.verdict != Verdict::Allow || unmet(&decision.obligations).is_some() {
            return Decided::Refuse(match self.is_tool_call() {
                true => Reply::refusal(&self.id, decision, reference),
                false => Reply { status: 200, body: refusal_error(&self.id, decision, reference) },
            });
        }
        let mut body =
            Object::new().string("jsonrpc", "2.0").raw("id", &self.id).string("method", &self.method);
        if let Some(params) = &self.params {
            body = body.raw("params", params);
        }
        let running = Running {
            shape: match self.is_tool_call() {
                true => Shape::Tool(self.id),
                false => Shape::Method(self.id),
            },
            tool: self.tool,
            args: self.args,
            identity: self.identity,
            session: self.session,
            obligations: decision.obligations.clone(),
            decision: json(decision),
        };
        Decided::Forward(Permit::of(body.finish()), Forwarded::Call(Box::new(running)))
    }
}

pub(crate) fn unmet(obligations: &[Obligation]) -> Option<&Obligation> {
    obligations.iter().find(|obligation| !obligation::can_meet(obligation))
}

pub(crate) fn enforceable(decision: Decision) -> Decision {
    match unmet(&decision.obligations) {
        Some(obligation) if decision.verdict == Verdict::Allow => {
            let reason = format!("This gateway cannot do what the policy asks for: {}.", obligation.kind());
            Decision {
                rules: decision.rules,
                ..Decision::deny(Code::UnmetObligation, reason, decision.policy)
            }
        }
        _ => decision,
    }
}

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
    /// What the policy sees of it.
    content: String,
    ok: bool,
}

impl Running {
    /// The request's id, a JSON text.
    pub(crate) fn id(&self) -> &str {
        match &self.shape {
            Shape::Tool(id) | Shape::Method(id) => id,
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
            Shape::Method(_) | Shape::Plain => Some(result),
        };
        if let Some(structured) = structured {
            content = content.raw("structured", structured.text());
        }
        let text = texts(result);
        self.pending(
            ("result", result.text().to_owned()),
            content.string("text", &text.join("\n")).finish(),
            ok,
        )
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
            content,
            ok,
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
    /// The call of stage `result` to have decided at a time (RFC 3339), as JSON. Conditions see as `result` the object
    /// `{ok, text}`, and `structured` when the tool gave structured content.
    pub fn call(&self, now: &str) -> String {
        let session = self.session.as_deref();
        let of = Proposed {
            stage: Stage::Result,
            tool: &self.tool,
            args: &self.args,
            content: Some(&self.content),
            session,
            now,
        };
        self.identity.call(&of)
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
            (Shape::Plain, Some(body)) => body,
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
