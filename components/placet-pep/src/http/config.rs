//! What an adapter guards, and how: the `guard` part of its configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::path::{Template, is_plain};
use super::who::identify;
use super::{Head, HttpReply, Peer};
use crate::identity::{Identity, Principal};

/// What is guarded. Unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// MCP endpoints (streamable HTTP).
    #[serde(default)]
    pub mcp: Vec<McpEndpoint>,
    /// Plain HTTP interfaces.
    #[serde(default)]
    pub http: Vec<HttpApi>,
    /// Path of the decision endpoint: a call posted there is decided and answered with the decision.
    #[serde(default)]
    pub decide: Option<String>,
    /// Who calls.
    pub identity: IdentitySource,
    /// Where a session's id is found, in order; the first that there is counts.
    #[serde(default = "sessions")]
    pub session: Vec<SessionSource>,
    /// Largest request body, in bytes.
    #[serde(default = "request_limit")]
    pub request_limit: usize,
    /// Largest response body, or largest event of a stream, in bytes.
    #[serde(default = "response_limit")]
    pub response_limit: usize,
    /// What a refused MCP call is answered.
    #[serde(default)]
    pub refusals: Refusals,
    /// Versions of MCP that are spoken. Without 2026-07-28, which has no sessions, clients fall back to one that has.
    #[serde(default = "versions")]
    pub versions: Vec<String>,
    /// Origins of web pages that may send MCP requests besides those on this machine, such as `https://app.example`.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// An MCP endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpEndpoint {
    /// Its path, such as `/mcp`.
    pub path: String,
    /// The name policies know the server by: its tool `find` is `server.find` to them.
    #[serde(default)]
    pub server: Option<String>,
}

/// A plain HTTP interface: everything below the prefix is guarded, and only its routes are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpApi {
    /// Such as `/api/`; `/` is everything.
    pub prefix: String,
    /// Method and path to a tool.
    pub routes: Vec<Route>,
}

/// One route of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Such as `POST`.
    pub method: String,
    /// Such as `/api/accounts/{account}/refunds`: a name in braces stands for one segment and becomes an argument.
    pub path: String,
    /// The tool that policies know it by.
    pub tool: String,
    /// Where arguments may come from besides the path. What comes from elsewhere is refused.
    #[serde(default = "sources")]
    pub args: Vec<Source>,
    /// Headers that become arguments: header name to argument name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Kinds of arguments that are written as text (path, query, headers, forms); the others are strings.
    #[serde(default)]
    pub types: BTreeMap<String, Argument>,
    /// How a body is written.
    #[serde(default)]
    pub body: Body,
    /// Whether results are decided, too (stage `result`).
    #[serde(default)]
    pub results: bool,
}

/// Where arguments come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `?name=value`.
    Query,
    /// The body's members.
    Body,
}

/// What the text of an argument is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// As it stands.
    String,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A JSON object.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// What a refused MCP call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusals {
    /// A tool result with `isError`, which models read and understand.
    #[default]
    Result,
    /// A JSON-RPC error.
    Error,
    /// HTTP 403 with a JSON-RPC error.
    Status,
}

/// Where a session's id comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionSource {
    /// The session that the MCP server has opened.
    Mcp,
    /// The trace id of W3C `traceparent`, in a header or in the message's `_meta`.
    Trace,
    /// A header that the operator trusts.
    Header(String),
    /// Agent and user themselves: what nothing else gives a session shares one.
    Principal,
}

/// Who calls: fixed, and at most one source for what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySource {
    /// What is the same for every request.
    pub fixed: Fixed,
    /// A trusted header with the identity as JSON.
    pub header: Option<String>,
    /// Trusted headers, one for each field.
    pub headers: Option<HeaderNames>,
    /// Claims of a token that the proxy has verified.
    pub claims: Option<ClaimNames>,
    /// The client certificate, as Envoy's `x-forwarded-client-cert` gives it.
    pub xfcc: Option<Xfcc>,
    /// The adapter authenticates by itself and shows whom ([`super::Peer::identity`]); a configuration cannot say so.
    #[serde(skip)]
    pub authenticated: bool,
}

/// Identity fields that are the same for every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// Whose policies and state.
    pub tenant: Option<String>,
    /// The acting agent.
    pub agent: Option<Principal>,
    /// The person it acts for.
    pub user: Option<Principal>,
    /// Actor ids of the delegation, outermost last.
    pub chain: Vec<String>,
    /// Where it acts.
    pub project: Option<String>,
    /// Where it acts.
    pub env: Option<String>,
    /// One session for every request.
    pub session: Option<String>,
}

/// Names of trusted headers. Lists are separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each names the header of the identity field of its own name")]
pub struct HeaderNames {
    pub tenant: Option<String>,
    pub agent: Option<String>,
    pub agent_roles: Option<String>,
    pub user: Option<String>,
    pub user_roles: Option<String>,
    pub user_scopes: Option<String>,
    pub chain: Option<String>,
    pub project: Option<String>,
    pub env: Option<String>,
}

/// Names of claims; dots reach into objects. Lists are arrays, or texts separated by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each names the claim of the identity field of its own name")]
pub struct ClaimNames {
    pub tenant: Option<String>,
    pub agent: Option<String>,
    pub agent_roles: Option<String>,
    pub user: Option<String>,
    pub user_roles: Option<String>,
    pub user_scopes: Option<String>,
    /// The claim with RFC 8693's nested actors, usually `act`.
    pub chain: Option<String>,
    pub project: Option<String>,
    pub env: Option<String>,
}

/// Which part of the client certificate is the agent's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xfcc {
    /// The part.
    pub agent: XfccPart,
}

/// A part of `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XfccPart {
    /// The URI of the subject's alternative name, such as a SPIFFE id.
    Uri,
    /// The DNS name of the subject's alternative name.
    Dns,
    /// The subject's distinguished name.
    Subject,
    /// The certificate's SHA-256, hexadecimal.
    Hash,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

fn sessions() -> Vec<SessionSource> {
    vec![SessionSource::Mcp, SessionSource::Trace]
}

fn versions() -> Vec<String> {
    crate::VERSIONS.map(str::to_owned).to_vec()
}

fn sources() -> Vec<Source> {
    vec![Source::Query, Source::Body]
}

fn request_limit() -> usize {
    1 << 20
}

fn response_limit() -> usize {
    4 << 20
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(text: &str) -> Result<Config, ConfigError> {
        let config: Config =
            serde_json::from_str(text).map_err(|e| ConfigError(format!("the guard's configuration: {e}")))?;
        config.check()?;
        Ok(config)
    }

    /// # Errors
    /// What is wrong first, and what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        let paths = self.mcp.iter().map(|of| &of.path).chain(&self.decide);
        let prefixes = self.http.iter().map(|api| &api.prefix);
        let mut seen: Vec<&String> = Vec::new();
        for path in paths.chain(prefixes) {
            if !is_plain(path) {
                let why = "write it from the root, without `..`, `//`, `%`, `;`, `?` or `#`";
                return Err(ConfigError(format!("`{path}` is not a path that can be guarded: {why}")));
            }
            if seen.contains(&path) {
                return Err(ConfigError(format!("`{path}` is guarded twice")));
            }
            seen.push(path);
        }
        for api in &self.http {
            api.routes.iter().try_for_each(|route| route.check(&api.prefix))?;
        }
        if let Some(other) = self.versions.iter().find(|of| !crate::VERSIONS.contains(&of.as_str())) {
            let spoken = crate::VERSIONS.join(", ");
            return Err(ConfigError(format!("`versions`: `{other}` is none of {spoken}")));
        }
        if self.request_limit == 0 || self.response_limit == 0 {
            return Err(ConfigError("a limit of 0 bytes refuses everything".to_owned()));
        }
        for header in self.session.iter().filter_map(|source| match source {
            SessionSource::Header(name) => Some(name),
            SessionSource::Mcp | SessionSource::Trace | SessionSource::Principal => None,
        }) {
            header_name(header)?;
        }
        self.identity.check()
    }
}

impl Route {
    fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        let fault = |what: String| ConfigError(format!("route `{} {}`: {what}", self.method, self.path));
        let template = Template::parse(&self.path).map_err(fault)?;
        if !self.path.starts_with(prefix) {
            return Err(fault(format!("its path does not lie below the prefix `{prefix}`")));
        }
        if self.method.is_empty() || !self.method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(fault("write the method in capitals, such as `POST`".to_owned()));
        }
        if self.tool.is_empty() {
            return Err(fault("`tool` is empty".to_owned()));
        }
        self.headers.keys().try_for_each(|name| header_name(name))?;
        let mut names: Vec<&str> = template.names().collect();
        names.extend(self.headers.values().map(String::as_str));
        names.sort_unstable();
        match names.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some(*a),
            _ => None,
        }) {
            Some(twice) => Err(fault(format!("the argument `{twice}` comes from two places"))),
            None => Ok(()),
        }
    }
}

fn header_name(name: &str) -> Result<(), ConfigError> {
    let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(token) {
        return Err(ConfigError(format!("`{name}` is not a header name: write it in lower case")));
    }
    Ok(())
}

impl From<Identity> for IdentitySource {
    /// The same for every request.
    fn from(of: Identity) -> IdentitySource {
        let Identity { tenant, agent, user, chain, project, env, session } = of;
        let fixed = Fixed { tenant: Some(tenant), agent: Some(agent), user, chain, project, env, session };
        IdentitySource { fixed, ..IdentitySource::default() }
    }
}

impl IdentitySource {
    /// The adapter authenticates by itself.
    pub fn by_adapter() -> IdentitySource {
        IdentitySource { authenticated: true, ..IdentitySource::default() }
    }

    /// Who calls, out of the claims (JSON text) of a token that the adapter has verified by itself.
    ///
    /// # Errors
    /// 401 when the claims do not say who calls.
    pub fn of_claims(&self, claims: &str) -> Result<Identity, HttpReply> {
        let head = Head { method: "", path: "", headers: &[] };
        identify(self, &head, &Peer { claims: Some(claims), identity: None })
    }

    /// # Errors
    /// What is wrong first: two sources, or none for tenant or agent.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fault = |what: &str| Err(ConfigError(format!("`identity`: {what}")));
        if self.authenticated {
            return Ok(());
        }
        let sources =
            [self.header.is_some(), self.headers.is_some(), self.claims.is_some(), self.xfcc.is_some()];
        if sources.iter().filter(|there| **there).count() > 1 {
            return fault("name one of `header`, `headers`, `claims` and `xfcc`, not several");
        }
        let Fixed { tenant, agent, user, .. } = &self.fixed;
        let (has_tenant, has_agent, has_user) = match (&self.header, &self.headers, &self.claims, &self.xfcc)
        {
            (Some(name), ..) => {
                header_name(name)?;
                return match self.fixed == Fixed::default() {
                    true => Ok(()),
                    false => fault("`header` gives every field: leave `fixed` out"),
                };
            }
            (_, Some(names), ..) => {
                names.all().into_iter().flatten().try_for_each(|name| header_name(name))?;
                (names.tenant.is_some(), names.agent.is_some(), names.user.is_some())
            }
            (_, _, Some(names), _) => (names.tenant.is_some(), names.agent.is_some(), names.user.is_some()),
            (.., Some(_)) => (false, true, false),
            _ => (false, false, false),
        };
        for (name, fixed, given) in [
            ("tenant", tenant.is_some(), has_tenant),
            ("agent", agent.is_some(), has_agent),
            ("user", user.is_some(), has_user),
        ] {
            if fixed && given {
                return fault(&format!("`{name}` is fixed and comes with the request: choose one"));
            }
            if !fixed && !given && name != "user" {
                return fault(&format!("nothing says who the {name} is: add `fixed: {{\"{name}\": …}}`"));
            }
        }
        Ok(())
    }
}

impl HeaderNames {
    fn all(&self) -> [Option<&String>; 9] {
        [
            self.tenant.as_ref(),
            self.agent.as_ref(),
            self.agent_roles.as_ref(),
            self.user.as_ref(),
            self.user_roles.as_ref(),
            self.user_scopes.as_ref(),
            self.chain.as_ref(),
            self.project.as_ref(),
            self.env.as_ref(),
        ]
    }
}

/// Attributes of a principal that come from nowhere.
pub(crate) fn no_attrs() -> Map<String, Value> {
    Map::new()
}
