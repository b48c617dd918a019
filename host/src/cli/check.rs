//! `placet check`: compiles policies and says what is wrong with them.

use std::path::PathBuf;

use super::{Exit, Format, Output};
use crate::compile::{Diagnostic, Severity, compile_path};

/// Check policies and report errors and warnings
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy files or folders; each is compiled by itself
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// Checks each path.
pub fn run(args: &Args, out: &Output) -> Exit {
    let mut all: Vec<Diagnostic> = Vec::new();
    for path in &args.paths {
        match compile_path(path) {
            Ok(outcome) => all.extend(outcome.diagnostics),
            Err(error) => return out.fail(Exit::Usage, error),
        }
    }
    report(&all, out);
    let errors = all.iter().filter(|d| d.severity == Severity::Error).count();
    if out.format == Format::Text {
        let warnings = all.len() - errors;
        println!("{errors} error(s), {warnings} warning(s)");
    }
    if errors > 0 { Exit::Negative } else { Exit::Done }
}

/// Prints diagnostics: drawn on standard error, or as a JSON list on standard output.
pub fn report(diagnostics: &[Diagnostic], out: &Output) {
    match out.format {
        Format::Json => {
            let list: Vec<serde_json::Value> = diagnostics.iter().map(Diagnostic::to_json).collect();
            println!("{}", serde_json::json!({ "diagnostics": list }));
        }
        Format::Text => {
            for diagnostic in diagnostics {
                eprintln!("{}\n", diagnostic.render(out.color_errors));
            }
        }
    }
}
