//! The table of cases in `tests/conformance`, and the policies' own tests, decided natively and in the component.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use placet::policytest::{Results, find, run};
use placet::runtime::{Budget, Component, Target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn check(folder: &str, target: &Target, least: usize) -> Results {
    let files = find(&root().join(folder)).expect("the tests can be found");
    let results = run(&files, None, target).expect("every policy compiles");
    let failures: Vec<String> = results
        .failures
        .iter()
        .map(|f| {
            format!(
                "{}: {} (step {})\n{}instead of\n{}",
                f.file.display(),
                f.case,
                f.step,
                f.actual,
                f.expected
            )
        })
        .collect();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    assert!(results.passed >= least, "{} cases, and {least} are asked for", results.passed);
    results
}

fn component() -> Target {
    Target::Component(Arc::new(Component::new(Budget::default()).expect("Wasmtime runs here")))
}

#[test]
fn every_case_natively() {
    check("tests/conformance", &Target::Native, 300);
}

#[test]
fn every_case_in_the_component() {
    check("tests/conformance", &component(), 300);
}

#[test]
fn the_quickstart_policies_pass_their_own_tests() {
    let results = check("policies/quickstart", &component(), 20);
    assert_eq!(results.coverage.uncovered, Vec::<String>::new());
}

/// Invariant 6: not only the same verdicts, but the same bytes.
#[test]
fn native_and_component_give_the_same_bytes() {
    let (native, component) = (Target::Native, component());
    let mut compared = 0;
    for file in find(&root().join("tests/conformance")).expect("the tests can be found") {
        compared += placet::policytest::compare(&file, &native, &component).expect("they agree");
    }
    assert!(compared >= 300, "{compared}");
}
