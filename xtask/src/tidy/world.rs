//! The WIT world is pinned by a golden: whoever embeds the component is told of every change.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use wit_component::WitPrinter;
use wit_parser::Resolve;

use super::{Problem, tree::Tree};
use crate::workspace::Workspace;

const DIRECTORY: &str = "wit";
const SOURCE: &str = "wit/placet-policy.wit";
const GOLDEN: &str = "tests/wit/placet-policy.wit.golden";

/// The world as printed equals its golden.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let printed = printed(tree.root())?;
    let golden = match std::fs::read_to_string(tree.root().join(GOLDEN)) {
        Ok(golden) => golden,
        Err(error) => {
            let message = format!("cannot be read ({error}): make it with `cargo xtask tidy --bless`");
            return Ok(vec![Problem::new(GOLDEN, 0, message)]);
        }
    };
    if printed == golden {
        return Ok(Vec::new());
    }
    Ok(vec![Problem::new(GOLDEN, first_difference(&golden, &printed), advice(&golden, &printed))])
}

/// Rewrites the golden.
///
/// # Errors
/// When `wit/` does not parse or the golden cannot be written.
pub fn bless(workspace: &Workspace) -> Result<()> {
    let printed = printed(&workspace.root)?;
    let path = workspace.root.join(GOLDEN);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    if before == printed {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&path, &printed).with_context(|| format!("cannot write `{GOLDEN}`"))?;
    println!("wrote   {GOLDEN}");
    if !before.is_empty() && version(&before) == version(&printed) {
        println!("        its version is as before: a breaking change needs a version bump in {SOURCE}");
    }
    Ok(())
}

fn printed(root: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join(DIRECTORY)).context("`wit/` does not parse")?;
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).map_err(|error| anyhow!("cannot print `wit/`: {error:#}"))?;
    Ok(printer.output.to_string())
}

fn advice(golden: &str, printed: &str) -> String {
    let bless = "then `cargo xtask tidy --bless`";
    if version(golden) == version(printed) {
        format!(
            "the world in {SOURCE} differs, yet its version is unchanged: a breaking change needs a version bump; \
             raise it (or be sure that no embedder breaks), {bless}"
        )
    } else {
        format!("the world in {SOURCE} has a new version: tell of it in CHANGELOG.md, {bless}")
    }
}

/// The line with the package's name and version.
fn version(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("package "))
}

fn first_difference(golden: &str, printed: &str) -> usize {
    let same = golden.lines().zip(printed.lines()).take_while(|(a, b)| a == b).count();
    same + 1
}
