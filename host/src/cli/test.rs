//! `placet test`: runs the policy tests kept beside policies.

use std::path::PathBuf;

use super::decide::Where;
use super::policy::refuse;
use super::{Exit, Format, Output};
use crate::policytest::{find, print_text, run as run_tests, to_json};

/// Run policy tests: calls and traces with expected decisions
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder with `tests/*.yaml` somewhere below, a policy file with `tests/` beside it, or a test file
    path: PathBuf,
    /// Where decisions are made
    #[arg(long, value_enum, default_value_t = Where::Component)]
    target: Where,
    /// Fail when fewer per cent of the rules decide some case
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

/// Runs them. Failed tests, or too little coverage, are exit code 1; no tests at all are wrong usage.
pub fn run(args: &Args, out: &Output) -> Exit {
    let is_test_file = args.path.is_file()
        && args.path.ancestors().skip(1).any(|a| a.file_name().is_some_and(|name| name == "tests"));
    let (files, given) = if is_test_file {
        (Ok(vec![args.path.clone()]), None)
    } else {
        (find(&args.path), args.path.is_file().then_some(args.path.as_path()))
    };
    let files = match files {
        Ok(files) if files.is_empty() => {
            let help = "tests are kept in a folder `tests` beside the policies, as `*.yaml`";
            return out.fail(Exit::Usage, format_args!("`{}` has no tests; {help}", args.path.display()));
        }
        Ok(files) => files,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let target = match args.target.target() {
        Ok(target) => target,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let results = match run_tests(&files, given, &target) {
        Ok(results) => results,
        Err(error) => return refuse(&error, out),
    };
    match out.format {
        Format::Text => print_text(&results, out.color),
        Format::Json => println!("{}", to_json(&results)),
    }
    if !results.failures.is_empty() {
        return Exit::Negative;
    }
    match args.min_coverage {
        Some(least) if results.coverage.percent() < f64::from(least) => {
            let percent = results.coverage.percent();
            out.fail(
                Exit::Negative,
                format_args!("rule coverage is {percent:.1} %, and {least} % is asked for"),
            )
        }
        _ => Exit::Done,
    }
}
