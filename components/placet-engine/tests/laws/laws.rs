//! What holds for every policy and every call.

use std::cell::Cell;

use placet_cel::program::Constant;
use placet_cel::{OpenPool, Program, Root};
use placet_engine::policy::{Count, PolicyFile, Role, Rule, Selector};
use placet_engine::{PolicySet, decide, visibility};
use placet_model::{Decision, Facts, Verdict};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::calls;
use crate::conditions::Assembler;
use crate::differential::{Host, shown};
use crate::policies::{policy, rule};
use crate::reference::Outage;
use crate::tape::{Tape, Words, cases, words};

/// Runs a law on many cases; `law` says whether the case had anything to say. Most must have.
fn check(seed: u64, law: impl Fn(&mut Tape<'_>) -> Result<bool, TestCaseError>) {
    const CASES: u32 = 4000;
    let telling = Cell::new(0);
    let one = |words: Words| -> Result<(), TestCaseError> {
        telling.set(telling.get() + u32::from(law(&mut Tape::new(&words))?));
        Ok(())
    };
    TestRunner::new(cases(CASES, seed)).run(&words(), one).unwrap_or_else(|e| panic!("{e}"));
    assert!(telling.get() > CASES / 10, "only {} of {CASES} cases had anything to say", telling.get());
}

fn call(tape: &mut Tape<'_>) -> String {
    let (caller, args) = (calls::caller(tape), calls::args(tape));
    calls::call(&caller, if tape.one_in(8) { "result" } else { "call" }, &tape.text(calls::TOOLS), &args, 0)
}

fn decided(set: &PolicySet, call: &str) -> Decision {
    let set = set.clone().seal();
    let pool = OpenPool::open(set.pool.clone()).unwrap();
    decide(&set, &pool, &calls::read(call), &Facts::default())
}

/// Whether the second policy is at least as strict about the call.
fn narrows(before: &PolicySet, after: &PolicySet, call: &str) -> Result<bool, TestCaseError> {
    let (was, is) = (decided(before, call), decided(after, call));
    prop_assert!(is.verdict >= was.verdict, "{:?}\nbecame {:?}\n{}\n{}", was, is, call, shown(after));
    Ok(is.verdict > was.verdict)
}

/// A policy of rules and roles alone. Limits and memory speak only of what the rules allow: a call that a rule comes
/// to escalate is not yet held against them, and will be when it has been approved.
fn rules_only(tape: &mut Tape<'_>) -> PolicySet {
    PolicySet { limits: Vec::new(), remember: Vec::new(), ..policy(tape) }
}

#[test]
fn a_deny_rule_never_widens() {
    check(2, |tape| {
        let (before, call) = (rules_only(tape), call(tape));
        let mut after = before.clone();
        let file = tape.below(after.files.len()) as u32;
        let added = rule(tape, &mut after, file, "added");
        after.rules.push(Rule { outcome: Verdict::Deny, tools: vec!["*".into()], ..added });
        narrows(&before, &after, &call)
    });
}

/// Where nothing above applies, there is nothing that a lower layer could widen: it is the root of that call.
#[test]
fn a_lower_layer_never_widens() {
    check(3, |tape| {
        let (before, call) = (rules_only(tape), call(tape));
        if matches!(decided(&before, &call).code.as_str(), "no-policy" | "shadow-only") {
            return Ok(false);
        }
        let mut after = before.clone();
        let file = after.files.len() as u32;
        let layer = after.layers.len() as u32;
        after.layers.push("lowest".to_owned());
        after.files.push(PolicyFile {
            name: "lower".to_owned(),
            layer,
            applies: Selector::default(),
            default_deny: tape.one_in(6),
            shadow: tape.one_in(4),
        });
        for number in 0..1 + tape.below(4) {
            let added = rule(tape, &mut after, file, &format!("added{number}"));
            after.rules.push(added);
        }
        if tape.one_in(3) {
            let (allow, deny) = (vec!["*".to_owned()], tape.few(3, &["pay:*", "crm:*"]));
            after.roles.push(Role { file, name: "finance".to_owned(), allow, deny });
        }
        narrows(&before, &after, &call)?;
        Ok(decided(&before, &call).verdict < Verdict::Deny)
    });
}

fn constant(set: &mut PolicySet, value: bool) -> Program {
    let mut assembler = Assembler::new(&mut set.pool);
    let root = assembler.constant(Constant::Bool(value));
    assembler.finish(root)
}

/// A missing field, or a value of the wrong type.
fn broken(tape: &mut Tape<'_>, set: &mut PolicySet) -> Program {
    let mut assembler = Assembler::new(&mut set.pool);
    let root = match tape.below(3) {
        0 => assembler.load(Root::Args, "nowhere"),
        1 => assembler.load(Root::Tenant, ""),
        _ => assembler.load(Root::Tenant, "field"),
    };
    assembler.finish(root)
}

#[test]
fn an_error_in_a_condition_never_widens() {
    check(4, |tape| {
        let (mut set, call) = (rules_only(tape), call(tape));
        let at = tape.below(set.rules.len());
        set.rules[at].keys.clear();
        let conditions = [constant(&mut set, true), constant(&mut set, false), broken(tape, &mut set)];
        let [when_true, when_false, erring] = conditions.map(|when| {
            let mut set = set.clone();
            set.rules[at].when = Some(when);
            set
        });
        let mut telling = narrows(&when_true, &erring, &call)?;
        if set.rules[at].outcome == Verdict::Escalate {
            // It counts as matched, even where the layer's default would have denied: a person is asked.
            prop_assert_eq!(decided(&when_true, &call).verdict, decided(&erring, &call).verdict);
            prop_assert!(
                decided(&erring, &call).verdict >= decided(&when_false, &call).verdict.min(Verdict::Escalate)
            );
        } else {
            telling |= narrows(&when_false, &erring, &call)?;
        }
        Ok(telling || decided(&erring, &call).code.as_str() == "condition-error")
    });
}

#[test]
fn a_limit_or_memory_never_widens() {
    check(8, |tape| {
        let (mut before, call) = (policy(tape), call(tape));
        let after = before.clone();
        if tape.one_in(2) {
            before.limits.pop();
        } else {
            before.remember.pop();
        }
        narrows(&before, &after, &call)?;
        Ok(decided(&before, &call).verdict < Verdict::Deny && before != after)
    });
}

#[test]
fn an_error_in_a_cost_never_widens() {
    check(5, |tape| {
        let (mut set, call) = (policy(tape), call(tape));
        let broken = broken(tape, &mut set);
        let mut erring = set.clone();
        let Some(limit) = erring.limits.first_mut() else { return Ok(false) };
        limit.count = Count::Charges { cost: Some(broken), settle: None };
        // Without the limit nothing is charged at all.
        set.limits.remove(0);
        narrows(&set, &erring, &call)?;
        Ok(decided(&set, &call).verdict < Verdict::Deny)
    });
}

/// The same policy with everything in another order.
fn shuffled(tape: &mut Tape<'_>, set: &PolicySet) -> PolicySet {
    fn shuffle<T>(tape: &mut Tape<'_>, of: &mut [T]) {
        for at in (1..of.len()).rev() {
            of.swap(at, tape.below(at + 1));
        }
    }
    let mut set = set.clone();
    let mut places: Vec<usize> = (0..set.files.len()).collect();
    shuffle(tape, &mut places);
    set.files = places.iter().map(|&from| set.files[from].clone()).collect();
    let moved = |file: &mut u32| *file = places.iter().position(|&p| p == *file as usize).unwrap() as u32;
    set.rules.iter_mut().for_each(|of| moved(&mut of.file));
    set.tools.iter_mut().for_each(|of| moved(&mut of.file));
    set.remember.iter_mut().for_each(|of| moved(&mut of.file));
    set.limits.iter_mut().for_each(|of| moved(&mut of.file));
    set.roles.iter_mut().for_each(|of| moved(&mut of.file));
    set.actors.iter_mut().for_each(|of| moved(&mut of.file));
    shuffle(tape, &mut set.rules);
    shuffle(tape, &mut set.tools);
    shuffle(tape, &mut set.remember);
    shuffle(tape, &mut set.limits);
    shuffle(tape, &mut set.roles);
    set
}

#[test]
fn order_is_irrelevant_and_the_same_input_gives_the_same_bytes() {
    check(6, |tape| {
        let set = policy(tape);
        let other = shuffled(tape, &set).seal();
        let set = set.seal();
        let pools = [&set, &other].map(|set| OpenPool::open(set.pool.clone()).unwrap());
        let mut hosts = [Host::default(), Host::default(), Host::default()];
        let (caller, mut telling) = (calls::caller(tape), false);
        for second in [0, 10, 20] {
            let (tool, args) = (tape.text(calls::TOOLS), calls::args(tape));
            let text = calls::call(&caller, "call", &tool, &args, second);
            let outage = Outage { session: tape.one_in(12), store: tape.one_in(12) };
            let [first, again, shuffled] = &mut hosts;
            let decision = first.decide(&set, &pools[0], &text, outage);
            for same in [
                again.decide(&set.clone(), &pools[0].clone(), &text, outage),
                shuffled.decide(&other, &pools[1], &text, outage),
            ] {
                prop_assert_eq!(bytes(&decision), bytes(&same), "{}\n{}", text, shown(&set));
                prop_assert_eq!(&decision, &same);
            }
            telling |= decision.rules.len() > 1 || decision.verdict == Verdict::Allow;
        }
        Ok(telling)
    });
}

fn bytes(decision: &Decision) -> String {
    let mut out = String::new();
    decision.write_json(&mut out);
    decision.delta.write_json(&mut out);
    out
}

#[test]
fn a_hidden_tool_is_never_allowed() {
    let hidden = Cell::new(0);
    check(7, |tape| {
        let set = policy(tape).seal();
        let pool = OpenPool::open(set.pool.clone()).unwrap();
        let (caller, tool, facts) = (calls::caller(tape), tape.text(calls::TOOLS), Facts::default());
        let list = calls::call(&caller, "list", &tool, "{}", 0);
        let visible = visibility(&set, &pool, &calls::read(&list), &facts).visible;
        hidden.set(hidden.get() + u32::from(!visible));
        let mut allowed = false;
        for _ in 0..12 {
            let text = calls::call(&caller, "call", &tool, &calls::args(tape), 0);
            let decision = decide(&set, &pool, &calls::read(&text), &facts);
            prop_assert!(
                visible || decision.verdict == Verdict::Deny,
                "hidden, and {:?}\n{}\n{}",
                decision,
                text,
                shown(&set)
            );
            allowed |= decision.verdict == Verdict::Allow;
        }
        Ok(allowed || !visible)
    });
    assert!(hidden.get() > 200, "only {} tools were hidden", hidden.get());
}
