//! `cargo xtask test`: every group of checks in order, one line for each step, and a last line with the counts.

mod e2e;
mod groups;
mod libtest;
mod npm;

use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::groups::{GROUPS, Group, Work, host_test};
use self::libtest::Counts;
use crate::workspace::{Workspace, typed};

pub use self::groups::runs_target;

/// Run the tests; everything that is checked is checked here
#[derive(clap::Args)]
pub struct Args {
    /// Run this group only; may be given more than once
    #[arg(long, value_name = "GROUP", value_parser = groups::names())]
    only: Vec<String>,
}

/// How a step ended.
enum Outcome {
    /// It ran: what it counted, and what it wrote.
    Ran(Counts, String),
    /// Something outside the project is missing; counts as nothing.
    Skipped(String),
}

/// Runs the groups. The last line on standard output is `N passed, N failed`.
///
/// # Errors
/// When a program that is part of the toolchain cannot be started.
pub fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let chosen = |group: &&Group| args.only.is_empty() || args.only.iter().any(|name| name == group.name);
    let mut total = Counts::default();
    for group in GROUPS.iter().filter(chosen) {
        println!("{}: {}", group.name, group.about);
        for work in group.steps {
            total += step(workspace, work)?;
        }
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

fn step(workspace: &Workspace, work: &Work) -> Result<Counts> {
    let title = match work {
        Work::Cargo(args) => typed(&workspace.cargo(args)),
        Work::Host(name) => typed(&workspace.cargo(&host_test(name))),
        Work::Xtask(command) => format!("cargo xtask {command}"),
        Work::EndToEnd(script) => format!("python {}", script.path),
        Work::Npm(package) => format!("npm test in {package}"),
    };
    print!("  {title} … ");
    std::io::stdout().flush()?;
    let start = Instant::now();
    let outcome = match work {
        Work::Cargo(args) => suite(workspace.cargo(args))?,
        Work::Host(name) => suite(workspace.cargo(&host_test(name)))?,
        Work::Xtask(command) => {
            let this = std::env::current_exe().context("cannot find this program")?;
            let mut xtask = workspace.command(this);
            xtask.arg(command);
            single(xtask)?
        }
        Work::EndToEnd(script) => e2e::run(workspace, script)?,
        Work::Npm(package) => npm::run(workspace, package)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Outcome::Skipped(why) => {
            println!("SKIPPED, counted neither as passed nor as failed: {why}");
            Ok(Counts::default())
        }
        Outcome::Ran(counts, output) => {
            if counts.failed == 0 {
                println!("{} passed ({seconds:.1} s)", counts.passed);
            } else {
                println!("FAILED: {} passed, {} failed ({seconds:.1} s)", counts.passed, counts.failed);
                for line in output.lines().filter(|line| !libtest::is_noise(line)) {
                    println!("  | {line}");
                }
            }
            Ok(counts)
        }
    }
}

/// A command that runs libtest suites.
fn suite(command: Command) -> Result<Outcome> {
    let (success, mut output) = capture(command)?;
    let mut counts = libtest::counts(&output);
    if !success && counts.failed == 0 {
        // It did not build, or a suite ended before it could say.
        counts.failed = 1;
    }
    if success && counts == Counts::default() {
        counts.failed = 1;
        output.push_str("\nno test ran: a suite without tests is a mistake\n");
    }
    Ok(Outcome::Ran(counts, output))
}

/// A command that counts as one.
fn single(command: Command) -> Result<Outcome> {
    let (success, output) = capture(command)?;
    let failed = u64::from(!success);
    Ok(Outcome::Ran(Counts { passed: 1 - failed, failed }, output))
}

/// Whether a command succeeded, and what it wrote: standard error, then standard output.
fn capture(mut command: Command) -> Result<(bool, String)> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => bail!("cannot run `{}`: {error}", typed(&command)),
    };
    let text = [output.stderr, output.stdout].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}
