//! Sets of public keys (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;

use super::jws::Algorithm;

/// The keys of an issuer that can check signatures. Others in the same set (for encryption, symmetric, of unknown
/// kinds) are left out.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// A public key for one kind of algorithm.
#[derive(Clone)]
pub struct PublicKey {
    kind: Kind,
    key: DecodingKey,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// Least length of an RSA modulus, in bytes (RFC 7518, section 3.3).
const RSA_LEAST: usize = 256;

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// As the JWT library has it.
    pub fn of_library(&self) -> &DecodingKey {
        &self.key
    }
}

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// # Errors
    /// When it is none, or has no key that could check a signature.
    pub fn read(text: &str) -> Result<KeySet, String> {
        let set: Set =
            serde_json::from_str(text).map_err(|error| format!("not a JSON Web Key Set: {error}"))?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<Key> = keys.filter_map(|jwk| Key::of(&jwk)).collect();
        match keys.is_empty() {
            true => {
                Err("no key of this set can check a signature here (RSA, P-256, P-384, Ed25519)".to_owned())
            }
            false => Ok(KeySet { keys }),
        }
    }

    /// The key that a token names; without a name, the only one that could be meant.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let fits = |key: &&Key| {
            algorithm.takes(&key.public)
                && key.algorithm.is_none_or(|of| of == algorithm)
                && (id.is_none() || key.id.as_deref() == id)
        };
        let mut found = self.keys.iter().filter(fits);
        let key = found.next()?;
        found.next().is_none().then_some(&key.public)
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Key> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        if common.key_operations.as_ref().is_some_and(|ops| !ops.contains(&KeyOperations::Verify)) {
            return None;
        }
        // A key for an algorithm that is not known here is not a key for another.
        let algorithm = match &common.key_algorithm {
            Some(algorithm) => Some(Algorithm::named(serde_json::to_value(algorithm).ok()?.as_str()?)?),
            None => None,
        };
        let kind = kind(&jwk.algorithm)?;
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Key { id: common.key_id.clone(), algorithm, public: PublicKey { kind, key } })
    }
}

fn kind(of: &AlgorithmParameters) -> Option<Kind> {
    match of {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let long = modulus.iter().skip_while(|byte| **byte == 0).count() >= RSA_LEAST;
            long.then_some(Kind::Rsa)
        }
        AlgorithmParameters::EllipticCurve(of) => match of.curve {
            EllipticCurve::P256 => Some(Kind::P256),
            EllipticCurve::P384 => Some(Kind::P384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(of) => {
            (of.curve == EllipticCurve::Ed25519).then_some(Kind::Ed25519)
        }
        _ => None,
    }
}
