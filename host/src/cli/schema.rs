//! `placet schema`: the JSON Schema of policy files, for editors.

use super::{Exit, Output};
use crate::compile::schema_of_policies;

/// Print the JSON Schema of policy files, for editors that complete and check YAML
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints it.
pub fn run(_: &Args, out: &Output) -> Exit {
    match serde_json::to_string_pretty(&schema_of_policies()) {
        Ok(text) => {
            println!("{text}");
            Exit::Done
        }
        Err(error) => out.fail(Exit::Internal, error),
    }
}
