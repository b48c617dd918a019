//! The project's own commands: `cargo xtask COMMAND`. One file for each.

mod bench;
mod lint;
mod quickstart;
mod test;
mod tidy;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Commands for working on Placet
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Quickstart(quickstart::Args),
    Test(test::Args),
    Tidy(tidy::Args),
    /// Format, clippy, and the dependencies' licences and advisories
    Lint,
    /// Build the policy component, check its imports and size, and write it with its SHA-256
    Wasm,
    Bench(bench::Args),
}

/// Exit code 1: the command ran and the answer is no. 2: it could not run.
fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let workspace = Workspace::here();
    let passed = match command {
        Command::Quickstart(args) => quickstart::run(&workspace, &args),
        Command::Test(args) => test::run(&workspace, &args),
        Command::Tidy(args) => tidy::run(&workspace, &args),
        Command::Lint => lint::run(&workspace),
        Command::Wasm => wasm::run(&workspace),
        Command::Bench(args) => bench::run(&workspace, &args),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
