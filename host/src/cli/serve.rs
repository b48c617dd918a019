//! `placet serve`: an MCP gateway that decides every tool call.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use placet_pep::Identity;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::check::report;
use super::decide::Where;
use super::policy::PolicyArgs;
use super::{Exit, Format, Output};
use crate::audit::DecisionLog;
use crate::gateway::{
    FrontConfig, Observe, Prepared, ServeConfig, ServeError, ServerConfig, Settings, ToolsConfig,
    WatchedPolicy, serve_stdio, watch,
};
use crate::runtime::{DecisionService, PolicyHandle};
use crate::store::MemoryStore;

/// Serve as an MCP gateway: decide every tool call before it reaches the server
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// A configuration file (YAML or JSON): several servers, and whatever has no flag
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The MCP server's address, such as `http://127.0.0.1:9000/mcp`; `NAME=URL`, repeated, for several
    #[arg(long, value_name = "[NAME=]URL")]
    upstream: Vec<String>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Serve one client on the standard streams. That is the default for a server that is a command, without `--listen`
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
    /// Whose calls these are: a JSON or YAML file with tenant, agent, and optionally user, chain, project, env
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The tenant, when there is no identity file
    #[arg(long, conflicts_with = "identity", default_value = "default")]
    tenant: String,
    /// The agent's id, when there is no identity file
    #[arg(long, conflicts_with = "identity", default_value = "agent")]
    agent: String,
    /// A role of that agent; may be repeated
    #[arg(long = "role", conflicts_with = "identity")]
    roles: Vec<String>,
    /// The decision log; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "decisions.jsonl")]
    log: PathBuf,
    /// Where decisions are made
    #[arg(long, value_enum, default_value_t = Where::Component)]
    target: Where,
    /// A web origin whose pages may send requests; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// A name that clients know this gateway by, besides `localhost`; `*` is any; may be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Also decide calls that are posted to `/v1/decide`, for enforcement points elsewhere that keep their state here.
    /// Whoever can post there acts for everybody: listen where only they can reach
    #[arg(long)]
    decisions: bool,
    /// The lock that says which tools were accepted, as `placet tools lock` writes it; without one, tools are pinned at
    /// first sight
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// The key of state handles, at least 32 random bytes: gateways that share it take each other's, also after a restart
    #[arg(long, value_name = "FILE")]
    session_key: Option<PathBuf>,
    /// Do not reload the policy when its files change
    #[arg(long)]
    no_reload: bool,
    /// The MCP server as a command that speaks on its standard streams, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What flags and configuration file say together.
struct Plan {
    settings: Settings,
    /// Where to listen; `None`: on the standard streams.
    listen: Option<SocketAddr>,
}

/// Serves until it is told to stop (SIGINT or SIGTERM).
pub fn run(args: &Args, out: &Output) -> Exit {
    start_logging(out);
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let (loaded, trust) = match args.policy.load(out) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    if !loaded.warnings.is_empty() {
        report(&loaded.warnings, &Output { format: Format::Text, ..*out });
    }
    let log = match DecisionLog::open(&args.log) {
        Ok(log) => Arc::new(log),
        Err(error) => return out.fail(Exit::Usage, format_args!("{error} (`{}`)", args.log.display())),
    };
    let target = match args.target.target() {
        Ok(target) => target,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let point = target.open(&loaded.bundle, &trust);
    if let Some(refusal) = point.refusal() {
        tracing::error!(refusal, "every call will be denied");
    }
    let service = DecisionService::new(PolicyHandle::new(point), Arc::new(MemoryStore::default()));
    let watched = WatchedPolicy { path: args.policy.path.clone(), trust, target };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    match runtime.block_on(serving(args, plan, service, log, watched)) {
        Ok(()) => Exit::Done,
        Err(
            error @ (ServeError::Upstream(_)
            | ServeError::Guard(_)
            | ServeError::Front(_)
            | ServeError::Lock(_)
            | ServeError::Telemetry(_)
            | ServeError::Handle(_)),
        ) => out.fail(Exit::Usage, error),
        Err(error) => out.fail(Exit::Internal, error),
    }
}

async fn serving(
    args: &Args,
    plan: Plan,
    service: DecisionService,
    log: Arc<DecisionLog>,
    watched: WatchedPolicy,
) -> Result<(), ServeError> {
    let Plan { settings, listen } = plan;
    let listener = match listen {
        Some(address) => Some(TcpListener::bind(address).await?),
        None => None,
    };
    let stop = stopped()?;
    let handle = service.policy().clone();
    let _watcher = match args.no_reload {
        true => None,
        false => match watch(watched, handle.clone()) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "the policy cannot be watched: changes take effect on restart or SIGHUP");
                None
            }
        },
    };
    let description = handle.get().describe();
    tracing::info!(
        policy = description.digest,
        rules = description.rules,
        upstreams = settings.upstreams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        log = %args.log.display(),
        "deciding"
    );
    let Some(listener) = listener else {
        return serve_stdio(settings, service, log, stop).await;
    };
    let address = listener.local_addr()?;
    let scheme = if settings.front.tls.is_some() { "https" } else { "http" };
    let prepared = Prepared::new(address, settings, service, log)?;
    // Whoever started the gateway learns where it is.
    println!("listening on {scheme}://{address}/mcp");
    prepared.serve(listener, stop).await
}

/// What flags and configuration file say together.
fn plan(args: &Args) -> Result<Plan, String> {
    let config = match &args.config {
        Some(path) => {
            let text = super::policy::read_text(path)?;
            ServeConfig::from_yaml(&text).map_err(|error| format!("`{}`: {error}", path.display()))?
        }
        None => ServeConfig::default(),
    };
    let mut upstreams = config.upstreams;
    upstreams.extend(args.upstream.iter().map(|text| named(text)));
    if !args.command.is_empty() {
        upstreams.push(ServerConfig { command: args.command.clone(), ..ServerConfig::default() });
    }
    if upstreams.is_empty() {
        let how = "`--upstream URL`, `-- COMMAND`, or `upstreams` in a `--config` file";
        return Err(format!("there is no server to stand in front of: name one with {how}"));
    }
    let identity = match (config.identity, &config.auth) {
        (Some(_), Some(_)) => return Err("`identity` is for local use without `auth`: choose one".to_owned()),
        (Some(identity), None) => identity,
        (None, _) => identity(args)?,
    };
    let hosts = [config.hosts, args.hosts.clone()].concat();
    let front = FrontConfig { auth: config.auth, tls: config.tls, limits: config.limits, hosts };
    let listen = args.listen.or(config.listen);
    // One line in a client's configuration guards a program: the client speaks to it on its standard streams.
    let stdio = args.stdio || (listen.is_none() && !args.command.is_empty());
    if stdio && args.log.as_os_str() == "-" {
        return Err(
            "the standard output is the client's: write the decision log to a file with `--log FILE`"
                .to_owned(),
        );
    }
    let settings = Settings {
        upstreams,
        identity,
        origins: [config.origins, args.origins.clone()].concat(),
        max_request: config.max_request.unwrap_or(2 << 20),
        max_response: config.max_response.unwrap_or(16 << 20),
        decisions: args.decisions,
        stdio,
        session_key: args.session_key.clone().or(config.session_key),
        front,
        observe: Observe {
            tools: ToolsConfig { lock: args.lock.clone().or(config.tools.lock) },
            metrics: config.metrics,
            telemetry: config.telemetry,
        },
    };
    if stdio && (settings.front.auth.is_some() || settings.front.tls.is_some()) {
        let why = "`auth` and `tls` are for callers over HTTP: say `listen`, or leave them out";
        return Err(format!("whoever starts the gateway on standard streams is its one caller; {why}"));
    }
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    Ok(Plan { settings, listen: (!stdio).then(|| listen.unwrap_or(default)) })
}

/// `NAME=URL`, or a URL.
fn named(text: &str) -> ServerConfig {
    match text.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => {
            ServerConfig { name: Some(name.to_owned()), ..ServerConfig::at(url) }
        }
        _ => ServerConfig::at(text),
    }
}

/// Of the identity file, or of the flags.
fn identity(args: &Args) -> Result<Identity, String> {
    if let Some(path) = &args.identity {
        return read_identity(path);
    }
    let Args { tenant, agent, roles, .. } = args;
    tracing::info!(tenant, agent, roles = roles.join(","), "no identity file: every call is of this agent");
    let identity = serde_json::json!({ "tenant": tenant, "agent": { "id": agent, "roles": roles } });
    serde_json::from_value(identity).map_err(|error| error.to_string())
}

fn read_identity(path: &Path) -> Result<Identity, String> {
    let text = super::policy::read_text(path)?;
    let identity: Identity =
        crate::compile::yaml_as(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(identity)
}

/// Structured logs on standard error: for people, or with `--format json` for programs. `PLACET_LOG` filters them.
fn start_logging(out: &Output) {
    let filter = EnvFilter::try_from_env("PLACET_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match out.format {
        Format::Json => logs.json().flatten_event(true).try_init(),
        Format::Text => logs.with_ansi(out.color_errors).try_init(),
    };
    // Logging that was started before stays.
    drop(started);
}

/// Ready when the process is asked to stop. From the call on, not from when it is first waited for: whoever has read where
/// the gateway listens may stop it.
fn stopped() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let [mut terminate, mut interrupt] =
            [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
