//! Who may name what: YAML and CEL text in the compiler only, cryptography in few places.

use anyhow::Result;

use super::Problem;
use super::tree::{Source, Tree, find_word};

/// Where policy text is read.
const POLICY_TEXT: &[&str] = &["host/src/compile", "host/src/policytest", "host/tests"];

/// Where keys, signatures and digests are made and checked; `xtask` digests what it writes.
const CRYPTOGRAPHY: &[&str] = &[
    "components/placet-bundle",
    "host/src/artifact",
    "host/src/audit",
    "host/src/cli/keygen.rs",
    "host/tests",
    "xtask/src/wasm.rs",
];

/// Only the compiler, and what tests policies, name the YAML or the CEL parser.
pub fn policy_text(tree: &Tree) -> Result<Vec<Problem>> {
    // `crate::compile::cel::…` is our own module; the crate stands at the start of a path.
    let names = |line: &str| {
        let cel = find_word(line, "cel::").is_some_and(|at| !line[..at].ends_with("::"));
        if cel { Some("cel") } else { find_word(line, "saphyr").map(|_| "saphyr-parser") }
    };
    let instead = "only host/src/compile knows YAML and CEL text: ask it for what is needed here";
    Ok(outside(tree, POLICY_TEXT, names, instead))
}

/// Only few places name a crypto library.
pub fn cryptography(tree: &Tree) -> Result<Vec<Problem>> {
    let names = |line: &str| ["ed25519", "sha2"].into_iter().find(|name| find_word(line, name).is_some());
    let instead = "only placet-bundle, and the host's audit and keygen, name a crypto library: use theirs";
    Ok(outside(tree, CRYPTOGRAPHY, names, instead))
}

fn outside(
    tree: &Tree,
    allowed: &[&str],
    names: impl Fn(&str) -> Option<&'static str>,
    instead: &str,
) -> Vec<Problem> {
    let is_allowed = |source: &Source| {
        allowed.iter().any(|place| {
            let rest = source.path.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.', '_']))
        })
    };
    let mut problems = Vec::new();
    for source in tree.sources.iter().filter(|source| !is_allowed(source)) {
        for (number, line) in source.shipped() {
            if let Some(name) = names(line) {
                problems.push(Problem::new(&source.path, number, format!("names `{name}`: {instead}")));
            }
        }
    }
    problems
}
