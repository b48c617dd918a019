//! One instance of the component with a policy loaded.

use std::time::Duration;

use placet_model::{Code, Decision, Facts};
use placet_pdp::{Description, Trust, Visibility};
use wasmtime::{ResourceLimiter, Store, Trap};

use super::convert;
use super::engine::{Component, ticks};

pub(super) mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "policy" });
}

/// An instance that has failed: it is never used again.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub code: Code,
    /// For the log, not for agents.
    pub detail: String,
}

/// Where an instance has its policy from.
pub(super) enum Origin {
    /// It is loaded into the instance.
    Bundle { bytes: Vec<u8>, trust: Trust },
    /// It is inside the component.
    Carried,
}

pub(super) struct Instance {
    store: Store<Guarded>,
    policy: bindings::Policy,
    decision: u64,
}

impl Instance {
    /// A new instance, and what it says of its policy.
    pub fn start(
        component: &Component,
        origin: &Origin,
    ) -> Result<(Instance, Result<Description, String>), Fault> {
        let guarded = Guarded { memory: component.budget.memory };
        let mut store = Store::new(&component.engine, guarded);
        store.limiter(|guarded| guarded);
        store.epoch_deadline_trap();
        store.set_epoch_deadline(ticks(component.budget.load));
        let policy = component.pre.instantiate(&mut store)?;
        let decisions = policy.placet_policy_decisions();
        let loaded = match origin {
            Origin::Bundle { bytes, trust } => {
                let keys: Vec<Vec<u8>> = trust.keys.iter().map(|key| key.to_vec()).collect();
                decisions.call_load(&mut store, bytes, &keys)?
            }
            Origin::Carried => {
                let description = decisions.call_describe(&mut store)?;
                if description.digest.is_empty() { Err(NO_POLICY.to_owned()) } else { Ok(description) }
            }
        };
        let loaded = loaded.map(convert::description);
        let decision = ticks(component.budget.decision);
        Ok((Instance { store, policy, decision }, loaded))
    }

    pub fn decide(&mut self, call: &[u8], facts: &Facts<'_>) -> Result<Decision, Fault> {
        self.store.set_epoch_deadline(self.decision);
        let decision = self.policy.placet_policy_decisions().call_decide_json(
            &mut self.store,
            call,
            &convert::facts(facts),
        )?;
        convert::decision(decision)
    }

    pub fn list_tools(
        &mut self,
        call: &[u8],
        facts: &Facts<'_>,
        tools: &[String],
    ) -> Result<Vec<Visibility>, Fault> {
        // As many decisions as there are tools.
        let tools_count = u64::try_from(tools.len()).unwrap_or(u64::MAX).max(1);
        self.store.set_epoch_deadline(self.decision.saturating_mul(tools_count).min(ticks(LONGEST)));
        let listed = self.policy.placet_policy_decisions().call_list_tools(
            &mut self.store,
            call,
            &convert::facts(facts),
            tools,
        )?;
        Ok(listed.into_iter().map(convert::visibility).collect())
    }
}

/// The component is one that `placet` runs, not one that `placet build` made.
const NO_POLICY: &str =
    "the component carries no policy: load a bundle into it, or build one with `placet build`";

/// However many tools there are.
const LONGEST: Duration = Duration::from_secs(60);

/// What stands between an instance and the machine's memory.
pub(super) struct Guarded {
    memory: usize,
}

/// The instance asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("the policy engine needs {wanted} bytes of memory and may have {allowed}")]
struct MemoryExceeded {
    wanted: usize,
    allowed: usize,
}

impl ResourceLimiter for Guarded {
    fn memory_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if wanted > self.memory {
            return Err(MemoryExceeded { wanted, allowed: self.memory }.into());
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(wanted <= 10_000)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Fault {
        let code = if error.downcast_ref::<MemoryExceeded>().is_some() {
            Code::EngineMemory
        } else {
            match error.downcast_ref::<Trap>() {
                Some(Trap::Interrupt | Trap::OutOfFuel) => Code::EngineTimeout,
                _ => Code::EngineTrap,
            }
        };
        Fault { code, detail: format!("{error:#}") }
    }
}
