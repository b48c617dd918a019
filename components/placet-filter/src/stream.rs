//! One request: what is done with its headers and its body until it goes on, and who is asked.

use std::rc::Rc;
use std::time::Duration;

use placet_model::{Decision, Verdict};
use placet_pdp::digest;
use placet_pdp::state::Outcome as Made;
use placet_pep::http::{
    Admitted, Event, Events, Exchange, Head, HttpReply, Incoming, Inspected, Outgoing, Peer, Proposal,
    decision_reply,
};
use placet_pep::{Outcome, PendingResult, Record};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::abi;
use crate::head::{self, Way, headers};
use crate::plugin::{Plugin, is_bodyless, is_envoy, now};

/// One request and its answer.
pub struct Stream {
    pub(crate) plugin: Option<Rc<Plugin>>,
    pub(crate) at: At,
    /// Joins the records of the request.
    exchange: String,
    is_envoy: bool,
    /// The request has no body: none may come after it was decided.
    bodyless: bool,
    /// The tool of a call whose outcome has not been recorded.
    pub(crate) unsettled: Option<String>,
    /// The answer's headers have not gone on.
    pub(crate) held: bool,
    /// Some of the answer's body has come.
    pub(crate) bodied: bool,
}

/// How far it has come.
pub(crate) enum At {
    /// The rest passes as it comes.
    Through,
    /// It was answered here.
    Over,
    /// Its body is read.
    Body(Box<Exchange>),
    /// The host was asked.
    Asking(Box<Asked>),
    /// It went on.
    Sent(Box<Incoming>),
    /// The answer is read whole; a stream of events, when there is the host to ask about them.
    Whole(Box<Incoming>, usize, bool),
    /// The answer is read event by event.
    Events(Box<Incoming>, Events),
    /// This comes in place of the answer.
    Replacing(String),
}

/// Something to be decided, and what for.
pub(crate) struct Asked {
    pub call: Vec<u8>,
    pub then: Then,
}

/// What a decision is for.
pub(crate) enum Then {
    /// A call.
    Call(Box<Proposal>),
    /// An escalated call that people were asked about.
    Approved(Box<Proposal>, Made),
    /// The decision endpoint.
    Answer,
    /// A result, the answer it is in, and what else of that waits.
    Result(Box<PendingResult>, Box<Incoming>, Option<Waiting>),
}

/// Events around the one that is decided.
pub(crate) struct Waiting {
    pub event: Event,
    pub before: String,
    pub after: std::vec::IntoIter<Event>,
}

impl Stream {
    /// A request; without a plugin it is refused.
    pub fn new(plugin: Option<Rc<Plugin>>, id: u32) -> Stream {
        Stream {
            plugin,
            at: At::Through,
            exchange: id.to_string(),
            is_envoy: false,
            bodyless: false,
            unsettled: None,
            held: false,
            bodied: false,
        }
    }

    pub(crate) fn holds_headers(&self) -> bool {
        self.plugin.as_ref().is_some_and(|plugin| plugin.holds_headers(self.is_envoy))
    }

    /// Answers in place of the server.
    pub(crate) fn refuse(&mut self, reply: &HttpReply) -> Action {
        self.at = At::Over;
        let pairs = reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<(&str, &str)> = pairs.collect();
        // Where the proxy does not take an answer any more, it holds what came until it gives up.
        let _ = head::respond(u32::from(reply.status), &headers, reply.body.as_bytes());
        Action::Pause
    }

    fn refuse_early(&mut self, reply: &HttpReply) -> Action {
        if let Some(plugin) = &self.plugin {
            plugin.report.refused();
        }
        self.refuse(reply)
    }

    fn admit(&mut self, end: bool) -> Action {
        let Some(plugin) = self.plugin.clone() else {
            let detail = "the policy filter's configuration cannot be used; the proxy's log says why";
            return self.refuse(&HttpReply::problem(503, "bad-configuration", detail));
        };
        let headers = headers(MapType::HttpRequestHeaders);
        let pseudo = |name: &str| headers.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value);
        let (method, path) = (pseudo(":method"), pseudo(":path"));
        let mut plain: Vec<(String, String)> =
            headers.iter().filter(|(name, _)| !name.starts_with(':')).cloned().collect();
        if plain.iter().all(|(name, _)| name != "host") {
            plain.push(("host".to_owned(), pseudo(":authority").to_owned()));
        }
        let head = Head { method, path, headers: &plain };
        #[cfg(feature = "trap-for-tests")]
        if head.all("x-placet-trap").next().is_some() {
            std::process::abort();
        }
        let admit = |claims: Option<&str>| plugin.setup.guard.admit(&head, &Peer { claims, identity: None });
        let admitted = match plugin.claims() {
            Ok(claims) => admit(claims.as_deref()),
            // What is not guarded passes, whatever the token says.
            Err(why) => match admit(None) {
                Admitted::Pass => Admitted::Pass,
                _ => Admitted::Refuse(HttpReply::problem(401, "unauthenticated", &why)),
            },
        };
        let exchange = match admitted {
            Admitted::Pass => return Action::Continue,
            Admitted::Refuse(reply) => return self.refuse_early(&reply),
            Admitted::Guarded(exchange) => exchange,
        };
        if let Some(id) = head.all("x-request-id").next() {
            id.clone_into(&mut self.exchange);
        }
        self.is_envoy = is_envoy();
        // Elsewhere than in Envoy the proxy does not say that no body comes.
        self.bodyless = end || !self.holds_headers() && is_bodyless(&head);
        if self.bodyless {
            return self.inspect(*exchange, b"");
        }
        self.at = At::Body(exchange);
        if self.holds_headers() { Action::Pause } else { Action::Continue }
    }

    fn inspect(&mut self, exchange: Exchange, body: &[u8]) -> Action {
        let (_, time) = now();
        match exchange.inspect(body, &time) {
            Inspected::Refuse(reply) => self.refuse_early(&reply),
            Inspected::Forward(outgoing) => self.forward(*outgoing),
            Inspected::Decide(proposal) => {
                let call = proposal.call().to_vec();
                self.ask(Asked { call, then: Then::Call(proposal) })
            }
            Inspected::Answer(call) => self.ask(Asked { call, then: Then::Answer }),
        }
    }

    /// Has something decided, here or at the host, and goes on with it.
    pub(crate) fn ask(&mut self, asked: Asked) -> Action {
        let Some(plugin) = self.plugin.clone() else { return Action::Pause };
        if let Some(made) = plugin.decide(&asked.call) {
            return self.conclude(asked, made);
        }
        let host = plugin.setup.host.as_ref();
        if host.is_some_and(|host| plugin.ask(&host.path, &asked.call, host.timeout())) {
            self.at = At::Asking(Box::new(asked));
            return Action::Pause;
        }
        self.conclude(asked, plugin.no_answer())
    }

    fn conclude(&mut self, asked: Asked, made: Made) -> Action {
        let Asked { call, then } = asked;
        match then {
            Then::Answer => {
                self.record(&call, &made.decision, made.state_version, None);
                self.refuse(&decision_reply(&made.decision))
            }
            Then::Call(proposal) => self.decided(call, proposal, made),
            Then::Approved(proposal, before) => {
                let approved = made.decision.verdict == Verdict::Allow;
                self.settle(&call, *proposal, if approved { made } else { before })
            }
            Then::Result(pending, incoming, waiting) => {
                self.returned(*pending, incoming, waiting, &call, made)
            }
        }
    }

    fn decided(&mut self, call: Vec<u8>, mut proposal: Box<Proposal>, made: Made) -> Action {
        if made.decision.verdict == Verdict::Escalate {
            proposal.refer(digest(proposal.subject(&made.decision.policy).as_bytes()));
            let plugin = self.plugin.clone();
            let host = plugin.as_ref().and_then(|plugin| plugin.setup.host.as_ref());
            if let (Some(plugin), Some(host)) = (&plugin, host)
                && let Some(path) = &host.approvals
                && plugin.ask(path, &call, Duration::from_millis(host.approval_timeout_ms))
            {
                let then = Then::Approved(proposal, made);
                self.at = At::Asking(Box::new(Asked { call, then }));
                return Action::Pause;
            }
        }
        self.settle(&call, *proposal, made)
    }

    /// The last word about a call.
    fn settle(&mut self, call: &[u8], proposal: Proposal, made: Made) -> Action {
        let decision = proposal.enforceable(made.decision);
        self.record(call, &decision, made.state_version, None);
        if let Some(plugin) = &self.plugin {
            plugin.report.expose(proposal.tool(), &decision, self.is_envoy);
        }
        match proposal.decided(&decision) {
            Ok(outgoing) => self.forward(outgoing),
            Err(reply) => self.refuse(&reply),
        }
    }

    pub(crate) fn record(
        &self,
        call: &[u8],
        decision: &Decision,
        state_version: Option<u64>,
        outcome: Option<Outcome>,
    ) {
        let Some(plugin) = &self.plugin else { return };
        let (time, call) = (now().1, String::from_utf8_lossy(call));
        plugin.report.record(&Record {
            time: &time,
            exchange: &self.exchange,
            call: &call,
            decision: Some(decision),
            state_version,
            outcome,
        });
    }

    /// Records what became of a call whose result is not decided.
    pub(crate) fn record_outcome(&mut self, outcome: Outcome) {
        let (Some(plugin), Some(tool)) = (&self.plugin, self.unsettled.take()) else { return };
        let call = serde_json::json!({ "tool": tool }).to_string();
        plugin.report.record(&Record {
            time: &now().1,
            exchange: &self.exchange,
            call: &call,
            decision: None,
            state_version: None,
            outcome: Some(outcome),
        });
    }

    /// Lets the request go on as it was written anew.
    fn forward(&mut self, outgoing: Outgoing) -> Action {
        let Outgoing { permit, path, set_headers, remove_headers, incoming } = outgoing;
        let map = MapType::HttpRequestHeaders;
        let mut written = remove_headers.iter().all(|name| head::remove_header(map, name))
            && set_headers.iter().all(|(name, value)| head::set_header(map, name, value))
            && path.iter().all(|path| head::set_header(map, ":path", path));
        let body = permit.map(placet_pep::Permit::into_body).unwrap_or_default();
        written &= match self.bodyless {
            true => body.is_empty(),
            false => {
                head::set_header(map, "content-length", &body.len().to_string())
                    && head::remove_header(map, "transfer-encoding")
                    && abi::replace_buffer(BufferType::HttpRequestBody, body.as_bytes())
            }
        };
        if !written {
            // Then the proxy would send what nobody has decided: in Envoy, when the headers had gone on before the body.
            let why = "the proxy did not take the request as it was decided; in Envoy, the plugin needs \
                       `allow_on_headers_stop_iteration` and `phase` must not be `body`";
            return self.refuse(&HttpReply::problem(503, "not-written", why));
        }
        self.unsettled = incoming.running().map(|running| running.tool().to_owned());
        self.at = At::Sent(Box::new(incoming));
        Action::Continue
    }

    /// The host's decision; `None` when it gave none.
    fn answer(&self, size: usize) -> Option<Made> {
        const LARGEST: usize = 1 << 20;
        let status = headers(MapType::HttpCallResponseHeaders);
        let is_ok = status.iter().any(|(name, value)| name == ":status" && value == "200");
        if !is_ok || size > LARGEST {
            return None;
        }
        let body = abi::buffer(BufferType::HttpCallResponseBody, size)?;
        Some(Made { decision: Decision::read_json(&body)?, state_version: None })
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _: u32, _: usize, size: usize, _: usize) {
        let asked = match std::mem::replace(&mut self.at, At::Over) {
            At::Asking(asked) => *asked,
            other => {
                self.at = other;
                return;
            }
        };
        let Some(plugin) = self.plugin.clone() else { return };
        let made = self.answer(size).unwrap_or_else(|| plugin.no_answer());
        let of_answer = matches!(asked.then, Then::Result(..));
        if self.conclude(asked, made) == Action::Continue {
            let _ = head::go_on(if of_answer { Way::Response } else { Way::Request });
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.admit(end)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        match std::mem::replace(&mut self.at, At::Over) {
            At::Body(exchange) if size > exchange.limit() => self.refuse_early(&exchange.too_large()),
            At::Body(exchange) if !end => {
                self.at = At::Body(exchange);
                Action::Pause
            }
            At::Body(exchange) => match abi::buffer(BufferType::HttpRequestBody, size) {
                Some(body) => self.inspect(*exchange, &body),
                None => {
                    self.refuse_early(&HttpReply::problem(503, "not-read", "the proxy did not give the body"))
                }
            },
            At::Over => Action::Pause,
            at if self.bodyless && size > 0 => {
                self.at = at;
                self.refuse_early(&HttpReply::bad("a body came where the headers said there is none"))
            }
            at => {
                let waits = matches!(at, At::Asking(_));
                self.at = at;
                if waits { Action::Pause } else { Action::Continue }
            }
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.at {
            At::Body(_) => self.refuse_early(&HttpReply::bad("trailers are not accepted here")),
            At::Over | At::Asking(_) => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        self.answered(end)
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.received(size, end)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.ended()
    }

    fn on_log(&mut self) {
        self.record_outcome(Outcome::Unknown);
    }
}
