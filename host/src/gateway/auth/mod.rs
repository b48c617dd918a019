//! Who calls: access tokens, API keys, client certificates, or in so many words nobody in particular.
//!
//! A request is authenticated before anything else of it is read. Whatever it shows must be good: a bad token is refused
//! even where a certificate, or nothing at all, would have been enough.

mod api_keys;
mod certificate;
mod claims;
mod credentials;
mod exchange;
mod file;
mod http;
mod jwk;
mod jws;
mod keys;
mod metadata;
mod oauth;

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use placet_pep::Identity;
use placet_pep::http::HttpReply;
use serde::Deserialize;
use tokio::time::Instant;

pub use api_keys::{Entry, generate};
pub use certificate::{KnownAgent, MtlsConfig};
pub use credentials::{Credentials, CredentialsConfig, CredentialsError, HeaderConfig, SecretConfig};
pub use exchange::ExchangeConfig;
pub use file::Stamp;
pub use jws::Algorithm;
pub use keys::KeysConfig;
pub use oauth::{IssuerConfig, OAuthConfig, ToolScopes};

/// The role of agents that may post calls of others to the decision endpoint, where callers are authenticated.
pub const ENFORCEMENT_POINT: &str = "placet:enforcement-point";

/// The header that an API key comes in, when it is not a bearer token.
const API_KEY: &str = "x-api-key";

/// How callers are authenticated: by any of these ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Access tokens of an authorization server.
    pub oauth: Option<OAuthConfig>,
    /// A file of API keys' digests.
    pub api_keys: Option<PathBuf>,
    /// Client certificates.
    pub mtls: Option<MtlsConfig>,
    /// Whose calls those are that show nothing of all this. Everybody who can connect is this agent.
    pub anonymous: Option<Identity>,
}

/// Who calls, and what is known of how they showed it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who calls.
    pub identity: Identity,
    /// How they showed it, for the log.
    pub by: &'static str,
    grant: Option<Grant>,
}

/// A verified access token.
#[derive(Clone, Debug)]
struct Grant {
    token: Token,
    scopes: Vec<String>,
    until: Instant,
    oauth: Arc<oauth::OAuth>,
}

impl Caller {
    /// Who the configuration says, without having shown anything.
    pub fn of(identity: Identity) -> Caller {
        Caller { identity, by: "configuration", grant: None }
    }

    /// The verified access token: to be exchanged for one of an upstream, and for nothing else.
    pub fn token(&self) -> Option<&str> {
        self.grant.as_ref().map(|grant| grant.token.0.as_str())
    }

    /// When the token ends, and with it what the caller holds open.
    pub fn until(&self) -> Option<Instant> {
        self.grant.as_ref().map(|grant| grant.until)
    }

    /// Whether the caller's token suffices for a tool. Scopes are a matter of tokens: whoever calls in another way has
    /// no need of them.
    ///
    /// # Errors
    /// 403 with the scopes to ask for (step-up).
    pub fn suffices(&self, tool: &str) -> Result<(), HttpReply> {
        self.grant.as_ref().map_or(Ok(()), |grant| grant.oauth.suffices(&grant.scopes, tool))
    }
}

/// A secret that is never printed.
#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Finds out who calls.
#[derive(Debug)]
pub struct Authenticator {
    oauth: Option<Arc<oauth::OAuth>>,
    api_keys: Option<api_keys::ApiKeys>,
    mtls: Option<MtlsConfig>,
    anonymous: Option<Identity>,
}

/// What a request shows besides its certificate.
enum Shown<'h> {
    Nothing,
    Key(&'h str),
    Token(&'h str),
}

impl Authenticator {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: AuthConfig) -> Result<Authenticator, String> {
        let AuthConfig { oauth, api_keys, mtls, anonymous } = config;
        if let Some(mtls) = &mtls {
            mtls.check()?;
        }
        Ok(Authenticator {
            oauth: oauth.map(oauth::OAuth::new).transpose()?.map(Arc::new),
            api_keys: api_keys.as_deref().map(api_keys::ApiKeys::open).transpose()?,
            mtls,
            anonymous,
        })
    }

    /// Everybody is this agent: for local use.
    pub fn everybody(identity: Identity) -> Authenticator {
        Authenticator { oauth: None, api_keys: None, mtls: None, anonymous: Some(identity) }
    }

    /// Whether somebody who can connect has to show anything.
    ///
    /// # Errors
    /// When nothing says who calls.
    pub fn check(&self) -> Result<(), String> {
        let some = self.oauth.is_some() || self.api_keys.is_some() || self.mtls.is_some();
        match some || self.anonymous.is_some() {
            true => Ok(()),
            false => Err("`auth` names no way to authenticate: add `oauth`, `api_keys` or `mtls`, or say \
                          `anonymous` with the tenant and agent that everybody is"
                .to_owned()),
        }
    }

    /// Whether callers are told apart, so that not everybody may have others' calls decided.
    pub fn tells_apart(&self) -> bool {
        self.oauth.is_some() || self.api_keys.is_some() || self.mtls.is_some()
    }

    /// Whether client certificates are asked for.
    pub fn wants_certificates(&self) -> bool {
        self.mtls.is_some()
    }

    /// The host that clients know this gateway by, when the configuration says so.
    pub fn host(&self) -> Option<&str> {
        Some(self.oauth.as_ref()?.challenge().host())
    }

    /// Protected-resource metadata (RFC 9728), when this is a path that it is at.
    pub fn metadata(&self, path: &str) -> Option<HttpReply> {
        self.oauth.as_ref()?.challenge().metadata(path)
    }

    /// Finds out who sends a request, out of its headers and the certificate (DER) of its connection, which the
    /// handshake has verified.
    ///
    /// # Errors
    /// What to answer instead: 400, 401, 403 or 503.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificate: Option<&[u8]>,
    ) -> Result<Caller, HttpReply> {
        let caller = |identity, by| Caller { identity, by, grant: None };
        match self.shown(headers)? {
            Shown::Token(token) => self.by_token(token, certificate).await,
            Shown::Key(key) => {
                let keys =
                    self.api_keys.as_ref().ok_or_else(|| self.unauthenticated("no API keys count here"))?;
                let found = keys.find(key, Timestamp::now()).map_err(|why| self.unauthenticated(why))?;
                Ok(caller(found, "api-key"))
            }
            Shown::Nothing => {
                if let (Some(mtls), Some(certificate)) = (&self.mtls, certificate) {
                    let found = mtls.identify(certificate).map_err(|why| self.unauthenticated(&why))?;
                    return Ok(caller(found, "certificate"));
                }
                self.anonymous.clone().map(Caller::of).ok_or_else(|| self.missing())
            }
        }
    }

    async fn by_token(&self, token: &str, certificate: Option<&[u8]>) -> Result<Caller, HttpReply> {
        let Some(oauth) = &self.oauth else {
            return Err(self.unauthenticated("no access tokens count here"));
        };
        let granted = oauth.verify(token, Timestamp::now()).await?;
        if let Some(bound_to) = &granted.bound_to {
            let digest = certificate.map(|der| URL_SAFE_NO_PAD.encode(placet_bundle::digest_bytes(der)));
            if digest.as_ref() != Some(bound_to) {
                return Err(oauth.invalid("the token is bound to another client certificate"));
            }
        }
        let until = Instant::now() + granted.left;
        let (token, scopes) = (Token(token.to_owned()), granted.scopes);
        let grant = Grant { token, scopes, until, oauth: oauth.clone() };
        Ok(Caller { identity: granted.identity, by: "token", grant: Some(grant) })
    }

    /// What a request shows. Where nobody checks tokens and keys, they are somebody else's business.
    fn shown<'h>(&self, headers: &'h HeaderMap) -> Result<Shown<'h>, HttpReply> {
        if self.oauth.is_none() && self.api_keys.is_none() {
            return Ok(Shown::Nothing);
        }
        let mut given = headers.get_all(AUTHORIZATION).iter().chain(headers.get_all(API_KEY));
        let Some(value) = given.next() else { return Ok(Shown::Nothing) };
        if given.next().is_some() {
            return Err(HttpReply::bad("the request says more than once who calls"));
        }
        let value = value.to_str().map_err(|_| self.unauthenticated("the credentials are no text"))?;
        if headers.contains_key(API_KEY) {
            return Ok(Shown::Key(value));
        }
        let (scheme, secret) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(self.unauthenticated("credentials come as `Authorization: Bearer …`"));
        }
        let secret = secret.trim();
        match secret.starts_with(api_keys::PREFIX) {
            true => Ok(Shown::Key(secret)),
            false => Ok(Shown::Token(secret)),
        }
    }

    fn missing(&self) -> HttpReply {
        match &self.oauth {
            Some(oauth) => oauth.missing(),
            None => self.unauthenticated("the request shows no credentials"),
        }
    }

    fn unauthenticated(&self, why: &str) -> HttpReply {
        match &self.oauth {
            Some(oauth) => oauth.invalid(why),
            None => {
                let reply =
                    HttpReply::problem(401, "unauthenticated", &format!("nobody knows who calls: {why}"));
                reply.with("www-authenticate", "Bearer")
            }
        }
    }
}
