//! One policy in the component: instances kept warm, one decision at a time in each, broken ones replaced.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use placet_model::{Code, Decision, Facts};
use placet_pdp::{Description, Trust, Visibility};

use super::DecisionPoint;
use super::engine::Component;
use super::instance::{Fault, Instance, Origin};

/// A policy that the component decides by.
pub struct ComponentPolicy {
    component: Arc<Component>,
    origin: Origin,
    description: Description,
    refusal: Option<String>,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Instance>,
    in_use: usize,
}

impl ComponentPolicy {
    /// Loads a bundle into a first instance. When that fails, every decision is a denial.
    pub fn open(component: Arc<Component>, bundle: &[u8], trust: &Trust) -> ComponentPolicy {
        ComponentPolicy::start(component, Origin::Bundle { bytes: bundle.to_vec(), trust: trust.clone() })
    }

    /// The policy that is inside a component which `placet build` made. Without one, every decision is a denial.
    pub fn carried(component: Arc<Component>) -> ComponentPolicy {
        ComponentPolicy::start(component, Origin::Carried)
    }

    fn start(component: Arc<Component>, origin: Origin) -> ComponentPolicy {
        let mut pool = Pool::default();
        let (description, refusal) = match Instance::start(&component, &origin) {
            Ok((instance, loaded)) => {
                pool.idle.push(instance);
                match loaded {
                    Ok(description) => (description, None),
                    Err(reason) => (Description::default(), Some(reason)),
                }
            }
            Err(fault) => (Description::default(), Some(fault.detail)),
        };
        ComponentPolicy {
            component,
            origin,
            description,
            refusal,
            pool: Mutex::new(pool),
            returned: Condvar::new(),
        }
    }

    /// Runs one call in an instance of its own. An instance that fails is dropped; the next call gets a new one.
    fn with<T>(&self, run: impl FnOnce(&mut Instance) -> Result<T, Fault>) -> Result<T, Fault> {
        let (_place, instance) = self.check_out();
        let mut instance = match instance {
            Some(instance) => instance,
            None => Instance::start(&self.component, &self.origin)?.0,
        };
        let result = run(&mut instance);
        match &result {
            Ok(_) => self.lock().idle.push(instance),
            Err(fault) => {
                tracing::error!(code = fault.code.as_str(), fault.detail, "the policy engine failed")
            }
        }
        result
    }

    /// Waits for a place, and takes an idle instance if there is one.
    fn check_out(&self) -> (Place<'_>, Option<Instance>) {
        let mut pool = self.lock();
        while pool.in_use >= self.component.budget.instances.max(1) {
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        pool.in_use += 1;
        (Place(self), pool.idle.pop())
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deny(&self, fault: &Fault) -> Decision {
        let reason = match fault.code {
            Code::EngineTimeout => "The policy engine took too long.",
            Code::EngineMemory => "The policy engine ran out of memory.",
            _ => "The policy engine failed.",
        };
        Decision::deny(fault.code, reason, self.description.digest.clone())
    }
}

/// The right to one instance; given back when dropped, however the call ended.
struct Place<'a>(&'a ComponentPolicy);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().in_use -= 1;
        self.0.returned.notify_one();
    }
}

impl DecisionPoint for ComponentPolicy {
    fn decide(&self, call: &[u8], facts: &Facts<'_>) -> Decision {
        self.with(|instance| instance.decide(call, facts)).unwrap_or_else(|fault| self.deny(&fault))
    }

    fn list_tools(&self, call: &[u8], facts: &Facts<'_>, tools: &[String]) -> Vec<Visibility> {
        let hidden = |tool: &String| Visibility { tool: tool.clone(), visible: false, guidance: None };
        let listed = self.with(|instance| instance.list_tools(call, facts, tools));
        listed.unwrap_or_else(|_| tools.iter().map(hidden).collect())
    }

    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn refusal(&self) -> Option<String> {
        self.refusal.clone()
    }
}
