//! OAuth 2.1 resource server, as the MCP authorization specification has it: access tokens are signed JWTs (RFC 9068) of
//! known issuers, made for this very resource (RFC 8707), not expired, with the scopes that are asked for.

use std::time::Duration;

use jiff::Timestamp;
use placet_pep::Identity;
use placet_pep::http::{ClaimNames, Fixed, HttpReply};
use reqwest::Url;
use serde::Deserialize;

use super::claims::{Claims, Window};
use super::jws::{Algorithm, Token};
use super::keys::{Keys, KeysConfig, NoKey};
use super::metadata::Challenge;

/// What tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The address of this gateway's MCP endpoint as clients know it: what tokens must be made for, and what the
    /// protected-resource metadata (RFC 9728) is about.
    pub resource: String,
    /// Other audiences that tokens may be made for.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// Scopes that every token must have.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Further scopes for some tools.
    #[serde(default)]
    pub tools: Vec<ToolScopes>,
    /// How far clocks may differ, in seconds; at most 300.
    #[serde(default = "leeway")]
    pub leeway: u16,
}

/// An authorization server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The claim `iss` of its tokens, to the letter.
    pub issuer: String,
    /// Its keys.
    pub jwks: KeysConfig,
    /// How its tokens may be signed.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Which claims are what. By default the client (`client_id`, or `azp`) is the agent, the subject (`sub`) the user
    /// unless it is the client itself, and `act` the chain.
    #[serde(default)]
    pub claims: ClaimNames,
    /// What is the same for all of its tokens.
    #[serde(default)]
    pub fixed: Fixed,
}

/// Scopes that calls of some tools need.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolScopes {
    /// Names, or beginnings of names that end in `*`.
    pub tools: Vec<String>,
    /// What the token must have.
    pub scopes: Vec<String>,
}

fn leeway() -> u16 {
    30
}

fn algorithms() -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, RS256};
    vec![RS256, PS256, ES256, ES384, EdDSA]
}

/// Accepts tokens.
#[derive(Debug)]
pub struct OAuth {
    issuers: Vec<Issuer>,
    audiences: Vec<String>,
    scopes: Vec<String>,
    tools: Vec<ToolScopes>,
    leeway: u16,
    challenge: Challenge,
}

#[derive(Debug)]
struct Issuer {
    issuer: String,
    keys: Keys,
    algorithms: Vec<Algorithm>,
    claims: ClaimNames,
    fixed: Fixed,
}

/// Whose a token is, and what it lets them do.
#[derive(Debug)]
pub struct Granted {
    /// Who calls.
    pub identity: Identity,
    /// The token's scopes.
    pub scopes: Vec<String>,
    /// SHA-256 of the certificate that the token is bound to (RFC 8705), base64url.
    pub bound_to: Option<String>,
    /// How long it still counts.
    pub left: Duration,
}

impl OAuth {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: OAuthConfig) -> Result<OAuth, String> {
        let OAuthConfig { resource, audiences, issuers, scopes, tools, leeway } = config;
        if issuers.is_empty() {
            return Err("`oauth`: name at least one of `issuers`".to_owned());
        }
        if leeway > 300 {
            return Err("`oauth`: `leeway` may be 300 seconds at most".to_owned());
        }
        let named = scopes.iter().chain(tools.iter().flat_map(|of| &of.scopes));
        let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if let Some(scope) = named.clone().find(|scope| scope.is_empty() || !scope.bytes().all(token)) {
            return Err(format!("`oauth`: `{scope}` is not a scope"));
        }
        let mut supported: Vec<String> = named.cloned().collect();
        supported.sort_unstable();
        supported.dedup();
        let servers = issuers.iter().map(|of| of.issuer.clone()).collect();
        let challenge = Challenge::new(&resource, servers, supported)?;
        let issuers = issuers.into_iter().map(Issuer::new).collect::<Result<Vec<Issuer>, String>>()?;
        let twice = |at: usize, of: &Issuer| issuers.iter().take(at).any(|other| other.issuer == of.issuer);
        if let Some((_, of)) = issuers.iter().enumerate().find(|(at, of)| twice(*at, of)) {
            return Err(format!("`oauth`: the issuer `{}` is there twice", of.issuer));
        }
        let audiences = [vec![resource], audiences].concat();
        Ok(OAuth { issuers, audiences, scopes, tools, leeway, challenge })
    }

    /// Metadata and challenges.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// What a request without any token is answered.
    pub fn missing(&self) -> HttpReply {
        self.challenge.missing(&self.scopes)
    }

    /// What a request whose credentials do not count is answered.
    pub fn invalid(&self, why: &str) -> HttpReply {
        self.challenge.invalid(why, &self.scopes)
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// 401 when it cannot be believed, 403 when it does not suffice, 503 when nobody can say.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Granted, HttpReply> {
        let invalid = |why: &str| self.invalid(why);
        let token = Token::read(token).map_err(invalid)?;
        let claims = Claims::read(&token.claims).map_err(invalid)?;
        // Not believed yet: only to know whose keys to ask for.
        let issuer = self.issuers.iter().find(|of| claims.issuer.as_deref() == Some(&of.issuer));
        let issuer = issuer.ok_or_else(|| invalid("the token's issuer is not accepted"))?;
        if !issuer.algorithms.contains(&token.algorithm) {
            return Err(invalid("the token's algorithm is not accepted"));
        }
        let key = issuer.keys.find(token.key_id.as_deref(), token.algorithm).await;
        let key = key.map_err(|why| match why {
            NoKey::Unknown => invalid("the token's key is not one of its issuer"),
            NoKey::Unavailable => unavailable(),
        })?;
        if !token.is_signed_by(&key) {
            return Err(invalid("the token's signature is wrong"));
        }
        let window = Window { now, leeway: self.leeway };
        claims.check(&window, &self.audiences).map_err(invalid)?;
        let identity = issuer.identity(&claims, &token.claims).map_err(|reply| {
            tracing::warn!(issuer = issuer.issuer, why = reply.body, "a token does not say who calls");
            invalid("the token does not say who calls")
        })?;
        let missing = missing(&self.scopes, &claims.scopes);
        if !missing.is_empty() {
            return Err(self.challenge.insufficient(&missing));
        }
        let left = claims.left(&window);
        Ok(Granted { identity, scopes: claims.scopes, bound_to: claims.bound_to, left })
    }

    /// Whether a token's scopes suffice for a tool.
    ///
    /// # Errors
    /// 403 with the scopes to ask for (step-up).
    pub fn suffices(&self, scopes: &[String], tool: &str) -> Result<(), HttpReply> {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => tool.starts_with(start),
            None => tool == pattern,
        };
        let rules = self.tools.iter().filter(|rule| rule.tools.iter().any(fits));
        let needed: Vec<String> = rules.flat_map(|rule| rule.scopes.clone()).collect();
        match missing(&needed, scopes).is_empty() {
            true => Ok(()),
            // What the token needs altogether: a new one replaces it.
            false => Err(self.challenge.insufficient(&[self.scopes.clone(), needed].concat())),
        }
    }
}

fn missing(needed: &[String], have: &[String]) -> Vec<String> {
    match needed.iter().all(|scope| have.contains(scope)) {
        true => Vec::new(),
        false => needed.to_vec(),
    }
}

fn unavailable() -> HttpReply {
    let why = "the issuer's keys cannot be fetched, and so the token cannot be checked";
    HttpReply::problem(503, "keys-unavailable", why).with("retry-after", "5")
}

impl Issuer {
    fn new(config: IssuerConfig) -> Result<Issuer, String> {
        let IssuerConfig { issuer, jwks, algorithms, claims, fixed } = config;
        let fault = |what: &str| Err(format!("`oauth`: the issuer `{issuer}`: {what}"));
        if Url::parse(&issuer).is_err() {
            return fault("is not an address");
        }
        if algorithms.is_empty() {
            return fault("`algorithms` is empty: no token could be accepted");
        }
        let named = ClaimNames { agent: claims.agent.clone().or(agent_claim(&fixed)), ..claims.clone() };
        if let Err(error) = identity_source(&fixed, named).check() {
            return fault(&error.to_string());
        }
        let keys = match Keys::open(&jwks) {
            Ok(keys) => keys,
            Err(error) => return fault(&error),
        };
        Ok(Issuer { issuer, keys, algorithms, claims, fixed })
    }

    /// Who calls, out of claims that are believed.
    fn identity(&self, claims: &Claims, text: &str) -> Result<Identity, HttpReply> {
        let mut names = self.claims.clone();
        let client = claims.client();
        if names.agent.is_none() && self.fixed.agent.is_none() {
            names.agent = Some(client.map_or("client_id", |(name, _)| name).to_owned());
        }
        // A client that acts for itself (client credentials) has itself, or nobody, as the subject.
        let own = client.is_some_and(|(_, id)| Some(id) == claims.subject.as_deref());
        if names.user.is_none() && self.fixed.user.is_none() && claims.subject.is_some() && !own {
            names.user = Some("sub".to_owned());
        }
        if names.chain.is_none() && self.fixed.chain.is_empty() {
            names.chain = Some("act".to_owned());
        }
        identity_source(&self.fixed, names).of_claims(text)
    }
}

/// The claim that is the agent when nothing else is said; for checking the configuration.
fn agent_claim(fixed: &Fixed) -> Option<String> {
    fixed.agent.is_none().then(|| "client_id".to_owned())
}

fn identity_source(fixed: &Fixed, claims: ClaimNames) -> placet_pep::http::IdentitySource {
    placet_pep::http::IdentitySource { fixed: fixed.clone(), claims: Some(claims), ..Default::default() }
}
