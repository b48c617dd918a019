//! API keys: 256 random bits each, known here by their digest alone.
//!
//! A key is too long to be guessed from its digest, so that a salt or a slow hash would add nothing (NIST SP 800-63B asks
//! for them where secrets are chosen by people).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use placet_pep::Identity;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::file::Reloaded;

/// What every key begins with, so that one that got into a public place can be found.
pub const PREFIX: &str = "plk_";

/// A file of keys.
#[derive(Debug)]
pub struct ApiKeys {
    file: Reloaded<Entries>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    keys: Vec<Entry>,
}

/// One key, as it stands in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// For people and the log.
    pub name: String,
    /// SHA-256 of the key, hexadecimal.
    pub digest: String,
    /// When it ends: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Whose calls come with it.
    pub identity: Identity,
}

impl ApiKeys {
    /// # Errors
    /// When the file cannot be read, or is not one of keys.
    pub fn open(path: &Path) -> Result<ApiKeys, String> {
        Ok(ApiKeys { file: Reloaded::open(path, Entries::read)? })
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// When it is nobody's, or no longer somebody's.
    pub fn find(&self, key: &str, now: Timestamp) -> Result<Identity, &'static str> {
        let digest = placet_bundle::digest(key.as_bytes());
        let entries = self.file.get();
        // Every entry is compared, and each in the same time.
        let mut found = None;
        for entry in &entries.keys {
            if bool::from(entry.digest.as_bytes().ct_eq(digest.as_bytes())) {
                found = Some(entry);
            }
        }
        let entry = found.ok_or("the API key is not known")?;
        match entry.expires.as_deref().map(str::parse::<Timestamp>) {
            None => Ok(entry.identity.clone()),
            Some(Ok(end)) if end > now => Ok(entry.identity.clone()),
            Some(_) => Err("the API key has expired"),
        }
    }
}

impl Entries {
    fn read(text: &str) -> Result<Entries, String> {
        let entries: Entries = crate::compile::yaml_as(text)?;
        for (at, entry) in entries.keys.iter().enumerate() {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if entry.digest.len() != 64 || !entry.digest.bytes().all(hex) {
                let why = "is not the SHA-256 of a key in lower-case hexadecimal: `placet apikey` prints it";
                return Err(format!("the key `{}`: `digest` {why}", entry.name));
            }
            if let Some(Err(error)) = entry.expires.as_deref().map(str::parse::<Timestamp>) {
                return Err(format!("the key `{}`: `expires` is not a time (RFC 3339): {error}", entry.name));
            }
            let same = |other: &&Entry| other.digest == entry.digest;
            if let Some(other) = entries.keys.iter().take(at).find(same) {
                return Err(format!("the keys `{}` and `{}` are the same", other.name, entry.name));
            }
        }
        Ok(entries)
    }
}

/// A new key, and the entry that knows it.
///
/// # Errors
/// When the system gives no randomness.
pub fn generate(
    name: &str,
    identity: Identity,
    expires: Option<Timestamp>,
) -> Result<(String, Entry), String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no randomness: {error}"))?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest = placet_bundle::digest(key.as_bytes());
    let expires = expires.map(|end| end.to_string());
    Ok((key, Entry { name: name.to_owned(), digest, expires, identity }))
}
