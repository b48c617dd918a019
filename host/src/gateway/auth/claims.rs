//! The claims of an access token that decide whether it counts (RFC 7519, RFC 9068).

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Registered claims. The others are for whoever maps them to an identity.
#[derive(Debug)]
pub struct Claims {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
    /// `scope`, or what some servers call `scp`.
    pub scopes: Vec<String>,
    /// `cnf`: SHA-256 of the certificate that the token is bound to (RFC 8705, section 3.1), base64url.
    pub bound_to: Option<String>,
    audiences: Vec<String>,
    expires: Option<f64>,
    not_before: Option<f64>,
    issued: Option<f64>,
    client_id: Option<String>,
    authorized: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    scope: Option<Value>,
    scp: Option<Value>,
    client_id: Option<String>,
    azp: Option<String>,
    cnf: Option<Value>,
}

/// When it is, and how far off the issuer's clock may be.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Now.
    pub now: Timestamp,
    /// In seconds.
    pub leeway: u16,
}

impl Claims {
    /// Reads an object whose names are known to be unique.
    ///
    /// # Errors
    /// When a claim is not of its type.
    pub fn read(text: &str) -> Result<Claims, &'static str> {
        let wire: Wire = serde_json::from_str(text).map_err(|_| "a claim of the token is not of its type")?;
        let audiences = list(wire.aud, false).ok_or("the token's audience is no text and no list")?;
        let scopes = match (wire.scope, wire.scp) {
            (Some(_), Some(_)) => return Err("the token has both `scope` and `scp`"),
            (scope, scp) => list(scope.or(scp), true).ok_or("the token's scope is no text and no list")?,
        };
        Ok(Claims {
            issuer: wire.iss,
            subject: wire.sub.filter(|sub| !sub.is_empty()),
            scopes,
            bound_to: wire.cnf.as_ref().map(confirmation).transpose()?,
            audiences,
            expires: wire.exp,
            not_before: wire.nbf,
            issued: wire.iat,
            client_id: wire.client_id,
            authorized: wire.azp,
        })
    }

    /// Whether the token is for here, and for now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, window: &Window, audiences: &[String]) -> Result<(), &'static str> {
        if !self.audiences.iter().any(|of| audiences.contains(of)) {
            return Err("the token was not made for this resource");
        }
        let now = window.now.as_duration().as_secs_f64();
        let leeway = f64::from(window.leeway);
        let expires = self.expires.ok_or("the token has no end")?;
        if expires + leeway <= now {
            return Err("the token has expired");
        }
        if self.not_before.is_some_and(|start| start - leeway > now) {
            return Err("the token does not count yet");
        }
        if self.issued.is_some_and(|at| at - leeway > now) {
            return Err("the token was issued in the future");
        }
        Ok(())
    }

    /// How long the token still counts, once it was checked.
    pub fn left(&self, window: &Window) -> Duration {
        let now = window.now.as_duration().as_secs_f64();
        let left = self.expires.map_or(0.0, |end| end + f64::from(window.leeway) - now);
        // A day is enough for anything that is held open.
        Duration::try_from_secs_f64(left.clamp(0.0, 86400.0)).unwrap_or_default()
    }

    /// The client that the token was issued to: the claim's name, and the id.
    pub fn client(&self) -> Option<(&'static str, &str)> {
        let client = self.client_id.as_deref().map(|id| ("client_id", id));
        client.or_else(|| self.authorized.as_deref().map(|id| ("azp", id)))
    }
}

/// The certificate that a token is bound to. A token that is bound to something else cannot be checked, and what
/// cannot be checked does not count.
fn confirmation(cnf: &Value) -> Result<String, &'static str> {
    let members = cnf.as_object().filter(|members| members.len() == 1);
    let digest = members.and_then(|members| members.get("x5t#S256")).and_then(Value::as_str);
    digest.map(str::to_owned).ok_or("the token is bound to a key whose possession cannot be checked here")
}

/// A list of texts, or one text, which may be a list separated by spaces.
fn list(value: Option<Value>, spaced: bool) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) if spaced => {
            Some(text.split_ascii_whitespace().map(str::to_owned).collect())
        }
        Some(Value::String(text)) => Some(vec![text]),
        Some(Value::Array(items)) => items.into_iter().map(text).collect(),
        Some(_) => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
