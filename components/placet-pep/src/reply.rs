//! What the agent is answered by the enforcement point itself.

use placet_model::{Decision, Json, Kind, Verdict};

use crate::permit::Permit;
use crate::splice::{Object, with_member};

/// The key under which a decision stands in a result's `_meta`.
pub const META: &str = "dev.placet/decision";
/// The key under which an escalated call's reference for those who approve stands.
pub const APPROVAL: &str = "dev.placet/approval";
/// The key under which a signed state handle stands in `_meta`: in the answer that begins a session, and in the requests
/// of a client that carries its session on.
pub const HANDLE: &str = "dev.placet/session";
/// The JSON-RPC error code of a call that policy refuses.
pub const REFUSED: i32 = -32_001;

/// An answer that does not come from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// A JSON-RPC response.
    pub body: String,
}

impl Reply {
    /// A JSON-RPC error; `id` is a JSON text.
    pub(crate) fn error(status: u16, id: Option<&str>, code: i32, message: &str) -> Reply {
        let error = Object::new().raw("code", &code.to_string()).string("message", message).finish();
        Reply { status, body: response(id.unwrap_or("null"), "error", &error) }
    }

    /// A tool result that says why the call was not made.
    pub(crate) fn refusal(id: &str, decision: &Decision, reference: Option<&str>) -> Reply {
        Reply { status: 200, body: response(id, "result", &refused(decision, reference)) }
    }
}

/// The answer to a server whose request of this id (JSON text) policy refuses.
pub fn refused_ask(id: &str, decision: &Decision) -> Permit {
    Permit::of(refusal_error(id, decision, None))
}

/// The error that says why a call was not made.
pub(crate) fn refusal_error(id: &str, decision: &Decision, reference: Option<&str>) -> String {
    let mut data = Object::new().raw(META, &json(decision));
    if let Some(reference) = reference {
        data = data.string(APPROVAL, reference);
    }
    let error = Object::new()
        .raw("code", &REFUSED.to_string())
        .string("message", &words(decision))
        .raw("data", &data.finish());
    response(id, "error", &error.finish())
}

/// A request without the state handle that it carries: it is between client and gateway.
pub fn without_handle(request: &str) -> String {
    let Ok(json) = Json::parse(request.as_bytes(), usize::MAX, usize::MAX) else { return request.to_owned() };
    let params = json.get("params");
    match (params, params.and_then(|params| params.get("_meta"))) {
        (Some(params), Some(meta)) => {
            let meta = Object::new().members_but(meta, HANDLE).finish();
            with_member(json, "params", &with_member(params, "_meta", &meta))
        }
        _ => request.to_owned(),
    }
}

/// A response whose result also gives out a state handle.
pub fn with_handle(response: &str, handle: &str) -> String {
    let parse = |text| {
        Json::parse(text, usize::MAX, usize::MAX).ok().filter(|json: &Json<'_>| json.kind() == Kind::Object)
    };
    let Some(json) = parse(response.as_bytes()) else { return response.to_owned() };
    let Some(result) = json.get("result").filter(|result| result.kind() == Kind::Object) else {
        return response.to_owned();
    };
    let meta = result.get("_meta").filter(|meta| meta.kind() == Kind::Object).unwrap_or(Json::EMPTY_OBJECT);
    let mut text = String::new();
    placet_model::json::write_string(&mut text, handle);
    with_member(json, "result", &with_member(result, "_meta", &with_member(meta, HANDLE, &text)))
}

/// What the client is told in place of what a server asked and policy refuses: a message of the log.
pub(crate) fn notice(decision: &Decision) -> String {
    let params = Object::new().string("level", "warning").string("logger", "placet");
    let params = params.string("data", &format!("The server asked for something. {}", words(decision)));
    let object = Object::new().string("jsonrpc", "2.0").string("method", "notifications/message");
    object.raw("params", &params.finish()).finish()
}

/// A response with this id and outcome, both JSON texts.
pub(crate) fn response(id: &str, outcome: &str, value: &str) -> String {
    Object::new().string("jsonrpc", "2.0").raw("id", id).raw(outcome, value).finish()
}

/// A result with `isError`, the reason in words, and the decision in `_meta`. Version 2026-07-28 demands a `resultType`,
/// and to earlier ones any other member is just one more.
pub(crate) fn refused(decision: &Decision, reference: Option<&str>) -> String {
    let text = Object::new().string("type", "text").string("text", &words(decision)).finish();
    let mut meta = Object::new().raw(META, &json(decision));
    if let (Verdict::Escalate, Some(reference)) = (decision.verdict, reference) {
        meta = meta.string(APPROVAL, reference);
    }
    let result = Object::new().raw("content", &format!("[{text}]")).raw("isError", "true");
    let result = result.string("resultType", "complete");
    result.raw("_meta", &meta.finish()).finish()
}

fn words(decision: &Decision) -> String {
    let words = match decision.verdict {
        Verdict::Escalate => "Not done, needs approval by a person",
        Verdict::Allow | Verdict::Deny => "Not done, denied by policy",
    };
    format!("{words}: {}", decision.reason)
}

/// The decision as JSON.
pub(crate) fn json(decision: &Decision) -> String {
    let mut text = String::new();
    decision.write_json(&mut text);
    text
}
