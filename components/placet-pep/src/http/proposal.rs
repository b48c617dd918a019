//! A call that waits for its decision, and what goes on when it is allowed.

use placet_model::{Decision, Verdict};

use super::HttpReply;
use super::api::ApiCall;
use super::config::Refusals;
use super::incoming::Incoming;
use crate::answer::Forwarded;
use crate::call::{Decided, PendingCall, enforceable, unmet};
use crate::exchange::Who;
use crate::identity::Identity;
use crate::permit::Permit;
use crate::reply::{json, refusal_error};
use crate::result::{Running, Shape};

/// A call that waits for its decision.
#[derive(Debug)]
pub struct Proposal {
    kind: Kind,
    response_limit: usize,
    reference: Option<String>,
    named: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Mcp(Box<PendingCall>, Refusals, Box<Who>),
    Api(Box<ApiCall>),
}

/// A request that goes on to the server.
#[derive(Debug)]
pub struct Outgoing {
    /// The body to send; `None`: there is none.
    pub permit: Option<Permit>,
    /// Path and query to send, when they were written anew.
    pub path: Option<String>,
    /// Headers to set; names in lower case. `content-length` is the adapter's.
    pub set_headers: Vec<(String, String)>,
    /// Headers to take away.
    pub remove_headers: Vec<String>,
    /// What its answer means.
    pub incoming: Incoming,
}

impl Proposal {
    pub(super) fn of_mcp(call: PendingCall, refusals: Refusals, response_limit: usize, who: Who) -> Proposal {
        Proposal {
            kind: Kind::Mcp(Box::new(call), refusals, Box::new(who)),
            response_limit,
            reference: None,
            named: None,
        }
    }

    pub(super) fn of_api(call: ApiCall, response_limit: usize) -> Proposal {
        Proposal { kind: Kind::Api(Box::new(call)), response_limit, reference: None, named: None }
    }

    /// With what `Mcp-Name` will say to the server.
    pub(super) fn naming(self, named: Option<String>) -> Proposal {
        Proposal { named, ..self }
    }

    /// The call to have decided, as JSON.
    pub fn call(&self) -> &[u8] {
        match &self.kind {
            Kind::Mcp(call, ..) => call.call(),
            Kind::Api(call) => call.call.as_bytes(),
        }
    }

    /// The tool, by the name that policies have for it.
    pub fn tool(&self) -> &str {
        match &self.kind {
            Kind::Mcp(call, ..) => call.tool(),
            Kind::Api(call) => &call.tool,
        }
    }

    /// The server (by the name that policies have for it) and its own name of the tool; `None`: this calls no tool of a
    /// catalogue.
    pub fn called(&self) -> Option<(Option<&str>, &str)> {
        match &self.kind {
            Kind::Mcp(call, ..) => call.called(),
            Kind::Api(_) => None,
        }
    }

    /// Who calls.
    pub fn identity(&self) -> &Identity {
        match &self.kind {
            Kind::Mcp(call, ..) => call.identity(),
            Kind::Api(call) => &call.identity,
        }
    }

    /// What an approval of this call under a policy is bound to: canonical JSON. Its SHA-256 is the reference.
    pub fn subject(&self, policy: &str) -> String {
        match &self.kind {
            Kind::Mcp(call, ..) => call.subject(policy),
            Kind::Api(call) => call.identity.subject(&call.tool, &call.args, call.session.as_deref(), policy),
        }
    }

    /// Has an escalated call answered with a reference for those who approve.
    pub fn refer(&mut self, reference: String) {
        self.reference = Some(reference);
    }

    /// Turns an `allow` with an obligation that cannot be met into a denial. What comes out is to be recorded, and is
    /// the only thing that [`Proposal::decided`] should be given.
    pub fn enforceable(&self, decision: Decision) -> Decision {
        enforceable(decision)
    }

    /// What goes on, out of an `allow` that can be enforced.
    ///
    /// # Errors
    /// The refusal, out of anything else.
    pub fn decided(self, decision: &Decision) -> Result<Outgoing, HttpReply> {
        let reference = self.reference;
        match self.kind {
            Kind::Api(call) => call.decided(decision, reference.as_deref(), self.response_limit),
            Kind::Mcp(mut call, refusals, who) => {
                if let Some(reference) = reference.clone() {
                    call.refer(reference);
                }
                let id = call.id().to_owned();
                match (call.decided(decision), refusals) {
                    (Decided::Forward(permit, forwarded), _) => {
                        let mut outgoing = Outgoing::message(permit, forwarded, self.response_limit, *who);
                        outgoing.set_headers.extend(self.named.map(|named| ("mcp-name".to_owned(), named)));
                        Ok(outgoing)
                    }
                    (Decided::Refuse(reply), Refusals::Result) => Err(reply.into()),
                    (Decided::Refuse(_), Refusals::Error) => {
                        Err(HttpReply::json(200, refusal_error(&id, decision, reference.as_deref())))
                    }
                    (Decided::Refuse(_), Refusals::Status) => {
                        Err(HttpReply::json(403, refusal_error(&id, decision, reference.as_deref())))
                    }
                }
            }
        }
    }
}

impl ApiCall {
    fn decided(
        self,
        decision: &Decision,
        reference: Option<&str>,
        limit: usize,
    ) -> Result<Outgoing, HttpReply> {
        if decision.verdict != Verdict::Allow || unmet(&decision.obligations).is_some() {
            return Err(HttpReply::refused(decision, reference));
        }
        let running = Running {
            shape: Shape::Plain,
            tool: self.tool,
            args: self.args,
            identity: self.identity,
            session: self.session,
            obligations: decision.obligations.clone(),
            decision: json(decision),
            server: None,
        };
        let read = self.results || running.is_bound();
        Ok(Outgoing {
            permit: self.body.map(Permit::of),
            path: Some(self.target),
            set_headers: Vec::new(),
            remove_headers: unread(),
            incoming: Incoming::api(running, read, limit),
        })
    }
}

impl Outgoing {
    /// A message to an MCP server.
    pub(super) fn message(permit: Permit, forwarded: Forwarded, limit: usize, who: Who) -> Outgoing {
        Outgoing {
            permit: Some(permit),
            path: None,
            set_headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            remove_headers: unread(),
            incoming: Incoming::mcp(forwarded, limit, who),
        }
    }

    /// The end of a session.
    pub(super) fn end() -> Outgoing {
        Outgoing {
            permit: None,
            path: None,
            set_headers: Vec::new(),
            remove_headers: Vec::new(),
            incoming: Incoming::untouched(),
        }
    }
}

/// Headers that would have an answer come in a form that nobody here reads, or in part.
fn unread() -> Vec<String> {
    ["accept-encoding", "range", "if-range", "content-encoding", "last-event-id"].map(str::to_owned).to_vec()
}
