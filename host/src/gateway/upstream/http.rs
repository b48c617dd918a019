//! A server over streamable HTTP.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use placet_pep::Permit;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};

use super::{Body, Received, SESSION, UpstreamError};
use crate::gateway::auth::{Caller, Credentials};

const VERSION: &str = "mcp-protocol-version";
/// No server of ours says nothing for so long while it works.
const SILENCE: Duration = Duration::from_secs(300);

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: Client,
    url: Url,
    credentials: Arc<Credentials>,
}

/// A session's line to the server.
#[derive(Debug)]
pub struct Line {
    endpoint: Endpoint,
    session: OnceLock<String>,
    version: OnceLock<String>,
    /// For whom it was last used.
    caller: Mutex<Arc<Caller>>,
}

impl Endpoint {
    /// # Errors
    /// When the address is not an HTTP address.
    pub fn new(address: &str, credentials: Credentials) -> Result<Endpoint, UpstreamError> {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(Url::has_host).ok_or_else(|| UpstreamError::Address(address.to_owned()))?;
        // A second install only says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE)
            .user_agent(concat!("placet/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Endpoint { client, url, credentials: Arc::new(credentials) })
    }

    /// A line on which no session has begun yet.
    pub fn line(&self, caller: Arc<Caller>) -> Line {
        let (session, version) = (OnceLock::new(), OnceLock::new());
        Line { endpoint: self.clone(), session, version, caller: Mutex::new(caller) }
    }
}

impl Line {
    pub async fn send(
        &self,
        permit: Permit,
        agent: &[(String, String)],
        caller: Option<&Arc<Caller>>,
    ) -> Result<Received, UpstreamError> {
        if let Some(caller) = caller {
            *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = caller.clone();
        }
        let request = self.request(Method::POST, agent).await?;
        let request = request.header(ACCEPT, "application/json, text/event-stream");
        let request = request.header(CONTENT_TYPE, "application/json").body(permit.into_body());
        Ok(received(request.send().await?))
    }

    /// What the server says of itself, or what has not come yet of a stream, after the event of this id.
    pub async fn listen(&self, after: Option<&str>) -> Option<Body> {
        let response = match self.open(after).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(%error, "the server's stream cannot be opened");
                return None;
            }
        };
        let media = response.headers().get(CONTENT_TYPE).and_then(|of| of.to_str().ok()).unwrap_or_default();
        let events = response.status().is_success() && media.starts_with("text/event-stream");
        events.then(|| Body::Http(Box::new(response)))
    }

    async fn open(&self, after: Option<&str>) -> Result<Response, UpstreamError> {
        let mut request = self.request(Method::GET, &[]).await?.header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Ok(request.send().await?)
    }

    pub fn begun(&self, session: Option<String>, version: Option<String>) {
        if let Some(session) = session {
            let _ = self.session.set(session);
        }
        if let Some(version) = version {
            let _ = self.version.set(version);
        }
    }

    pub async fn end(&self) {
        if self.session.get().is_none() {
            return;
        }
        let ended = async {
            let request = self.request(Method::DELETE, &[]).await?.timeout(Duration::from_secs(10));
            Ok::<_, UpstreamError>(request.send().await?)
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the server's session could not be ended");
        }
    }

    async fn request(
        &self,
        method: Method,
        agent: &[(String, String)],
    ) -> Result<RequestBuilder, UpstreamError> {
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = self.endpoint.credentials.headers(&caller.identity, caller.token()).await?;
        let said = |name: &str| {
            matches!(name, VERSION | "mcp-method" | "mcp-name" | "traceparent" | "tracestate")
                || name.starts_with("mcp-param-")
        };
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        };
        agent.iter().filter(|(name, _)| said(name)).for_each(|(name, value)| set(name, value));
        if let Some(version) = self.version.get() {
            set(VERSION, version);
        }
        if let Some(session) = self.session.get() {
            set(SESSION, session);
        }
        headers.extend(own);
        Ok(self.endpoint.client.request(method, self.endpoint.url.clone()).headers(headers))
    }
}

fn received(response: Response) -> Received {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let (status, headers) = (response.status().as_u16(), headers.collect());
    Received { status, headers, body: Body::Http(Box::new(response)) }
}
