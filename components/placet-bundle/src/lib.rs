//! The compiled policy as bytes: write, read, verify, digest.
//!
//! Layout: magic `PLACETB1`; format version (1 byte); payload length (8 bytes, little endian); SHA-256 of the payload
//! (32 bytes); the payload; then, when signed, the signer's public key (32 bytes) and an Ed25519 signature (64 bytes)
//! over the magic, the version and the digest. The payload is the policy set in `postcard`. The digest of the payload
//! is the policy digest that decisions name: it does not depend on who signed.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod check;
#[cfg(feature = "pem")]
pub mod pem;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use placet_engine::PolicySet;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"PLACETB1";
/// Changes whenever the payload's layout does: an engine reads the version it was built for, and no other.
pub const FORMAT: u8 = 1;
const HEADER: usize = 8 + 1 + 8 + 32;
const TRAILER: usize = 32 + 64;

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Public keys, 32 bytes each. When there are any, a bundle must be signed by one of them.
    pub keys: Vec<[u8; 32]>,
}

/// A bundle that has been read and verified.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The policy.
    pub set: PolicySet,
    /// Lower-case hexadecimal SHA-256 of the payload.
    pub digest: String,
    /// Lower-case hexadecimal public key of the signer, when there is a valid signature, trusted or not.
    pub signed_by: Option<String>,
}

/// Why a bundle is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// Not a bundle, truncated, longer than it says, or changed.
    Damaged(&'static str),
    /// A bundle of another format version.
    Version(u8),
    /// A signature that does not verify, or none of a trusted key where one is required.
    Untrusted(&'static str),
}

impl std::fmt::Display for BundleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BundleError::Damaged(what) => write!(f, "the policy bundle is damaged: {what}"),
            BundleError::Version(version) => write!(
                f,
                "the policy bundle has format version {version}, and this engine reads version {FORMAT}: \
                 build it again with the `placet build` that belongs to this engine"
            ),
            BundleError::Untrusted(what) => write!(f, "the policy bundle is not trusted: {what}"),
        }
    }
}

impl std::error::Error for BundleError {}

/// Writes a policy as an unsigned bundle. The same policy gives the same bytes.
///
/// # Errors
/// When the policy is too large to be held in memory twice.
pub fn encode(set: &PolicySet) -> Result<Vec<u8>, BundleError> {
    let payload = postcard::to_allocvec(set).map_err(|_| BundleError::Damaged("it cannot be written"))?;
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + TRAILER);
    bytes.extend_from_slice(MAGIC);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(&payload));
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// Signs a bundle that [`encode`] wrote, or replaces its signature.
///
/// # Errors
/// When the bytes are not a bundle.
pub fn sign(bytes: &[u8], seed: &[u8; 32]) -> Result<Vec<u8>, BundleError> {
    let parts = split(bytes)?;
    let key = SigningKey::from_bytes(seed);
    let mut signed = bytes.get(..HEADER + parts.payload.len()).unwrap_or(bytes).to_vec();
    signed.extend_from_slice(key.verifying_key().as_bytes());
    signed.extend_from_slice(&key.sign(&message(parts.digest)).to_bytes());
    Ok(signed)
}

/// The public key that belongs to a secret one.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Reads a bundle: length, digest, signature, then the policy itself.
///
/// # Errors
/// Whatever is not exactly as it was written.
pub fn open(bytes: &[u8], trust: &Trust) -> Result<Opened, BundleError> {
    let parts = split(bytes)?;
    if Sha256::digest(parts.payload).as_slice() != parts.digest {
        return Err(BundleError::Damaged("its digest does not match its contents"));
    }
    let signed_by = verify(&parts)?;
    match signed_by {
        _ if trust.keys.is_empty() => {}
        None => return Err(BundleError::Untrusted("it is not signed, and a signature is required")),
        Some(key) if trust.keys.contains(&key) => {}
        Some(_) => return Err(BundleError::Untrusted("it is signed by a key that is not trusted")),
    }
    let (set, rest) = postcard::take_from_bytes::<PolicySet>(parts.payload)
        .map_err(|_| BundleError::Damaged("its contents cannot be read"))?;
    if !rest.is_empty() || !check::is_sound(&set) {
        return Err(BundleError::Damaged("its contents contradict themselves"));
    }
    Ok(Opened { set, digest: hex(parts.digest), signed_by: signed_by.map(|key| hex(&key)) })
}

struct Parts<'a> {
    digest: &'a [u8],
    payload: &'a [u8],
    trailer: &'a [u8],
}

fn split(bytes: &[u8]) -> Result<Parts<'_>, BundleError> {
    let short = BundleError::Damaged("it is too short");
    let rest =
        bytes.strip_prefix(MAGIC).ok_or(BundleError::Damaged("it does not begin like a policy bundle"))?;
    let (&version, rest) = rest.split_first().ok_or(short)?;
    if version != FORMAT {
        return Err(BundleError::Version(version));
    }
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(short)?;
    let (digest, rest) = rest.split_at_checked(32).ok_or(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short)?;
    let (payload, trailer) = rest.split_at_checked(length).ok_or(short)?;
    if !trailer.is_empty() && trailer.len() != TRAILER {
        return Err(BundleError::Damaged("its signature has the wrong length"));
    }
    Ok(Parts { digest, payload, trailer })
}

fn message(digest: &[u8]) -> Vec<u8> {
    [MAGIC.as_slice(), &[FORMAT], digest].concat()
}

/// The signer's key, when the bundle is signed and the signature is right.
fn verify(parts: &Parts<'_>) -> Result<Option<[u8; 32]>, BundleError> {
    let Some((key, signature)) = parts.trailer.split_first_chunk::<32>() else { return Ok(None) };
    let wrong = BundleError::Untrusted("its signature does not verify");
    let verifying = VerifyingKey::from_bytes(key).map_err(|_| wrong)?;
    let signature = Signature::from_slice(signature).map_err(|_| wrong)?;
    verifying.verify_strict(&message(parts.digest), &signature).map_err(|_| wrong)?;
    Ok(Some(*key))
}

/// Lower-case hexadecimal SHA-256, for what is referred to by its digest.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 as bytes, for formats that do not write it in hexadecimal.
pub fn digest_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
