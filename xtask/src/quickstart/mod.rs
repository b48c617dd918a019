//! `cargo xtask quickstart`: a real MCP server behind Placet, real calls, and what was decided about each.

mod calls;
mod check;
mod mcp;
mod process;
mod table;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use self::calls::CALLS;
use self::mcp::{Answer, Client};
use self::process::Server;
use crate::workspace::Workspace;

/// Start a real MCP server behind the gateway and send it real calls
#[derive(clap::Args)]
pub struct Args {
    /// Check what was decided and what reached the server, then stop
    #[arg(long)]
    check: bool,
}

const POLICIES: &str = "policies/quickstart";
const IDENTITY: &str = "examples/quickstart/identity.json";

/// Where the gateway listens, if it can.
const PORTS: std::ops::Range<u16> = 8080..8100;

/// What is running, and where it writes. The gateway is stopped before the server.
struct Running {
    gateway: Server,
    server: Server,
    /// What reached the server.
    record: PathBuf,
    /// What the gateway decided.
    decisions: PathBuf,
}

/// Shows the calls; then checks and stops, or goes on until it is told to stop.
///
/// # Errors
/// When something does not build, start, or answer.
pub fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let stop = stop_signal()?;
    workspace.build_programs()?;
    let mut running = start(workspace)?;
    println!("MCP server  {}", running.server.url);
    println!("gateway     {}  (policies: {POLICIES})\n", running.gateway.url);
    let mut client = Client::open(&running.gateway.url)?;
    let tools = client.tools()?;
    let answers =
        CALLS.iter().map(|call| client.call(call.tool, call.args)).collect::<Result<Vec<Answer>>>()?;
    table::print(&tools, &answers);
    if args.check {
        running.gateway.stop();
        return check::everything(&tools, &answers, &running.record, &running.decisions);
    }
    next_steps(workspace, &running);
    running.gateway.show_log();
    wait(&stop, &mut running.gateway)?;
    Ok(true)
}

/// Receives something when this program is asked to stop.
fn stop_signal() -> Result<Receiver<()>> {
    let (sender, receiver) = channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more when it is stopping already.
        let _ = sender.send(());
    })
    .context("cannot catch Ctrl-C")?;
    Ok(receiver)
}

fn start(workspace: &Workspace) -> Result<Running> {
    let dir = workspace.scratch("quickstart")?;
    let (record, decisions) = (dir.join("record.jsonl"), dir.join("decisions.jsonl"));
    for of_before in [&record, &decisions] {
        if of_before.exists() {
            std::fs::remove_file(of_before)
                .with_context(|| format!("cannot remove `{}`", of_before.display()))?;
        }
    }
    let mut server = workspace.command(workspace.binary("quickstart-server"));
    server.args(["--listen", "127.0.0.1:0", "--record"]).arg(&record);
    let server = Server::start("the MCP server", server, &dir.join("server.log"))?;

    let mut gateway = workspace.command(workspace.binary("placet"));
    gateway.args(["serve", "--policy", POLICIES, "--upstream", &server.url, "--identity", IDENTITY]);
    gateway.arg("--listen").arg(format!("127.0.0.1:{}", free_port())).arg("--log").arg(&decisions);
    let gateway = Server::start("the gateway", gateway, &dir.join("gateway.log"))?;
    Ok(Running { gateway, server, record, decisions })
}

/// The first of the ports that is not taken; 0, which takes any, when all are.
fn free_port() -> u16 {
    PORTS.clone().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap_or(0)
}

fn next_steps(workspace: &Workspace, running: &Running) {
    let shown = |path: &Path| workspace.show(path).to_string();
    println!("\ndecision log        {}", shown(&running.decisions));
    println!("what the server saw {}", shown(&running.record));
    println!("\nThe gateway goes on. Try in another terminal:\n");
    println!("  curl -s {} -H 'content-type: application/json' \\", running.gateway.url);
    println!("    -H 'accept: application/json, text/event-stream' -d '{}'\n", calls::to_try());
    println!("Then edit {POLICIES}/finance.yaml and send it again: the new policy decides.");
    println!("Ctrl-C stops.\n");
}

/// Until this program is asked to stop.
fn wait(stop: &Receiver<()>, gateway: &mut Server) -> Result<()> {
    loop {
        match stop.recv_timeout(Duration::from_millis(200)) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = gateway.ended() {
            // Ctrl-C reaches the whole process group: the gateway may have seen it first.
            if stop.recv_timeout(Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            bail!("the gateway ended by itself ({status})");
        }
    }
}
