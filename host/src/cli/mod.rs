//! The command line: one file for each subcommand, each with an `Args` struct and a `run` function.

pub mod apikey;
pub mod build;
pub mod check;
pub mod completions;
pub mod decide;
pub mod eval;
pub mod explain;
pub mod inspect;
pub mod keygen;
pub mod policy;
pub mod schema;
pub mod serve;
pub mod test;
pub mod tools;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// Runtime authorization of AI agents' tool calls.
#[derive(Debug, Parser)]
#[command(name = "placet", version, after_help = EXIT_CODES, subcommand_required = true)]
pub struct Cli {
    #[command(flatten)]
    style: Style,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  the command did what it was asked
  1  the answer is no: a check found errors, a test failed
  2  wrong usage, or an input that cannot be read
  3  an internal error";

#[derive(Debug, Subcommand)]
enum Command {
    Apikey(apikey::Args),
    Build(build::Args),
    Check(check::Args),
    Completions(completions::Args),
    Decide(decide::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Inspect(inspect::Args),
    Keygen(keygen::Args),
    Schema(schema::Args),
    Serve(serve::Args),
    Test(test::Args),
    Tools(tools::Args),
}

impl Command {
    fn run(self, out: &Output) -> Exit {
        match self {
            Command::Apikey(args) => apikey::run(&args, out),
            Command::Build(args) => build::run(&args, out),
            Command::Check(args) => check::run(&args, out),
            Command::Completions(args) => completions::run(&args),
            Command::Decide(args) => decide::run(&args, out),
            Command::Eval(args) => eval::run(&args, out),
            Command::Explain(args) => explain::run(&args, out),
            Command::Inspect(args) => inspect::run(&args, out),
            Command::Keygen(args) => keygen::run(&args, out),
            Command::Schema(args) => schema::run(&args, out),
            Command::Serve(args) => serve::run(&args, out),
            Command::Test(args) => test::run(&args, out),
            Command::Tools(args) => tools::run(&args, out),
        }
    }
}

#[derive(Debug, clap::Args)]
struct Style {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Whether to use colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: JSON on standard output.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Text or JSON.
    pub format: Format,
    /// Whether standard output may carry colour.
    pub color: bool,
    /// Whether standard error may carry colour.
    pub color_errors: bool,
}

/// How a command ended; becomes the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what it was asked.
    Done = 0,
    /// 1: the answer is no.
    Negative = 1,
    /// 2: wrong usage, or an input that cannot be read.
    Usage = 2,
    /// 3: an internal error.
    Internal = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Parses the arguments of the process and runs the command they name.
pub fn main() -> Exit {
    let Cli { style, command } = Cli::parse();
    command.run(&style.output())
}

impl Style {
    fn output(&self) -> Output {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = |terminal: bool| match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Output {
            format: self.format,
            color: color(std::io::stdout().is_terminal()),
            color_errors: color(std::io::stderr().is_terminal()),
        }
    }
}

impl Output {
    /// Says on standard error what went wrong, and gives the exit code for it.
    #[must_use]
    pub fn fail(&self, exit: Exit, message: impl std::fmt::Display) -> Exit {
        let label = if self.color_errors { "\x1b[1;31merror\x1b[0m" } else { "error" };
        eprintln!("{label}: {message}");
        exit
    }
}
