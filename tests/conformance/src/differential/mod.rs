//! Random policies and traces: all targets against the reference, and the first difference as a case for the table.
//!
//! Policies are made as text, so that what is found can be read, and their text is compiled as any other. Everything is
//! made of numbers from a [`Tape`]: of a seed in the suite, of a fuzzer's bytes in `tests/fuzz`.

mod calls;
mod policy;
mod tape;

pub use tape::Tape;

use std::fmt::Write as _;

use placet::compile::{Severity, Source, compile_sources};
use placet_bundle::Trust;
use serde_json::Value;

use crate::case::{Bundle, Case, Expect, Step};
use crate::check::disagreement;
use crate::policy::Policy;
use crate::target::Target;

/// A policy and a trace.
pub struct Found {
    /// The policy's text.
    pub source: String,
    /// The policy, compiled.
    pub policy: Policy,
    /// The calls.
    pub case: Case,
}

/// Makes a policy, whose name has its digest, and a trace of calls.
///
/// # Errors
/// When the policy does not compile, which is a fault in this generator.
pub fn generate(tape: &mut Tape<'_>) -> Result<Found, String> {
    let source = policy::source(tape);
    let outcome = compile_sources(vec![Source { name: "generated.yaml".to_owned(), text: source.clone() }]);
    let Some((set, _)) = outcome.policy else {
        let errors = outcome.diagnostics.iter().filter(|it| it.severity == Severity::Error);
        let errors: Vec<String> = errors.map(|it| it.message.clone()).collect();
        return Err(format!("a generated policy does not compile: {}\n{source}", errors.join("; ")));
    };
    let bundle = placet_bundle::encode(&set).map_err(|error| error.to_string())?;
    let digest = placet_bundle::open(&bundle, &Trust::default()).map_err(|error| error.to_string())?.digest;
    let name = format!("generated-{}", digest.get(..16).unwrap_or_default());
    let case = Case {
        name: name.clone(),
        why: "Every target decides as the reference does.".to_owned(),
        policy: name.clone(),
        bundle: Bundle::Plain,
        wire: true,
        steps: calls::trace(tape),
    };
    Ok(Found { source, policy: Policy { name, bundle, trust: Trust::default(), rules: Vec::new() }, case })
}

/// Puts a trace to a target and to the reference; how they differ, with the smallest trace that shows it.
///
/// # Errors
/// The difference, as text that can be pasted into the table.
pub fn compare(found: &Found, reference: &dyn Target, target: &dyn Target) -> Result<(), String> {
    let Some(mut difference) = differs(found, &found.case, reference, target) else { return Ok(()) };
    let mut case = found.case.clone();
    let mut at = 0;
    while at < case.steps.len() && case.steps.len() > 1 {
        let mut smaller = case.clone();
        smaller.steps.remove(at);
        match differs(found, &smaller, reference, target) {
            Some(still) => (case, difference) = (smaller, still),
            None => at += 1,
        }
    }
    Err(dump(found, &case, reference, &difference))
}

/// Puts the traces of these numbers to a target.
///
/// # Errors
/// The first difference, as text that can be pasted into the table.
pub fn run(numbers: std::ops::Range<u64>, reference: &dyn Target, target: &dyn Target) -> Result<(), String> {
    for number in numbers {
        let found = generate(&mut Tape::new(&Tape::words(number)))?;
        compare(&found, reference, target).map_err(|text| format!("trace {number}: {text}"))?;
    }
    Ok(())
}

fn differs(found: &Found, case: &Case, reference: &dyn Target, target: &dyn Target) -> Option<String> {
    if !target.takes(case) {
        return None;
    }
    let expected = reference.run(&found.policy, case);
    let came_out = target.run(&found.policy, case);
    let (expected, came_out) = match (expected, came_out) {
        (Ok(expected), Ok(came_out)) => (expected, came_out),
        (Err(error), _) | (_, Err(error)) => return Some(error),
    };
    let mut pairs = expected.iter().zip(&came_out);
    pairs.find_map(|(expected, out)| disagreement(expected, out))
}

/// The policy, and the case with what the reference makes of it: to be judged by the semantics before it is kept.
fn dump(found: &Found, case: &Case, reference: &dyn Target, difference: &str) -> String {
    let decided = reference.run(&found.policy, case).unwrap_or_default();
    let mut text = format!("{difference}\n# policies/{}.yaml\n{}\n", case.policy, found.source);
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let _ = writeln!(text, "# cases/….toml: what the reference decides; is it what the semantics say?");
    let _ = writeln!(text, "[[table]]\npolicy = {}\nwhy = \"…\"\n", quoted(&case.policy));
    let _ = writeln!(text, "[[table.case]]\nname = \"…\"\nsteps = [");
    for (step, out) in case.steps.iter().zip(&decided) {
        let _ = write!(text, "  {{ json = {}", quoted(&step.call));
        if step.store_down {
            text.push_str(", store_down = true");
        }
        if let (Some(tools), Some(visible)) = (&step.list, &out.visible) {
            let (tools, visible) = (toml::Value::from(tools.clone()), toml::Value::from(visible.clone()));
            let _ = writeln!(text, ", list = {tools}, expect = {{ visible = {visible} }} }},");
            continue;
        }
        let decision: Value = serde_json::from_str(&out.decision).unwrap_or_default();
        let fields = ["verdict", "code", "rules"].map(|name| format!("{name} = {}", decision[name]));
        let _ = writeln!(text, ", expect = {{ {} }} }},", fields.join(", "));
    }
    text.push_str("]\n");
    text
}

/// A step without an expectation.
fn step(call: String, list: Option<Vec<String>>, store_down: bool) -> Step {
    Step { call, list, store_down, facts: None, expect: Expect::default() }
}

#[cfg(test)]
mod tests;
