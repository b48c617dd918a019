//! The start of an exchange: what to do with a posted message.

use placet_model::Json;

use crate::SESSION_VERSIONS;
use crate::answer::Forwarded;
use crate::call::{self, PendingCall};
use crate::identity::Identity;
use crate::listing::{self, Asked};
use crate::message::{self, METHOD_NOT_FOUND, Message, Outcome};
use crate::mirror::Mirror;
use crate::permit::Permit;
use crate::reply::{Reply, response};
use crate::splice::{Object, with_member};

/// Methods of the protocol itself that are forwarded: none of them runs a tool or reads data. Every other request is a
/// call of the tool `mcp:METHOD`, for policies to decide.
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

/// Requests that only versions with sessions have, or only the one without.
const OF_SESSIONS: [&str; 2] = ["initialize", "server/discover"];

/// Where, when and in whose name a message is posted.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Who calls.
    pub identity: &'a Identity,
    /// The session, when the transport knows one.
    pub session: Option<&'a str>,
    /// Without a session: whether the trace that `_meta` names is one.
    pub traced: bool,
    /// The session when nothing else is one.
    pub fallback: Option<&'a str>,
    /// RFC 3339.
    pub now: &'a str,
    /// Largest message, in bytes.
    pub max_bytes: usize,
    /// What policies call the server: its tool `find` is `server.find` to them.
    pub server: Option<&'a str>,
    /// What the headers say of the message.
    pub mirror: &'a Mirror,
}

/// In whose name an exchange is, as its answers need it.
#[derive(Clone, Debug)]
pub struct Who {
    pub(crate) identity: Identity,
    pub(crate) session: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) stateless: bool,
}

impl Scene<'_> {
    /// In whose name this is.
    pub fn who(&self) -> Who {
        Who {
            identity: self.identity.clone(),
            session: self.session.map(str::to_owned),
            server: self.server.map(str::to_owned),
            stateless: self.mirror.is_stateless(),
        }
    }

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
        let meta = params.filter(|_| self.traced).and_then(|params| params.get("_meta"));
        let trace = meta.and_then(|meta| meta.get("traceparent")).and_then(Json::as_str);
        match trace.as_deref().and_then(trace_id) {
            Some(trace) => Some(self.identity.session_id(trace)),
            None => self.fallback.map(str::to_owned),
        }
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
            Ok((permit, asked)) => Step::Forward(permit, Forwarded::List(asked)),
            Err(reply) => Step::Reply(reply),
        },
        "initialize" if !stateless => initialize(id, params, scene),
        "server/discover" if stateless => {
            let permit = request(Some(id), "server/discover", params);
            Step::Forward(permit, Forwarded::Discover(Asked::new(id, params, scene)))
        }
        method if is_protocol(method, stateless) && !method.starts_with("notifications/") => {
            Step::Forward(request(Some(id), method, params), Forwarded::Plain { id: id.to_owned() })
        }
        method if is_protocol(method, !stateless) || OF_SESSIONS.contains(&method) => {
            // The version without sessions maps this error to the status.
            let status = if stateless { 404 } else { 200 };
            let message = format!("`{method}` is not part of this protocol version");
            Step::Reply(Reply::error(status, Some(id), METHOD_NOT_FOUND, &message))
        }
        method if is_misspelt(method) => {
            let message = format!("`{method}` is not written as a method is");
            Step::Reply(Reply::error(400, Some(id), METHOD_NOT_FOUND, &message))
        }
        method => Step::Decide(Box::new(call::open_method(id, method, params, scene))),
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

/// Whether a server that is not strict could take a method for one of those that are handled apart.
fn is_misspelt(method: &str) -> bool {
    let apart = ["tools/call", "tools/list"].iter().chain(&OF_SESSIONS);
    let mut apart = apart.chain(&PROTOCOL).chain(&STATELESS_PROTOCOL);
    let starts = "notifications/";
    let notification = method.get(..starts.len()).is_some_and(|start| start.eq_ignore_ascii_case(starts));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'.' | b'$');
    let known = notification || apart.any(|known| known.eq_ignore_ascii_case(method));
    method.is_empty() || !method.bytes().all(plain) || known
}

fn is_protocol(method: &str, stateless: bool) -> bool {
    if stateless { STATELESS_PROTOCOL.contains(&method) } else { PROTOCOL.contains(&method) }
}

fn notification(method: &str, params: Option<Json<'_>>, stateless: bool) -> Step {
    if is_protocol(method, stateless) && method.starts_with("notifications/") {
        return Step::Forward(request(None, method, params), Forwarded::Nothing);
    }
    let message = format!("the notification `{method}` is not open here: nobody can say what it does");
    Step::Reply(Reply::error(400, None, METHOD_NOT_FOUND, &message))
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
fn initialize(id: &str, params: Option<Json<'_>>, scene: &Scene<'_>) -> Step {
    let version = params.and_then(|params| params.get("protocolVersion")).and_then(Json::as_str);
    let (Some(params), Some(version)) = (params, version) else {
        let message = "`initialize` needs a `protocolVersion`";
        return Step::Reply(Reply::error(400, Some(id), message::INVALID_PARAMS, message));
    };
    let newest = SESSION_VERSIONS.first().copied().unwrap_or_default();
    let asked = SESSION_VERSIONS.iter().find(|known| **known == version).copied().unwrap_or(newest);
    let answer = Asked::new(id, Some(params), scene);
    let params = with_member(params, "protocolVersion", &format!("\"{asked}\""));
    let body = Object::new().string("jsonrpc", "2.0").raw("id", id).string("method", "initialize");
    let permit = Permit::of(body.raw("params", &params).finish());
    Step::Forward(permit, Forwarded::Initialize(answer))
}
