//! `placet build`, `placet inspect` and what they make of policies: binaries with the policy inside, and OCI layouts.

mod binaries;
mod command;
mod layouts;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The quickstart's policies.
fn policies() -> PathBuf {
    root().join("policies/quickstart")
}

/// An empty directory for one test.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build").join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Runs `placet` in a directory.
fn placet(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_placet")).current_dir(dir).args(args).output().unwrap()
}

/// Runs `placet` and gives what it printed as JSON; it must succeed.
fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    let output = placet(dir, &[args, &["--format", "json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap()
}

/// Runs `placet`, which must fail with this exit code and say this.
fn refused(dir: &Path, args: &[&str], code: i32, says: &str) {
    let output = placet(dir, args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    assert!(text.contains(says), "{args:?} says {text}");
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}
