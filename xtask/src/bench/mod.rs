//! `cargo xtask bench`: how long compiling takes, and whether a decision costs more when there are more rules.

mod callgrind;
mod generate;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use self::generate::Generated;
use crate::workspace::{Workspace, installed};

/// Measure the compiler on generated policies, and decisions in instructions (needs valgrind)
#[derive(clap::Args)]
pub struct Args {
    /// Skip `cargo bench`
    #[arg(long)]
    scaling_only: bool,
}

/// Rules of the two policies that are compared.
const RULES: [usize; 2] = [100, 10_000];

/// How many times the instructions of the first a decision with the second may take.
const RATIO: f64 = 4.0 / 3.0;

/// Calls in the shorter of two runs; the longer one has twice as many, so that starting up cancels out.
const CALLS: usize = 500;

/// In the profile that ships.
const BENCHES: [&str; 5] = ["bench", "--profile", "release", "-p", "placet-bench"];

/// Prints what it measures; false when a decision with many rules costs too much more than one with few.
///
/// # Errors
/// When something does not build or run.
pub fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    workspace.build_programs()?;
    if !args.scaling_only {
        let status = workspace.cargo(&BENCHES).status().context("cannot run cargo bench")?;
        ensure!(status.success(), "`cargo bench -p placet-bench` failed");
    }
    let dir = workspace.scratch("bench")?;
    let policies: Vec<Generated> =
        RULES.iter().map(|rules| generate::write(&dir, *rules, CALLS)).collect::<Result<_>>()?;

    println!("{:>7}  {:>12}", "rules", "build (s)");
    for policy in &policies {
        println!("{:>7}  {:>12.2}", policy.rules, build(workspace, policy)?);
    }
    if !installed("valgrind") {
        println!(
            "\ninstructions for a decision: not measured, valgrind is not installed (Debian: `apt-get install valgrind`)"
        );
        return Ok(true);
    }
    scaling(workspace, &dir, &policies)
}

/// Seconds that `placet build` takes.
fn build(workspace: &Workspace, policy: &Generated) -> Result<f64> {
    let mut command = workspace.command(workspace.binary("placet"));
    command
        .arg("build")
        .arg(&policy.source)
        .args(["--only", "bundle", "-o"])
        .arg(&policy.output)
        .stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().context("cannot run placet")?;
    ensure!(status.success(), "`placet build` failed for {} rules", policy.rules);
    Ok(start.elapsed().as_secs_f64())
}

/// Compares what a decision of each kind takes with the one policy and with the other.
fn scaling(workspace: &Workspace, dir: &Path, policies: &[Generated]) -> Result<bool> {
    let mut passed = true;
    print!("\n{:<28}", "instructions for a decision");
    for policy in policies {
        print!("  {:>12}", format!("{} rules", policy.rules));
    }
    println!("  {:>6}", "ratio");
    for kind in generate::KINDS {
        let mut costs = Vec::new();
        for policy in policies {
            let [short, long] = policy.calls(dir, kind);
            let once = instructions(workspace, policy, &short)?;
            let twice = instructions(workspace, policy, &long)?;
            costs.push(twice.saturating_sub(once) as f64 / CALLS as f64);
        }
        let ratio = costs.last().unwrap_or(&0.0) / costs.first().unwrap_or(&1.0);
        print!("{:<28}", kind.name);
        for cost in &costs {
            print!("  {cost:>12.0}");
        }
        println!("  {ratio:>6.3}{}", if ratio > RATIO { "  TOO MUCH" } else { "" });
        passed &= ratio <= RATIO;
    }
    println!("{}", if passed { "no decision costs more than a third above" } else { "FAILED" });
    Ok(passed)
}

/// The bundle is measured, not its sources: compiling takes so long that its variations would hide what a decision takes.
fn instructions(workspace: &Workspace, policy: &Generated, calls: &Path) -> Result<u64> {
    let mut command = workspace.command("valgrind");
    let out: PathBuf = calls.with_extension(format!("{}.callgrind", policy.rules));
    command.args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())]);
    command
        .arg(workspace.binary("placet"))
        .arg("decide")
        .arg("--policy")
        .arg(policy.output.join("policy.bundle"));
    command.args(["--target", "native", "--call"]).arg(calls);
    callgrind::total(command)
}
