//! Ed25519 keys as people keep them: PKCS#8 and SubjectPublicKeyInfo (RFC 8410) in PEM (RFC 7468).

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
};
use ed25519_dalek::{SigningKey, VerifyingKey};

/// The text is not an Ed25519 key of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl std::fmt::Display for NotAKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not an Ed25519 key in PEM; `placet keygen` makes a pair")
    }
}

impl std::error::Error for NotAKey {}

/// The secret of a `PRIVATE KEY`.
///
/// # Errors
/// When the text is anything else.
pub fn read_secret(text: &str) -> Result<[u8; 32], NotAKey> {
    SigningKey::from_pkcs8_pem(text).map(|key| key.to_bytes()).map_err(|_| NotAKey)
}

/// The bytes of a `PUBLIC KEY`.
///
/// # Errors
/// When the text is anything else.
pub fn read_public(text: &str) -> Result<[u8; 32], NotAKey> {
    VerifyingKey::from_public_key_pem(text).map(|key| key.to_bytes()).map_err(|_| NotAKey)
}

/// A secret and the public key that belongs to it, as PEM.
///
/// # Errors
/// Never for 32 bytes of secret; the encoder's signature says that it can.
pub fn write_pair(seed: &[u8; 32]) -> Result<(String, String), NotAKey> {
    let key = SigningKey::from_bytes(seed);
    let secret = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| NotAKey)?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| NotAKey)?;
    Ok((secret.as_str().to_owned(), public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_round_trips() {
        let (secret, public) = write_pair(&[5; 32]).unwrap();
        assert_eq!(read_secret(&secret), Ok([5; 32]));
        assert_eq!(read_public(&public), Ok(crate::public_key(&[5; 32])));
        for text in ["", "x", &public, &secret.replace('M', "N")] {
            assert_eq!(read_secret(text), Err(NotAKey), "{text}");
        }
        assert_eq!(read_public(&secret), Err(NotAKey));
    }
}
