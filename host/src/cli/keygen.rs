//! `placet keygen`: a key pair for signing bundles.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use placet_bundle::{hex, pem, public_key};
use serde_json::json;

use super::{Exit, Format, Output};

/// Make an Ed25519 key pair for signing bundles
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where `placet-key.pem` and `placet-key.pub.pem` go
    #[arg(short = 'o', long = "out", value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Writes the pair; never over an existing file.
pub fn run(args: &Args, out: &Output) -> Exit {
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        return out.fail(Exit::Internal, format_args!("the system gives no randomness: {error}"));
    }
    let (secret, public) = match pem::write_pair(&seed) {
        Ok(pair) => pair,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let secret_path = args.dir.join("placet-key.pem");
    let public_path = args.dir.join("placet-key.pub.pem");
    let written = std::fs::create_dir_all(&args.dir)
        .map_err(|e| format!("cannot make `{}`: {e}", args.dir.display()))
        .and_then(|()| write_new(&secret_path, &secret, true))
        .and_then(|()| write_new(&public_path, &public, false));
    if let Err(error) = written {
        return out.fail(Exit::Usage, error);
    }
    let key = hex(&public_key(&seed));
    match out.format {
        Format::Text => {
            println!("secret key  {}  (keep it to yourself)", secret_path.display());
            println!("public key  {}", public_path.display());
            println!("key id      {key}");
        }
        Format::Json => println!("{}", json!({ "secret": secret_path, "public": public_path, "key": key })),
    }
    Exit::Done
}

fn write_new(path: &Path, text: &str, secret: bool) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}
