//! Targets that decide on facts which they are given: the suite keeps the state, in its own small store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use placet::artifact::Guest;
use placet::runtime::{
    Budget, Component, ComponentPolicy, DecisionPoint, DecisionService, PolicyHandle, Target as Runtime,
};
use placet_model::{Answer, Decision, Facts, SessionFact};

use super::Target;
use super::store::Switched;
use crate::case::{self, Bundle, Case, Step};
use crate::check::CameOut;
use crate::policy::Policy;

/// Policies that are kept open.
const MOST: usize = 100;

/// The engine, in this process or in the component.
pub struct Engine {
    name: String,
    source: Source,
    opened: Mutex<HashMap<String, Arc<dyn DecisionPoint>>>,
}

enum Source {
    /// Something that is given each bundle.
    Given(Runtime),
    /// A component for each policy, which has it inside.
    Built(&'static Guest),
}

impl Engine {
    /// In this process.
    pub fn native() -> Engine {
        Engine::new("native", Source::Given(Runtime::Native))
    }

    /// In a policy component, which is given each bundle.
    ///
    /// # Errors
    /// When the component or Wasmtime does not start.
    pub fn component(name: &str, wasm: &[u8]) -> Result<Engine, String> {
        // An instance for each policy and thread.
        let budget = Budget { instances: 256, ..Budget::default() };
        let component = Component::from_wasm(wasm, budget).map_err(|error| error.to_string())?;
        Ok(Engine::new(name, Source::Given(Runtime::Component(Arc::new(component)))))
    }

    /// In a policy component for each policy, as `placet build` makes it.
    pub fn built(name: &str, guest: &'static Guest) -> Engine {
        Engine::new(name, Source::Built(guest))
    }

    fn new(name: &str, source: Source) -> Engine {
        Engine { name: name.to_owned(), source, opened: Mutex::default() }
    }

    fn open(&self, policy: &Policy) -> Result<Arc<dyn DecisionPoint>, String> {
        // One at a time: compiling uses every core.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(point) = opened.get(&policy.name) {
            return Ok(point.clone());
        }
        let point: Arc<dyn DecisionPoint> = match &self.source {
            Source::Given(runtime) => runtime.open(&policy.bundle, &policy.trust),
            Source::Built(guest) => {
                let artifact = guest.build(&policy.bundle).map_err(|error| error.to_string())?;
                let budget = Budget { instances: 4, ..Budget::default() };
                let component = Component::from_wasm(&artifact.wasm, budget);
                let component = component.map_err(|error| error.to_string())?;
                Arc::new(ComponentPolicy::carried(Arc::new(component)))
            }
        };
        if opened.len() >= MOST {
            opened.clear();
        }
        opened.insert(policy.name.clone(), point.clone());
        Ok(point)
    }
}

impl Target for Engine {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, case: &Case) -> bool {
        // Nothing is made of a bundle that no decision point takes, and what is made says itself whom it trusts.
        let opens = matches!(case.bundle, Bundle::Plain | Bundle::Signed);
        opens || matches!(self.source, Source::Given(_))
    }

    fn takes_generated(&self) -> bool {
        matches!(self.source, Source::Given(_))
    }

    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String> {
        Ok(run(&self.open(policy)?, case))
    }
}

/// Runs a case on a decision point, with a store of its own.
pub fn run(point: &Arc<dyn DecisionPoint>, case: &Case) -> Vec<CameOut> {
    let store = Arc::new(Switched::default());
    let service = DecisionService::new(PolicyHandle::new(point.clone()), store.clone());
    let run_step = |step: &Step| {
        store.set_down(step.store_down);
        let call = step.call.as_bytes();
        match (&step.list, &step.facts) {
            (Some(tools), _) => {
                let shown = service.list_tools(call, tools).into_iter().filter(|tool| tool.visible);
                CameOut { visible: Some(shown.map(|tool| tool.tool).collect()), ..CameOut::default() }
            }
            (None, Some(given)) => came_out(&point.decide(call, &facts(given))),
            (None, None) => came_out(&service.decide(call, false)),
        }
    };
    case.steps.iter().map(run_step).collect()
}

fn facts(given: &case::Facts) -> Facts<'static> {
    Facts {
        session: match given.session {
            case::Session::Fresh => SessionFact::Fresh,
            case::Session::Unavailable => SessionFact::Unavailable,
        },
        answer: match &given.answer {
            case::Answer::NotAsked => Answer::NotAsked,
            case::Answer::Taken => Answer::Taken,
            case::Answer::Exceeded(limits) => Answer::Exceeded(limits.clone()),
            case::Answer::Unavailable => Answer::Unavailable,
        },
    }
}

fn came_out(decision: &Decision) -> CameOut {
    let (mut text, mut delta) = (String::new(), String::new());
    decision.write_json(&mut text);
    decision.delta.write_json(&mut delta);
    let state = decision.delta.session.clone();
    CameOut { decision: text, delta: Some(delta), state, visible: None }
}
