//! One guarded request, from its body to the server's answer.

use std::cell::RefCell;

use placet_model::Decision;
use placet_pep::http::{self, HttpReply, Incoming, Inspected, Outgoing, Plan, decision_reply};
use placet_pep::{Answered, PendingResult};

use crate::bindings::placet::policy::decisions::Visibility;
use crate::wit::{self, Reply};
use crate::{convert, deciding};

/// An exchange, and the decisions that were made about it.
pub struct Exchange {
    state: RefCell<State>,
    /// Greatest size of an answer in bytes.
    response_limit: usize,
    decisions: RefCell<Vec<String>>,
}

/// Where it is. What is done out of order finds it over.
enum State {
    /// The body is to come.
    Head(Box<http::Exchange>),
    /// The request was forwarded.
    Sent(Incoming),
    /// The answer's body is to come.
    Body(Incoming, Form),
    /// It is over.
    Done,
}

#[derive(Clone, Copy)]
enum Form {
    Whole,
    Events,
}

/// What an answer becomes.
struct Became {
    body: String,
    /// When it is not the server's.
    status: Option<u16>,
}

impl Exchange {
    pub fn new(exchange: Box<http::Exchange>, response_limit: usize) -> Exchange {
        let state = RefCell::new(State::Head(exchange));
        Exchange { state, response_limit, decisions: RefCell::default() }
    }

    fn record(&self, decision: &Decision) {
        self.decisions.borrow_mut().push(deciding::json(decision));
    }

    fn inspect(&self, inspected: Inspected) -> Result<Outgoing, HttpReply> {
        match inspected {
            Inspected::Refuse(reply) => Err(reply),
            Inspected::Forward(outgoing) => Ok(*outgoing),
            Inspected::Answer(call) => {
                let decision = deciding::decide(&call);
                self.record(&decision);
                Err(decision_reply(&decision))
            }
            Inspected::Decide(proposal) => {
                let decision = proposal.enforceable(deciding::decide(proposal.call()));
                self.record(&decision);
                proposal.decided(&decision)
            }
        }
    }

    /// A whole answer.
    fn whole(&self, incoming: &Incoming, body: &[u8], now: &str) -> Result<Became, HttpReply> {
        let became = self.became(incoming.whole(body), now);
        became.map_err(|why| incoming.failed(why))
    }

    /// A stream of events that has ended. What is no message for the agent is left out.
    fn events(&self, incoming: &Incoming, body: &[u8], now: &str) -> Result<Became, HttpReply> {
        let events = incoming.events().push(body).map_err(|why| incoming.failed(why))?;
        let mut written = String::new();
        for event in events {
            let Some(data) = &event.data else { continue };
            if let Ok(became) = self.became(incoming.whole(data.as_bytes()), now) {
                written.push_str(&event.write(&became.body));
            }
        }
        Ok(Became { body: written, status: None })
    }

    fn became(&self, answered: Answered, now: &str) -> Result<Became, &'static str> {
        match answered {
            Answered::Pass(body) => Ok(Became { body, status: None }),
            Answered::Drop(why) => Err(why),
            Answered::Decide(result) => Ok(self.result(*result, now)),
            Answered::Filter(filter) => {
                let shown = deciding::list_tools(filter.call(), &filter.names());
                let show = |name: &str| {
                    let found = shown.iter().find(|of| of.tool == name && of.visible);
                    found.map(|Visibility { guidance, .. }| guidance.clone())
                };
                Ok(Became { body: filter.filtered(show), status: None })
            }
        }
    }

    fn result(&self, result: PendingResult, now: &str) -> Became {
        let decision = result.enforceable(deciding::decide(result.call(now).as_bytes()));
        self.record(&decision);
        let status = result.status(&decision);
        Became { body: result.decided(&decision), status }
    }
}

impl wit::GuestExchange for Exchange {
    fn limit(&self) -> u64 {
        match &*self.state.borrow() {
            State::Head(exchange) => exchange.limit() as u64,
            _ => 0,
        }
    }

    fn too_large(&self) -> Reply {
        convert::reply(match self.state.replace(State::Done) {
            State::Head(exchange) => exchange.too_large(),
            _ => out_of_order(),
        })
    }

    fn request(&self, body: Vec<u8>, now: String) -> wit::Verdict {
        let State::Head(exchange) = self.state.replace(State::Done) else {
            return wit::Verdict::Answer(convert::reply(out_of_order()));
        };
        match self.inspect(exchange.inspect(&body, &now)) {
            Err(reply) => wit::Verdict::Answer(convert::reply(reply)),
            Ok(Outgoing { permit, path, set_headers, remove_headers, incoming }) => {
                self.state.replace(State::Sent(incoming));
                let body = permit.map(|permit| permit.into_body().into_bytes());
                wit::Verdict::Forward(wit::Outgoing { body, path, set_headers, remove_headers })
            }
        }
    }

    fn head(&self, status: u16, headers: Vec<(String, String)>) -> wit::Plan {
        let State::Sent(mut incoming) = self.state.replace(State::Done) else {
            return wit::Plan::Refuse(convert::reply(out_of_order()));
        };
        let form = match incoming.head(status, &headers) {
            Plan::Pass => return wit::Plan::Pass,
            Plan::Replace(reply) => return wit::Plan::Refuse(convert::reply(reply)),
            Plan::Whole { .. } => Form::Whole,
            Plan::Events => Form::Events,
        };
        self.state.replace(State::Body(incoming, form));
        wit::Plan::Read(self.response_limit as u64)
    }

    fn response(&self, body: Vec<u8>, now: String) -> wit::Answered {
        let became = match self.state.replace(State::Done) {
            State::Body(incoming, Form::Whole) => self.whole(&incoming, &body, &now),
            State::Body(incoming, Form::Events) => self.events(&incoming, &body, &now),
            _ => Err(out_of_order()),
        };
        match became {
            Ok(Became { body, status: None }) => wit::Answered::Body(body.into_bytes()),
            Ok(Became { body, status: Some(status) }) => {
                wit::Answered::Refuse(convert::reply(HttpReply { status, ..HttpReply::json(status, body) }))
            }
            Err(reply) => wit::Answered::Refuse(convert::reply(reply)),
        }
    }

    fn decisions(&self) -> Vec<String> {
        self.decisions.take()
    }
}

fn out_of_order() -> HttpReply {
    HttpReply::problem(500, "out-of-order", "the host asked out of order, and what it asked for is not known")
}
