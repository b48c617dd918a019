//! `placet build`: compiles policies into a bundle, signed on request.

use std::path::PathBuf;

use placet_bundle::{Opened, Trust, hex, open, pem, public_key, sign};
use serde_json::json;

use super::check::report;
use super::policy::{read_text, refuse};
use super::{Exit, Format, Output};
use crate::policy::load;

/// Compile policies into a bundle
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of policies, or a policy file
    path: PathBuf,
    /// The folder that `policy.bundle` is written to
    #[arg(short = 'o', long = "out", value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Sign the bundle with this Ed25519 key (PEM, made by `placet keygen`)
    #[arg(long, value_name = "KEY.pem")]
    sign: Option<PathBuf>,
}

/// Compiles, signs, writes. The same sources give the same bytes.
pub fn run(args: &Args, out: &Output) -> Exit {
    let seed = match &args.sign {
        None => None,
        Some(path) => {
            let read = read_text(path).and_then(|text| {
                pem::read_secret(&text).map_err(|error| format!("`{}`: {error}", path.display()))
            });
            match read {
                Ok(seed) => Some(seed),
                Err(error) => return out.fail(Exit::Usage, error),
            }
        }
    };
    let loaded = match load(&args.path) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error, out),
    };
    if !loaded.warnings.is_empty() && out.format == Format::Text {
        report(&loaded.warnings, out);
    }
    let bundle = match seed {
        Some(seed) => sign(&loaded.bundle, &seed),
        None => Ok(loaded.bundle),
    };
    let built = bundle.and_then(|bundle| Ok((open(&bundle, &Trust::default())?, bundle)));
    let (Opened { set, digest, .. }, bundle) = match built {
        Ok(built) => built,
        Err(error) => return out.fail(Exit::Negative, error),
    };
    let file = args.dir.join("policy.bundle");
    let written = std::fs::create_dir_all(&args.dir).and_then(|()| std::fs::write(&file, &bundle));
    if let Err(error) = written {
        return out.fail(Exit::Usage, format_args!("cannot write `{}`: {error}", file.display()));
    }
    let signed_by = seed.map(|seed| hex(&public_key(&seed)));
    match out.format {
        Format::Json => println!(
            "{}",
            json!({
                "file": file, "policy": digest, "bytes": bundle.len(), "rules": set.rules.len(),
                "signed_by": signed_by,
            })
        ),
        Format::Text => {
            println!("wrote   {} ({} bytes, {} rules)", file.display(), bundle.len(), set.rules.len());
            println!("policy  {digest}");
            if let Some(key) = signed_by {
                println!("signed  by {key}");
            }
        }
    }
    Exit::Done
}
