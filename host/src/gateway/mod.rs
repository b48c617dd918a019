//! Enforcement over the wire: MCP over streamable HTTP (protocol versions 2026-07-28, 2025-11-25 and 2025-06-18), one server behind it.
//!
//! `http` reads requests and writes answers, `enforce` decides and records, `upstream` sends permits, `sessions` knows
//! which sessions there are, `reload` swaps the policy when its files change. What messages mean is `placet-pep`'s.

pub mod auth;
mod enforce;
mod http;
mod reload;
mod sessions;
mod stream;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use placet_pep::http::{Config, ConfigError, Guard, McpEndpoint, Refusals, SessionSource};
use placet_pep::{Identity, SESSION_VERSIONS, VERSIONS};

use crate::audit::DecisionLog;
use crate::runtime::{DecisionService, Target, Trust};

pub use reload::watch;
pub use upstream::UpstreamError;

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's MCP endpoint.
    pub upstream: String,
    /// Whose calls these are.
    pub identity: Identity,
    /// Origins of web pages that may send requests, such as `https://app.example.com`; those on this machine always may.
    pub origins: Vec<String>,
    /// Largest message of a client, in bytes.
    pub max_request: usize,
    /// Largest message of the server, in bytes.
    pub max_response: usize,
    /// Whether calls posted to `/v1/decide` are decided: for enforcement points elsewhere that keep their state here.
    pub decisions: bool,
    /// Whether MCP 2026-07-28 is spoken, which has no sessions: then rules that ask for memory need the client's trace.
    pub stateless: bool,
}

impl Settings {
    /// What is guarded, and how.
    fn guard(&self) -> Result<Guard, ConfigError> {
        Guard::new(Config {
            mcp: vec![McpEndpoint { path: "/mcp".to_owned(), server: None }],
            http: Vec::new(),
            decide: self.decisions.then(|| "/v1/decide".to_owned()),
            identity: self.identity.clone().into(),
            session: vec![SessionSource::Mcp, SessionSource::Trace],
            request_limit: self.max_request,
            response_limit: self.max_response,
            refusals: Refusals::Result,
            versions: match self.stateless {
                true => VERSIONS.map(str::to_owned).to_vec(),
                false => SESSION_VERSIONS.map(str::to_owned).to_vec(),
            },
            origins: self.origins.clone(),
        })
    }
}

/// A policy on disk, to be watched.
#[derive(Clone)]
pub struct WatchedPolicy {
    /// A folder, a policy file or a bundle.
    pub path: PathBuf,
    /// Whose signatures count.
    pub trust: Trust,
    /// Where decisions are made.
    pub target: Target,
}

/// Everything a request needs.
pub(crate) struct Gateway {
    guard: Guard,
    service: DecisionService,
    log: Arc<DecisionLog>,
    upstream: upstream::Upstream,
    sessions: sessions::Sessions,
}

/// Serves until `stop` is ready, then lets requests under way finish, up to ten seconds.
///
/// # Errors
/// When the listener fails, or the upstream's address is not one.
pub async fn serve(
    listener: tokio::net::TcpListener,
    settings: Settings,
    service: DecisionService,
    log: Arc<DecisionLog>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let upstream = upstream::Upstream::new(&settings.upstream)?;
    let guard = settings.guard()?;
    let sessions = sessions::Sessions::default();
    let gateway = Arc::new(Gateway { guard, service, log: log.clone(), upstream, sessions });
    let router = http::router(gateway);
    let (told, hears) = tokio::sync::oneshot::channel();
    let stop = async move {
        stop.await;
        tracing::info!("stopping: requests under way may finish");
        let _ = told.send(());
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop);
    tokio::select! {
        result = async { serving.await } => result?,
        () = async { let _ = hears.await; tokio::time::sleep(Duration::from_secs(10)).await } => {
            tracing::warn!("requests under way did not finish within ten seconds and are cut off");
        }
    }
    log.sync()?;
    Ok(())
}

/// Why a gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("cannot serve: {0}")]
    Listen(#[from] std::io::Error),
    /// The upstream cannot be talked to at all.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// What is to be guarded makes no sense.
    #[error(transparent)]
    Guard(#[from] ConfigError),
    /// The decision log failed.
    #[error(transparent)]
    Log(#[from] crate::audit::LogError),
}

/// Whether an address is on this machine only.
pub fn is_local(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}
