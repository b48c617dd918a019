//! The engine against the reference, over whole sessions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use placet_cel::OpenPool;
use placet_engine::{PolicySet, decide};
use placet_model::{self as model, Charge, Code, Decision, Facts, SessionFact, Verdict};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::calls;
use crate::policies::policy;
use crate::reference::{Answer, Outage, World};
use crate::tape::{Tape, Words, cases, words};

/// A host with the plainest of stores.
#[derive(Default)]
pub struct Host {
    sessions: BTreeMap<String, Vec<u8>>,
    taken: Vec<(Charge, i128)>,
}

impl Host {
    pub fn decide(&mut self, set: &PolicySet, pool: &OpenPool, text: &str, outage: Outage) -> Decision {
        let call = calls::read(text);
        let id = call.session.as_ref().map(|id| format!("{}/{id}", call.tenant));
        let stored = id.as_ref().and_then(|id| self.sessions.get(id)).cloned();
        let session = match &stored {
            _ if outage.session => SessionFact::Unavailable,
            None => SessionFact::Fresh,
            Some(bytes) => SessionFact::Stored(bytes),
        };
        let facts = Facts { session, answer: model::Answer::NotAsked };
        let mut decision = decide(set, pool, &call, &facts);
        if !decision.delta.charges.is_empty() {
            let answer = self.take(&decision, outage);
            decision = decide(set, pool, &call, &Facts { session, answer });
        }
        if let (Some(id), Some(bytes)) = (id, &decision.delta.session) {
            self.sessions.insert(id, bytes.clone());
        }
        decision
    }

    fn take(&mut self, decision: &Decision, outage: Outage) -> model::Answer {
        if outage.store {
            return model::Answer::Unavailable;
        }
        let now = decision.delta.at.nanos_since_epoch();
        let fits = |charge: &&Charge| {
            let counts = |at: i128| now < at + i128::from(charge.window_ms) * 1_000_000;
            let same = self.taken.iter().filter(|(c, at)| c.key == charge.key && counts(*at));
            same.map(|(c, _)| c.amount.0).sum::<u64>() + charge.amount.0 <= charge.ceiling.0
        };
        let charges = &decision.delta.charges;
        let over: Vec<String> = charges.iter().filter(|c| !fits(c)).map(|c| c.limit.clone()).collect();
        if !over.is_empty() {
            return model::Answer::Exceeded(over);
        }
        self.taken.extend(charges.iter().map(|c| (c.clone(), now)));
        model::Answer::Taken
    }
}

/// A policy without its index.
pub fn shown(set: &PolicySet) -> String {
    format!("{:#?}", PolicySet { index: Default::default(), ..set.clone() })
}

/// One session: a policy, and a few calls one after the other.
fn session(words: &Words, seen: &mut BTreeMap<(Verdict, Code), u32>) -> Result<(), TestCaseError> {
    let mut tape = Tape::new(words);
    let set = policy(&mut tape).seal();
    let pool = OpenPool::open(set.pool.clone()).unwrap();
    let (mut host, mut world) = (Host::default(), World::default());
    let callers = [calls::caller(&mut tape), calls::caller(&mut tape)];
    let args = [calls::args(&mut tape), calls::args(&mut tape), calls::args(&mut tape)];
    let tools = [tape.text(calls::TOOLS), tape.text(calls::TOOLS)];
    let mut second = 0;
    for _ in 0..1 + tape.below(12) {
        second += tape.pick(&[0, 30, 60, 90, 200]);
        let stage = if tape.one_in(6) { "result" } else { "call" };
        let text = calls::call(&tape.pick(&callers), stage, &tape.pick(&tools), &tape.pick(&args), second);
        let outage = Outage { session: tape.one_in(12), store: tape.one_in(12) };
        let decision = host.decide(&set, &pool, &text, outage);
        let mut rules = decision.rules.clone();
        rules.sort();
        let found = Answer { verdict: decision.verdict, code: decision.code, rules };
        let wanted = world.decide(&set, &pool, &text, outage);
        prop_assert_eq!(&found, &wanted, "{} {:?} {}\n{}", text, outage, decision.reason, shown(&set));
        *seen.entry((found.verdict, found.code)).or_default() += 1;
    }
    Ok(())
}

#[test]
fn engine_and_reference_agree() {
    let seen = RefCell::new(BTreeMap::new());
    let mut runner = TestRunner::new(cases(20_000, 1));
    runner.run(&words(), |words| session(&words, &mut seen.borrow_mut())).unwrap_or_else(|e| panic!("{e}"));
    let seen = seen.into_inner();
    // Agreement on what never happens would prove nothing.
    for (verdict, code) in [
        (Verdict::Allow, Code::Allowed),
        (Verdict::Allow, Code::ShadowOnly),
        (Verdict::Escalate, Code::ApprovalRequired),
        (Verdict::Escalate, Code::ConditionError),
        (Verdict::Escalate, Code::LimitExceeded),
        (Verdict::Deny, Code::Denied),
        (Verdict::Deny, Code::DefaultDeny),
        (Verdict::Deny, Code::ConditionError),
        (Verdict::Deny, Code::ScopeDenied),
        (Verdict::Deny, Code::LimitExceeded),
        (Verdict::Deny, Code::Quarantined),
        (Verdict::Deny, Code::NoPolicy),
        (Verdict::Deny, Code::StateUnavailable),
    ] {
        let times = seen.get(&(verdict, code)).copied().unwrap_or(0);
        assert!(times >= 10, "{} with code {} came up {times} times", verdict.as_str(), code.as_str());
    }
}
