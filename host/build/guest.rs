//! How the policy component is built: shared by `host/build.rs` and `cargo xtask wasm`, so that both make the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

/// What the component is made of, from the workspace's root.
pub const SOURCES: &[&str] = &[
    "Cargo.toml",
    "wit/placet-policy.wit",
    "components/placet-model",
    "components/placet-cel",
    "components/placet-engine",
    "components/placet-bundle",
    "components/placet-pdp",
    "components/placet-embed",
    "components/placet-component",
];

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the guest and makes a component of it.
///
/// # Errors
/// What went wrong and what to do about it, in words.
pub fn build(root: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    let module = compile(root, target_dir)?;
    let bytes = std::fs::read(&module).map_err(|e| format!("cannot read `{}`: {e}", module.display()))?;
    encode(&bytes).map_err(|e| format!("cannot make a component of `{}`: {e:#}", module.display()))
}

/// A component from a core module that carries its world.
fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().module(module)?.validate(true).encode()
}

fn compile(root: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    let std = standard_library()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--package", "placet-component", "--profile", "guest"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(target_dir);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_outer_build) {
            cargo.env_remove(name);
        }
    }
    if std == Std::FromSource {
        cargo.args(["-Z", "build-std=std,panic_abort"]).env("RUSTC_BOOTSTRAP", "1");
    }
    let status = cargo.status().map_err(|e| format!("cannot run cargo for the policy component: {e}"))?;
    if !status.success() {
        return Err("the policy component does not build: its own messages stand above".to_owned());
    }
    Ok(target_dir.join(TARGET).join("guest").join("placet_component.wasm"))
}

/// What cargo and its user say about the outer build, and what must not reach the guest's.
fn is_of_outer_build(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "TARGET",
        "HOST",
        "OUT_DIR",
        "OPT_LEVEL",
        "PROFILE",
        "DEBUG",
        "NUM_JOBS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_PRIMARY_PACKAGE",
    ];
    const PREFIXES: &[&str] = &[
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_PROFILE_",
        "CARGO_BUILD_",
        "DEP_",
    ];
    EXACT.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Where the guest's standard library comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Std {
    Installed,
    /// A toolchain without the target and without rustup, but with its own sources.
    FromSource,
}

fn standard_library() -> Result<Std, String> {
    let lib = sysroot()?.join("lib/rustlib");
    let installed = || lib.join(TARGET).join("lib").is_dir();
    if installed() {
        return Ok(Std::Installed);
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && installed() {
        return Ok(Std::Installed);
    }
    if lib.join("src/rust/library/std").is_dir() {
        return Ok(Std::FromSource);
    }
    Err(format!(
        "the Rust target `{TARGET}` is not installed, and the policy component needs it\n\
         install it with `rustup target add {TARGET}`, or with your system's packages (Debian: `rust-src` or \
         `libstd-rust-dev-wasm32`), or set PLACET_COMPONENT_WASM to a component that `cargo xtask wasm` built elsewhere"
    ))
}

fn sysroot() -> Result<PathBuf, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    let output = output.map_err(|e| format!("cannot run rustc: {e}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
