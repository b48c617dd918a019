//! Runs a command under callgrind and reads how many instructions it executed.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Instructions, from the summary on standard error: `==PID== Collected : N`.
///
/// # Errors
/// When the command fails, or says nothing of the kind.
pub fn total(mut command: Command) -> Result<u64> {
    let output = command.stdout(Stdio::null()).output().context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed:\n{said}");
    match said.lines().find_map(collected) {
        Some(total) => Ok(total),
        None => bail!("valgrind does not say how many instructions it collected:\n{said}"),
    }
}

fn collected(line: &str) -> Option<u64> {
    let (_, total) = line.split_once("Collected :")?;
    total.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn summary() {
        assert_eq!(collected("==12== Collected : 4815162342"), Some(4_815_162_342));
        assert_eq!(collected("==12== Events    : Ir"), None);
        assert_eq!(collected("==12== Collected : many"), None);
    }
}
