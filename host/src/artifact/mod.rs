//! Policy binaries: WebAssembly modules and components that have their policy inside, open before they begin to run.
//!
//! This program carries the core modules of the guests (`components/placet-{component,filter,edge}`; the list is in
//! `host/build/guest.rs`). An [`Artifact`] is such a module after it has opened a bundle: `snapshot` runs that part and
//! keeps the memory that results, `module` edits sections, `stamp` says in a custom section what is inside, `verify`
//! finds out whether that is true, and `oci` packs artifacts for registries. The same bundle gives the same bytes.

mod module;
mod oci;
mod snapshot;
mod stamp;
mod verify;

pub use oci::Layout;
pub use stamp::{Stamp, StampError};
pub use verify::{Proof, Verified, VerifyError, is_artifact, verify};

use placet_bundle::{BundleError, Trust};
use sha2::{Digest as _, Sha256};
use wit_component::ComponentEncoder;

/// A program for one kind of gateway, without a policy.
#[derive(Debug)]
pub struct Guest {
    /// What it is called, and the middle of its artifacts' names.
    pub kind: &'static str,
    /// Whether artifacts are components; otherwise core modules.
    pub component: bool,
    /// The core module, as it was built.
    core: &'static [u8],
}

/// The guests that this program carries.
pub const GUESTS: &[Guest] = include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The enforcement component, `components/placet-enforcement`: for hosts of components that let it ask a policy component.
/// It has no policy inside.
pub const ENFORCEMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/enforcement.component.wasm"));

/// A guest with its policy inside.
#[derive(Debug)]
pub struct Artifact {
    /// Of which guest.
    pub guest: &'static Guest,
    /// The module's or component's bytes.
    pub wasm: Vec<u8>,
    /// What its custom section says.
    pub stamp: Stamp,
}

/// Why there is no artifact.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No decision point would take the bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The guest or Wasmtime is not what this program was built for.
    #[error("cannot make `{}`: {problem:#}", .guest.file())]
    Guest {
        /// Which guest.
        guest: &'static Guest,
        /// What went wrong.
        problem: anyhow::Error,
    },
}

impl Guest {
    /// The guest of that kind.
    pub fn of(kind: &str) -> Option<&'static Guest> {
        GUESTS.iter().find(|guest| guest.kind == kind)
    }

    /// What its artifacts are called.
    pub fn file(&self) -> String {
        format!("policy.{}.wasm", self.kind)
    }

    /// Lower-case hexadecimal SHA-256 of the core module.
    pub fn digest(&self) -> String {
        sha256(self.core)
    }

    /// Puts a bundle inside, opened.
    ///
    /// # Errors
    /// When no decision point would take the bundle, or the guest is not what it should be.
    pub fn build(&'static self, bundle: &[u8]) -> Result<Artifact, BuildError> {
        let opened = placet_bundle::open(bundle, &Trust::default())?;
        let stamp = Stamp {
            kind: self.kind.to_owned(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            format: placet_bundle::FORMAT,
            policy: opened.digest,
            signed_by: opened.signed_by,
            guest: self.digest(),
        };
        let wasm = self.wasm(bundle, &stamp).map_err(|problem| BuildError::Guest { guest: self, problem })?;
        Ok(Artifact { guest: self, wasm, stamp })
    }

    fn wasm(&self, bundle: &[u8], stamp: &Stamp) -> anyhow::Result<Vec<u8>> {
        let core = snapshot::open_inside(self.core, bundle)?;
        let mut wasm = if self.component {
            ComponentEncoder::default().module(&core)?.validate(true).encode()?
        } else {
            wasmparser::validate(&core)?;
            core
        };
        stamp.append(bundle, &mut wasm);
        Ok(wasm)
    }
}

/// Lower-case hexadecimal SHA-256.
fn sha256(bytes: &[u8]) -> String {
    placet_bundle::hex(&Sha256::digest(bytes))
}
