//! Makes trials of cases and runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::case::{Case, Group};
use crate::check::{differences, disagreement};
use crate::differential;
use crate::ledger::Ledger;
use crate::policy::Policies;
use crate::table::Suite;
use crate::target::{Engine, Target};

/// What a run has in common.
pub struct Context {
    /// The policies of the cases.
    pub policies: Policies,
    /// What others must agree with, byte for byte.
    pub reference: Engine,
    /// What is expected to fail.
    pub ledger: Ledger,
}

/// Generated traces for each target that takes them, and how many of them are one trial.
const TRACES: u64 = 2_000;
const CHUNK: usize = 500;

/// How many trials of each target passed and failed.
type Counts = Arc<Mutex<BTreeMap<String, (usize, usize)>>>;

/// Puts every case to every target, runs other trials beside them, and says how it ended, target by target.
pub fn run(
    arguments: &Arguments,
    suite: &Suite,
    targets: Vec<Arc<dyn Target>>,
    context: Context,
    mut trials: Vec<Trial>,
) -> ExitCode {
    let counts = Counts::default();
    let context = Arc::new(context);
    for target in targets {
        let mut names = Vec::new();
        for (group, case) in suite.cases().filter(|(_, case)| target.takes(case)) {
            let trial = name_of(&*target, group, case);
            trials.push(trial_of(&trial, &target, case, &context, &counts));
            names.push(trial);
        }
        if target.takes_generated() {
            for from in (0..TRACES).step_by(CHUNK) {
                let trial = format!("{}/differential/traces from {from}", target.name());
                trials.push(generated(&trial, &target, from, &context, &counts));
                names.push(trial);
            }
        }
        let stale: Vec<String> =
            context.ledger.strangers(target.name(), &names).iter().map(|name| (*name).to_owned()).collect();
        let check = move || match stale.first() {
            None => Ok(()),
            Some(name) => Err(Failed::from(format!("`{name}` is no trial: take it out of the ledger"))),
        };
        trials.push(Trial::test(format!("suite/ledger/{}", target.name()), check));
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    for (target, (passed, failed)) in counts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{target}: {passed} passed, {failed} failed");
    }
    conclusion.exit_code()
}

fn generated(
    name: &str,
    target: &Arc<dyn Target>,
    from: u64,
    context: &Arc<Context>,
    counts: &Counts,
) -> Trial {
    let (trial, target) = (name.to_owned(), target.clone());
    let (context, counts) = (context.clone(), counts.clone());
    Trial::test(name, move || {
        let ended = differential::run(from..from + CHUNK as u64, &context.reference, &*target);
        count(&counts, target.name(), context.ledger.judge(&trial, ended))
    })
}

fn count(counts: &Counts, target: &str, ended: Result<(), String>) -> Result<(), Failed> {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let (passed, failed) = counts.entry(target.to_owned()).or_default();
    *(if ended.is_ok() { passed } else { failed }) += 1;
    ended.map_err(Failed::from)
}

fn name_of(target: &dyn Target, group: &Group, case: &Case) -> String {
    format!("{}/{}/{}", target.name(), group.name, case.name)
}

fn trial_of(
    name: &str,
    target: &Arc<dyn Target>,
    case: &Case,
    context: &Arc<Context>,
    counts: &Counts,
) -> Trial {
    let (trial, target, case) = (name.to_owned(), target.clone(), case.clone());
    let (context, counts) = (context.clone(), counts.clone());
    Trial::test(name, move || {
        count(&counts, target.name(), context.ledger.judge(&trial, put(&context, &*target, &case)))
    })
}

/// Puts one case to a target.
///
/// # Errors
/// What came out otherwise than the case expects or the reference decides.
pub fn put(context: &Context, target: &dyn Target, case: &Case) -> Result<(), String> {
    let policy = context.policies.get(&case.policy, case.bundle)?;
    let came_out = target.run(&policy, case)?;
    let reference = context.reference.run(&policy, case)?;
    if came_out.len() != case.steps.len() || reference.len() != case.steps.len() {
        return Err(format!("{} of {} steps came out", came_out.len(), case.steps.len()));
    }
    for (n, ((step, out), reference)) in case.steps.iter().zip(&came_out).zip(&reference).enumerate() {
        let wrong = differences(&step.expect, out).or_else(|| disagreement(reference, out));
        if let Some(wrong) = wrong {
            let (n, call, why, out) = (n + 1, &step.call, &case.why, &out.decision);
            return Err(format!("step {n}:\n{wrong}the call: {call}\nwhat came out: {out}\nwhy: {why}"));
        }
    }
    Ok(())
}

/// The rules of a policy that no case of the table is decided by.
///
/// # Errors
/// When the policy does not compile.
pub fn undecided(context: &Context, suite: &Suite, policy: &str) -> Result<Vec<String>, String> {
    let of_policy = |(_, case): &(&Group, &Case)| case.policy == policy;
    let mut left: BTreeSet<String> =
        context.policies.get(policy, Default::default())?.rules.iter().cloned().collect();
    for (_, case) in suite.cases().filter(of_policy) {
        let compiled = context.policies.get(policy, case.bundle)?;
        for out in context.reference.run(&compiled, case)? {
            let decision: serde_json::Value = serde_json::from_str(&out.decision).unwrap_or_default();
            let shadows = decision["shadow"].as_array().into_iter().flatten();
            let decisions = std::iter::once(&decision).chain(shadows);
            let rules = decisions.filter_map(|decision| decision["rules"].as_array()).flatten();
            for rule in rules.filter_map(|rule| rule.as_str()) {
                left.remove(rule);
            }
        }
    }
    Ok(left.into_iter().collect())
}
