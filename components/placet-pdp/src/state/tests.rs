//! The round, on a store that does as it is told. What the policy says is written out here.

use std::cell::RefCell;

use placet_model::{Amount, Charge, Code, Decision, Exceeded, Facts, SessionFact, Verdict};
use placet_model::{Answer, Delta};

use super::*;

const CALL: &str = r#"{"tool":"t","agent":{"id":"a"},"tenant":"acme","now":"2026-11-21T09:00:00Z"}"#;

fn in_session() -> String {
    CALL.replace("\"tool\"", "\"session\":{\"id\":\"s\"},\"tool\"")
}

/// Charges once, remembers in sessions, escalates what exceeds, and denies without state.
fn decide(_: &[u8], facts: &Facts<'_>) -> Decision {
    let mut decision = Decision::deny(Code::Allowed, "", "digest");
    decision.verdict = Verdict::Allow;
    let session = match facts.session {
        SessionFact::Stored(bytes) => Some([bytes, b"+"].concat()),
        SessionFact::Fresh => Some(b"+".to_vec()),
        SessionFact::Unavailable => None,
    };
    match (&facts.answer, &session) {
        (Answer::Exceeded(limits), _) => {
            decision.verdict = Verdict::Escalate;
            decision.code = Code::LimitExceeded;
            decision.rules.clone_from(limits);
        }
        (Answer::Unavailable, _) | (_, None) => return Decision::deny(Code::StateUnavailable, "", "digest"),
        _ => {}
    }
    let charges = vec![charge("rate", 1, 3)];
    decision.delta = Delta { session, charges, ..Delta::default() };
    decision
}

pub fn charge(limit: &str, amount: u64, ceiling: u64) -> Charge {
    Charge {
        limit: format!("org/{limit}"),
        key: limit.to_owned(),
        amount: Amount(amount),
        ceiling: Amount(ceiling),
        window_ms: 10_000,
        exceeded: Exceeded::Deny,
        allow_if_unavailable: false,
    }
}

/// What a step asks for, in a word.
fn asks<D: Fn(&[u8], &Facts<'_>) -> Decision>(step: &Step<'_, D>) -> String {
    match step {
        Step::Read(reading) => format!("read {}/{}", reading.tenant(), reading.session()),
        Step::Commit(committing) => {
            let Commit { session, charges, dry_run, .. } = committing.commit();
            let session = session.map(|w| format!("{}={}", w.expected, String::from_utf8_lossy(w.state)));
            let dry = if dry_run { "dry " } else { "" };
            format!("{dry}commit {} {}", session.unwrap_or_default(), charges.len())
        }
        Step::Done(outcome) => {
            let Outcome { decision, state_version } = &**outcome;
            format!("{} {} {state_version:?}", decision.verdict.as_str(), decision.code.as_str())
        }
    }
}

enum A {
    Read(Result<Option<StoredSession>, Unavailable>),
    Commit(CommitResult),
}

/// Runs a round by these answers, and compares what it asks for between them.
fn check(call: &str, dry_run: bool, answers: Vec<A>, expected: &[&str]) {
    let mut step = Round::start(call.as_bytes(), dry_run, decide);
    let mut asked = vec![asks(&step)];
    for answer in answers {
        step = match (step, answer) {
            (Step::Read(reading), A::Read(read)) => reading.answer(read),
            (Step::Commit(committing), A::Commit(result)) => committing.answer(result),
            (step, _) => panic!("asked for something else: {}", asks(&step)),
        };
        asked.push(asks(&step));
    }
    assert_eq!(asked, expected);
}

#[test]
fn what_a_round_asks_for() {
    use CommitResult::{Conflict, Done, Exceeded};
    let stored = |text: &str, version| A::Read(Ok(Some(StoredSession { state: text.into(), version })));
    let rate = || A::Commit(Exceeded(vec!["org/rate".to_owned()]));
    let gone = || A::Commit(CommitResult::Unavailable);
    let s = in_session();
    check(CALL, false, vec![A::Commit(Done)], &["commit  1", "allow allowed None"]);
    check(CALL, true, vec![A::Commit(Done)], &["dry commit  1", "allow allowed None"]);
    check(CALL, false, vec![rate()], &["commit  1", "escalate limit-exceeded None"]);
    check(CALL, false, vec![gone()], &["commit  1", "deny state-unavailable None"]);
    check(
        &s,
        false,
        vec![A::Read(Ok(None)), A::Commit(Done)],
        &["read acme/s", "commit 0=+ 1", "allow allowed Some(0)"],
    );
    check(
        &s,
        false,
        vec![stored("+++", 3), A::Commit(Conflict), stored("++++", 4), A::Commit(Done)],
        &["read acme/s", "commit 3=++++ 1", "read acme/s", "commit 4=+++++ 1", "allow allowed Some(4)"],
    );
    check(
        &s,
        false,
        vec![stored("+", 1), rate(), A::Commit(Done)],
        &["read acme/s", "commit 1=++ 1", "commit 1=++ 0", "escalate limit-exceeded Some(1)"],
    );
    // What escalates and cannot be written down is denied.
    for last in [gone(), rate()] {
        check(
            &s,
            false,
            vec![stored("+", 1), rate(), last],
            &["read acme/s", "commit 1=++ 1", "commit 1=++ 0", "deny state-unavailable Some(1)"],
        );
    }
    check(&s, false, vec![A::Read(Err(Unavailable))], &["read acme/s", "deny state-unavailable None"]);
    check("{}", false, vec![], &["commit  1"].map(|_| "allow allowed None"));
}

#[test]
fn races_are_not_lost_for_ever() {
    struct Losing(RefCell<usize>);
    let losing = Losing(RefCell::new(0));
    let mut step = Round::start(CALL.as_bytes(), false, decide);
    let outcome = loop {
        step = match step {
            Step::Commit(committing) => {
                *losing.0.borrow_mut() += 1;
                committing.answer(CommitResult::Conflict)
            }
            Step::Read(reading) => reading.answer(Ok(None)),
            Step::Done(outcome) => break outcome,
        }
    };
    assert_eq!((outcome.decision.code, outcome.decision.policy.as_str()), (Code::StateUnavailable, "digest"));
    assert_eq!(*losing.0.borrow(), 128);
}
