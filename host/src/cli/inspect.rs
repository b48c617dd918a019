//! `placet inspect`: what a bundle or a policy binary is and holds, and whether that is true.

use std::path::PathBuf;

use placet_bundle::{FORMAT, Opened, open};
use serde_json::{Value, json};

use super::policy::{TrustArgs, read_bytes};
use super::{Exit, Format, Output};
use crate::artifact::{Proof, Stamp, Verified, is_artifact, verify};

/// Show what a bundle or a policy binary is and holds: versions, digest, signature, layers, tenants, counts
///
/// A binary is made again from the bundle in it and compared, so that its code and the policy inside are known to be
/// what it says. With `--verify-key` it must be possible to prove that.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle, or a `.wasm` file that `placet build` wrote
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Opens the policy as a decision point would. One that no decision point would take is exit code 1.
pub fn run(args: &Args, out: &Output) -> Exit {
    let (trust, bytes) = match args.trust.read().and_then(|trust| Ok((trust, read_bytes(&args.file)?))) {
        Ok(read) => read,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let (opened, binary) = if is_artifact(&bytes) {
        match verify(&bytes, &trust) {
            Ok(Verified { stamp, bundle, proof }) => (bundle, Some((stamp, proof))),
            Err(error) => return refuse(out, &error),
        }
    } else {
        match open(&bytes, &trust) {
            Ok(opened) => (opened, None),
            Err(error) => return refuse(out, &error),
        }
    };
    let trusted = !trust.keys.is_empty();
    if let Some((stamp, proof)) = &binary
        && trusted
        && *proof != Proof::Reproduced
    {
        return refuse(
            out,
            &format_args!(
                "it was made by another build of `placet` (version {}), so this one cannot prove what is in it: \
                 inspect it with the `placet` that made it",
                stamp.engine
            ),
        );
    }
    match out.format {
        Format::Json => println!("{}", describe(&opened, binary.as_ref(), bytes.len(), trusted)),
        Format::Text => print(&opened, binary.as_ref(), bytes.len(), trusted),
    }
    Exit::Done
}

fn refuse(out: &Output, error: &dyn std::fmt::Display) -> Exit {
    if out.format == Format::Json {
        println!("{}", json!({ "error": error.to_string() }));
    }
    out.fail(Exit::Negative, error)
}

/// The policy in words that are the same in text and JSON.
fn describe(opened: &Opened, binary: Option<&(Stamp, Proof)>, bytes: usize, trusted: bool) -> Value {
    let set = &opened.set;
    let mut description = json!({
        "engine": engine(binary),
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
    });
    if let Some((stamp, proof)) = binary {
        description["kind"] = json!(stamp.kind);
        description["guest"] = json!(stamp.guest);
        description["contents"] = json!(word(*proof));
    }
    description
}

/// The engine that decides: the binary's own, or the one that reads the bundle.
fn engine(binary: Option<&(Stamp, Proof)>) -> &str {
    binary.map_or(env!("CARGO_PKG_VERSION"), |(stamp, _)| &stamp.engine)
}

fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Reproduced => "reproduced",
        Proof::Described => "described",
        Proof::Unproven => "unproven",
    }
}

fn explain(proof: Proof) -> &'static str {
    match proof {
        Proof::Reproduced => "reproduced: byte for byte what this `placet` makes of the bundle in it",
        Proof::Described => {
            "described: made by another build of `placet`; it says that it decides by this policy"
        }
        Proof::Unproven => "unproven: made by another build of `placet`, which alone can prove it",
    }
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

fn print(opened: &Opened, binary: Option<&(Stamp, Proof)>, bytes: usize, trusted: bool) {
    let set = &opened.set;
    let list = |names: &[&str], none: &str| {
        if names.is_empty() { none.to_owned() } else { names.join(", ") }
    };
    let layers: Vec<&str> = set.layers.iter().map(String::as_str).collect();
    let files: Vec<&str> = set.files.iter().map(|file| file.name.as_str()).collect();
    println!("policy     {}", opened.digest);
    if let Some((stamp, proof)) = binary {
        println!("kind       {}", stamp.kind);
        println!("contents   {}", explain(*proof));
    }
    println!("engine     {} (bundle format {FORMAT})", engine(binary));
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
