//! Which server a client's message is for.

use std::collections::BTreeMap;

use placet_model::Json;

use super::merge::{Cursors, List};
use super::{inward_name, inward_uri};
use crate::exchange::request;
use crate::message::{self, INVALID_PARAMS, METHOD_NOT_FOUND, Message};
use crate::reply::{Reply, response};
use crate::splice::with_member;

/// Where a message goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// To one server (its place in the list), in its names.
    One {
        /// Its place in the list.
        server: usize,
        /// The message.
        body: String,
    },
    /// To every server, as it is; the answers say what they can do.
    Servers,
    /// To these servers, each with its own message; the answers are pages of one list.
    Lists {
        /// The request's id (JSON text).
        id: String,
        /// What is listed.
        list: List,
        /// Server and message.
        pages: Vec<(usize, String)>,
    },
    /// To every server, as it is; the answers mean nothing, and a request's is this.
    Every {
        /// The response, if it was a request.
        answer: Option<String>,
    },
    /// To the server that asked: the client's answer to the ask of this id (JSON text).
    Answer {
        /// The id of the ask.
        id: String,
    },
    /// To nobody: this is the answer.
    Answered(String),
    /// To nobody: it is refused, or says itself what is wrong with it.
    Refused(Reply),
    /// To nobody: it cannot be read, and whoever reads it says why.
    Unreadable,
}

/// Says where the message of a client goes, given the servers' names.
pub fn route(body: &[u8], max_bytes: usize, servers: &[&str]) -> Route {
    let (id, method, params) = match message::read(body, max_bytes) {
        Ok(Message::Request { id, method, params }) => (id, method, params),
        Ok(Message::Response { id, .. }) => return Route::Answer { id: id.text().to_owned() },
        Err(_) => return Route::Unreadable,
    };
    let id = id.map(Json::text);
    let Some(id) = id else { return Route::Every { answer: None } };
    let find = Find { id, method: &method, params, servers };
    match method.as_ref() {
        "initialize" | "server/discover" => Route::Servers,
        "ping" => Route::Answered(response(id, "result", "{}")),
        "logging/setLevel" => Route::Every { answer: Some(response(id, "result", "{}")) },
        "tools/call" | "prompts/get" => find.by("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => find.by("uri"),
        "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update" => find.by("taskId"),
        "completion/complete" => find.by_reference(),
        method => match List::of(method) {
            Some(list) => find.pages(list),
            None => {
                let message = format!("`{method}` does not say which of the servers it is for");
                Route::Refused(Reply::error(200, Some(id), METHOD_NOT_FOUND, &message))
            }
        },
    }
}

/// The id (JSON text) of what a message answers, when it is an answer.
pub fn answers(body: &[u8], max_bytes: usize) -> Option<String> {
    match message::read(body, max_bytes) {
        Ok(Message::Response { id, .. }) => Some(id.text().to_owned()),
        _ => None,
    }
}

/// The message with another id (JSON text).
pub fn with_id(body: &str, id: &str) -> String {
    match Json::parse(body.as_bytes(), usize::MAX, usize::MAX) {
        Ok(json) => with_member(json, "id", id),
        Err(_) => body.to_owned(),
    }
}

struct Find<'a> {
    id: &'a str,
    method: &'a str,
    params: Option<Json<'a>>,
    servers: &'a [&'a str],
}

impl Find<'_> {
    fn refuse(&self, message: &str) -> Route {
        Route::Refused(Reply::error(200, Some(self.id), INVALID_PARAMS, message))
    }

    /// The server that something belongs to, and its own name for it.
    fn owner(&self, member: &str, name: &str) -> Option<(usize, String)> {
        let own = if member == "uri" { inward_uri } else { inward_name };
        let mut found = self.servers.iter().enumerate();
        found.find_map(|(place, server)| Some((place, own(server, name)?)))
    }

    fn by(&self, member: &str) -> Route {
        let named = self.params.and_then(|params| params.get(member)).and_then(Json::as_str);
        let (Some(params), Some(named)) = (self.params, named) else {
            return self.refuse(&format!("`{}` needs a `{member}`", self.method));
        };
        match self.owner(member, &named) {
            Some((server, own)) => self.one(server, &with_member(params, member, &text(&own))),
            None => self.refuse(&format!("there is no `{named}` here")),
        }
    }

    fn by_reference(&self) -> Route {
        let reference = self.params.and_then(|params| params.get("ref"));
        let (Some(params), Some(reference)) = (self.params, reference) else {
            return self.refuse("`completion/complete` needs a `ref`");
        };
        for member in ["name", "uri"] {
            let Some(named) = reference.get(member).and_then(Json::as_str) else { continue };
            return match self.owner(member, &named) {
                Some((server, own)) => {
                    let reference = with_member(reference, member, &text(&own));
                    self.one(server, &with_member(params, "ref", &reference))
                }
                None => self.refuse(&format!("there is no `{named}` here")),
            };
        }
        self.refuse("`ref` needs a `name` or a `uri`")
    }

    fn one(&self, server: usize, params: &str) -> Route {
        match Json::parse(params.as_bytes(), usize::MAX, usize::MAX) {
            Ok(params) => {
                let body = request(Some(self.id), self.method, Some(params)).into_body();
                Route::One { server, body }
            }
            Err(_) => Route::Unreadable,
        }
    }

    fn pages(&self, list: List) -> Route {
        let cursor = self.params.and_then(|params| params.get("cursor"));
        let cursors = match cursor {
            None => self.servers.iter().map(|server| ((*server).to_owned(), None)).collect::<Cursors>(),
            Some(cursor) => match cursor.as_str().and_then(|cursor| super::merge::read_cursor(&cursor)) {
                Some(cursors) => cursors,
                None => return self.refuse("this `cursor` was not given out here"),
            },
        };
        let places: BTreeMap<&str, usize> =
            self.servers.iter().enumerate().map(|(place, server)| (*server, place)).collect();
        let mut pages = Vec::new();
        for (server, cursor) in cursors {
            let Some(place) = places.get(server.as_str()) else {
                return self.refuse("this `cursor` names a server that is not here");
            };
            let params = self.params.unwrap_or(Json::EMPTY_OBJECT);
            let params = match cursor {
                Some(cursor) => with_member(params, "cursor", &text(&cursor)),
                None => params.text().to_owned(),
            };
            if let Route::One { server, body } = self.one(*place, &params) {
                pages.push((server, body));
            }
        }
        Route::Lists { id: self.id.to_owned(), list, pages }
    }
}

fn text(value: &str) -> String {
    let mut text = String::new();
    placet_model::json::write_string(&mut text, value);
    text
}
