//! Sets of public keys (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::jws::{Algorithm, PublicKey, integer, tagged};

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

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
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
        let keys: Vec<Key> = keys.filter_map(Jwk::key).collect();
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

impl Jwk {
    fn key(self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return None;
        }
        // A key for an algorithm that is not known here is not a key for another.
        let algorithm = match &self.alg {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let public = self.public()?;
        Some(Key { id: self.kid, algorithm, public })
    }

    fn public(&self) -> Option<PublicKey> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let mut body = integer(&bytes(&self.n)?);
                body.extend(integer(&bytes(&self.e)?));
                Some(PublicKey::Rsa(tagged(0x30, &body)))
            }
            ("EC", Some("P-256")) => point(&bytes(&self.x)?, &bytes(&self.y)?, 32).map(PublicKey::P256),
            ("EC", Some("P-384")) => point(&bytes(&self.x)?, &bytes(&self.y)?, 48).map(PublicKey::P384),
            ("OKP", Some("Ed25519")) => bytes(&self.x).filter(|key| key.len() == 32).map(PublicKey::Ed25519),
            _ => None,
        }
    }
}

/// An uncompressed point (SEC 1, section 2.3.3).
fn point(x: &[u8], y: &[u8], width: usize) -> Option<Vec<u8>> {
    if x.len() != width || y.len() != width {
        return None;
    }
    Some([&[4], x, y].concat())
}
