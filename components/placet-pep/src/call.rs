//! `tools/call` and other requests that run or read something: decided before they are forwarded.

use placet_model::{Code, Decision, Json, Kind, Obligation, Stage, Verdict};

use crate::answer::Forwarded;
use crate::exchange::Scene;
use crate::identity::{Identity, Proposed};
use crate::message::INVALID_PARAMS;
use crate::obligation;
use crate::permit::Permit;
use crate::reply::{Reply, json, refusal_error};
use crate::result::{Running, Shape};
use crate::splice::Object;

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
    server: Option<String>,
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
    let Scene { identity, now, server, .. } = *scene;
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
        server: server.map(str::to_owned),
    })
}

/// What policies call a method that is no tool.
pub(crate) fn method_tool(server: Option<&str>, method: &str) -> String {
    match server {
        Some(server) => format!("{server}.mcp:{method}"),
        None => format!("mcp:{method}"),
    }
}

/// Parameters as arguments.
pub(crate) fn arguments(params: Option<Json<'_>>) -> String {
    Object::new().members_but(params.unwrap_or(Json::EMPTY_OBJECT), "_meta").finish()
}

/// A request of another method: the call of `mcp:METHOD` whose arguments are the parameters.
pub(crate) fn open_method(
    id: &str,
    method: &str,
    params: Option<Json<'_>>,
    scene: &Scene<'_>,
) -> PendingCall {
    let args = arguments(params);
    let Scene { identity, now, server, .. } = *scene;
    let (tool, session) = (method_tool(scene.server, method), scene.session_of(params));
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
        server: server.map(str::to_owned),
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

    /// The server (by the name that policies have for it) and its own name of the tool; `None`: this calls no tool.
    pub fn called(&self) -> Option<(Option<&str>, &str)> {
        let server = self.server.as_deref();
        let own = match server {
            Some(server) => self.tool.strip_prefix(server)?.strip_prefix('.')?,
            None => &self.tool,
        };
        (self.method == TOOLS_CALL).then_some((server, own))
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
            server: self.server,
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
