//! Many rounds over the same cells, one cell operation at a time, in any order: no ceiling is ever passed, nothing
//! that was allowed is lost, and nothing that was not allowed stays.

use placet_model::{Amount, Answer, Code, Decision, Delta, Facts, SessionFact, Verdict};
use proptest::prelude::*;

use super::*;
use crate::state::{Round, Step};

/// What one call does: in which session, and what it charges (limit, amount).
#[derive(Clone, Debug)]
struct Plan {
    session: Option<u8>,
    charges: Vec<(u8, u64)>,
    second: i64,
}

const CEILING: u64 = 10;

impl Plan {
    fn call(&self) -> String {
        let session = self.session.map(|id| format!("\"session\":{{\"id\":\"{id}\"}},")).unwrap_or_default();
        format!(
            "{{{session}\"tool\":\"t\",\"agent\":{{\"id\":\"a\"}},\"tenant\":\"acme\",\"now\":\"2026-11-21T09:00:00Z\"}}"
        )
    }

    /// Allows what fits; the session's state is how many calls it allowed.
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut decision = Decision::deny(Code::LimitExceeded, "", "");
        let count = match facts.session {
            SessionFact::Fresh => 0,
            SessionFact::Stored(bytes) => bytes[0],
            SessionFact::Unavailable => return decision,
        };
        if facts.answer == Answer::NotAsked {
            decision.verdict = Verdict::Allow;
            let charge = |&(limit, amount): &(u8, u64)| charge(&limit.to_string(), amount, CEILING);
            let charges = self.charges.iter().map(charge).collect();
            let session = self.session.map(|_| vec![count + 1]);
            decision.delta = Delta { session, charges, at: at(self.second), ..Delta::default() };
        }
        decision
    }
}

/// One cell operation, or what needs none: `None` when the round is over.
fn advance<'a, D: Fn(&[u8], &Facts<'_>) -> Decision>(
    step: Step<'a, D>,
    log: &mut Vec<Answered>,
    map: &Map,
) -> Step<'a, D> {
    let replay = Replay::new(log);
    let store = CellStore::new(&replay, ONE);
    let next = match step {
        Step::Read(reading) => {
            let read = store.read_session(reading.tenant(), reading.session());
            match replay.asked() {
                None => reading.answer(read),
                Some(asked) => return ask(Step::Read(reading), asked, log, map),
            }
        }
        Step::Commit(committing) => {
            let result = store.commit(&committing.commit());
            match replay.asked() {
                None => committing.answer(result),
                Some(asked) => return ask(Step::Commit(committing), asked, log, map),
            }
        }
        Step::Done(outcome) => return Step::Done(outcome),
    };
    log.clear();
    next
}

fn ask<'a, D>(step: Step<'a, D>, asked: Asked, log: &mut Vec<Answered>, map: &Map) -> Step<'a, D> {
    log.push(answer(asked, map));
    step
}

fn answer(asked: Asked, map: &Map) -> Answered {
    match asked {
        Asked::Get { name } => Answered::Get(map.get(&name)),
        Asked::Swap { name, seen, bytes } => Answered::Swap(map.swap(&name, seen, &bytes)),
    }
}

fn counted(map: &Map, limit: u8) -> u64 {
    let store = CellStore::new(map, ONE);
    let sum = |found: Option<&Entry<'_>>| Ok(window(found)?.sum(10_000, 0));
    let Amount(sum) = store.look(Kind::Counter, "acme", &limit.to_string(), sum).unwrap();
    sum
}

fn check(plans: &[Plan], order: &[usize]) -> Result<(), TestCaseError> {
    let map = Map::default();
    let calls: Vec<String> = plans.iter().map(Plan::call).collect();
    let start = |(plan, call): (&'static Plan, &'static String)| {
        let decide = |_: &[u8], facts: &Facts<'_>| plan.decide(facts);
        (Some(Round::start(call.as_bytes(), false, decide)), Vec::new())
    };
    // Leaked, so that steps can be kept side by side without a lifetime to name.
    let plans: &'static [Plan] = Vec::leak(plans.to_vec());
    let calls: &'static [String] = Vec::leak(calls);
    let mut rounds: Vec<_> = plans.iter().zip(calls).map(start).collect();
    let mut orders = order.iter().cycle();
    let mut turns = 0;
    while rounds.iter().any(|(step, _)| !matches!(step, Some(Step::Done(_)))) {
        let n = (orders.next().unwrap() + turns / order.len()) % rounds.len();
        let (step, log) = &mut rounds[n];
        *step = step.take().map(|step| advance(step, log, &map));
        turns += 1;
        for limit in 0..3 {
            prop_assert!(counted(&map, limit) <= CEILING, "limit {} after {} turns", limit, turns);
        }
    }
    let allowed = |(n, (step, _)): (usize, &(Option<Step<'static, _>>, _))| match step {
        Some(Step::Done(outcome)) => (outcome.decision.verdict == Verdict::Allow).then(|| &plans[n]),
        _ => None,
    };
    let allowed: Vec<&Plan> = rounds.iter().enumerate().filter_map(allowed).collect();
    for limit in 0..3 {
        let charges = allowed.iter().flat_map(|plan| &plan.charges).filter(|(of, _)| *of == limit);
        prop_assert_eq!(
            counted(&map, limit),
            charges.map(|(_, amount)| amount).sum::<u64>(),
            "limit {}",
            limit
        );
    }
    for session in 0..2_u8 {
        let writes = allowed.iter().filter(|plan| plan.session == Some(session)).count();
        let stored = CellStore::new(&map, ONE).read_session("acme", &session.to_string()).unwrap();
        prop_assert_eq!(
            stored.map_or(0, |stored| usize::from(stored.state[0])),
            writes,
            "session {}",
            session
        );
    }
    Ok(())
}

#[test]
fn any_order_of_cell_operations() {
    let plan = (prop::option::of(0_u8..2), prop::collection::vec((0_u8..3, 1_u64..8), 0..4), 0_i64..3)
        .prop_map(|(session, charges, second)| Plan { session, charges, second });
    let plans = prop::collection::vec(plan, 1..7);
    let order = prop::collection::vec(0_usize..7, 1..40);
    proptest!(ProptestConfig::with_cases(512), |(plans in plans, order in order)| {
        check(&plans, &order)?;
    });
}

#[test]
fn one_goes_first_and_the_other_does_not_fit() {
    let plan = Plan { session: Some(0), charges: vec![(0, 6)], second: 0 };
    for order in [vec![0], vec![0, 1], vec![0, 0, 1], vec![1, 1, 0, 0, 0]] {
        check(&[plan.clone(), plan.clone()], &order).unwrap();
    }
}

/// Another commit takes the last of a limit after the first charge was taken: that limit is exceeded, and no other.
#[test]
fn what_was_taken_does_not_count_against_itself() {
    for (turn, charges) in (0..12).flat_map(|turn| [(turn, ["a", "b"]), (turn, ["b", "a"])]) {
        let (map, mut log) = (Map::default(), Vec::new());
        let charges = charges
            .map(|limit| charge(limit, if limit == "a" { 3 } else { 1 }, if limit == "a" { 5 } else { 1 }));
        let last = [charge("b", 1, 1)];
        let mut stolen = false;
        let result = loop {
            let replay = Replay::new(&log);
            let result = CellStore::new(&replay, ONE).commit(&commit(&charges, 0));
            let Some(asked) = replay.asked() else { break result };
            if log.len() == turn {
                stolen = CellStore::new(&map, ONE).commit(&commit(&last, 0)) == Done;
            }
            log.push(answer(asked, &map));
        };
        let expected = if stolen { exceeded(&["b"]) } else { Done };
        assert_eq!(result, expected, "{turn}");
    }
}
