//! Where things are, and how other programs are started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What builds the programs that people run.
pub const BUILD_PROGRAMS: &[&str] = &["build", "--release", "-p", "placet", "-p", "quickstart-server"];

/// The workspace that this program was built from.
pub struct Workspace {
    /// The directory of the top-level `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo builds; absolute.
    pub target: PathBuf,
}

impl Workspace {
    /// The workspace around this program's own sources; its target directory is `CARGO_TARGET_DIR` or `target`.
    pub fn here() -> Workspace {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => std::env::current_dir().unwrap_or_else(|_| root.clone()).join(dir),
            None => root.join("target"),
        };
        Workspace { root, target }
    }

    /// A directory below the target directory, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let dir = self.target.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        Ok(dir)
    }

    /// A program that `cargo build --release` made.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// A path as it is shown to people: from the root where it lies below it.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// A command that runs in the root and builds where this program was told to.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        // What cargo says about this program: build scripts that look at it would run again for nothing.
        for (name, _) in std::env::vars_os() {
            let of_this_program = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
            if name.to_str().is_some_and(|name| of_this_program.iter().any(|prefix| name.starts_with(prefix)))
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// Cargo, in the root.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut command = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args);
        command
    }

    /// Builds `placet` and the quickstart's server in release, with cargo's messages on the terminal.
    ///
    /// Always both: cargo chooses features for all that it builds at once, and with another choice of packages
    /// Wasmtime, which takes minutes, would be built again. The groups of `cargo xtask test` select alike.
    ///
    /// # Errors
    /// When they do not build.
    pub fn build_programs(&self) -> Result<()> {
        let status = self.cargo(BUILD_PROGRAMS).status().context("cannot run cargo")?;
        ensure!(status.success(), "`placet` does not build: cargo's messages stand above");
        Ok(())
    }
}

/// Whether a program of this name is in one of the directories of `PATH`.
pub fn installed(program: &str) -> bool {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(&name).is_file())
}

/// A command as it would be typed.
pub fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
