//! The top level holds what the house was given, and nothing else.

use anyhow::Result;

use super::{Problem, tree::Tree};

const ENTRIES: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "components",
    "deny.toml",
    "docs",
    "examples",
    "host",
    "policies",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "wit",
    "xtask",
];

/// What is at the top and not on the list.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let strangers = tree.top.iter().filter(|name| !ENTRIES.contains(&name.as_str()));
    let message = "does not belong at the top level: move it into the directory that it serves";
    Ok(strangers.map(|name| Problem::new(name, 0, message)).collect())
}
