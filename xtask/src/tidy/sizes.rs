//! Files stay small enough to be read in one go.

use anyhow::Result;

use super::{Problem, tree::Tree};

/// Lines that are not tests, in one file.
const LIMIT: usize = 600;

/// No source file has more lines than that.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let too_long = |source: &super::tree::Source| {
        let lines = source.shipped().count();
        let message = format!("{lines} lines that are not tests, at most {LIMIT}: split it by what it does");
        (lines > LIMIT).then(|| Problem::new(&source.path, 0, message))
    };
    Ok(tree.sources.iter().filter_map(too_long).collect())
}
