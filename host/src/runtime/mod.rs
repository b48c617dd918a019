//! The policy component in Wasmtime, and the service that decides with state.
//!
//! Layers, each in its file: `engine` compiles the component once; `instance` is one instance of it with a policy
//! loaded; `pool` keeps instances warm and replaces broken ones; `handle` swaps policies between decisions; `service`
//! reads state, decides, and stores what the decision asks for.

mod convert;
mod engine;
mod handle;
mod instance;
mod pool;
mod service;

pub use engine::{Budget, Component, StartError};
pub use handle::PolicyHandle;
pub use placet_pdp::{Description, Trust, Visibility};
pub use pool::ComponentPolicy;
pub use service::{DecisionService, Outcome};

use std::sync::Arc;

use placet_model::{Decision, Facts};
use placet_pdp::Pdp;

/// The policy component that this program carries.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/policy.component.wasm"));

/// Something that decides calls by one policy, the same one as long as it lives. Total: a broken policy or engine is a
/// denial.
pub trait DecisionPoint: Send + Sync {
    /// Decides the call that a JSON text holds.
    fn decide(&self, call: &[u8], facts: &Facts<'_>) -> Decision;

    /// Which of these tools to show to the principal of a call.
    fn list_tools(&self, call: &[u8], facts: &Facts<'_>, tools: &[String]) -> Vec<Visibility>;

    /// What it decides by; empty when it denies everything.
    fn describe(&self) -> Description;

    /// Why it denies everything, if it does.
    fn refusal(&self) -> Option<String>;
}

/// Where decisions are made.
#[derive(Clone)]
pub enum Target {
    /// In the policy component, inside Wasmtime.
    Component(Arc<Component>),
    /// In this process, by the same code.
    Native,
}

impl Target {
    /// A decision point for a bundle. Never fails: one that cannot be used denies everything, and
    /// [`DecisionPoint::refusal`] says why.
    pub fn open(&self, bundle: &[u8], trust: &Trust) -> Arc<dyn DecisionPoint> {
        match self {
            Target::Component(component) => Arc::new(ComponentPolicy::open(component.clone(), bundle, trust)),
            Target::Native => Arc::new(Pdp::open(bundle, trust)),
        }
    }
}

impl DecisionPoint for Pdp {
    fn decide(&self, call: &[u8], facts: &Facts<'_>) -> Decision {
        self.decide_json(call, facts)
    }

    fn list_tools(&self, call: &[u8], facts: &Facts<'_>, tools: &[String]) -> Vec<Visibility> {
        Pdp::list_tools(self, call, facts, tools)
    }

    fn describe(&self) -> Description {
        Pdp::describe(self)
    }

    fn refusal(&self) -> Option<String> {
        Pdp::refusal(self).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
