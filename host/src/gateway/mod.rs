//! Enforcement over the wire: MCP (protocol versions 2026-07-28, 2025-11-25 and 2025-06-18) over streamable HTTP and on
//! standard streams, on either side, with one server behind it or several.
//!
//! `http` and `stdio` read what clients send and write what they are answered; `exchange` takes one message through its
//! decision to its server; `relay` takes what servers say back through `enforce`, which decides and records; `outbox` keeps
//! messages for clients that come back; `front` and `listener` stand before all of HTTP (TLS, hosts, limits, and by `auth`
//! who calls); `upstream` sends permits; `session` knows which sessions there are; `reload` swaps the policy when its files
//! change; `pins` and `catalogue` keep tools as they were accepted; `metrics` and `telemetry` tell what happens. What
//! messages mean is `placet-pep`'s.

pub mod auth;
mod catalogue;
mod config;
mod enforce;
mod exchange;
mod front;
mod handle;
mod health;
mod http;
mod listener;
mod metrics;
mod observe;
mod outbox;
mod pins;
mod relay;
mod reload;
mod session;
mod stdio;
mod telemetry;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use placet_pep::http::{Config, ConfigError, Guard, IdentitySource, McpEndpoint, Refusals, SessionSource};
use placet_pep::{Identity, SESSION_VERSIONS, VERSIONS};

use crate::audit::DecisionLog;
use crate::runtime::{DecisionService, Target, Trust};

use front::Front;
use health::Draining;
use upstream::Server;

pub use config::ServeConfig;
pub use front::{ClientCertificates, FrontConfig, LimitsConfig, TlsConfig};
pub use metrics::MetricsConfig;
pub use observe::Observe;
pub use pins::{LockError, ToolsConfig};
pub use reload::watch;
pub use telemetry::{TelemetryConfig, TelemetryError};
pub use upstream::{ServerConfig, UpstreamError};

/// Where MCP is.
const ENDPOINT: &str = "/mcp";
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The servers. Where there are several, each has a name.
    pub upstreams: Vec<ServerConfig>,
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
    /// Whether the client is on the standard streams: it is one client then.
    pub stdio: bool,
    /// The key of state handles; without one, they end with the process.
    pub session_key: Option<PathBuf>,
    /// How callers reach the gateway, and how it knows them.
    pub front: FrontConfig,
    /// Pins, metrics and traces.
    pub observe: Observe,
}

impl Settings {
    /// What is guarded, and how.
    fn guard(&self) -> Result<Guard, ConfigError> {
        Guard::new(Config {
            mcp: vec![McpEndpoint { path: ENDPOINT.to_owned(), server: None }],
            http: Vec::new(),
            decide: self.decisions.then(|| front::DECIDE.to_owned()),
            identity: IdentitySource::by_adapter(),
            session: vec![SessionSource::Mcp, SessionSource::Trace, SessionSource::Principal],
            request_limit: self.max_request,
            response_limit: self.max_response,
            refusals: Refusals::Result,
            versions: self.versions(),
            origins: self.origins.clone(),
        })
        .map(Guard::with_streams)
    }

    /// Without sessions, nobody could say which of a program's processes a message is for.
    fn versions(&self) -> Vec<String> {
        match self.stdio || self.upstreams.iter().all(|server| server.url.is_some()) {
            true => VERSIONS.map(str::to_owned).to_vec(),
            false => SESSION_VERSIONS.map(str::to_owned).to_vec(),
        }
    }

    fn servers(&self) -> Result<Vec<Server>, UpstreamError> {
        let fault = |name: &str, why| Err(UpstreamError::Config(format!("`{name}`"), why));
        let mut names: Vec<&str> = Vec::new();
        for server in &self.upstreams {
            match server.name.as_deref() {
                None if self.upstreams.len() > 1 => {
                    return fault(
                        server.url.as_deref().unwrap_or_default(),
                        "of several, each needs a `name`",
                    );
                }
                Some(name) if names.contains(&name) => return fault(name, "there are two of this name"),
                name => names.extend(name),
            }
        }
        if self.upstreams.is_empty() {
            return fault("", "there is none: name a server to stand in front of");
        }
        self.upstreams.iter().map(Server::new).collect()
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
    servers: Vec<Server>,
    sessions: session::Sessions,
    draining: Draining,
    observed: observe::Observed,
    handles: handle::Handles,
}

impl Gateway {
    fn new(
        settings: &Settings,
        service: DecisionService,
        log: Arc<DecisionLog>,
    ) -> Result<Arc<Gateway>, ServeError> {
        let (servers, guard) = (settings.servers()?, settings.guard()?);
        let (sessions, draining) = (session::Sessions::default(), Draining::default());
        let observed = observe::Observed::new(&settings.observe, servers.len())?;
        let handles = handle::Handles::new(settings.session_key.as_deref())?;
        Ok(Arc::new(Gateway { guard, service, log, servers, sessions, draining, observed, handles }))
    }

    /// Whose sessions are whose: tenant, agent and user.
    fn owner(&self, identity: &Identity) -> String {
        identity.session_id(&identity.tenant)
    }

    /// The names that clients see before those of tools; none when there is one server only.
    fn visible_names(&self) -> Vec<&str> {
        match self.servers.as_slice() {
            [_] => Vec::new(),
            servers => servers.iter().filter_map(Server::name).collect(),
        }
    }

    /// The name that clients see of a server.
    fn visible_name(&self, server: usize) -> Option<&str> {
        self.visible_names().get(server).copied()
    }
}

/// Joins the records of one exchange.
fn exchange_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness the records can still be told apart by their time.
    let _ = getrandom::fill(&mut bytes);
    placet_bundle::hex(&bytes)
}

/// Serves one client on the standard streams, until it closes its end or `stop` is ready.
///
/// # Errors
/// When the configuration makes no sense, or the streams fail.
pub async fn serve_stdio(
    settings: Settings,
    service: DecisionService,
    log: Arc<DecisionLog>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let gateway = Gateway::new(&settings, service, log.clone())?;
    let _metrics = observe::serve_metrics(&gateway).await?;
    stdio::serve(gateway.clone(), settings.identity, stop).await?;
    gateway.observed.telemetry.stop().await;
    log.sync()?;
    Ok(())
}

/// Ends sessions that nobody uses any more.
async fn sweep(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        for session in gateway.sessions.sweep() {
            session.end().await;
        }
    }
}

/// Serves until `stop` is ready, then lets requests under way finish, as long as the limits say.
///
/// # Errors
/// When the listener fails, or the configuration makes no sense.
pub async fn serve(
    listener: tokio::net::TcpListener,
    settings: Settings,
    service: DecisionService,
    log: Arc<DecisionLog>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    Prepared::new(listener.local_addr()?, settings, service, log)?.serve(listener, stop).await
}

/// A gateway whose configuration makes sense, and that could serve now.
pub struct Prepared {
    gateway: Arc<Gateway>,
    front: Arc<Front>,
}

impl Prepared {
    /// A gateway that will listen at an address; to be called where Tokio runs.
    ///
    /// # Errors
    /// When the configuration makes no sense, or would let everybody in.
    pub fn new(
        address: SocketAddr,
        settings: Settings,
        service: DecisionService,
        log: Arc<DecisionLog>,
    ) -> Result<Prepared, ServeError> {
        let gateway = Gateway::new(&settings, service, log)?;
        let front = Front::new(settings.front, settings.identity, address, gateway.draining.clone());
        let front = front.map_err(ServeError::Front)?.counting(gateway.observed.metrics.refusals());
        Ok(Prepared { gateway, front: Arc::new(front) })
    }

    /// Serves until `stop` is ready, then lets requests under way finish, as long as the limits say.
    ///
    /// # Errors
    /// When the listener or the decision log fails.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Prepared { gateway, front } = self;
        let _metrics = observe::serve_metrics(&gateway).await?;
        let router = front.before(http::router(gateway.clone()));
        let sweeper = tokio::spawn(sweep(gateway.clone()));
        let ended = async {
            // Streams that clients hold open would never end.
            for session in gateway.sessions.drain() {
                session.end().await;
            }
        };
        let served = listener::serve(listener, router, front, stop, ended).await;
        sweeper.abort();
        gateway.observed.telemetry.stop().await;
        served?;
        gateway.log.sync()?;
        Ok(())
    }
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
    /// There is no key for state handles.
    #[error(transparent)]
    Handle(#[from] handle::HandleError),
    /// What is to be guarded makes no sense.
    #[error(transparent)]
    Guard(#[from] ConfigError),
    /// How callers reach the gateway makes no sense, or would let everybody in.
    #[error("{0}")]
    Front(String),
    /// The lock of tools cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The decision log failed.
    #[error(transparent)]
    Log(#[from] crate::audit::LogError),
}
