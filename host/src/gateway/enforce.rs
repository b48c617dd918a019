//! Deciding and recording: what stands between a message and its permit.

use std::sync::Arc;
use std::time::Instant;

use placet_model::{Code, Decision, Json, Verdict};
use placet_pep::http::{HttpReply, Outgoing, Proposal};
use placet_pep::{Filter, PendingResult, Permit, refused_ask};

use super::Gateway;
use super::telemetry::Span;
use crate::audit::{Outcome, Record};

/// The time, as every decision and record has it: RFC 3339, UTC, microseconds.
pub fn now() -> String {
    let micros = jiff::Timestamp::now().as_microsecond();
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
}

/// What becomes of something that a server said.
pub enum Made {
    /// The agent gets this.
    Told(String),
    /// The client is asked: the server's id of it (JSON text), and the request.
    Asked {
        /// JSON text.
        id: String,
        /// The request.
        body: String,
    },
    /// The client is not asked: the answer to the server, and what the agent is told.
    Refused {
        /// To the server.
        refusal: Permit,
        /// To the agent.
        notice: String,
    },
}

impl Gateway {
    /// Decides a call and records the decision. A decision that cannot be recorded is a denial.
    ///
    /// # Errors
    /// The refusal.
    pub async fn decide_call(
        self: &Arc<Self>,
        mut proposal: Proposal,
        exchange: &str,
        span: Span,
    ) -> Result<Outgoing, HttpReply> {
        let gateway = self.clone();
        let exchange = exchange.to_owned();
        run(move || {
            let began = Instant::now();
            let (decision, version) = match gateway.unavailable(&proposal) {
                Some(denial) => (denial, None),
                None => {
                    let made = gateway.service.decide_on_state(proposal.call(), false);
                    (proposal.enforceable(made.decision), made.state_version)
                }
            };
            let decision = gateway.decided(&exchange, proposal.call(), decision, version);
            gateway.observed.metrics.decided("call", &decision, began);
            span.set("placet.verdict", decision.verdict.as_str());
            span.set("placet.code", decision.code.as_str());
            if decision.verdict == Verdict::Escalate {
                let subject = proposal.subject(&decision.policy);
                proposal.refer(placet_bundle::digest(subject.as_bytes()));
            }
            proposal.decided(&decision)
        })
        .await
    }

    /// Decides a call for an enforcement point elsewhere that keeps its state here, and records the decision.
    pub async fn decide_for_others(self: &Arc<Self>, call: Vec<u8>, exchange: &str) -> Decision {
        let gateway = self.clone();
        let exchange = exchange.to_owned();
        run(move || {
            let began = Instant::now();
            let made = gateway.service.decide_on_state(&call, false);
            let decision = gateway.decided(&exchange, &call, made.decision, made.state_version);
            gateway.observed.metrics.decided("elsewhere", &decision, began);
            decision
        })
        .await
    }

    fn decided(
        &self,
        exchange: &str,
        call: &[u8],
        decision: Decision,
        state_version: Option<u64>,
    ) -> Decision {
        let text = String::from_utf8_lossy(call);
        let record = Record {
            time: &now(),
            exchange,
            call: &text,
            decision: Some(&decision),
            state_version,
            outcome: None,
        };
        let decision = self.recorded(&record, decision.clone());
        tracing::info!(
            exchange,
            tool = tool(call),
            verdict = decision.verdict.as_str(),
            code = decision.code.as_str(),
            rules = decision.rules.join(","),
            "decided"
        );
        decision
    }

    /// Decides a result, or what a server asks of the client; records it, and gives what the agent gets.
    pub async fn decide_result(self: &Arc<Self>, pending: PendingResult, exchange: &str) -> Made {
        let gateway = self.clone();
        let exchange = exchange.to_owned();
        run(move || {
            let (time, began) = (now(), Instant::now());
            if let Some(id) = pending.ask().map(str::to_owned) {
                return gateway.decide_ask(pending, id, &exchange, &time);
            }
            let call = pending.call(&time);
            let made = gateway.service.decide_on_state(call.as_bytes(), false);
            let decision = pending.enforceable(made.decision);
            let decision = match decision.verdict {
                Verdict::Allow => gateway.inputs_refused(&pending, &exchange, &time).unwrap_or(decision),
                Verdict::Deny | Verdict::Escalate => decision,
            };
            let outcome = if pending.ok() { Outcome::Ran } else { Outcome::Failed };
            let record = Record {
                time: &time,
                exchange: &exchange,
                call: &call,
                decision: Some(&decision),
                state_version: made.state_version,
                outcome: Some(outcome),
            };
            let decision = gateway.recorded(&record, decision.clone());
            gateway.observed.metrics.decided("result", &decision, began);
            Made::Told(pending.decided(&decision))
        })
        .await
    }

    fn decide_ask(&self, pending: PendingResult, id: String, exchange: &str, time: &str) -> Made {
        let began = Instant::now();
        let call = pending.call(time);
        let made = self.service.decide_on_state(call.as_bytes(), false);
        let decision = pending.enforceable(made.decision);
        let decision = self.decided(exchange, call.as_bytes(), decision, made.state_version);
        self.observed.metrics.decided("call", &decision, began);
        match decision.verdict {
            Verdict::Allow => Made::Asked { id, body: pending.decided(&decision) },
            Verdict::Deny | Verdict::Escalate => {
                Made::Refused { refusal: refused_ask(&id, &decision), notice: pending.decided(&decision) }
            }
        }
    }

    /// The first decision that keeps the client from being asked for something that a result asks for.
    fn inputs_refused(&self, pending: &PendingResult, exchange: &str, time: &str) -> Option<Decision> {
        let mut decisions = pending.inputs(time).into_iter().map(|call| {
            let began = Instant::now();
            let made = self.service.decide_on_state(call.as_bytes(), false);
            let decision = self.decided(exchange, call.as_bytes(), made.decision, made.state_version);
            self.observed.metrics.decided("call", &decision, began);
            decision
        });
        let refused = |of: &Decision| of.verdict != Verdict::Allow || !of.obligations.is_empty();
        let decision = decisions.find(refused)?;
        let reason = "What the server asks for cannot be redacted or cut, as the policy asks.";
        Some(match decision.verdict {
            Verdict::Allow => Decision::deny(Code::UnmetObligation, reason, decision.policy),
            Verdict::Deny | Verdict::Escalate => decision,
        })
    }

    /// Leaves out the tools that can never be allowed to whom the catalogue is for, and those that are not as they were
    /// accepted.
    pub async fn filter(self: &Arc<Self>, filter: Filter, exchange: &str) -> String {
        let gateway = self.clone();
        let exchange = exchange.to_owned();
        run(move || {
            let hidden = gateway.pinned(&filter, &exchange);
            let names: Vec<String> =
                filter.names().into_iter().filter(|name| !hidden.contains(name)).collect();
            let shown = gateway.service.list_tools(filter.call(), &names);
            let visible = shown.iter().filter(|tool| tool.visible).count();
            tracing::info!(offered = names.len(), visible, unavailable = hidden.len(), "tools listed");
            filter.filtered(|name| {
                let found = shown.iter().find(|tool| tool.tool == name)?;
                found.visible.then(|| found.guidance.clone())
            })
        })
        .await
    }

    /// Records that nobody knows what became of an allowed call.
    pub fn record_unknown(&self, tool: &str, exchange: &str) {
        let call = serde_json::json!({ "tool": tool }).to_string();
        let record = Record {
            time: &now(),
            exchange,
            call: &call,
            decision: None,
            state_version: None,
            outcome: Some(Outcome::Unknown),
        };
        if let Err(error) = self.log.append(&record) {
            tracing::error!(%error, exchange, "an outcome could not be recorded");
        }
    }

    fn recorded(&self, record: &Record<'_>, decision: Decision) -> Decision {
        match self.log.append(record) {
            Ok(()) => decision,
            Err(error) => {
                tracing::error!(%error, "a decision could not be recorded: the call is denied");
                let reason = "The decision could not be recorded.";
                Decision::deny(Code::StateUnavailable, reason, decision.policy)
            }
        }
    }
}

/// The tool of a call, for the log.
fn tool(call: &[u8]) -> String {
    let call = Json::parse(call, usize::MAX, usize::MAX).ok();
    let tool = call.and_then(|call| call.get("tool")).and_then(Json::as_str);
    tool.map_or_else(|| "?".to_owned(), |tool| tool.into_owned())
}

/// Decisions compute and may wait for one another; they do not run on the threads that move bytes.
async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Only a panic of ours ends here: the exchange ends with it, and nothing is forwarded.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
