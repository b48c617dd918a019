//! `cargo xtask lint`: formatting, clippy without a single warning, and `cargo deny` where it is installed.

use anyhow::{Context as _, Result};

use crate::workspace::{Workspace, installed, typed};

const COMMANDS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"],
];

/// Runs all of them, so that one run shows everything there is to mend.
///
/// # Errors
/// When cargo cannot be run.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let mut passed = true;
    for args in COMMANDS {
        passed &= step(workspace, args)?;
    }
    if installed("cargo-deny") {
        passed &= step(workspace, &["deny", "check"])?;
    } else {
        println!(
            "not checked: licences and advisories, since cargo-deny is not installed \
             (`cargo install --locked cargo-deny`, then `cargo deny check`)"
        );
    }
    Ok(passed)
}

fn step(workspace: &Workspace, args: &[&str]) -> Result<bool> {
    let mut cargo = workspace.cargo(args);
    println!("{}", typed(&cargo));
    Ok(cargo.status().context("cannot run cargo")?.success())
}
