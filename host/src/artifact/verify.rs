//! Whether an artifact is what its stamp says.
//!
//! An artifact carries the bundle that it was made from, and making it again gives the same bytes. So whoever has the
//! same `placet` can prove that the code is Placet's and the policy inside is the one that was signed, without trusting
//! whoever sent the file.

use std::sync::Arc;

use placet_bundle::{BundleError, Opened, Trust};

use super::{BuildError, Guest, Stamp, StampError};
use crate::runtime::{Budget, Component, ComponentPolicy, DecisionPoint as _, Description, StartError};

/// What is known of an artifact that does not contradict itself.
#[derive(Debug)]
pub struct Verified {
    /// What it says of itself.
    pub stamp: Stamp,
    /// The bundle that it was made from.
    pub bundle: Opened,
    /// How far code and memory have been checked.
    pub proof: Proof,
}

/// How it is known what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Made again from its bundle: the same bytes.
    Reproduced,
    /// Made by another build of this program; run, it says that it decides by the policy of its stamp.
    Described,
    /// Made by another build of this program, and nothing that this one can run.
    Unproven,
}

/// Why an artifact is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It has no stamp.
    #[error("this is not a policy binary: {0}")]
    Stamp(#[from] StampError),
    /// The bundle inside is damaged or not trusted.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The stamp is about another bundle.
    #[error(
        "its custom section says {what} `{said}`, and the bundle in it has `{is}`: one of them was changed"
    )]
    Contradiction {
        /// What is said of the bundle.
        what: &'static str,
        /// The stamp.
        said: String,
        /// The bundle.
        is: String,
    },
    /// Its code or its memory was changed.
    #[error(
        "it is not what `placet build` makes of the bundle in it: its code or its policy was changed after it was built"
    )]
    Changed,
    /// Another policy is inside than the stamp says.
    #[error(
        "it decides by the policy `{0}`, and its custom section says another: it was changed after it was built"
    )]
    OtherPolicy(String),
    /// It cannot be made again.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It does not run.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Whether the bytes are WebAssembly at all, and not a bundle.
pub fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
}

/// Checks an artifact: the bundle inside against the trusted keys, the stamp against the bundle, and code and memory
/// against what this program makes of that bundle.
///
/// # Errors
/// When any of it is not as it should be.
pub fn verify(wasm: &[u8], trust: &Trust) -> Result<Verified, VerifyError> {
    let (stamp, bytes) = Stamp::read(wasm)?;
    let bundle = placet_bundle::open(bytes, trust)?;
    let none = || "none".to_owned();
    for (what, said, is) in [
        ("the policy", stamp.policy.clone(), bundle.digest.clone()),
        (
            "the signer",
            stamp.signed_by.clone().unwrap_or_else(none),
            bundle.signed_by.clone().unwrap_or_else(none),
        ),
    ] {
        if said != is {
            return Err(VerifyError::Contradiction { what, said, is });
        }
    }
    let proof = match Guest::of(&stamp.kind).filter(|guest| guest.digest() == stamp.guest) {
        Some(guest) if guest.build(bytes)?.wasm == wasm => Proof::Reproduced,
        Some(_) => return Err(VerifyError::Changed),
        None if stamp.kind == "component" => {
            let Description { digest, .. } = run(wasm)?;
            if digest != stamp.policy {
                return Err(VerifyError::OtherPolicy(digest));
            }
            Proof::Described
        }
        None => Proof::Unproven,
    };
    Ok(Verified { stamp, bundle, proof })
}

/// What a policy component says that it decides by.
fn run(wasm: &[u8]) -> Result<Description, StartError> {
    let component = Component::from_wasm(wasm, Budget { instances: 1, ..Budget::default() })?;
    Ok(ComponentPolicy::carried(Arc::new(component)).describe())
}
