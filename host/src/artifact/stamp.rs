//! What an artifact says of itself, in two custom sections: the stamp as JSON, and the bundle that is inside.

use serde::{Deserialize, Serialize};

use super::module;

/// The name of the section with the stamp.
const STAMP: &str = "placet";
/// The name of the section with the bundle, signature and all, as it was opened.
const BUNDLE: &str = "placet-bundle";

/// What an artifact is and what is inside it. Anyone can write one; [`verify`](super::verify) says whether it is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Of which guest it is: `component`, `filter`, `edge`, or `spin`.
    pub kind: String,
    /// The engine's version.
    pub engine: String,
    /// The bundle format's version.
    pub format: u8,
    /// Lower-case hexadecimal SHA-256 of the policy: the digest that decisions name.
    pub policy: String,
    /// Public key of the bundle's signer, hexadecimal.
    pub signed_by: Option<String>,
    /// Lower-case hexadecimal SHA-256 of the guest's core module.
    pub guest: String,
}

/// The file has no stamp that can be read.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// Not WebAssembly.
    #[error("{0:#}")]
    Damaged(anyhow::Error),
    /// No or several sections.
    #[error("it has {found} custom sections `{name}`, and `placet build` writes one")]
    Sections {
        /// The section's name.
        name: &'static str,
        /// How many there are.
        found: usize,
    },
    /// Not a stamp.
    #[error("its custom section `placet` cannot be read: {0}; it may be of another version of `placet`")]
    Unreadable(serde_json::Error),
}

impl Stamp {
    /// Adds it, and the bundle that it is about, to an artifact.
    pub(super) fn append(&self, bundle: &[u8], wasm: &mut Vec<u8>) {
        let json = serde_json::to_vec(self).unwrap_or_default();
        module::append(wasm, BUNDLE, bundle);
        module::append(wasm, STAMP, &json);
    }

    /// Reads it, and the bundle that it is about.
    ///
    /// # Errors
    /// When there is not exactly one of each, or it is not what was written.
    pub fn read(wasm: &[u8]) -> Result<(Stamp, &[u8]), StampError> {
        let one = |name: &'static str| {
            let found = module::custom(wasm, name).map_err(StampError::Damaged)?;
            match found.as_slice() {
                [one] => Ok(*one),
                several => Err(StampError::Sections { name, found: several.len() }),
            }
        };
        let stamp = serde_json::from_slice(one(STAMP)?).map_err(StampError::Unreadable)?;
        Ok((stamp, one(BUNDLE)?))
    }
}
