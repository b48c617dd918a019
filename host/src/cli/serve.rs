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
use crate::gateway::{ServeError, Settings, WatchedPolicy, is_local, serve, watch};
use crate::runtime::{DecisionService, PolicyHandle};
use crate::store::MemoryStore;

/// Serve as an MCP gateway: decide every tool call before it reaches the server
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// The MCP server's address, such as `http://127.0.0.1:9000/mcp`
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
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
    /// Also decide calls that are posted to `/v1/decide`, for enforcement points elsewhere that keep their state here.
    /// Whoever can post there acts for everybody: listen where only they can reach
    #[arg(long)]
    decisions: bool,
    /// Also speak MCP 2026-07-28, which has no sessions: rules that ask for memory then need the client's trace
    #[arg(long)]
    stateless: bool,
    /// Do not reload the policy when its files change
    #[arg(long)]
    no_reload: bool,
}

/// Serves until it is told to stop (SIGINT or SIGTERM).
pub fn run(args: &Args, out: &Output) -> Exit {
    start_logging(out);
    let identity = match identity(args) {
        Ok(identity) => identity,
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
    match runtime.block_on(serving(args, identity, service, log, watched)) {
        Ok(()) => Exit::Done,
        Err(error @ ServeError::Upstream(_)) => out.fail(Exit::Usage, error),
        Err(error) => out.fail(Exit::Internal, error),
    }
}

async fn serving(
    args: &Args,
    identity: Identity,
    service: DecisionService,
    log: Arc<DecisionLog>,
    watched: WatchedPolicy,
) -> Result<(), ServeError> {
    let listener = TcpListener::bind(args.listen).await?;
    let address = listener.local_addr()?;
    if !is_local(&address) {
        tracing::warn!(%address, "listening beyond this machine without authentication: everybody is the agent");
    }
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
        upstream = args.upstream,
        log = %args.log.display(),
        "deciding"
    );
    let settings = Settings {
        upstream: args.upstream.clone(),
        identity,
        origins: args.origins.clone(),
        max_request: 2 << 20,
        max_response: 16 << 20,
        decisions: args.decisions,
        stateless: args.stateless,
    };
    // Whoever started the gateway learns where it is.
    println!("listening on http://{address}/mcp");
    serve(listener, settings, service, log, stopped()).await
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

/// Ready when the process is asked to stop.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
