//! `cargo xtask tidy`: what must hold of the sources, as a list of checks. Most are absences.

mod adapters;
mod boundaries;
mod dependencies;
mod goldens;
mod groups;
mod layout;
mod lexer;
mod pure;
mod sizes;
mod tree;
mod world;

use std::fmt;

use anyhow::{Context as _, Result};

use self::tree::Tree;
use crate::workspace::Workspace;

/// Check the sources against the invariants of docs/ARCHITECTURE.md
#[derive(clap::Args)]
pub struct Args {
    /// Rewrite the golden of the printed WIT world (so does UPDATE_EXPECT=1)
    #[arg(long)]
    bless: bool,
}

/// One thing that must hold.
struct Check {
    name: &'static str,
    run: fn(&Tree) -> Result<Vec<Problem>>,
}

const CHECKS: &[Check] = &[
    Check { name: "sizes", run: sizes::check },
    Check { name: "pure-crates", run: pure::check },
    Check { name: "allowed-dependencies", run: dependencies::allowed },
    Check { name: "documented-dependencies", run: dependencies::documented },
    Check { name: "lints-inherited", run: dependencies::lints },
    Check { name: "policy-text", run: boundaries::policy_text },
    Check { name: "cryptography", run: boundaries::cryptography },
    Check { name: "thin-adapters", run: adapters::check },
    Check { name: "top-level", run: layout::check },
    Check { name: "goldens", run: goldens::check },
    Check { name: "tests-in-groups", run: groups::check },
    Check { name: "wit-world", run: world::check },
];

/// What is wrong, where, and what to do about it.
struct Problem {
    file: String,
    /// From 1; 0: the file as a whole.
    line: usize,
    message: String,
}

impl Problem {
    fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Problem {
        Problem { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Runs every check, and says of each whether it holds.
///
/// # Errors
/// When the sources cannot be read.
pub fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    if args.bless || std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        world::bless(workspace)?;
    }
    let tree = Tree::read(&workspace.root)?;
    let mut problems = 0;
    for check in CHECKS {
        let found = (check.run)(&tree).with_context(|| format!("the check `{}` cannot run", check.name))?;
        if found.is_empty() {
            println!("ok      {}", check.name);
        } else {
            println!("FAILED  {}", check.name);
            for problem in &found {
                println!("        {problem}");
            }
        }
        problems += found.len();
    }
    match problems {
        0 => println!("{} checks hold", CHECKS.len()),
        1 => println!("1 problem"),
        n => println!("{n} problems"),
    }
    Ok(problems == 0)
}
