//! One guarded request, from its body to the server's answer.

use std::cell::RefCell;

use placet_model::json::write_string;
use placet_model::{Decision, Verdict};
use placet_pdp::digest;
use placet_pep::http::{self, HttpReply, Incoming, Inspected, Outgoing, Plan, decision_reply};
use placet_pep::{Answered, Outcome, PendingResult, Record};

use crate::bindings::placet::policy::decisions::Visibility;
use crate::wit::{self, Reply};
use crate::{convert, deciding};

/// An exchange, and what is to be recorded of it.
pub struct Exchange {
    state: RefCell<State>,
    /// Greatest size of an answer in bytes.
    response_limit: usize,
    happened: RefCell<Vec<Happened>>,
}

/// What is to be recorded.
struct Happened {
    time: String,
    call: String,
    decision: Option<Decision>,
    state_version: Option<u64>,
    outcome: Option<Outcome>,
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
        Exchange { state, response_limit, happened: RefCell::default() }
    }

    /// Has a call decided, and makes of the decision what can be enforced.
    fn decide(
        &self,
        call: &[u8],
        now: &str,
        enforceable: impl FnOnce(Decision) -> Decision,
        outcome: Option<Outcome>,
    ) -> Decision {
        let decided = deciding::decide(call);
        let decision = enforceable(decided.decision);
        self.happened.borrow_mut().push(Happened {
            time: now.to_owned(),
            call: String::from_utf8_lossy(call).into_owned(),
            decision: Some(decision.clone()),
            state_version: decided.state_version,
            outcome,
        });
        decision
    }

    fn inspect(&self, inspected: Inspected, now: &str) -> Result<Outgoing, HttpReply> {
        match inspected {
            Inspected::Refuse(reply) => Err(reply),
            Inspected::Forward(outgoing) => Ok(*outgoing),
            Inspected::Answer(call) => {
                Err(decision_reply(&self.decide(&call, now, |decision| decision, None)))
            }
            Inspected::Decide(mut proposal) => {
                let decision =
                    self.decide(proposal.call(), now, |decision| proposal.enforceable(decision), None);
                if decision.verdict == Verdict::Escalate {
                    proposal.refer(digest(proposal.subject(&decision.policy).as_bytes()));
                }
                proposal.decided(&decision)
            }
        }
    }

    /// Records what became of a call whose result is not decided.
    fn became_of(&self, incoming: &Incoming, outcome: Outcome, now: &str) {
        let Some(running) = incoming.running() else { return };
        let mut tool = String::new();
        write_string(&mut tool, running.tool());
        let call = format!("{{\"tool\":{tool}}}");
        let time = now.to_owned();
        let outcome = Some(outcome);
        self.happened.borrow_mut().push(Happened {
            time,
            call,
            decision: None,
            state_version: None,
            outcome,
        });
    }

    /// A whole answer.
    fn whole(&self, incoming: &Incoming, body: &[u8], now: &str) -> Result<Became, HttpReply> {
        let became = self.became(incoming.whole(body), now);
        became.map_err(|why| self.failed(incoming, why, now))
    }

    /// A stream of events that has ended. What is no message for the agent is left out.
    fn events(&self, incoming: &Incoming, body: &[u8], now: &str) -> Result<Became, HttpReply> {
        let events = incoming.events().push(body).map_err(|why| self.failed(incoming, why, now))?;
        let mut written = String::new();
        for event in events {
            let Some(data) = &event.data else { continue };
            if let Ok(became) = self.became(incoming.whole(data.as_bytes()), now) {
                written.push_str(&event.write(&became.body));
            }
        }
        Ok(Became { body: written, status: None })
    }

    /// The reply in place of an answer that cannot be used; whether the tool has run is not known.
    fn failed(&self, incoming: &Incoming, why: &str, now: &str) -> HttpReply {
        self.became_of(incoming, Outcome::Unknown, now);
        incoming.failed(why)
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
        let outcome = if result.ok() { Outcome::Ran } else { Outcome::Failed };
        let call = result.call(now);
        let decision =
            self.decide(call.as_bytes(), now, |decision| result.enforceable(decision), Some(outcome));
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
        match self.inspect(exchange.inspect(&body, &now), &now) {
            Err(reply) => wit::Verdict::Answer(convert::reply(reply)),
            Ok(Outgoing { permit, path, set_headers, remove_headers, incoming }) => {
                self.state.replace(State::Sent(incoming));
                let body = permit.map(|permit| permit.into_body().into_bytes());
                wit::Verdict::Forward(wit::Outgoing { body, path, set_headers, remove_headers })
            }
        }
    }

    fn head(&self, status: u16, headers: Vec<(String, String)>, now: String) -> wit::Plan {
        let State::Sent(mut incoming) = self.state.replace(State::Done) else {
            return wit::Plan::Refuse(convert::reply(out_of_order()));
        };
        let form = match incoming.head(status, &headers) {
            Plan::Pass => {
                let worked = (200..300).contains(&status);
                self.became_of(&incoming, if worked { Outcome::Ran } else { Outcome::Failed }, &now);
                return wit::Plan::Pass;
            }
            Plan::Replace(reply) => {
                self.became_of(&incoming, Outcome::Unknown, &now);
                return wit::Plan::Refuse(convert::reply(reply));
            }
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

    fn records(&self, host: String, exchange: String) -> Vec<String> {
        let record = |of: &Happened| {
            let Happened { time, call, decision, state_version, outcome } = of;
            let decision = decision.as_ref();
            let record = Record {
                time,
                exchange: &exchange,
                call,
                decision,
                state_version: *state_version,
                outcome: *outcome,
            };
            record.to_json(&host)
        };
        self.happened.take().iter().map(record).collect()
    }
}

fn out_of_order() -> HttpReply {
    HttpReply::problem(500, "out-of-order", "the host asked out of order, and what it asked for is not known")
}
