//! `placet inspect`: what a bundle is and holds.

use std::path::PathBuf;

use placet_bundle::{BundleError, FORMAT, Opened, open};
use serde_json::{Value, json};

use super::policy::{TrustArgs, read_bytes};
use super::{Exit, Format, Output};

/// Show what a policy bundle is and holds: versions, digest, signature, layers, tenants, counts
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Opens the bundle as a decision point would. A bundle that no decision point would take is exit code 1.
pub fn run(args: &Args, out: &Output) -> Exit {
    let (trust, bytes) = match args.trust.read().and_then(|trust| Ok((trust, read_bytes(&args.file)?))) {
        Ok(read) => read,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    match open(&bytes, &trust) {
        Ok(opened) => {
            let trusted = !trust.keys.is_empty();
            match out.format {
                Format::Json => println!("{}", describe(&opened, bytes.len(), trusted)),
                Format::Text => print(&opened, bytes.len(), trusted),
            }
            Exit::Done
        }
        Err(error) => refuse(out, &error),
    }
}

fn refuse(out: &Output, error: &BundleError) -> Exit {
    if out.format == Format::Json {
        println!("{}", json!({ "error": error.to_string() }));
    }
    out.fail(Exit::Negative, error)
}

/// The bundle in words that are the same in text and JSON.
fn describe(opened: &Opened, bytes: usize, trusted: bool) -> Value {
    let set = &opened.set;
    json!({
        "engine": env!("CARGO_PKG_VERSION"),
        "format": FORMAT,
        "bytes": bytes,
        "policy": opened.digest,
        "signature": signature(opened, trusted),
        "signed_by": opened.signed_by,
        "layers": set.layers,
        "tenants": tenants(opened),
        "files": set.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        "rules": set.rules.len(),
        "tools": set.tools.len(),
        "limits": set.limits.len(),
        "remember": set.remember.len(),
        "roles": set.roles.len(),
    })
}

fn signature(opened: &Opened, trusted: bool) -> &'static str {
    match (&opened.signed_by, trusted) {
        (None, _) => "none",
        (Some(_), false) => "valid",
        (Some(_), true) => "trusted",
    }
}

/// The tenants that the policy names; empty: any.
fn tenants(opened: &Opened) -> Vec<&str> {
    let files = opened.set.files.iter().flat_map(|file| &file.applies.tenants);
    let mut names: Vec<&str> = opened.set.tenants.iter().flatten().chain(files).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn print(opened: &Opened, bytes: usize, trusted: bool) {
    let set = &opened.set;
    let list = |names: &[&str], none: &str| {
        if names.is_empty() { none.to_owned() } else { names.join(", ") }
    };
    let layers: Vec<&str> = set.layers.iter().map(String::as_str).collect();
    let files: Vec<&str> = set.files.iter().map(|file| file.name.as_str()).collect();
    println!("policy     {}", opened.digest);
    println!("engine     {} (bundle format {FORMAT})", env!("CARGO_PKG_VERSION"));
    println!("size       {bytes} bytes");
    match &opened.signed_by {
        Some(key) => println!("signature  {} by {key}", signature(opened, trusted)),
        None => println!("signature  none"),
    }
    println!("layers     {}", list(&layers, "none"));
    println!("tenants    {}", list(&tenants(opened), "any"));
    println!("files      {}", list(&files, "none"));
    println!(
        "holds      {} rules, {} tools, {} limits, {} things to remember, {} roles",
        set.rules.len(),
        set.tools.len(),
        set.limits.len(),
        set.remember.len(),
        set.roles.len()
    );
}
