//! Token exchange (RFC 8693): the caller's token for one that the server behind the gateway accepts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};

use super::credentials::{CredentialsError, Secret, SecretConfig};
use super::http::{address, client, fetch, form};

/// Most tokens that are kept.
const MOST: usize = 10_000;
/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a token counts when its issuer does not say.
const UNSAID: Duration = Duration::from_secs(60);

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Where tokens are exchanged, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeConfig {
    /// The token endpoint: HTTPS, or HTTP on this machine.
    pub endpoint: String,
    /// What the gateway is to the authorization server.
    pub client_id: String,
    /// Its secret there.
    pub client_secret: SecretConfig,
    /// The server that the token is for, by its name at the authorization server.
    pub audience: Option<String>,
    /// The server that the token is for, by its address (RFC 8707).
    pub resource: Option<String>,
    /// The scopes to ask for; without any, those that the authorization server thinks right.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Exchanges tokens.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    endpoint: Url,
    config: ExchangeConfig,
    secret: Secret,
    /// By the digest of the caller's token.
    kept: Mutex<HashMap<[u8; 32], Kept>>,
}

#[derive(Clone)]
struct Kept {
    token: String,
    until: Instant,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("until", &self.until).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

impl Exchange {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: ExchangeConfig) -> Result<Exchange, String> {
        let fault = |why: String| format!("`exchange`: {why}");
        if config.audience.is_none() && config.resource.is_none() {
            return Err(fault("say which server the token is for: `audience` or `resource`".to_owned()));
        }
        let endpoint = address(&config.endpoint).map_err(fault)?;
        let secret = Secret::open(&config.client_secret).map_err(fault)?;
        Ok(Exchange { client: client().map_err(fault)?, endpoint, config, secret, kept: Mutex::default() })
    }

    /// A token for the server, in exchange for a caller's.
    ///
    /// # Errors
    /// When the authorization server gives none.
    pub async fn token(&self, subject: &str) -> Result<String, CredentialsError> {
        let digest = placet_bundle::digest_bytes(subject.as_bytes());
        if let Some(kept) = self.kept().get(&digest).filter(|kept| kept.until > Instant::now()) {
            return Ok(kept.token.clone());
        }
        let asked = Instant::now();
        let answer = self.ask(subject).await.map_err(CredentialsError::Exchange)?;
        let lasts = answer.expires_in.map_or(UNSAID, Duration::from_secs).saturating_sub(MARGIN);
        // Without an end that can be reckoned with, it is used once.
        let until = asked.checked_add(lasts.min(Duration::from_secs(24 * 3600))).unwrap_or(asked);
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.retain(|_, kept| kept.until > asked);
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(digest, Kept { token: answer.access_token.clone(), until });
        Ok(answer.access_token)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, subject: &str) -> Result<Answer, String> {
        let ExchangeConfig { client_id, audience, resource, scopes, .. } = &self.config;
        let scope = scopes.join(" ");
        let mut fields = vec![
            ("grant_type", GRANT),
            ("subject_token", subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        fields.extend(audience.as_deref().map(|audience| ("audience", audience)));
        fields.extend(resource.as_deref().map(|resource| ("resource", resource)));
        if !scope.is_empty() {
            fields.push(("scope", &scope));
        }
        // RFC 6749, section 2.3.1: both are form-encoded first.
        let encoded = |text: &str| form(&[("", text)]).trim_start_matches('=').to_owned();
        let basic = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(&self.secret.get())));
        let request = self.client.post(self.endpoint.clone()).body(form(&fields));
        let request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Basic {basic}"));
        let text = fetch(request).await?;
        let answer: Answer = serde_json::from_str(&text)
            .map_err(|_| "the answer is not one of a token endpoint".to_owned())?;
        match answer.token_type.eq_ignore_ascii_case("bearer") && !answer.access_token.is_empty() {
            true => Ok(answer),
            false => Err("the token is not one that a bearer can use".to_owned()),
        }
    }
}
