//! `placet tools`: the tools of live servers, as a lock and as a part of a policy.

mod catalogue;
mod import;
mod lock;

use clap::Subcommand;

use super::{Exit, Output};

/// Read the tools of a server: pin them in a lock, or write them into a policy
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lock(lock::Args),
    Import(import::Args),
}

/// Runs the subcommand.
pub fn run(args: &Args, out: &Output) -> Exit {
    match &args.command {
        Command::Lock(args) => lock::run(args, out),
        Command::Import(args) => import::run(args, out),
    }
}
