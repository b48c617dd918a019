//! The server's answer on its way to the agent.

use super::HttpReply;
use super::events::Events;
use crate::answer::{Answered, Forwarded};
use crate::exchange::Who;
use crate::result::Running;

/// What an answer means.
#[derive(Debug)]
pub struct Incoming {
    kind: Kind,
    limit: usize,
    status: u16,
}

#[derive(Debug)]
enum Kind {
    /// It means nothing to policies.
    Untouched,
    /// MCP messages.
    Mcp(Box<Forwarded>, Box<Who>),
    /// The answer to a call of a plain interface, and whether it must be read.
    Api(Box<Running>, bool),
}

/// What to do with an answer's body.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// It passes as it comes.
    Pass,
    /// Read it whole, and give it to [`Incoming::whole`]; more bytes than this are [`Incoming::failed`].
    Whole {
        /// Bytes.
        limit: usize,
    },
    /// Give it to [`Events`] as it comes, and each event's data to [`Incoming::whole`].
    Events,
    /// Answer this in its place.
    Replace(HttpReply),
}

impl Incoming {
    pub(super) fn untouched() -> Incoming {
        Incoming { kind: Kind::Untouched, limit: 0, status: 0 }
    }

    pub(super) fn mcp(forwarded: Forwarded, limit: usize, who: Who) -> Incoming {
        Incoming { kind: Kind::Mcp(Box::new(forwarded), Box::new(who)), limit, status: 0 }
    }

    pub(super) fn api(running: Running, read: bool, limit: usize) -> Incoming {
        Incoming { kind: Kind::Api(Box::new(running), read), limit, status: 0 }
    }

    /// Whether the answer begins a session, when it is a success.
    pub fn opens_session(&self) -> bool {
        matches!(&self.kind, Kind::Mcp(forwarded, _) if matches!(**forwarded, Forwarded::Initialize(_)))
    }

    /// The tool that was called, when one was: what to record when its outcome is unknown.
    pub fn running(&self) -> Option<&Running> {
        match &self.kind {
            Kind::Mcp(forwarded, _) => match &**forwarded {
                Forwarded::Call(running) => Some(running),
                _ => None,
            },
            Kind::Api(running, _) => Some(running),
            Kind::Untouched => None,
        }
    }

    /// Says what to do with the body of an answer with this head; header names in lower case.
    pub fn head(&mut self, status: u16, headers: &[(String, String)]) -> Plan {
        self.status = status;
        let value = |name: &str| headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        let media = value("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let encoded = value("content-encoding").is_some_and(|of| !of.eq_ignore_ascii_case("identity"));
        match &self.kind {
            Kind::Untouched | Kind::Api(_, false) => Plan::Pass,
            Kind::Mcp(..) | Kind::Api(..) if encoded => {
                Plan::Replace(self.failed("the server's answer is encoded, and nobody here can read it"))
            }
            Kind::Api(..) => Plan::Whole { limit: self.limit },
            Kind::Mcp(forwarded, _) => {
                let success = (200..300).contains(&status);
                if matches!(**forwarded, Forwarded::Nothing) {
                    let body = String::new();
                    return Plan::Replace(HttpReply { status, headers: kept(headers), body });
                }
                if success && media.eq_ignore_ascii_case("text/event-stream") {
                    return Plan::Events;
                }
                if media.eq_ignore_ascii_case("application/json") {
                    return Plan::Whole { limit: self.limit };
                }
                let reply = self.failed(&format!("the server refused the request with status {status}"));
                // What is no error of HTTP's, and no answer, is one of the server's.
                let status = if status >= 400 { status } else { reply.status };
                Plan::Replace(HttpReply { status, headers: [reply.headers, kept(headers)].concat(), ..reply })
            }
        }
    }

    /// Takes a stream of events apart.
    pub fn events(&self) -> Events {
        Events::new(self.limit)
    }

    /// Says what to do with a whole body, or with an event's data.
    pub fn whole(&self, body: &[u8]) -> Answered {
        match &self.kind {
            Kind::Untouched => Answered::Drop("nobody asked for this answer"),
            Kind::Mcp(forwarded, who) => forwarded.answer(body, self.limit, who),
            Kind::Api(running, _) => match std::str::from_utf8(body) {
                Ok(text) => Answered::Decide(Box::new(running.answered(self.status, text))),
                Err(_) => Answered::Drop("the server's answer is not text, and nobody here can read it"),
            },
        }
    }

    /// The message in place of one that will not come; `None` when none was expected.
    pub fn no_answer(&self, why: &str) -> Option<String> {
        match &self.kind {
            Kind::Mcp(forwarded, _) => forwarded.failed(why),
            Kind::Untouched | Kind::Api(..) => None,
        }
    }

    /// The answer in place of one that cannot be used.
    pub fn failed(&self, why: &str) -> HttpReply {
        match &self.kind {
            Kind::Mcp(forwarded, _) => match forwarded.failed(why) {
                Some(body) => HttpReply::json(502, body),
                None => HttpReply::problem(502, "bad-answer", why),
            },
            Kind::Untouched | Kind::Api(..) => HttpReply::problem(502, "bad-answer", why),
        }
    }
}

/// Headers of an answer that mean something without its body.
fn kept(headers: &[(String, String)]) -> Vec<(String, String)> {
    let names = ["mcp-session-id", "www-authenticate", "retry-after"];
    headers.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect()
}
