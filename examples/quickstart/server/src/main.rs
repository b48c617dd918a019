//! A small MCP server for the quickstart: payments, CRM and mail over in-memory data, on a loopback port.
//!
//! It trusts whoever calls it: that is what the gateway in front of it is for.

mod data;
mod flags;
mod record;
mod tools;

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use flags::Flags;
use record::Record;
use tools::Shop;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Flags::parse(std::env::args().skip(1))? {
        None => {
            println!("{}", flags::USAGE);
            Ok(())
        }
        Some(flags) => serve(flags).await,
    }
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let shop = Shop::new(Record::open(flags.record.as_deref())?);
    // Without sessions every answer is one JSON document; with them, an event stream under an `Mcp-Session-Id`.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(flags.sessions)
        .with_json_response(!flags.sessions)
        .enforce_origin_validation();
    let open_streams = config.cancellation_token.clone();
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(shop.clone()), sessions, config);
    let app = axum::Router::new().route_service("/mcp", service);

    // Before the line that says we are ready: whoever reads it may send a signal at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = TcpListener::bind(flags.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`", flags.listen))?;
    announce(listener.local_addr()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            either(&mut interrupt, &mut terminate).await;
            open_streams.cancel();
        })
        .await
        .context("the server stopped")
}

/// Tells the parent process where we are: one line, written out at once.
fn announce(at: std::net::SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{at}/mcp")?;
    out.flush()
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
