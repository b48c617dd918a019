//! The start and the end of an exchange: what to do with a posted message, and with the server's answers to it.

use placet_model::Json;

use crate::VERSIONS;
use crate::call::{self, PendingCall, PendingResult, Running};
use crate::identity::Identity;
use crate::listing::{self, PendingList};
use crate::message::{self, METHOD_NOT_FOUND, Message, Outcome};
use crate::permit::Permit;
use crate::reply::{Reply, response};
use crate::splice::{Object, with_member};

/// Methods of the protocol itself that are forwarded: none of them runs a tool or reads data.
const PROTOCOL: [&str; 6] = [
    "ping",
    "logging/setLevel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];

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

/// Says what to do with the body that a client posted in a session at a time (RFC 3339).
pub fn open(body: &[u8], identity: &Identity, session: Option<&str>, now: &str, max_bytes: usize) -> Step {
    let message = match message::read(body, max_bytes) {
        Ok(message) => message,
        Err(malformed) => {
            let id = malformed.id.map(Json::text);
            return Step::Reply(Reply::error(400, id, malformed.code, &malformed.message));
        }
    };
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id, method, params),
        Message::Response { id, outcome } => {
            let body = match outcome {
                Outcome::Result(result) => response(id.text(), "result", result.text()),
                Outcome::Error(error) => response(id.text(), "error", error.text()),
            };
            return Step::Forward(Permit::of(body), Forwarded::Nothing);
        }
    };
    let Some(id) = id else { return notification(&method, params) };
    let id = id.text();
    match method.as_ref() {
        "tools/call" => match call::open(id, params, identity, session, now) {
            Ok(pending) => Step::Decide(Box::new(pending)),
            Err(reply) => Step::Reply(reply),
        },
        "tools/list" => match listing::open(id, params, identity, session, now) {
            Ok((permit, pending)) => Step::Forward(permit, Forwarded::List(pending)),
            Err(reply) => Step::Reply(reply),
        },
        "initialize" => initialize(id, params),
        method if PROTOCOL.contains(&method) && !method.starts_with("notifications/") => {
            Step::Forward(request(Some(id), method, params), Forwarded::Plain { id: id.to_owned() })
        }
        method => Step::Reply(Reply::error(200, Some(id), METHOD_NOT_FOUND, &closed(method))),
    }
}

fn closed(method: &str) -> String {
    format!(
        "`{method}` is not open through this gateway, which lets decided tool calls through and nothing else"
    )
}

fn notification(method: &str, params: Option<Json<'_>>) -> Step {
    if PROTOCOL.contains(&method) && method.starts_with("notifications/") {
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
    let asked = VERSIONS.iter().find(|known| **known == version).unwrap_or(&VERSIONS[0]);
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
            Forwarded::Initialize { id } | Forwarded::Plain { id } => Some(id),
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
    if !VERSIONS.contains(&version.as_ref()) {
        let message = format!(
            "the server speaks protocol version `{version}`, and the gateway {}",
            VERSIONS.join(", ")
        );
        return Answered::Pass(Reply::error(200, Some(id), message::INVALID_REQUEST, &message).body);
    }
    let mut open = Object::new();
    for name in ["tools", "logging"] {
        if let Some(of) = result.get("capabilities").and_then(|all| all.get(name)) {
            open = open.raw(name, of.text());
        }
    }
    Answered::Pass(response(id, "result", &with_member(result, "capabilities", &open.finish())))
}
