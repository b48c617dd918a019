//! Signed state handles: what a client carries its session on with, over connections, restarts and protocol versions
//! without sessions. A handle is a JWT (RFC 7519) of the gateway's own, bound to the principal that it was given to.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

/// How long a handle can be used.
const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// Length of a key that the gateway makes itself, and the least of one that is given, in bytes.
const KEY: usize = 32;
/// Handles are for gateways, and for nothing else that takes tokens.
const AUDIENCE: &str = "placet-session";

/// Gives out handles and takes them back.
pub struct Handles {
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
    /// Whose it is.
    sub: String,
    /// The session.
    sid: String,
}

/// There is no key.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The file cannot be read.
    #[error("the session key `{0}` cannot be read: {1}")]
    Read(String, std::io::Error),
    /// The key is too short.
    #[error(
        "the session key `{0}` has {1} bytes: write at least {KEY} random ones, as `openssl rand 32` does"
    )]
    Short(String, usize),
    /// The system gives no randomness.
    #[error("the system gives no randomness for a session key")]
    Random,
}

impl Handles {
    /// With the key in a file, which gateways that stand for one another share; or with one of its own, whose handles end
    /// with the process.
    ///
    /// # Errors
    /// When there is no key.
    pub fn new(key: Option<&Path>) -> Result<Handles, HandleError> {
        let key = match key {
            Some(path) => {
                let name = || path.display().to_string();
                let key = std::fs::read(path).map_err(|error| HandleError::Read(name(), error))?;
                if key.len() < KEY {
                    return Err(HandleError::Short(name(), key.len()));
                }
                key
            }
            None => {
                let mut key = vec![0; KEY];
                getrandom::fill(&mut key).map_err(|_| HandleError::Random)?;
                key
            }
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        validation.leeway = 0;
        let (sign, check) = (EncodingKey::from_secret(&key), DecodingKey::from_secret(&key));
        Ok(Handles { sign, check, validation })
    }

    /// A handle of a session for its owner; `None` when it cannot be signed.
    pub fn give(&self, owner: &str, session: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let exp = now.checked_add(LASTS)?.as_secs();
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            exp,
            sub: placet_bundle::digest(owner.as_bytes()),
            sid: session.to_owned(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).ok()
    }

    /// The session of a handle, if it was given to this owner and has not ended.
    pub fn take(&self, owner: &str, handle: &str) -> Option<String> {
        let claims = decode::<Claims>(handle, &self.check, &self.validation).ok()?.claims;
        (claims.sub == placet_bundle::digest(owner.as_bytes())).then_some(claims.sid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_taken_from_its_owner_only_and_only_as_it_was_given() {
        let handles = Handles::new(None).expect("a key");
        let handle = handles.give("ann", "s-1").expect("signed");
        assert_eq!(handles.take("ann", &handle), Some("s-1".to_owned()));
        let (head, rest) = handle.split_once('.').expect("three parts");
        let (claims, signature) = rest.split_once('.').expect("three parts");
        let other = Handles::new(None).expect("a key").give("ann", "s-1").expect("signed");
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for forged in [
            other,
            unsigned,
            format!("{head}.{claims}."),
            format!("{head}.{claims}"),
            format!("{head}.{claims}.{}", signature.to_uppercase()),
            String::new(),
            "s-1".to_owned(),
        ] {
            assert_eq!(handles.take("ann", &forged), None, "{forged}");
        }
        assert_eq!(handles.take("bob", &handle), None);
    }

    #[test]
    fn gateways_that_share_a_key_take_each_others_handles() {
        let path = std::env::temp_dir().join(format!("placet-key-{}", std::process::id()));
        std::fs::write(&path, [7; KEY]).expect("written");
        let [a, b] = [0, 1].map(|_| Handles::new(Some(&path)).expect("a key"));
        assert_eq!(b.take("ann", &a.give("ann", "s").expect("signed")), Some("s".to_owned()));
        std::fs::write(&path, [7; KEY - 1]).expect("written");
        assert!(matches!(Handles::new(Some(&path)), Err(HandleError::Short(_, 31))));
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(Handles::new(Some(&path)), Err(HandleError::Read(..))));
    }
}
