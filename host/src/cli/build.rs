//! `placet build`: compiles policies into a bundle, signed on request, and into policy binaries.

use std::io;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use placet_bundle::{Opened, open, pem, sign};
use serde_json::{Value, json};

use super::check::report;
use super::policy::{TrustArgs, read_text, refuse};
use super::{Exit, Format, Output};
use crate::artifact::{Artifact, ENFORCEMENT, GUESTS, Guest, Layout};
use crate::policy::load;

/// What the bundle alone is called among what can be built.
const BUNDLE: &str = "bundle";
/// What the enforcement component is called there. It has no policy, and is written only when it is asked for.
const REQUESTS: &str = "enforcement";

/// Compile policies into a bundle and into WebAssembly binaries for gateways
///
/// Writes `policy.bundle`, the policy itself, and one binary with the policy inside for each kind of gateway:
/// `policy.component.wasm` for any host of components, `policy.filter.wasm` for Envoy and Kong, `policy.edge.wasm` for
/// `wasmtime serve`, `policy.spin.wasm` for Spin. The same policy gives the same bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of policies, a policy file, or a bundle
    path: PathBuf,
    /// The folder to write to; or, when it ends in `.bundle`, the file for the bundle, and nothing else is built
    #[arg(short = 'o', long = "out", value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Build these and nothing else; `enforcement` is the same for every policy: it reads requests, and asks the
    /// component
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(kinds()))]
    only: Vec<String>,
    /// Pack each binary as an OCI image layout, too: a folder to copy to a registry
    #[arg(long)]
    oci: bool,
    /// Sign the bundle with this Ed25519 key (PEM, made by `placet keygen`)
    #[arg(long, value_name = "KEY.pem")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

fn kinds() -> impl Iterator<Item = &'static str> {
    [BUNDLE, REQUESTS].into_iter().chain(GUESTS.iter().map(|guest| guest.kind))
}

/// Everything that is built, before anything is written.
struct Built {
    bundle: Vec<u8>,
    opened: Opened,
    artifacts: Vec<(Artifact, Option<Layout>)>,
}

/// Compiles, signs, opens the policy inside the guests, writes. Nothing is written when any of it fails.
pub fn run(args: &Args, out: &Output) -> Exit {
    match build(args, out).and_then(|built| write(args, &built, out)) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn build(args: &Args, out: &Output) -> Result<Built, Exit> {
    let usage = |error: String| out.fail(Exit::Usage, error);
    let seed = match &args.sign {
        Some(path) => Some(read_key(path).map_err(usage)?),
        None => None,
    };
    let trust = args.trust.read().map_err(usage)?;
    if args.oci && args.guests().is_empty() {
        return Err(usage(
            "only binaries are packed for registries, and none is built: leave out `--oci`".to_owned(),
        ));
    }
    if !args.is_bundle_alone() && args.out.is_file() {
        let error = "is a file: say a folder, or a file that ends in `.bundle` for the bundle alone";
        return Err(usage(format!("`{}` {error}", args.out.display())));
    }
    let loaded = load(&args.path).map_err(|error| refuse(&error, out))?;
    if !loaded.warnings.is_empty() && out.format == Format::Text {
        report(&loaded.warnings, out);
    }
    let negative = |error: &dyn std::fmt::Display| out.fail(Exit::Negative, error);
    let bundle = match seed {
        Some(seed) => sign(&loaded.bundle, &seed).map_err(|error| negative(&error))?,
        None => loaded.bundle,
    };
    let opened = open(&bundle, &trust).map_err(|error| negative(&error))?;
    let mut artifacts = Vec::new();
    for guest in args.guests() {
        let artifact = guest.build(&bundle).map_err(|error| out.fail(Exit::Internal, error))?;
        let layout = args.oci.then(|| Layout::of(&artifact)).transpose();
        let layout = layout.map_err(|error| out.fail(Exit::Internal, format_args!("{error:#}")))?;
        artifacts.push((artifact, layout));
    }
    Ok(Built { bundle, opened, artifacts })
}

fn read_key(path: &Path) -> Result<[u8; 32], String> {
    let text = read_text(path)?;
    pem::read_secret(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}

impl Args {
    fn is_bundle_alone(&self) -> bool {
        self.out.extension().is_some_and(|extension| extension == BUNDLE) && !self.out.is_dir()
    }

    fn wants(&self, kind: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == kind)
    }

    fn guests(&self) -> Vec<&'static Guest> {
        let wanted = GUESTS.iter().filter(|guest| !self.is_bundle_alone() && self.wants(guest.kind));
        wanted.collect()
    }

    /// Where the bundle is written to, if it is.
    fn bundle(&self) -> Option<PathBuf> {
        if self.is_bundle_alone() {
            return Some(self.out.clone());
        }
        self.wants(BUNDLE).then(|| self.out.join("policy.bundle"))
    }
}

/// Something that has been written.
struct Written {
    kind: &'static str,
    file: PathBuf,
    bytes: usize,
    /// The image layout and its digest.
    oci: Option<(PathBuf, String)>,
}

fn write(args: &Args, built: &Built, out: &Output) -> Result<(), Exit> {
    let fail = |file: &Path, error: io::Error| {
        out.fail(Exit::Usage, format_args!("cannot write `{}`: {error}", file.display()))
    };
    let mut written = Vec::new();
    if let Some(file) = args.bundle() {
        replace(&file, &built.bundle).map_err(|error| fail(&file, error))?;
        written.push(Written { kind: BUNDLE, file, bytes: built.bundle.len(), oci: None });
    }
    for (artifact, layout) in &built.artifacts {
        let file = args.out.join(artifact.guest.file());
        replace(&file, &artifact.wasm).map_err(|error| fail(&file, error))?;
        let mut oci = None;
        if let Some(layout) = layout {
            let dir = file.with_extension("oci");
            layout.write(&dir).map_err(|error| fail(&dir, error))?;
            oci = Some((dir, layout.digest.clone()));
        }
        written.push(Written { kind: artifact.guest.kind, file, bytes: artifact.wasm.len(), oci });
    }
    if args.only.iter().any(|only| only == REQUESTS) {
        let file = args.out.join("enforcement.component.wasm");
        replace(&file, ENFORCEMENT).map_err(|error| fail(&file, error))?;
        written.push(Written { kind: REQUESTS, file, bytes: ENFORCEMENT.len(), oci: None });
    }
    match out.format {
        Format::Json => println!("{}", describe(built, &written)),
        Format::Text => print(built, &written),
    }
    Ok(())
}

/// Writes a file so that whoever watches it sees the old or the new one, and never half of it.
fn replace(file: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)?;
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let done = std::fs::write(&part, contents).and_then(|()| std::fs::rename(&part, file));
    if done.is_err() {
        // What is left of it is of no use, and the first error is the one to tell.
        let _ = std::fs::remove_file(&part);
    }
    done
}

fn describe(built: &Built, written: &[Written]) -> Value {
    let item = |of: &Written| {
        let mut item = json!({"kind": of.kind, "file": of.file, "bytes": of.bytes});
        if let Some((dir, digest)) = &of.oci {
            item["oci"] = json!({"dir": dir, "digest": digest});
        }
        item
    };
    let bundle = written.iter().find(|it| it.kind == BUNDLE);
    json!({
        "file": bundle.map(|it| &it.file),
        "policy": built.opened.digest,
        "bytes": built.bundle.len(),
        "rules": built.opened.set.rules.len(),
        "signed_by": built.opened.signed_by,
        "written": written.iter().map(item).collect::<Vec<_>>(),
    })
}

fn print(built: &Built, written: &[Written]) {
    for of in written {
        println!("wrote   {} ({} bytes)", of.file.display(), of.bytes);
        if let Some((dir, digest)) = &of.oci {
            println!("packed  {} ({digest})", dir.display());
        }
    }
    println!("policy  {} ({} rules)", built.opened.digest, built.opened.set.rules.len());
    if let Some(key) = &built.opened.signed_by {
        println!("signed  by {key}");
    }
}
