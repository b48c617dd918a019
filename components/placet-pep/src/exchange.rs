//! The start and the end of an exchange: what to do with a posted message, and with the server's answers to it.

use placet_model::Json;

use crate::call::{self, PendingCall, PendingResult, Running};
use crate::identity::Identity;
use crate::listing::{self, PendingList};
use crate::message::{self, METHOD_NOT_FOUND, Message, Outcome};
use crate::mirror::Mirror;
use crate::permit::Permit;
use crate::reply::{Reply, response};
use crate::splice::{Object, list, with_member};
use crate::{SESSION_VERSIONS, VERSIONS};

/// Methods of the protocol itself that are forwarded: none of them runs a tool or reads data.
const PROTOCOL: [&str; 6] = [
    "ping",
    "logging/setLevel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];

/// The same of the version without sessions. A subscription brings notifications and nothing else.
const STATELESS_PROTOCOL: [&str; 5] =
    ["ping", "server/discover", "subscriptions/listen", "notifications/cancelled", "notifications/progress"];

/// Where, when and in whose name a message is posted.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Who calls.
    pub identity: &'a Identity,
    /// The session, when the transport knows one.
    pub session: Option<&'a str>,
    /// Without a session: whether the trace that `_meta` names is one.
    pub traced: bool,
    /// RFC 3339.
    pub now: &'a str,
    /// Largest message, in bytes.
    pub max_bytes: usize,
    /// What policies call the server: its tool `find` is `server.find` to them.
    pub server: Option<&'a str>,
    /// What the headers say of the message.
    pub mirror: &'a Mirror,
}

impl Scene<'_> {
    /// What policies call a tool of the server.
    pub(crate) fn tool(&self, name: &str) -> String {
        match self.server {
            Some(server) => format!("{server}.{name}"),
            None => name.to_owned(),
        }
    }

    /// The session of a message with these parameters.
    pub(crate) fn session_of(&self, params: Option<Json<'_>>) -> Option<String> {
        if let Some(session) = self.session {
            return Some(session.to_owned());
        }
        let meta = params.filter(|_| self.traced)?.get("_meta")?;
        let trace = trace_id(&meta.get("traceparent")?.as_str()?)?.to_owned();
        Some(self.identity.session_id(&trace))
    }
}

/// The trace id of a W3C `traceparent`.
pub(crate) fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    let valid = version.len() == 2 && hex(version) && trace.len() == 32 && hex(trace);
    (valid && trace.bytes().any(|b| b != b'0')).then_some(trace)
}

/// What to do with a posted message.
#[derive(Debug)]
pub enum Step {
    /// Answer this; nothing reaches the server.
    Reply(Reply),
    /// Have a tool call decided.
    Decide(Box<PendingCall>),
    /// Forward, and hand the server's answers to what is expected of them.
    Forward(Permit, Forwarded),
}

/// A message that was forwarded, and what its answer means.
#[derive(Debug)]
pub enum Forwarded {
    /// A notification or a response: no answer.
    Nothing,
    /// The start of a session.
    Initialize {
        /// JSON text.
        id: String,
    },
    /// The question what the server can do (without sessions).
    Discover {
        /// JSON text.
        id: String,
    },
    /// Another request whose answer means nothing to policies.
    Plain {
        /// JSON text.
        id: String,
    },
    /// A tool catalogue.
    List(PendingList),
    /// A tool call.
    Call(Box<Running>),
}

/// What to do with a message from the server.
#[derive(Debug)]
pub enum Answered {
    /// Hand this to the agent.
    Pass(String),
    /// Filter the catalogue first.
    Filter(String),
    /// Have the result decided first.
    Decide(Box<PendingResult>),
    /// Drop it, and say why in the log.
    Drop(&'static str),
}

/// Says what to do with the body that a client posted.
pub fn open(body: &[u8], scene: &Scene<'_>) -> Step {
    let message = match message::read(body, scene.max_bytes) {
        Ok(message) => message,
        Err(malformed) => {
            let id = malformed.id.map(Json::text);
            return Step::Reply(Reply::error(400, id, malformed.code, &malformed.message));
        }
    };
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id, method, params),
        Message::Response { id, outcome } => return answered(scene, id, outcome),
    };
    if let Err(reply) = scene.mirror.check(id, &method, params) {
        return Step::Reply(reply);
    }
    let stateless = scene.mirror.is_stateless();
    let Some(id) = id else { return notification(&method, params, stateless) };
    let id = id.text();
    match method.as_ref() {
        "tools/call" => match call::open(id, params, scene) {
            Ok(pending) => Step::Decide(Box::new(pending)),
            Err(reply) => Step::Reply(reply),
        },
        "tools/list" => match listing::open(id, params, scene) {
            Ok((permit, pending)) => Step::Forward(permit, Forwarded::List(pending)),
            Err(reply) => Step::Reply(reply),
        },
        "initialize" if !stateless => initialize(id, params),
        "server/discover" if stateless => {
            let permit = request(Some(id), "server/discover", params);
            Step::Forward(permit, Forwarded::Discover { id: id.to_owned() })
        }
        method if is_protocol(method, stateless) && !method.starts_with("notifications/") => {
            Step::Forward(request(Some(id), method, params), Forwarded::Plain { id: id.to_owned() })
        }
        // The version without sessions maps this error to the status.
        method => {
            let status = if stateless { 404 } else { 200 };
            Step::Reply(Reply::error(status, Some(id), METHOD_NOT_FOUND, &closed(method)))
        }
    }
}

/// A client answers what a server with sessions has asked it; without sessions, servers do not ask that way.
fn answered(scene: &Scene<'_>, id: Json<'_>, outcome: Outcome<'_>) -> Step {
    let Mirror { method, name, params, .. } = scene.mirror;
    if scene.mirror.is_stateless() || method.is_some() || name.is_some() || !params.is_empty() {
        let message = "this is no request, and no response is expected";
        return Step::Reply(Reply::error(400, None, message::INVALID_REQUEST, message));
    }
    let body = match outcome {
        Outcome::Result(result) => response(id.text(), "result", result.text()),
        Outcome::Error(error) => response(id.text(), "error", error.text()),
    };
    Step::Forward(Permit::of(body), Forwarded::Nothing)
}

fn is_protocol(method: &str, stateless: bool) -> bool {
    if stateless { STATELESS_PROTOCOL.contains(&method) } else { PROTOCOL.contains(&method) }
}

fn closed(method: &str) -> String {
    format!(
        "`{method}` is not open through this gateway, which lets decided tool calls through and nothing else"
    )
}

fn notification(method: &str, params: Option<Json<'_>>, stateless: bool) -> Step {
    if is_protocol(method, stateless) && method.starts_with("notifications/") {
        return Step::Forward(request(None, method, params), Forwarded::Nothing);
    }
    Step::Reply(Reply::error(400, None, METHOD_NOT_FOUND, &closed(method)))
}

/// A request, or without an id a notification, out of its parts.
pub(crate) fn request(id: Option<&str>, method: &str, params: Option<Json<'_>>) -> Permit {
    let mut object = Object::new().string("jsonrpc", "2.0");
    if let Some(id) = id {
        object = object.raw("id", id);
    }
    object = object.string("method", method);
    if let Some(params) = params {
        object = object.raw("params", params.text());
    }
    Permit::of(object.finish())
}

/// A client may ask for any version; the server is asked for one that the gateway speaks.
fn initialize(id: &str, params: Option<Json<'_>>) -> Step {
    let version = params.and_then(|params| params.get("protocolVersion")).and_then(Json::as_str);
    let (Some(params), Some(version)) = (params, version) else {
        let message = "`initialize` needs a `protocolVersion`";
        return Step::Reply(Reply::error(400, Some(id), message::INVALID_PARAMS, message));
    };
    let newest = SESSION_VERSIONS.first().copied().unwrap_or_default();
    let asked = SESSION_VERSIONS.iter().find(|known| **known == version).copied().unwrap_or(newest);
    let params = with_member(params, "protocolVersion", &format!("\"{asked}\""));
    let body = Object::new().string("jsonrpc", "2.0").raw("id", id).string("method", "initialize");
    let permit = Permit::of(body.raw("params", &params).finish());
    Step::Forward(permit, Forwarded::Initialize { id: id.to_owned() })
}

impl Forwarded {
    /// The response to a request that the server gave no usable answer to; `None` when none was expected.
    pub fn failed(&self, why: &str) -> Option<String> {
        Some(Reply::error(502, Some(self.id()?), message::INTERNAL_ERROR, why).body)
    }

    /// The request's id, a JSON text.
    fn id(&self) -> Option<&str> {
        match self {
            Forwarded::Nothing => None,
            Forwarded::Initialize { id } | Forwarded::Discover { id } | Forwarded::Plain { id } => Some(id),
            Forwarded::List(list) => Some(list.id()),
            Forwarded::Call(running) => Some(running.id()),
        }
    }

    /// Says what to do with a message that the server sent in answer. Its own requests and notifications pass.
    pub fn answer(&self, message: &[u8], max_bytes: usize) -> Answered {
        let (id, outcome) = match message::read(message, max_bytes) {
            Ok(Message::Request { id, method, params }) => {
                return Answered::Pass(request(id.map(Json::text), &method, params).into_body());
            }
            Ok(Message::Response { id, outcome }) => (id, outcome),
            Err(_) => return Answered::Drop("the server sent something that is not a JSON-RPC message"),
        };
        let Some(expected) = self.id() else {
            return Answered::Drop("the server answered what was no request");
        };
        if !same_id(id, expected) {
            return Answered::Drop("the server answered a request that was not made");
        }
        let result = match outcome {
            Outcome::Error(error) => {
                if let Forwarded::Call(running) = self {
                    return Answered::Decide(Box::new(running.failed(error)));
                }
                return Answered::Pass(response(expected, "error", error.text()));
            }
            Outcome::Result(result) => result,
        };
        match self {
            Forwarded::List(list) => match list.read(result) {
                Some(text) => Answered::Filter(text),
                None => Answered::Drop("the server's tool catalogue is not one"),
            },
            Forwarded::Call(running) => Answered::Decide(Box::new(running.returned(result))),
            Forwarded::Initialize { .. } => initialized(expected, result),
            Forwarded::Discover { .. } => Answered::Pass(response(expected, "result", &discovered(result))),
            _ => Answered::Pass(response(expected, "result", result.text())),
        }
    }
}

/// Whether two ids are one: strings after unescaping, numbers as written.
fn same_id(id: Json<'_>, expected: &str) -> bool {
    let expected = Json::parse(expected.as_bytes(), usize::MAX, 1);
    expected.is_ok_and(|expected| match (id.as_str(), expected.as_str()) {
        (Some(a), Some(b)) => a == b,
        (None, None) => id.text() == expected.text(),
        _ => false,
    })
}

/// Hides capabilities that are not open, and refuses versions that are not spoken.
fn initialized(id: &str, result: Json<'_>) -> Answered {
    let version = result.get("protocolVersion").and_then(Json::as_str).unwrap_or_default();
    if !SESSION_VERSIONS.contains(&version.as_ref()) {
        let message = format!(
            "the server speaks protocol version `{version}`, and the gateway {}",
            SESSION_VERSIONS.join(", ")
        );
        return Answered::Pass(Reply::error(200, Some(id), message::INVALID_REQUEST, &message).body);
    }
    Answered::Pass(response(id, "result", &with_member(result, "capabilities", &open_capabilities(result))))
}

/// The same of a server without sessions; versions that are not spoken are left out.
fn discovered(result: Json<'_>) -> String {
    let text = with_member(result, "capabilities", &open_capabilities(result));
    let Some(versions) = result.get("supportedVersions") else { return text };
    let spoken = |version: &Json<'_>| version.as_str().is_some_and(|of| VERSIONS.contains(&of.as_ref()));
    let versions = list(versions.elements().filter(spoken).map(Json::text));
    match Json::parse(text.as_bytes(), usize::MAX, usize::MAX) {
        Ok(json) => with_member(json, "supportedVersions", &versions),
        Err(_) => text,
    }
}

fn open_capabilities(result: Json<'_>) -> String {
    let mut open = Object::new();
    for name in ["tools", "logging"] {
        if let Some(of) = result.get("capabilities").and_then(|all| all.get(name)) {
            open = open.raw(name, of.text());
        }
    }
    open.finish()
}
