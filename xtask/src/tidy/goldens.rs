//! A golden file that nothing is compared with any more is a test that no longer runs.

use anyhow::Result;

use super::{Problem, tree::Tree};

/// How names of files end that a test compares with what a program wrote.
const ENDINGS: &[&str] = &[".golden", ".stderr", ".stdout", ".expected"];

/// Every golden stands beside the input it was made from (same name, other ending), or is named after a file below `wit/`.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let is_golden = |path: &str| ENDINGS.iter().any(|ending| path.ends_with(ending));
    let mut problems = Vec::new();
    for path in tree.files.iter().filter(|path| is_golden(path)) {
        let stem = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending)).unwrap_or(path);
        let name = stem.rsplit('/').next().unwrap_or(stem);
        let is_source = |other: &String| {
            let beside =
                other.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']));
            (beside && !is_golden(other))
                || (other.starts_with("wit/") && other.ends_with(&format!("/{name}")))
        };
        if !tree.files.iter().any(is_source) {
            let message =
                format!("nothing beside it is called `{name}`: remove the golden, or restore its input");
            problems.push(Problem::new(path, 0, message));
        }
    }
    Ok(problems)
}
