//! What the gateway shows to a server behind it: its own credentials, never the agent's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use placet_pep::Identity;
use serde::{Deserialize, Serialize};

use super::exchange::{Exchange, ExchangeConfig};
use super::file::Reloaded;

/// How the gateway authenticates to a server: one of these ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialsConfig {
    /// The same for everybody.
    pub header: Option<HeaderConfig>,
    /// One for each tenant; calls of other tenants are not sent at all.
    pub tenants: BTreeMap<String, HeaderConfig>,
    /// A token of the server's, in exchange for the caller's (RFC 8693).
    pub exchange: Option<ExchangeConfig>,
}

/// A header with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// Its name.
    #[serde(default = "authorization")]
    pub name: String,
    /// What stands before the secret; by default `Bearer ` in `authorization`, and nothing elsewhere.
    pub prefix: Option<String>,
    /// An environment variable with the secret.
    pub env: Option<String>,
    /// A file with the secret, read again when it changes.
    pub file: Option<PathBuf>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// An environment variable with it.
    pub env: Option<String>,
    /// A file with it, read again when it changes.
    pub file: Option<PathBuf>,
}

fn authorization() -> String {
    "authorization".to_owned()
}

/// Why a call cannot be sent with the right credentials; it is not sent at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Nobody has configured any for this tenant.
    #[error("there are no credentials of the tenant for this server")]
    Tenant,
    /// The caller did not show a token that could be exchanged.
    #[error("this server needs the caller's access token to be exchanged, and the caller has shown none")]
    NoToken,
    /// The authorization server did not give one in exchange.
    #[error("no token in exchange: {0}")]
    Exchange(String),
    /// The secret cannot stand in a header.
    #[error("the secret cannot stand in a header")]
    Secret,
}

/// The gateway's credentials for one server.
#[derive(Debug, Default)]
pub struct Credentials {
    header: Option<Header>,
    tenants: BTreeMap<String, Header>,
    exchange: Option<Exchange>,
}

#[derive(Debug)]
struct Header {
    name: HeaderName,
    prefix: String,
    secret: Secret,
}

/// A secret of the gateway's own.
pub enum Secret {
    /// It stays as it was when the gateway started.
    Fixed(String),
    /// It may change.
    File(Reloaded<String>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Headers that mean something else on the way to a server.
const OTHERS: [&str; 11] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "transfer-encoding",
];

impl Credentials {
    /// # Errors
    /// What is wrong with the configuration, or which secret is not there.
    pub fn new(config: CredentialsConfig) -> Result<Credentials, String> {
        let CredentialsConfig { header, tenants, exchange } = config;
        let ways = [header.is_some(), !tenants.is_empty(), exchange.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err("`credentials`: choose one of `header`, `tenants` and `exchange`".to_owned());
        }
        let tenants = tenants.into_iter().map(|(tenant, of)| Ok((tenant, Header::new(of)?)));
        Ok(Credentials {
            header: header.map(Header::new).transpose()?,
            tenants: tenants.collect::<Result<_, String>>()?,
            exchange: exchange.map(Exchange::new).transpose()?,
        })
    }

    /// The headers for a call of this identity, whose verified access token is `subject_token`.
    ///
    /// # Errors
    /// When there are none; then nothing is to be sent.
    pub async fn headers(
        &self,
        identity: &Identity,
        subject_token: Option<&str>,
    ) -> Result<HeaderMap, CredentialsError> {
        let mut headers = HeaderMap::new();
        if let Some(header) = &self.header {
            headers.insert(header.name.clone(), header.value()?);
        } else if !self.tenants.is_empty() {
            let header = self.tenants.get(&identity.tenant).ok_or(CredentialsError::Tenant)?;
            headers.insert(header.name.clone(), header.value()?);
        } else if let Some(exchange) = &self.exchange {
            let token = exchange.token(subject_token.ok_or(CredentialsError::NoToken)?).await?;
            headers.insert(axum::http::header::AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
        }
        Ok(headers)
    }
}

impl Header {
    fn new(config: HeaderConfig) -> Result<Header, String> {
        let HeaderConfig { name, prefix, env, file } = config;
        let fault = |why: &str| format!("`credentials`: the header `{name}`: {why}");
        let parsed = HeaderName::try_from(&name).map_err(|_| fault("is not a header's name"))?;
        if OTHERS.contains(&parsed.as_str()) || parsed.as_str().starts_with("mcp-") {
            return Err(fault("has another meaning"));
        }
        let usual = if parsed == axum::http::header::AUTHORIZATION { "Bearer " } else { "" };
        let prefix = prefix.unwrap_or_else(|| usual.to_owned());
        let secret = Secret::open(&SecretConfig { env, file }).map_err(|error| fault(&error))?;
        let header = Header { name: parsed, prefix, secret };
        header.value().map_err(|error| fault(&error.to_string()))?;
        Ok(header)
    }

    fn value(&self) -> Result<HeaderValue, CredentialsError> {
        sensitive(&format!("{}{}", self.prefix, self.secret.get()))
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, CredentialsError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| CredentialsError::Secret)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Secret {
    /// # Errors
    /// When the configuration names no place or two, or nothing is there.
    pub fn open(config: &SecretConfig) -> Result<Secret, String> {
        match (&config.env, &config.file) {
            (Some(name), None) => {
                let value = std::env::var(name).ok().and_then(|value| line(&value).ok());
                let why = || format!("the environment variable `{name}` has no value");
                value.map(Secret::Fixed).ok_or_else(why)
            }
            (None, Some(path)) => Reloaded::open(Path::new(path), line).map(Secret::File),
            _ => Err("say where the secret is: one of `env` and `file`".to_owned()),
        }
    }

    /// The secret.
    pub fn get(&self) -> String {
        match self {
            Secret::Fixed(secret) => secret.clone(),
            Secret::File(file) => file.get().as_ref().clone(),
        }
    }
}

/// A secret as files have it: one line.
fn line(text: &str) -> Result<String, String> {
    let secret = text.trim();
    match secret.is_empty() || secret.contains(['\n', '\r']) {
        true => Err("not one line with a secret".to_owned()),
        false => Ok(secret.to_owned()),
    }
}
