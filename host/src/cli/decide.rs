//! `placet decide`: decides calls, in order, with session memory and limits carried from one to the next.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use serde::de::IgnoredAny;

use super::policy::{PolicyArgs, read_bytes};
use super::{Exit, Output};
use crate::runtime::{Budget, Component, DecisionService, PolicyHandle, Target};
use crate::store::MemoryStore;

/// Decide one call (JSON) or many (JSON lines): one decision as JSON on a line for each
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Where the decision is made
    #[arg(long, value_enum, default_value_t = Where::Component)]
    target: Where,
    /// The calls; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    call: PathBuf,
}

/// Where decisions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// In the policy component, inside Wasmtime, as `placet serve` does.
    Component,
    /// In this process, by the same code.
    Native,
}

impl Where {
    /// Makes ready to decide there.
    ///
    /// # Errors
    /// When Wasmtime does not run here.
    pub fn target(self) -> Result<Target, String> {
        match self {
            Where::Native => Ok(Target::Native),
            Where::Component => {
                let component = Component::new(Budget::default()).map_err(|e| e.to_string())?;
                Ok(Target::Component(Arc::new(component)))
            }
        }
    }
}

/// Decides everything that is there to decide. A malformed call is denied like any other.
pub fn run(args: &Args, out: &Output) -> Exit {
    let (loaded, trust) = match args.policy.load(out) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let input = match read_bytes(&args.call) {
        Ok(input) => input,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let target = match args.target.target() {
        Ok(target) => target,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let policy = PolicyHandle::new(target.open(&loaded.bundle, &trust));
    let service = DecisionService::new(policy, Arc::new(MemoryStore::default()));
    match decide(&service, &input, &mut std::io::stdout().lock()) {
        Ok(()) => Exit::Done,
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => out.fail(Exit::Internal, format_args!("cannot write: {error}")),
    }
}

fn decide(service: &DecisionService, input: &[u8], output: &mut impl Write) -> std::io::Result<()> {
    let mut line = String::new();
    for call in calls(input) {
        line.clear();
        service.decide(call, false).write_json(&mut line);
        line.push('\n');
        output.write_all(line.as_bytes())?;
    }
    output.flush()
}

/// The calls of an input: one JSON value, however it is broken into lines, or one value on each line.
pub fn calls(input: &[u8]) -> Vec<&[u8]> {
    let lines: Vec<&[u8]> =
        input.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()).collect();
    match lines.as_slice() {
        [first, second, ..] if is_one(input) || (breaks_off(first) && !second.starts_with(b"{")) => {
            vec![input.trim_ascii()]
        }
        _ => lines,
    }
}

/// Whether a text is one JSON value. Not strict: what is wrong with the call is for the engine to say.
fn is_one(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Whether a text ends in the middle of a JSON value.
fn breaks_off(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::calls;

    #[test]
    fn one_value_or_lines() {
        for (input, expected) in [
            ("", 0),
            ("\n \n", 0),
            ("{}", 1),
            ("{}\n", 1),
            ("{}\n{}\n\n{}", 3),
            ("{\r\n  \"a\": 1\r\n}\r\n", 1),
            ("{\n\"a\": {\n},\n\"a\": 2}", 1),
            ("{\n\"a\": 1\n", 1),
            ("not json", 1),
            ("not json\n{}", 2),
            ("{\"a\": 1\n{\"a\": 2}", 2),
            ("{\"a\": }\n{\"a\": 2}\n", 2),
            ("[\n{}\n]", 1),
        ] {
            assert_eq!(calls(input.as_bytes()).len(), expected, "{input:?}");
        }
    }
}
