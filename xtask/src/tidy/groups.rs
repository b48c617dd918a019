//! No integration test can be left out of `cargo xtask test`.

use anyhow::Result;

use super::{Problem, tree::Tree};
use crate::test::runs_target;

/// Every `PACKAGE/tests/NAME.rs` or `PACKAGE/tests/NAME/main.rs` is run by a group.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for source in &tree.sources {
        let Some((dir, file)) = source.path.rsplit_once("/tests/") else { continue };
        let name = file.strip_suffix("/main.rs").or_else(|| file.strip_suffix(".rs"));
        let Some(name) = name.filter(|name| !name.contains('/')) else { continue };
        let manifest = tree.manifests.iter().find(|m| m.path == format!("{dir}/Cargo.toml"));
        if manifest.is_some_and(|manifest| !runs_target(&manifest.package, name)) {
            let message = "no group of `cargo xtask test` runs this: name it in xtask/src/test/groups.rs";
            problems.push(Problem::new(&source.path, 0, message));
        }
    }
    Ok(problems)
}
