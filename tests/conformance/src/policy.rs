//! The policies of the suite, compiled once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use placet_bundle::Trust;

use crate::case::Bundle;

/// A policy as targets get it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its path from the folder `policies`, and what was done to its bundle.
    pub name: String,
    /// The bundle's bytes.
    pub bundle: Vec<u8>,
    /// Who must have signed it.
    pub trust: Trust,
    /// Every rule, as `layer/id`.
    pub rules: Vec<String>,
}

/// A policy, or why it does not compile.
type Compiled = Result<Arc<Policy>, String>;

/// Compiles policies when they are first asked for.
pub struct Policies {
    folder: PathBuf,
    compiled: Mutex<BTreeMap<(String, Bundle), Compiled>>,
}

impl Policies {
    /// Those of a folder.
    pub fn new(folder: &Path) -> Policies {
        Policies { folder: folder.to_owned(), compiled: Mutex::default() }
    }

    /// The policy of a case.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn get(&self, name: &str, bundle: Bundle) -> Compiled {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), bundle);
        if let Some(known) = compiled.get(&key) {
            return known.clone();
        }
        let made = compile(&self.folder.join(name), name, bundle).map(Arc::new);
        compiled.insert(key, made.clone());
        made
    }
}

fn compile(path: &Path, name: &str, given: Bundle) -> Result<Policy, String> {
    let path = if path.is_dir() { path.to_owned() } else { path.with_extension("yaml") };
    let loaded = placet::policy::load(&path).map_err(|error| format!("`{name}`: {error}"))?;
    let set = placet_bundle::open(&loaded.bundle, &Trust::default()).map_err(|error| error.to_string())?.set;
    let rules = set.rules.iter().map(|rule| set.qualified(rule.file, &rule.id)).collect();
    let (bundle, trust) = damaged(loaded.bundle, given)?;
    let name = if given == Bundle::Plain { name.to_owned() } else { format!("{name} ({given:?})") };
    Ok(Policy { name, bundle, trust, rules })
}

/// Seeds of the keys that sign here: they are no secret.
const TRUSTED: [u8; 32] = [3; 32];
const STRANGER: [u8; 32] = [4; 32];

fn damaged(plain: Vec<u8>, given: Bundle) -> Result<(Vec<u8>, Trust), String> {
    let trusted = Trust { keys: vec![placet_bundle::public_key(&TRUSTED)] };
    let sign = |seed: &[u8; 32]| placet_bundle::sign(&plain, seed).map_err(|error| error.to_string());
    Ok(match given {
        Bundle::Plain => (plain, Trust::default()),
        Bundle::Signed => (sign(&TRUSTED)?, trusted),
        Bundle::Unsigned => (plain, trusted),
        Bundle::Stranger => (sign(&STRANGER)?, trusted),
        Bundle::Cut => {
            let mut bytes = sign(&TRUSTED)?;
            bytes.pop();
            (bytes, trusted)
        }
        Bundle::Flipped => {
            let mut bytes = plain;
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            (bytes, Trust::default())
        }
        Bundle::Empty => (Vec::new(), Trust::default()),
    })
}
