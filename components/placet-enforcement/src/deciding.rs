//! Decisions of the policy component, on the state in the host's cells.

use placet_model::{Answer, Facts};
use placet_pdp::state::cells::{Bounds, CellStore, Cells, Held};
use placet_pdp::state::{Outcome, Place, Round, Step, Unavailable, session_fact};

use crate::bindings::placet::enforcement::cells;
use crate::bindings::placet::policy::decisions;
use crate::convert;

/// The host's cells.
struct Host;

impl Cells for Host {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        let held = cells::get(name).map_err(|()| Unavailable)?;
        Ok(held.map(|cells::Held { bytes, version }| Held { bytes, version }))
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        cells::swap(name, seen, bytes).map_err(|()| Unavailable)
    }
}

fn store() -> CellStore<Host> {
    CellStore::new(Host, Bounds::default())
}

/// Decides a call (JSON) on state, and stores what the decision asks for.
pub fn decide(call: &[u8]) -> Outcome {
    let store = store();
    let ask = |call: &[u8], facts: &Facts<'_>| {
        convert::decision(decisions::decide_json(call, &convert::facts(facts)))
    };
    let mut step = Round::start(call, false, ask);
    loop {
        step = match step {
            Step::Read(reading) => {
                let read = store.read_session(reading.tenant(), reading.session());
                reading.answer(read)
            }
            Step::Commit(committing) => {
                let result = store.commit(&committing.commit());
                committing.answer(result)
            }
            Step::Done(outcome) => return *outcome,
        }
    }
}

/// Which of these tools to show to the principal of a call.
pub fn list_tools(call: &[u8], tools: &[String]) -> Vec<decisions::Visibility> {
    let read = match Place::of(call) {
        Some(Place { tenant, session: Some(id) }) => store().read_session(&tenant, &id),
        _ => Ok(None),
    };
    let facts = Facts { session: session_fact(&read), answer: Answer::NotAsked };
    decisions::list_tools(call, &convert::facts(&facts), tools)
}
