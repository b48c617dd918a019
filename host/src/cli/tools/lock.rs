//! `placet tools lock`: what a server's tools look like, for review and for the gateway.

use std::path::{Path, PathBuf};

use placet_model::Json;
use placet_pep::pin::{Finding, Lock, UNNAMED};
use serde_json::{Value, json};

use super::catalogue::From;
use crate::cli::{Exit, Format, Output};

/// Write what a server's tools look like into a lock, or compare them with it
///
/// A new lock takes every tool in which nothing is found. An existing one keeps what it has: new and changed tools are
/// taken over when they are named with `--accept`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// What the gateway's configuration calls the server; without a name, `default`
    #[arg(long, value_name = "NAME", default_value = UNNAMED)]
    server: String,
    /// The lock
    #[arg(short = 'o', long = "out", value_name = "FILE", default_value = "tools.lock.json")]
    out: PathBuf,
    /// Accept a tool as it is now, or that it is gone; `--accept '*'` accepts all; may be repeated
    #[arg(long, value_name = "TOOL")]
    accept: Vec<String>,
    /// Write nothing; any difference is exit code 1
    #[arg(long, conflicts_with = "accept")]
    check: bool,
}

/// Reads the server, compares, and writes the lock.
pub fn run(args: &Args, out: &Output) -> Exit {
    match compare(args) {
        Ok((lock, left)) => {
            report(args, &lock, &left, out);
            if left.is_empty() { Exit::Done } else { Exit::Negative }
        }
        Err(error) => out.fail(Exit::Usage, error),
    }
}

/// The lock as it is now on disk, and what has not been accepted.
fn compare(args: &Args) -> Result<(Lock, Vec<Finding>), String> {
    let old = read(&args.out)?;
    if args.check && old.is_none() {
        return Err(format!("there is no lock `{}` to compare with", args.out.display()));
    }
    let mut lock = old.unwrap_or_default();
    let text = Value::from(args.from.read()?).to_string();
    let tools = Json::parse(text.as_bytes(), usize::MAX, usize::MAX);
    let tools = tools.map_err(|error| format!("the server's tools are not acceptable JSON: {error}"))?;
    let named = |name: &str| {
        tools.elements().any(|of| of.get("name").and_then(Json::as_str).as_deref() == Some(name))
    };
    for name in args.accept.iter().filter(|name| *name != "*") {
        if !named(name) && lock.get(&args.server, name).is_none() {
            return Err(format!("neither the server nor the lock has a tool `{name}` to accept"));
        }
    }
    if !args.check {
        let accept = |name: &str| args.accept.iter().any(|of| of == "*" || of == name);
        lock.update(placet_bundle::digest, &args.server, tools, accept);
        let written = std::fs::write(&args.out, lock.text());
        written.map_err(|error| format!("cannot write `{}`: {error}", args.out.display()))?;
    }
    let left = lock.check(placet_bundle::digest, &args.server, tools);
    Ok((lock, left))
}

fn read(path: &Path) -> Result<Option<Lock>, String> {
    let fault = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => Lock::read(&text).map(Some).map_err(|error| fault(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(&error)),
    }
}

fn report(args: &Args, lock: &Lock, left: &[Finding], out: &Output) {
    let locked = lock.servers.get(&args.server).map_or(0, |server| server.tools.len());
    if out.format == Format::Json {
        let finding =
            |of: &Finding| json!({"tool": of.tool, "finding": of.kind.as_str(), "detail": of.detail});
        let findings: Vec<Value> = left.iter().map(finding).collect();
        println!(
            "{}",
            json!({"lock": args.out, "server": args.server, "tools": locked, "findings": findings})
        );
        return;
    }
    let (red, blue, plain) =
        if out.color_errors { ("\x1b[1;31m", "\x1b[1;34m", "\x1b[0m") } else { ("", "", "") };
    for Finding { server, tool, kind, detail } in left {
        let tool = tool.escape_debug();
        eprintln!("{red}error[{}]{plain}: the tool `{tool}` of `{server}` is not available", kind.as_str());
        eprintln!("{blue}  -->{plain} {}", args.out.display());
        eprintln!("{blue}   ={plain} {detail}");
        eprintln!("{blue}   ={plain} help: `placet tools lock --accept {tool}` accepts it as it is now\n");
    }
    let of = args.out.display();
    match left.len() {
        0 if args.check => println!("{of}: {locked} tools of `{}`, as they were accepted", args.server),
        0 => println!("{of}: {locked} tools of `{}`", args.server),
        n => println!("{of}: {locked} tools of `{}`, {n} findings", args.server),
    }
}
