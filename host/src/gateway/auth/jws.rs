//! Signed tokens in compact form (RFC 7515, RFC 7519), and nothing that RFC 8725 advises against: the algorithm is one
//! of a list that the operator pins, never `none`, never a MAC; a header that asks for more than is understood is refused.
//!
//! Signatures are checked by the verifiers of the TLS library, so that there is one cryptographic library in the process.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Json;
use rustls::pki_types::{AlgorithmIdentifier, alg_id};
use serde::Deserialize;

/// Longest token, in bytes.
pub const LONGEST: usize = 16 << 10;
/// How deep a token's JSON may be.
const DEPTH: usize = 32;

/// A signature algorithm (RFC 7518, RFC 8037), all of them with public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A token that was taken apart, and not yet believed.
#[derive(Debug)]
pub struct Token<'t> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// Which key it says it is signed with.
    pub key_id: Option<String>,
    /// The claims: JSON text, every name once.
    pub claims: String,
    signed: &'t str,
    signature: Vec<u8>,
}

/// A public key for one kind of algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// PKCS #1 `RSAPublicKey`, DER.
    Rsa(Vec<u8>),
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on P-384, uncompressed.
    P384(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
}

impl Algorithm {
    const ALL: [(&str, Algorithm); 9] = [
        ("RS256", Algorithm::RS256),
        ("RS384", Algorithm::RS384),
        ("RS512", Algorithm::RS512),
        ("PS256", Algorithm::PS256),
        ("PS384", Algorithm::PS384),
        ("PS512", Algorithm::PS512),
        ("ES256", Algorithm::ES256),
        ("ES384", Algorithm::ES384),
        ("EdDSA", Algorithm::EdDSA),
    ];

    /// By its name, as it stands in headers and keys.
    pub fn named(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.iter().find(|(of, _)| *of == name).map(|(_, algorithm)| *algorithm)
    }

    /// Whether a key is of the kind that this algorithm takes.
    pub fn takes(self, key: &PublicKey) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match key {
            PublicKey::Rsa(_) => matches!(self, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            PublicKey::P256(_) => self == ES256,
            PublicKey::P384(_) => self == ES384,
            PublicKey::Ed25519(_) => self == EdDSA,
        }
    }

    /// What the TLS library calls the key and the signature.
    fn identifiers(self) -> (AlgorithmIdentifier, AlgorithmIdentifier) {
        let rsa = alg_id::RSA_ENCRYPTION;
        match self {
            Algorithm::RS256 => (rsa, alg_id::RSA_PKCS1_SHA256),
            Algorithm::RS384 => (rsa, alg_id::RSA_PKCS1_SHA384),
            Algorithm::RS512 => (rsa, alg_id::RSA_PKCS1_SHA512),
            Algorithm::PS256 => (rsa, alg_id::RSA_PSS_SHA256),
            Algorithm::PS384 => (rsa, alg_id::RSA_PSS_SHA384),
            Algorithm::PS512 => (rsa, alg_id::RSA_PSS_SHA512),
            Algorithm::ES256 => (alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
            Algorithm::ES384 => (alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
            Algorithm::EdDSA => (alg_id::ED25519, alg_id::ED25519),
        }
    }
}

/// What of the header counts. What is not here is ignored, as the standard wants it, unless `crit` names it.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is none that could be believed; for the log and the client, without anything out of the token.
    pub fn read(text: &'t str) -> Result<Token<'t>, &'static str> {
        if text.len() > LONGEST {
            return Err("the token is too long");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or("the token is not a signed JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("the token is not a signed JWT")?;
        let decode =
            |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the token is no Base64");
        let header = strict(decode(header)?)?;
        let header: Header =
            serde_json::from_str(&header).map_err(|_| "the token's header is not one of a signed JWT")?;
        if header.crit.is_some() {
            return Err("the token's header asks for extensions that nobody here knows");
        }
        // RFC 9068, section 4; RFC 7519, section 5.1. Anything else was made for another purpose (RFC 8725, 3.11).
        let typ = header.typ.unwrap_or_default().to_ascii_lowercase();
        if !matches!(typ.as_str(), "" | "jwt" | "at+jwt" | "application/at+jwt" | "application/jwt") {
            return Err("the token is not of a type that grants access");
        }
        let algorithm = Algorithm::named(&header.alg).ok_or("the token's algorithm is not accepted")?;
        let claims = strict(decode(claims)?)?;
        Ok(Token { algorithm, key_id: header.kid, claims, signed, signature: decode(signature)? })
    }

    /// Whether the signature is one of this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        if !self.algorithm.takes(key) {
            return false;
        }
        let (public, signature) = match key {
            PublicKey::Rsa(key) | PublicKey::Ed25519(key) => (key, Some(self.signature.clone())),
            PublicKey::P256(key) => (key, ecdsa_der(&self.signature, 32)),
            PublicKey::P384(key) => (key, ecdsa_der(&self.signature, 48)),
        };
        let Some(signature) = signature else { return false };
        let (key_id, signature_id) = self.algorithm.identifiers();
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let verifier =
            known.iter().find(|of| of.public_key_alg_id() == key_id && of.signature_alg_id() == signature_id);
        verifier.is_some_and(|of| of.verify_signature(public, self.signed.as_bytes(), &signature).is_ok())
    }
}

/// An object whose names are unique: two readers must not see two tokens.
fn strict(bytes: Vec<u8>) -> Result<String, &'static str> {
    let json = Json::parse(&bytes, LONGEST, DEPTH).map_err(|_| "a part of the token is no proper JSON")?;
    match json.text().starts_with('{') {
        true => Ok(json.text().to_owned()),
        false => Err("a part of the token is not a JSON object"),
    }
}

/// Two numbers side by side (RFC 7518, section 3.4), as DER has them: `SEQUENCE { r INTEGER, s INTEGER }`.
fn ecdsa_der(signature: &[u8], width: usize) -> Option<Vec<u8>> {
    if signature.len() != 2 * width {
        return None;
    }
    let (r, s) = signature.split_at(width);
    let mut body = integer(r);
    body.extend(integer(s));
    Some(tagged(0x30, &body))
}

/// A non-negative number, big-endian, as a DER `INTEGER`.
pub fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let mut body = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_none_or(|first| *first >= 0x80) {
        body.push(0);
    }
    body.extend_from_slice(digits);
    tagged(0x02, &body)
}

/// A DER value: tag, length, contents.
pub fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = body.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    match body.len() {
        0 => out.push(0),
        1..0x80 => out.extend(length),
        // At most eight bytes of length.
        _ => {
            out.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            out.extend(length);
        }
    }
    out.extend_from_slice(body);
    out
}
