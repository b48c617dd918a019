//! The answer on its way back: passed, filtered, decided or replaced.

use placet_pep::http::{Event, HttpReply, Incoming, Plan};
use placet_pep::{Answered, Outcome, PendingResult};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};

use crate::abi;
use crate::head::{headers, remove_header, set_header, set_headers};
use crate::report::say;
use crate::stream::{Asked, At, Stream, Then, Waiting};
use placet_pdp::state::Outcome as Made;

const MAP: MapType = MapType::HttpResponseHeaders;
const BODY: BufferType = BufferType::HttpResponseBody;

/// What one message of the server became.
enum Message {
    Text(String),
    Decide(Box<PendingResult>),
    Dropped(&'static str),
}

impl Stream {
    /// The head of the answer.
    pub(crate) fn answered(&mut self, end: bool) -> Action {
        let mut incoming = match std::mem::replace(&mut self.at, At::Over) {
            At::Sent(incoming) => incoming,
            // The server had the headers, and answers before there is a decision.
            At::Body(_) | At::Asking(_) if !self.holds_headers() => {
                let reply = HttpReply::problem(502, "bad-answer", "the server answered before it was asked");
                return self.replace(reply, end);
            }
            other => {
                self.at = other;
                return Action::Continue;
            }
        };
        let all = headers(MAP);
        let status = all.iter().find(|(name, _)| name == ":status").and_then(|(_, value)| value.parse().ok());
        let status: u16 = status.unwrap_or(502);
        let plan = incoming.head(status, &all);
        if plan == Plan::Pass {
            let success = (200..300).contains(&status);
            self.record_outcome(if success { Outcome::Ran } else { Outcome::Failed });
            self.at = At::Through;
            return Action::Continue;
        }
        if let Plan::Replace(reply) = plan {
            return self.replace(reply, end);
        }
        let at_host = self.plugin.as_ref().is_some_and(|plugin| plugin.setup.bounds.is_none());
        let _ = remove_header(MAP, "content-length");
        self.at = match plan {
            Plan::Events if !at_host => {
                let events = incoming.events();
                At::Events(incoming, events)
            }
            Plan::Whole { limit } => At::Whole(incoming, limit, false),
            _ => {
                let limit = self.plugin.as_ref().map_or(0, |p| p.setup.guard.config().response_limit);
                At::Whole(incoming, limit, true)
            }
        };
        self.held = self.holds_headers() && matches!(self.at, At::Whole(..));
        match end {
            true => self.ended(),
            false if self.held => Action::Pause,
            false => Action::Continue,
        }
    }

    /// A piece of the answer's body.
    pub(crate) fn received(&mut self, size: usize, end: bool) -> Action {
        self.bodied = true;
        match std::mem::replace(&mut self.at, At::Over) {
            At::Whole(incoming, limit, _) if size > limit => {
                let reply = incoming.failed("the server's answer is too long");
                self.replace_all(reply)
            }
            At::Whole(incoming, limit, events) if !end => {
                self.at = At::Whole(incoming, limit, events);
                Action::Pause
            }
            At::Whole(incoming, _, events) => {
                let body = abi::buffer(BODY, size).unwrap_or_default();
                self.whole(incoming, &body, events)
            }
            At::Events(incoming, mut events) => {
                let chunk = abi::buffer(BODY, size).unwrap_or_default();
                match events.push(&chunk) {
                    Ok(list) => {
                        let action = self.events(incoming, list.into_iter(), String::new(), end);
                        if let At::Sent(incoming) = std::mem::replace(&mut self.at, At::Over) {
                            self.at = At::Events(incoming, events);
                        }
                        action
                    }
                    Err(why) => {
                        say(LogLevel::Warn, why);
                        let answer = Event::default().write(&incoming.failed(why).body);
                        self.body(&answer, At::Replacing(String::new()))
                    }
                }
            }
            At::Replacing(text) => self.body(&text, At::Replacing(String::new())),
            At::Sent(_) => self.body("", At::Replacing(String::new())),
            other => {
                let waits = matches!(other, At::Asking(_));
                self.at = other;
                if waits { Action::Pause } else { Action::Continue }
            }
        }
    }

    /// The end of an answer that has no more body.
    pub(crate) fn ended(&mut self) -> Action {
        match std::mem::replace(&mut self.at, At::Over) {
            At::Whole(incoming, limit, events) => {
                let body = abi::buffer(BODY, limit.saturating_add(1)).unwrap_or_default();
                self.whole(incoming, &body, events)
            }
            other => {
                self.at = other;
                Action::Continue
            }
        }
    }

    fn whole(&mut self, incoming: Box<Incoming>, body: &[u8], events: bool) -> Action {
        if events {
            let mut parser = incoming.events();
            // What comes after the last empty line is no event.
            return match parser.push(body) {
                Ok(list) => self.events(incoming, list.into_iter(), String::new(), true),
                Err(why) => self.replace_all(incoming.failed(why)),
            };
        }
        match self.message(&incoming, body) {
            Message::Text(text) => self.write(&text, None),
            Message::Decide(pending) => self.ask_result(*pending, incoming, None),
            Message::Dropped(why) => {
                say(LogLevel::Warn, why);
                self.replace_all(incoming.failed(why))
            }
        }
    }

    fn message(&self, incoming: &Incoming, message: &[u8]) -> Message {
        match (incoming.whole(message), &self.plugin) {
            (Answered::Pass(text), _) => Message::Text(text),
            (Answered::Decide(pending), _) => Message::Decide(pending),
            (Answered::Drop(why), _) => Message::Dropped(why),
            (Answered::Filter(filter), Some(plugin)) => {
                let shown = plugin.list_tools(filter.call(), &filter.names());
                Message::Text(filter.filtered(|name| {
                    let found = shown.iter().find(|tool| tool.tool == name)?;
                    found.visible.then(|| found.guidance.clone())
                }))
            }
            (Answered::Filter(_), None) => Message::Dropped("nobody can filter this"),
        }
    }

    /// Events one after the other, until one waits for the host. Ends at [`At::Sent`]: more may come, unless it is the
    /// end, at which a call is answered in any case.
    fn events(
        &mut self,
        incoming: Box<Incoming>,
        mut list: std::vec::IntoIter<Event>,
        mut out: String,
        end: bool,
    ) -> Action {
        while let Some(event) = list.next() {
            let data = event.data.as_deref().filter(|data| !data.trim().is_empty());
            let Some(data) = data else {
                out.push_str(Event::SILENT);
                continue;
            };
            match self.message(&incoming, data.as_bytes()) {
                Message::Text(text) => out.push_str(&event.write(&text)),
                Message::Dropped(why) => say(LogLevel::Warn, why),
                // A call has one result.
                Message::Decide(_) if self.unsettled.is_none() => {}
                Message::Decide(pending) => {
                    let call = pending.call(&crate::plugin::now().1).into_bytes();
                    let decided = self.plugin.as_ref().and_then(|plugin| plugin.decide(&call));
                    let Some(made) = decided else {
                        let waiting = Waiting { event, before: out, after: list };
                        return self.ask_result(*pending, incoming, Some(waiting));
                    };
                    out.push_str(&event.write(&self.result(*pending, &call, made).0));
                }
            }
        }
        if end && self.unsettled.is_some() {
            let answer = incoming.failed("the server's stream ended without an answer");
            out.push_str(&Event::default().write(&answer.body));
        }
        self.body(&out, At::Sent(incoming))
    }

    fn ask_result(
        &mut self,
        pending: PendingResult,
        incoming: Box<Incoming>,
        waiting: Option<Waiting>,
    ) -> Action {
        let call = pending.call(&crate::plugin::now().1).into_bytes();
        self.ask(Asked { call, then: Then::Result(Box::new(pending), incoming, waiting) })
    }

    /// A result that was decided: its text and status.
    fn result(&mut self, pending: PendingResult, call: &[u8], made: Made) -> (String, Option<u16>) {
        let outcome = if pending.ok() { Outcome::Ran } else { Outcome::Failed };
        let decision = pending.enforceable(made.decision);
        self.record(call, &decision, made.state_version, Some(outcome));
        self.unsettled = None;
        let status = pending.status(&decision);
        (pending.decided(&decision), status)
    }

    pub(crate) fn returned(
        &mut self,
        pending: PendingResult,
        incoming: Box<Incoming>,
        waiting: Option<Waiting>,
        call: &[u8],
        made: Made,
    ) -> Action {
        let (text, status) = self.result(pending, call, made);
        match waiting {
            None => self.write(&text, status),
            Some(Waiting { event, before, after }) => {
                let out = before + &event.write(&text);
                self.events(incoming, after, out, true)
            }
        }
    }

    /// The whole answer, with another status when it is refused.
    fn write(&mut self, text: &str, status: Option<u16>) -> Action {
        if !self.bodied && !text.is_empty() {
            return self.refuse(&HttpReply::json(status.unwrap_or(200), text.to_owned()));
        }
        if let (Some(status), true) = (status, self.held) {
            let _ = set_header(MAP, ":status", &status.to_string());
            let _ = set_header(MAP, "content-type", "application/problem+json");
        }
        self.body(text, At::Through)
    }

    /// Puts this in the place of what there is of the body.
    fn body(&mut self, text: &str, next: At) -> Action {
        self.at = next;
        if !abi::replace_buffer(BODY, text.as_bytes()) && !text.is_empty() {
            let why = "the proxy did not take the answer that was to replace the server's";
            return self.refuse(&HttpReply::problem(502, "not-written", why));
        }
        Action::Continue
    }

    /// Replaces an answer of which more may come, and whose headers may have gone on.
    fn replace_all(&mut self, reply: HttpReply) -> Action {
        if !self.bodied {
            return self.refuse(&reply);
        }
        if self.held {
            self.replace_head(&reply);
        }
        self.body(&reply.body, At::Replacing(String::new()))
    }

    /// Replaces an answer from its head on.
    fn replace(&mut self, reply: HttpReply, end: bool) -> Action {
        if end && !reply.body.is_empty() {
            return self.refuse(&reply);
        }
        self.replace_head(&reply);
        self.at = At::Replacing(reply.body);
        Action::Continue
    }

    fn replace_head(&self, reply: &HttpReply) {
        let status = reply.status.to_string();
        let own = reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<(&str, &str)> = [(":status", status.as_str())].into_iter().chain(own).collect();
        let _ = set_headers(MAP, &pairs);
    }
}
