//! The WIT worlds are pinned by goldens: whoever embeds a component is told of every change.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use wit_component::WitPrinter;
use wit_parser::Resolve;

use super::{Problem, tree::Tree};
use crate::workspace::Workspace;

/// A package of WIT, and how it is printed.
struct World {
    /// The package's directory, and those of packages that it uses, which come first.
    directories: &'static [&'static str],
    source: &'static str,
    golden: &'static str,
}

const WORLDS: &[World] = &[
    World {
        directories: &["wit"],
        source: "wit/placet-policy.wit",
        golden: "tests/wit/placet-policy.wit.golden",
    },
    World {
        directories: &["wit", "wit/enforcement"],
        source: "wit/enforcement/placet-enforcement.wit",
        golden: "tests/wit/placet-enforcement.wit.golden",
    },
];

/// Each world as printed equals its golden.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for world in WORLDS {
        let printed = printed(tree.root(), world)?;
        let golden = match std::fs::read_to_string(tree.root().join(world.golden)) {
            Ok(golden) => golden,
            Err(error) => {
                let message = format!("cannot be read ({error}): make it with `cargo xtask tidy --bless`");
                problems.push(Problem::new(world.golden, 0, message));
                continue;
            }
        };
        if printed != golden {
            let line = first_difference(&golden, &printed);
            problems.push(Problem::new(world.golden, line, advice(world, &golden, &printed)));
        }
    }
    Ok(problems)
}

/// Rewrites the goldens.
///
/// # Errors
/// When `wit/` does not parse or a golden cannot be written.
pub fn bless(workspace: &Workspace) -> Result<()> {
    for world in WORLDS {
        let World { source, golden, .. } = world;
        let printed = printed(&workspace.root, world)?;
        let path = workspace.root.join(golden);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        if before == printed {
            continue;
        }
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, &printed).with_context(|| format!("cannot write `{golden}`"))?;
        println!("wrote   {golden}");
        if !before.is_empty() && version(&before) == version(&printed) {
            println!("        its version is as before: a breaking change needs a version bump in {source}");
        }
    }
    Ok(())
}

fn printed(root: &Path, world: &World) -> Result<String> {
    let mut resolve = Resolve::default();
    let mut package = None;
    for directory in world.directories {
        let (found, _) = resolve
            .push_dir(root.join(directory))
            .with_context(|| format!("`{directory}/` does not parse"))?;
        package = Some(found);
    }
    let package = package.context("a world without directories: mend `WORLDS` in xtask")?;
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    let source = world.source;
    printer.print(&resolve, package, &[]).map_err(|error| anyhow!("cannot print `{source}`: {error:#}"))?;
    Ok(printer.output.to_string())
}

fn advice(world: &World, golden: &str, printed: &str) -> String {
    let source = world.source;
    let bless = "then `cargo xtask tidy --bless`";
    if version(golden) == version(printed) {
        format!(
            "the world in {source} differs, yet its version is unchanged: a breaking change needs a version bump; \
             raise it (or be sure that no embedder breaks), {bless}"
        )
    } else {
        format!("the world in {source} has a new version: tell of it in CHANGELOG.md, {bless}")
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
