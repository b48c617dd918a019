//! Adapters convert and nothing else, so they stay short.

use anyhow::Result;

use super::{Problem, tree::Tree};

/// Adapters, and how many lines each may have.
const ADAPTERS: &[(&str, usize)] = &[
    ("components/placet-component", 250),
    ("components/placet-enforcement", 500),
    // Two hosts, streams in both directions, configuration, records.
    ("components/placet-edge", 680),
    // A proxy's phases, call-outs, metrics and configuration.
    ("components/placet-filter", 1_700),
];

/// No adapter grows beyond what converting takes.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for (dir, limit) in ADAPTERS {
        let lines: usize =
            tree.sources.iter().filter(|s| s.is_in(&format!("{dir}/src"))).map(|s| s.shipped().count()).sum();
        let manifest = format!("{dir}/Cargo.toml");
        if lines > *limit {
            let message = format!(
                "this adapter has {lines} lines, at most {limit}: move what is more than conversion into placet-pdp"
            );
            problems.push(Problem::new(manifest, 0, message));
        } else if lines == 0 {
            problems.push(Problem::new(manifest, 0, "this adapter has no sources: mend `ADAPTERS` in xtask"));
        }
    }
    Ok(problems)
}
