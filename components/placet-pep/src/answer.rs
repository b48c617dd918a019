//! The end of an exchange: what to do with the server's answers to a message that was forwarded.

use placet_model::{Json, Kind};

use crate::exchange::{Who, request};
use crate::listing::{Asked, Filter};
use crate::message::{self, Message, Outcome};
use crate::reply::{Reply, response};
use crate::result::{PendingResult, Running};
use crate::splice::{list, with_member};
use crate::{SESSION_VERSIONS, VERSIONS};

/// A message that was forwarded, and what its answer means.
#[derive(Debug)]
pub enum Forwarded {
    /// A notification or a response: no answer.
    Nothing,
    /// The start of a session.
    Initialize(Asked),
    /// The question what the server can do (without sessions).
    Discover(Asked),
    /// Another request whose answer means nothing to policies.
    Plain {
        /// JSON text.
        id: String,
    },
    /// A tool catalogue.
    List(Asked),
    /// A tool call, or another request that was decided.
    Call(Box<Running>),
}

/// What to do with a message from the server.
#[derive(Debug)]
pub enum Answered {
    /// Hand this to the agent.
    Pass(String),
    /// Ask which of its names to show, and hand out the rest.
    Filter(Box<Filter>),
    /// Have the result decided first.
    Decide(Box<PendingResult>),
    /// Drop it, and say why in the log.
    Drop(&'static str),
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
            Forwarded::Plain { id } => Some(id),
            Forwarded::Initialize(asked) | Forwarded::Discover(asked) | Forwarded::List(asked) => {
                Some(asked.id())
            }
            Forwarded::Call(running) => Some(running.id()),
        }
    }

    /// Says what to do with a message that the server sent in answer to a client. Its notifications pass; what it asks
    /// of the client is decided.
    pub fn answer(&self, message: &[u8], max_bytes: usize, who: &Who) -> Answered {
        let (id, outcome) = match message::read(message, max_bytes) {
            Ok(Message::Request { id, method, params }) => return asked(who, id, &method, params),
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
            Outcome::Result(result) if result.kind() == Kind::Object => result,
            // Obligations are met on the members of objects: anything else could carry what they take out.
            Outcome::Result(_) => return Answered::Drop("the server's result is not an object"),
        };
        match self {
            Forwarded::List(asked) => match asked.tools(result) {
                Some(filter) => Answered::Filter(Box::new(filter)),
                None => Answered::Drop("the server's tool catalogue is not one"),
            },
            Forwarded::Call(running) => Answered::Decide(Box::new(running.returned(result))),
            Forwarded::Initialize(asked) => initialized(asked, result),
            Forwarded::Discover(asked) => {
                Answered::Filter(Box::new(asked.capabilities(&spoken_versions(result))))
            }
            Forwarded::Plain { .. } | Forwarded::Nothing => {
                Answered::Pass(response(expected, "result", result.text()))
            }
        }
    }
}

/// What a server sends of itself: a notification, or a request to the client.
fn asked(who: &Who, id: Option<Json<'_>>, method: &str, params: Option<Json<'_>>) -> Answered {
    match id {
        None if !method.starts_with("notifications/") => {
            Answered::Drop("the server sent a notification that is none")
        }
        Some(_) if who.stateless => Answered::Drop("the server asked, and without sessions it cannot"),
        Some(id) if method != "ping" => {
            Answered::Decide(Box::new(PendingResult::asked(who, id.text(), method, params)))
        }
        id => Answered::Pass(request(id.map(Json::text), method, params).into_body()),
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

/// Refuses versions that are not spoken.
fn initialized(asked: &Asked, result: Json<'_>) -> Answered {
    let version = result.get("protocolVersion").and_then(Json::as_str).unwrap_or_default();
    if SESSION_VERSIONS.contains(&version.as_ref()) {
        return Answered::Filter(Box::new(asked.capabilities(result.text())));
    }
    let spoken = SESSION_VERSIONS.join(", ");
    let message = format!("the server speaks protocol version `{version}`, and the gateway {spoken}");
    Answered::Pass(Reply::error(200, Some(asked.id()), message::INVALID_REQUEST, &message).body)
}

/// What the server can do, without the versions that are not spoken.
fn spoken_versions(result: Json<'_>) -> String {
    let Some(versions) = result.get("supportedVersions") else { return result.text().to_owned() };
    let spoken = |version: &Json<'_>| version.as_str().is_some_and(|of| VERSIONS.contains(&of.as_ref()));
    let versions = list(versions.elements().filter(spoken).map(Json::text));
    with_member(result, "supportedVersions", &versions)
}
