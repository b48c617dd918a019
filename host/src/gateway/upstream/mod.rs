//! The servers behind the gateway: over HTTP or as programs on their standard streams. The one place that sends anything
//! to them, and it sends permits.

mod http;
mod messages;
mod stdio;

use std::collections::BTreeMap;
use std::sync::Arc;

use placet_pep::{Permit, federate};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::auth::{Caller, Credentials, CredentialsConfig, CredentialsError};

pub use messages::{Message, Messages};
pub use stdio::line;

/// The header that names a session.
pub const SESSION: &str = "mcp-session-id";

/// A server, as the configuration has it: `url` or `command`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// What policies and, where there are several servers, clients know it by. Small letters, digits, hyphens.
    pub name: Option<String>,
    /// Its MCP endpoint, such as `https://tools.internal/mcp`.
    pub url: Option<String>,
    /// A program that speaks MCP on its standard streams, and its arguments. Each session has a process of its own.
    pub command: Vec<String>,
    /// Environment variables for the program, besides the gateway's own.
    pub env: BTreeMap<String, String>,
    /// How the gateway authenticates to it; the caller's own credentials never go there.
    pub credentials: Option<CredentialsConfig>,
}

impl std::fmt::Display for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        match &self.url {
            Some(url) => f.write_str(url),
            None => f.write_str(&self.command.join(" ")),
        }
    }
}

impl ServerConfig {
    /// The server at an address.
    pub fn at(url: &str) -> ServerConfig {
        ServerConfig { url: Some(url.to_owned()), ..ServerConfig::default() }
    }
}

/// A server that can be talked to.
#[derive(Debug)]
pub struct Server {
    name: Option<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Http(http::Endpoint),
    Stdio(stdio::Program),
}

/// One session's line to a server.
#[derive(Debug)]
pub enum Link {
    /// Over HTTP.
    Http(http::Line),
    /// A process of its own.
    Stdio(stdio::Line),
}

/// The head of an answer, and what brings its body.
#[derive(Debug)]
pub struct Received {
    /// As HTTP has it.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The rest.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// Bytes, or events.
    Http(Box<reqwest::Response>),
    /// Messages as they come.
    Lines(mpsc::Receiver<String>),
    /// None.
    Nothing,
}

/// A server cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address is not an HTTP address.
    #[error("`{0}` is not the address of an MCP server: write `http://HOST:PORT/PATH` or `https://…`")]
    Address(String),
    /// No client can be made.
    #[error("no HTTP client: {}", causes(.0))]
    Client(#[from] reqwest::Error),
    /// The configuration makes no sense.
    #[error("upstream {0}: {1}")]
    Config(String, &'static str),
    /// The gateway's own credentials for it make no sense.
    #[error("upstream `{0}`: {1}")]
    Credentials(String, String),
    /// The gateway cannot authenticate to it for this caller.
    #[error(transparent)]
    Unauthenticated(#[from] CredentialsError),
    /// The program does not start.
    #[error("`{0}` cannot be started: {1}")]
    Start(String, std::io::Error),
    /// The program has ended, or takes no more messages.
    #[error("the server's program has ended")]
    Ended,
    /// A request with this id is under way.
    #[error("a request with the id `{0}` is under way: ids must differ")]
    InUse(String),
}

impl UpstreamError {
    /// What a client may know of it: nothing of where servers are.
    pub fn why(&self) -> String {
        match self {
            UpstreamError::Unauthenticated(_) => {
                "the gateway cannot authenticate to the server for this caller".to_owned()
            }
            UpstreamError::Ended | UpstreamError::InUse(_) => self.to_string(),
            _ => "the server does not answer".to_owned(),
        }
    }
}

impl Server {
    /// # Errors
    /// When the configuration makes no sense.
    pub fn new(config: &ServerConfig) -> Result<Server, UpstreamError> {
        let called = config.name.clone().unwrap_or_else(|| "without a name".to_owned());
        let fault = |why| UpstreamError::Config(format!("`{called}`"), why);
        if config.name.as_deref().is_some_and(|name| !federate::is_server_name(name)) {
            return Err(fault(
                "a name has small letters, digits and hyphens, a letter first, up to 32 in all",
            ));
        }
        let kind = match (&config.url, config.command.as_slice()) {
            (Some(url), []) if config.env.is_empty() => {
                let credentials = Credentials::new(config.credentials.clone().unwrap_or_default());
                let fault = |why| UpstreamError::Credentials(called.clone(), why);
                Kind::Http(http::Endpoint::new(url, credentials.map_err(fault)?)?)
            }
            (Some(_), []) => return Err(fault("`env` is for a `command`")),
            (None, _) if config.credentials.is_some() => {
                return Err(fault("`credentials` are for a `url`; give a `command` what it needs in `env`"));
            }
            (None, [_, ..]) => Kind::Stdio(stdio::Program::new(&config.command, &config.env)),
            _ => return Err(fault("say either `url` or `command`")),
        };
        Ok(Server { name: config.name.clone(), kind })
    }

    /// What policies know it by.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it can be talked to without a session.
    pub fn is_http(&self) -> bool {
        matches!(self.kind, Kind::Http(_))
    }

    /// A new line to it, for a caller. What the server says without being asked goes to `unasked`, from HTTP servers only when
    /// somebody listens.
    ///
    /// # Errors
    /// When its program does not start.
    pub fn link(&self, caller: &Arc<Caller>, unasked: mpsc::Sender<String>) -> Result<Link, UpstreamError> {
        match &self.kind {
            Kind::Http(endpoint) => Ok(Link::Http(endpoint.line(caller.clone()))),
            Kind::Stdio(program) => Ok(Link::Stdio(program.start(self.name.as_deref(), unasked)?)),
        }
    }
}

impl Link {
    /// Sends a permitted message. Of the agent's headers, those that say again what the message says go with it. The
    /// gateway authenticates for the caller; without one, for whom the line was last used.
    ///
    /// # Errors
    /// When no answer comes, or the gateway cannot authenticate.
    pub async fn send(
        &self,
        permit: Permit,
        agent: &[(String, String)],
        caller: Option<&Arc<Caller>>,
    ) -> Result<Received, UpstreamError> {
        match self {
            Link::Http(line) => line.send(permit, agent, caller).await,
            Link::Stdio(line) => line.send(permit).await,
        }
    }

    /// Whether it goes over HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self, Link::Http(_))
    }

    /// The messages of an answer that is a stream.
    pub fn messages(self: &Arc<Self>, body: Body, events: placet_pep::http::Events) -> Messages {
        Messages::new(self.clone(), body, events)
    }

    /// What an HTTP server says without being asked, when it offers that.
    pub async fn listen(&self) -> Option<Body> {
        match self {
            Link::Http(line) => line.listen(None).await,
            Link::Stdio(_) => None,
        }
    }

    /// The session that `initialize` began with the server, and the version that was agreed on.
    pub fn begun(&self, session: Option<String>, version: Option<String>) {
        if let Link::Http(line) = self {
            line.begun(session, version);
        }
    }

    /// Whether it can still be used.
    pub fn is_alive(&self) -> bool {
        match self {
            Link::Http(_) => true,
            Link::Stdio(line) => line.is_alive(),
        }
    }

    /// Ends the session with the server.
    pub async fn end(&self) {
        match self {
            Link::Http(line) => line.end().await,
            Link::Stdio(line) => line.end(),
        }
    }
}

/// The causes of an error, in one line.
pub fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
