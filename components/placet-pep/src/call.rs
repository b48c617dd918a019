//! `tools/call`: decided before it is forwarded, its result decided before the agent sees it.

use placet_model::{Code, Decision, Json, Kind, Obligation, Stage, Verdict};

use crate::exchange::Forwarded;
use crate::identity::{Identity, Proposed};
use crate::message::INVALID_PARAMS;
use crate::obligation;
use crate::permit::Permit;
use crate::reply::{META, Reply, json, refused, response};
use crate::splice::{Object, with_member};

/// A tool call that waits for its decision.
#[derive(Debug)]
pub struct PendingCall {
    id: String,
    tool: String,
    args: String,
    /// The parameters as they will be forwarded.
    params: String,
    identity: Identity,
    session: Option<String>,
    call: String,
}

/// What a decision makes of a tool call.
#[derive(Debug)]
pub enum Decided {
    /// It may go on.
    Forward(Permit, Forwarded),
    /// It may not; this is the answer.
    Refuse(Reply),
}

pub(crate) fn open(
    id: &str,
    params: Option<Json<'_>>,
    identity: &Identity,
    session: Option<&str>,
    now: &str,
) -> Result<PendingCall, Reply> {
    let refuse = |message: &str| Reply::error(400, Some(id), INVALID_PARAMS, message);
    let params = params.ok_or_else(|| refuse("`tools/call` needs parameters"))?;
    let known = ["name", "arguments", "_meta"];
    if let Some((name, _)) = params.members().find(|(name, _)| !known.contains(&name.as_ref())) {
        return Err(refuse(&format!("`tools/call` has no parameter `{name}` here")));
    }
    let tool = params.get("name").and_then(Json::as_str).ok_or_else(|| refuse("`name` must be a string"))?;
    let args = params.get("arguments").unwrap_or(Json::EMPTY_OBJECT);
    if args.kind() != Kind::Object {
        return Err(refuse("`arguments` must be an object"));
    }
    let mut forwarded = Object::new().string("name", &tool).raw("arguments", args.text());
    if let Some(meta) = params.get("_meta") {
        forwarded = forwarded.raw("_meta", meta.text());
    }
    let of = Proposed { stage: Stage::Call, tool: &tool, args: args.text(), content: None, session, now };
    let call = identity.call(&of);
    Ok(PendingCall {
        id: id.to_owned(),
        args: args.text().to_owned(),
        params: forwarded.finish(),
        identity: identity.clone(),
        session: session.map(str::to_owned),
        tool: tool.into_owned(),
        call,
    })
}

impl PendingCall {
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

    /// A permit out of an `allow` that can be enforced, a refusal out of anything else.
    pub fn decided(self, decision: &Decision) -> Decided {
        if decision.verdict != Verdict::Allow || unmet(&decision.obligations).is_some() {
            return Decided::Refuse(Reply::refusal(&self.id, decision));
        }
        let body = Object::new().string("jsonrpc", "2.0").raw("id", &self.id).string("method", "tools/call");
        let permit = Permit::of(body.raw("params", &self.params).finish());
        let running = Running {
            id: self.id,
            tool: self.tool,
            args: self.args,
            identity: self.identity,
            session: self.session,
            obligations: decision.obligations.clone(),
            decision: json(decision),
        };
        Decided::Forward(permit, Forwarded::Call(Box::new(running)))
    }
}

fn unmet(obligations: &[Obligation]) -> Option<&Obligation> {
    obligations.iter().find(|obligation| !obligation::can_meet(obligation))
}

fn enforceable(decision: Decision) -> Decision {
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
    id: String,
    tool: String,
    args: String,
    identity: Identity,
    session: Option<String>,
    obligations: Vec<Obligation>,
    decision: String,
}

/// A result that waits for its decision.
#[derive(Debug)]
pub struct PendingResult {
    id: String,
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
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    pub(crate) fn returned(&self, result: Json<'_>) -> PendingResult {
        let ok = result.get("isError").and_then(Json::as_bool) != Some(true);
        let mut content = Object::new().raw("ok", if ok { "true" } else { "false" });
        if let Some(structured) = result.get("structuredContent") {
            content = content.raw("structured", structured.text());
        }
        let blocks = result.get("content").filter(|blocks| blocks.kind() == Kind::Array);
        let text: Vec<String> = blocks
            .into_iter()
            .flat_map(Json::elements)
            .filter_map(|block| block.get("text").and_then(Json::as_str).map(|text| text.into_owned()))
            .collect();
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

    fn pending(&self, outcome: (&'static str, String), content: String, ok: bool) -> PendingResult {
        PendingResult {
            id: self.id.clone(),
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
        let Some(result) = result else { return response(&self.id, "result", &refused(decision)) };
        let (kind, _) = self.outcome;
        if kind == "error" {
            return response(&self.id, kind, &result);
        }
        response(&self.id, kind, &self.with_meta(&result))
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
        obligation::meet(text, &obligations)
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
