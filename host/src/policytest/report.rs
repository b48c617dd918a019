//! Draws what came out of policy tests.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::run::{Failure, Results};

/// For people: each failure as a diff, then coverage and counts.
pub fn print_text(results: &Results, color: bool) {
    for failure in &results.failures {
        print_failure(failure, color);
    }
    let coverage = &results.coverage;
    let covered = coverage.total - coverage.uncovered.len();
    println!("rule coverage: {covered} of {} ({:.1} %)", coverage.total, coverage.percent());
    for rule in &coverage.uncovered {
        println!("  no case is decided by {rule}");
    }
    println!("{} passed, {} failed", results.passed, results.failures.len());
}

fn print_failure(failure: &Failure, color: bool) {
    let paint = |code: &str, text: &str| {
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let title = format!("FAIL {}: {}", failure.file.display(), failure.case);
    println!(
        "{}{}",
        paint("1", &title),
        if failure.step > 1 { format!(" (step {})", failure.step) } else { String::new() }
    );
    for change in TextDiff::from_lines(&failure.expected, &failure.actual).iter_all_changes() {
        let line = change.value().trim_end();
        match change.tag() {
            ChangeTag::Equal => println!("    {line}"),
            ChangeTag::Delete => println!("  {}", paint("31", &format!("- {line}"))),
            ChangeTag::Insert => println!("  {}", paint("32", &format!("+ {line}"))),
        }
    }
    if !failure.reason.is_empty() && !failure.actual.contains("reason:") {
        println!("    the decision's reason: {}", failure.reason);
    }
    println!();
}

/// For programs.
pub fn to_json(results: &Results) -> Value {
    let failures: Vec<Value> = results
        .failures
        .iter()
        .map(|f| {
            json!({
                "file": f.file, "case": f.case, "step": f.step,
                "expected": f.expected, "actual": f.actual, "reason": f.reason,
            })
        })
        .collect();
    json!({
        "passed": results.passed,
        "failed": results.failures.len(),
        "failures": failures,
        "coverage": {
            "rules": results.coverage.total,
            "percent": results.coverage.percent(),
            "uncovered": results.coverage.uncovered,
        },
    })
}
