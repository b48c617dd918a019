//! The end-to-end tests: scripts with the official Python MCP client, in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Outcome, capture, single};
use crate::test::libtest::Counts;
use crate::workspace::{BUILD_PROGRAMS, Workspace};

/// The client, as PyPI calls it.
const CLIENT: &str = "mcp";

/// Builds what the script starts, and runs the script.
///
/// The script finds programs below `CARGO_TARGET_DIR`. Without Python or the client nothing can be tested: on CI that
/// is a failure, elsewhere a skip.
///
/// # Errors
/// When a program that is there cannot be started.
pub fn run(workspace: &Workspace, script: &str) -> Result<Outcome> {
    let python = match client(workspace)? {
        Ok(python) => python,
        Err(why) if std::env::var_os("CI").is_none() => return Ok(Outcome::Skipped(why)),
        Err(why) => return Ok(failed(why)),
    };
    let (built, output) = capture(workspace.cargo(BUILD_PROGRAMS))?;
    if !built {
        return Ok(failed(output));
    }
    let mut command = workspace.command(python);
    command.arg(script);
    single(command)
}

fn failed(why: String) -> Outcome {
    Outcome::Ran(Counts { passed: 0, failed: 1 }, why)
}

/// A Python with the client, or why there is none.
fn client(workspace: &Workspace) -> Result<Result<PathBuf, String>> {
    let venv = workspace.target.join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.is_file() {
        let mut make = Command::new(if cfg!(windows) { "python" } else { "python3" });
        make.args(["-m", "venv"]).arg(&venv);
        if let Err(why) = quietly(make, "cannot make a Python environment") {
            return Ok(Err(why));
        }
    }
    let has_client = |python: &Path| {
        let mut import = Command::new(python);
        import.args(["-c", "import mcp.client.streamable_http"]);
        capture(import).is_ok_and(|(success, _)| success)
    };
    if !has_client(&python) {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", CLIENT]);
        if let Err(why) = quietly(install, "cannot install the MCP client from PyPI") {
            return Ok(Err(why));
        }
    }
    Ok(Ok(python))
}

fn quietly(command: Command, what: &str) -> Result<(), String> {
    match capture(command) {
        Ok((true, _)) => Ok(()),
        Ok((false, output)) => Err(format!("{what}: {}", output.trim())),
        Err(error) => Err(format!("{what}: {error:#}")),
    }
}
