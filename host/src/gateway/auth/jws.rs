//! Signed tokens in compact form (RFC 7515, RFC 7519), and nothing that RFC 8725 advises against: the algorithm is one
//! of a list that the operator pins, never `none`, never a MAC; a header that asks for more than is understood is refused.
//!
//! A JWT library checks the signatures. Header and claims are read here, strictly, because that library's reader takes the last of
//! two members of one name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::verify;
use placet_model::Json;
use serde::Deserialize;

use super::jwk::{Kind, PublicKey};

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
    signature: &'t str,
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
        match key.kind() {
            Kind::Rsa => matches!(self, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Kind::P256 => self == ES256,
            Kind::P384 => self == ES384,
            Kind::Ed25519 => self == EdDSA,
        }
    }

    /// What the JWT library calls it.
    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
            Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
            Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
            Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
            Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
            Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
            Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
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
        decode(signature)?;
        Ok(Token { algorithm, key_id: header.kid, claims, signed, signature })
    }

    /// Whether the signature is one of this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.algorithm.takes(key)
            && verify(self.signature, self.signed.as_bytes(), key.of_library(), self.algorithm.of_library())
                .unwrap_or(false)
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
