//! The server behind the gateway.

use std::time::Duration;

use placet_pep::Permit;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};

pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The one place that sends anything to the server, and it sends permits.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client,
    url: Url,
}

/// The server cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address is not an HTTP address.
    #[error("`{0}` is not the address of an MCP server: write `http://HOST:PORT/PATH` or `https://…`")]
    Address(String),
    /// No client can be made.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl Upstream {
    /// # Errors
    /// When the address is not an HTTP address.
    pub fn new(address: &str) -> Result<Upstream, UpstreamError> {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(Url::has_host).ok_or_else(|| UpstreamError::Address(address.to_owned()))?;
        // A second install only says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(300))
            .user_agent(concat!("placet/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Upstream { client, url })
    }

    /// Sends a permitted message in the server's session. Of the agent's headers, those that say again what the
    /// message says go with it; they have been compared with it.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(
        &self,
        permit: Permit,
        session: Option<&str>,
        agent: &HeaderMap,
    ) -> Result<Response, reqwest::Error> {
        let request = self.request(Method::POST, session, agent);
        let request = request.header(ACCEPT, "application/json, text/event-stream");
        request.header(CONTENT_TYPE, "application/json").body(permit.into_body()).send().await
    }

    /// Ends the server's session.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn end(&self, session: &str) -> Result<Response, reqwest::Error> {
        self.request(Method::DELETE, Some(session), &HeaderMap::new()).send().await
    }

    fn request(&self, method: Method, session: Option<&str>, agent: &HeaderMap) -> RequestBuilder {
        let said = |name: &HeaderName| {
            *name == VERSION
                || matches!(name.as_str(), "mcp-method" | "mcp-name" | "traceparent")
                || name.as_str().starts_with("mcp-param-")
        };
        let mut headers: HeaderMap =
            agent.iter().filter(|(name, _)| said(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
        if let Some(Ok(session)) = session.map(HeaderValue::from_str) {
            headers.insert(SESSION, session);
        }
        self.client.request(method, self.url.clone()).headers(headers)
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
