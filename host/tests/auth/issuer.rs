//! An authorization server: keys, and tokens signed with them in good and bad ways.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

pub const ISSUER: &str = "https://idp.example";
pub const RESOURCE: &str = "https://gateway.example/mcp";

/// A key that signs tokens.
pub struct Signer {
    pub id: &'static str,
    pub algorithm: &'static str,
    key: KeyPair,
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub fn new(id: &'static str, algorithm: &'static str) -> Signer {
        let key = match algorithm {
            "RS256" => {
                let pem = include_str!("rsa-for-tests.pem");
                KeyPair::from_pem_and_sign_algo(pem, &rcgen::PKCS_RSA_SHA256).expect("an RSA key")
            }
            "ES256" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key"),
            "ES384" => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key"),
            "EdDSA" => KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key"),
            other => panic!("{other}"),
        };
        Signer { id, algorithm, key }
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let public = self.key.der_bytes();
        let mut jwk = match self.algorithm {
            // RSAPublicKey: four bytes before the modulus' own header, 256 bytes after its sign, then 65537.
            "RS256" => json!({"kty": "RSA", "n": base64(&public[9..265]), "e": "AQAB"}),
            "ES256" => {
                json!({"kty": "EC", "crv": "P-256", "x": base64(&public[1..33]), "y": base64(&public[33..])})
            }
            "ES384" => {
                json!({"kty": "EC", "crv": "P-384", "x": base64(&public[1..49]), "y": base64(&public[49..])})
            }
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(public)}),
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token as it should be.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    pub fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm, "kid": self.id})
    }

    /// A token with another header.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.sign(&format!("{}.{}", base64(header.to_string()), base64(claims.to_string())))
    }

    /// Signs what is already encoded.
    pub fn sign(&self, signed: &str) -> String {
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        let signature = match self.algorithm {
            "ES256" => side_by_side(&signature, 32),
            "ES384" => side_by_side(&signature, 48),
            _ => signature,
        };
        format!("{signed}.{}", base64(signature))
    }

    /// Signed with HMAC, the public key being the secret.
    pub fn confused(&self, claims: &Value, secret: &[u8]) -> String {
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": self.id});
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let mut key = [0; 64];
        match secret.len() > 64 {
            true => key[..32].copy_from_slice(&Sha256::digest(secret)),
            false => key[..secret.len()].copy_from_slice(secret),
        }
        let inner = Sha256::digest([key.map(|b| b ^ 0x36).as_slice(), signed.as_bytes()].concat());
        let mac = Sha256::digest([key.map(|b| b ^ 0x5c).as_slice(), &inner].concat());
        format!("{signed}.{}", base64(mac))
    }

    /// The public key in the forms that a careless server could take for a secret.
    pub fn public(&self) -> [Vec<u8>; 3] {
        [
            self.key.public_key_pem().into_bytes(),
            self.key.der_bytes().to_vec(),
            self.jwk().to_string().into_bytes(),
        ]
    }
}

/// Out of DER: `SEQUENCE { r INTEGER, s INTEGER }`, all shorter than 128 bytes.
fn side_by_side(der: &[u8], width: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let digits = &number[zeros..];
        out.resize(out.len() + width - digits.len(), 0);
        out.extend_from_slice(digits);
        rest = after;
    }
    out
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Claims as they should be.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "ann", "client_id": "bot", "scope": "mcp:tools other",
        "iat": now(), "exp": now() + 300,
    })
}

/// The claims with others over them; `null` takes one away.
pub fn claims_with(other: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in other.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub fn set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}

/// Key sets over HTTP: what is served, and how often it was.
#[derive(Clone)]
pub struct KeyServer {
    pub url: String,
    pub set: Arc<Mutex<Option<Value>>>,
    pub fetched: Arc<AtomicUsize>,
}

impl KeyServer {
    pub async fn start(first: Option<Value>) -> KeyServer {
        let (set, fetched) = (Arc::new(Mutex::new(first)), Arc::new(AtomicUsize::new(0)));
        let (served, counted) = (set.clone(), fetched.clone());
        let answer = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let set = served.lock().expect("no panic").clone();
            async move { set.map(|set| set.to_string()).ok_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let router = Router::new().route("/keys", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        KeyServer { url, set, fetched }
    }

    pub fn serve(&self, set: Option<Value>) {
        *self.set.lock().expect("no panic") = set;
    }

    pub fn count(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}
