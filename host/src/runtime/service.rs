//! Deciding with state: the round of [`placet_pdp::state`], on the policy in force and a store.

use std::sync::Arc;

use placet_model::{Answer, Decision, Facts};
pub use placet_pdp::state::Outcome;
use placet_pdp::state::{Place, Round, session_fact};

use super::{PolicyHandle, Visibility};
use crate::store::StateStore;

/// Decides calls by the policy in force, with session memory and limits in a store.
#[derive(Clone)]
pub struct DecisionService {
    policy: PolicyHandle,
    store: Arc<dyn StateStore>,
}

impl DecisionService {
    /// A service over a policy and a store.
    pub fn new(policy: PolicyHandle, store: Arc<dyn StateStore>) -> DecisionService {
        DecisionService { policy, store }
    }

    /// The policy in force, which may be replaced.
    pub fn policy(&self) -> &PolicyHandle {
        &self.policy
    }

    /// Decides the call that a JSON text holds. A dry run stores nothing.
    pub fn decide(&self, call: &[u8], dry_run: bool) -> Decision {
        self.decide_on_state(call, dry_run).decision
    }

    /// Decides as [`DecisionService::decide`] does, and says on which state.
    pub fn decide_on_state(&self, call: &[u8], dry_run: bool) -> Outcome {
        let point = self.policy.get();
        let decide = |call: &[u8], facts: &Facts<'_>| point.decide(call, facts);
        Round::start(call, dry_run, decide).run(&*self.store, std::thread::yield_now)
    }

    /// Which of these tools to show to the principal of a call.
    pub fn list_tools(&self, call: &[u8], tools: &[String]) -> Vec<Visibility> {
        let read = match Place::of(call) {
            Some(Place { tenant, session: Some(id) }) => self.store.read_session(&tenant, &id),
            _ => Ok(None),
        };
        let facts = Facts { session: session_fact(&read), answer: Answer::NotAsked };
        self.policy.get().list_tools(call, &facts, tools)
    }
}
