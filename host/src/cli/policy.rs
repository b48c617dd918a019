//! The arguments that say which policy a command works with.

use std::path::{Path, PathBuf};

use placet_bundle::pem;

use super::check::report;
use super::{Exit, Output};
use crate::policy::{LoadError, Loaded, load};
use crate::runtime::Trust;

/// The policy that a command decides by.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// A folder of policies, a policy file (`*.yaml`), or a bundle made by `placet build`
    #[arg(long = "policy", value_name = "PATH")]
    pub path: PathBuf,
    /// The keys that count.
    #[command(flatten)]
    pub trust: TrustArgs,
}

impl PolicyArgs {
    /// The policy as a bundle, and whose signatures count.
    ///
    /// # Errors
    /// When there is nothing to decide by; it has been said.
    pub fn load(&self, out: &Output) -> Result<(Loaded, Trust), Exit> {
        let trust = self.trust.read().map_err(|error| out.fail(Exit::Usage, error))?;
        let loaded = load(&self.path).map_err(|error| refuse(&error, out))?;
        Ok((loaded, trust))
    }
}

/// Says why there is no policy.
pub fn refuse(error: &LoadError, out: &Output) -> Exit {
    match error {
        LoadError::Unreadable(error) => out.fail(Exit::Usage, error),
        LoadError::Invalid(diagnostics) => {
            report(diagnostics, out);
            out.fail(Exit::Negative, "the policy does not compile")
        }
        LoadError::Bundle(error) => out.fail(Exit::Negative, error),
    }
}

/// Keys that bundles must be signed with.
#[derive(Debug, clap::Args)]
pub struct TrustArgs {
    /// Accept only bundles signed with this Ed25519 key (PEM); may be repeated
    #[arg(long = "verify-key", value_name = "PUB.pem")]
    verify_keys: Vec<PathBuf>,
}

impl TrustArgs {
    /// Reads the keys.
    ///
    /// # Errors
    /// Which file is not a key.
    pub fn read(&self) -> Result<Trust, String> {
        let read = |path: &PathBuf| {
            let text = read_text(path)?;
            pem::read_public(&text).map_err(|e| format!("`{}`: {e}", path.display()))
        };
        Ok(Trust { keys: self.verify_keys.iter().map(read).collect::<Result<_, _>>()? })
    }
}

/// A file as text.
///
/// # Errors
/// Which file, and why.
pub fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))
}

/// A file as bytes; `-` is standard input.
///
/// # Errors
/// Which file, and why.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let result = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    result.map_err(|e| format!("cannot read `{}`: {e}", path.display()))
}
