//! `cargo xtask lint`: formatting, clippy without a single warning, and `cargo deny` where it is installed.

use anyhow::{Context as _, Result};

use crate::workspace::{Workspace, installed, typed};

const COMMANDS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"],
];

/// What cargo-deny says when it is offline: its database is a git repository.
const NO_DATABASE: &str = "failed to fetch advisory database";

/// Runs all of them, so that one run shows everything there is to mend.
///
/// # Errors
/// When cargo cannot be run.
pub fn run(workspace: &Workspace) -> Result<bool> {
    let mut passed = true;
    for args in COMMANDS {
        let mut cargo = workspace.cargo(args);
        println!("{}", typed(&cargo));
        passed &= cargo.status().context("cannot run cargo")?.success();
    }
    if !installed("cargo-deny") {
        println!(
            "not checked: licences, sources and advisories, since cargo-deny is not installed \
             (`cargo install --locked cargo-deny`, then `cargo xtask lint` again)"
        );
        return Ok(passed);
    }
    passed &= deny(workspace, &["--offline", "check", "bans", "licenses", "sources"])?;
    passed &= deny(workspace, &["check", "advisories"])?;
    Ok(passed)
}

/// Runs cargo-deny; that its database cannot be had is said, and is no failure.
fn deny(workspace: &Workspace, args: &[&str]) -> Result<bool> {
    let mut command = workspace.command("cargo-deny");
    command.args(args);
    println!("{}", typed(&command));
    let output = command.output().context("cannot run cargo-deny")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && said.contains(NO_DATABASE) {
        println!("not checked: advisories, since their database cannot be fetched");
        return Ok(true);
    }
    eprint!("{said}");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(output.status.success())
}
