//! How the guests are built: shared by `host/build.rs` and `cargo xtask wasm`, so that both make the same.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

/// A program that runs inside a gateway.
#[derive(Clone, Copy)]
pub struct Guest {
    /// Its package.
    pub package: &'static str,
    /// The package's feature that makes it this guest, when it has several.
    pub feature: Option<&'static str>,
    /// What it is called, and the middle of the names of what `placet build` makes of it.
    pub kind: &'static str,
    /// Whether gateways take it as a component; otherwise as a core module.
    pub component: bool,
    /// Whether it decides, and so has a policy put inside.
    pub decides: bool,
}

/// Every guest.
pub const GUESTS: &[Guest] = &[
    Guest::new("placet-component", "component"),
    Guest { component: false, ..Guest::new("placet-filter", "filter") },
    Guest::new("placet-edge", "edge"),
    Guest { feature: Some("spin"), ..Guest::new("placet-edge", "spin") },
    Guest { decides: false, ..Guest::new("placet-enforcement", "enforcement") },
];

/// What the guests are made of, from the workspace's root.
pub const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "wit", "components"];

const TARGET: &str = "wasm32-unknown-unknown";

/// Where all guests are built, for who has them ready.
pub const READY: &str = "PLACET_GUESTS";

impl Guest {
    /// A component that decides.
    const fn new(package: &'static str, kind: &'static str) -> Guest {
        Guest { package, feature: None, kind, component: true, decides: true }
    }

    /// What its core module is called: as cargo calls it, and the feature.
    pub fn file(&self) -> String {
        let feature = self.feature.map_or(String::new(), |feature| format!("_{feature}"));
        format!("{}{feature}.wasm", self.package.replace('-', "_"))
    }
}

/// Builds every guest, all at once, and gives their core modules.
///
/// # Errors
/// What went wrong and what to do about it, in words.
pub fn build(root: &Path, target_dir: &Path) -> Result<Vec<(Guest, Vec<u8>)>, String> {
    read(&compile(root, target_dir, None)?)
}

/// Builds every guest, one of them with a feature more; where cargo leaves them. What is shipped is built by [`build`],
/// and never taken from there.
///
/// # Errors
/// As for [`build`].
pub fn build_for_tests(root: &Path, target_dir: &Path, feature: &str) -> Result<PathBuf, String> {
    compile(root, target_dir, Some(feature))
}

/// Reads the core modules that a directory holds.
///
/// # Errors
/// Which of them cannot be read, and why.
pub fn read(dir: &Path) -> Result<Vec<(Guest, Vec<u8>)>, String> {
    let read = |guest: &Guest| {
        let path = dir.join(guest.file());
        let bytes = std::fs::read(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        Ok((*guest, bytes))
    };
    GUESTS.iter().map(read).collect()
}

/// A component from a core module that carries its world.
///
/// # Errors
/// Why it is not one.
pub fn encode(guest: &Guest, module: &[u8]) -> Result<Vec<u8>, String> {
    let encoded = ComponentEncoder::default().module(module).and_then(|it| it.validate(true).encode());
    encoded.map_err(|e| format!("cannot make a component of `{}`: {e:#}", guest.file()))
}

/// Has cargo build them; where it leaves them.
fn compile(root: &Path, target_dir: &Path, more: Option<&str>) -> Result<PathBuf, String> {
    let sysroot = sysroot()?;
    let std = standard_library(&sysroot)?;
    let out = target_dir.join(TARGET).join("guest");
    // Cargo calls what it makes by the package alone: the guests without a feature come last and keep those names.
    for guest in GUESTS.iter().filter(|guest| guest.feature.is_some()) {
        cargo(root, target_dir, (&sysroot, std), &[*guest], None)?;
        let made = Guest { feature: None, ..*guest }.file();
        let copied = std::fs::copy(out.join(made), out.join(guest.file()));
        copied.map_err(|e| format!("cannot copy `{}`: {e}", guest.file()))?;
    }
    let plain: Vec<Guest> = GUESTS.iter().filter(|guest| guest.feature.is_none()).copied().collect();
    cargo(root, target_dir, (&sysroot, std), &plain, more)?;
    Ok(out)
}

/// Has cargo build guests that have the same feature, or none.
fn cargo(
    root: &Path,
    target_dir: &Path,
    (sysroot, std): (&Path, Std),
    guests: &[Guest],
    more: Option<&str>,
) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--profile", "guest"]);
    for guest in guests {
        cargo.args(["--package", guest.package]);
        cargo.args(guest.feature.map(|feature| format!("--features={feature}")));
    }
    cargo.args(more.map(|feature| format!("--features={feature}")));
    cargo.args(["--target", TARGET, "--target-dir"]).arg(target_dir);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_outer_build) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_paths(root, sysroot));
    if std == Std::FromSource {
        cargo.args(["-Z", "build-std=std,panic_abort"]).env("RUSTC_BOOTSTRAP", "1");
    }
    let status = cargo.status().map_err(|e| format!("cannot run cargo for the guests: {e}"))?;
    if !status.success() {
        return Err("the guests do not build: cargo's own messages stand above".to_owned());
    }
    Ok(())
}

/// Flags with which no path of this machine gets into what gateways run.
fn without_paths(root: &Path, sysroot: &Path) -> OsString {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let paths = [(Some(root), "/placet"), (cargo.as_deref(), "/cargo"), (Some(sysroot), "/rust")];
    let mut flags = OsString::new();
    for (path, name) in paths {
        let Some(path) = path else { continue };
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    flags
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

fn standard_library(sysroot: &Path) -> Result<Std, String> {
    let lib = sysroot.join("lib/rustlib");
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
        "the Rust target `{TARGET}` is not installed, and the guests need it\n\
         install it with `rustup target add {TARGET}`, or with your system's packages (Debian: `rust-src` or \
         `libstd-rust-dev-wasm32`), or set {READY} to a directory that `cargo xtask wasm` wrote elsewhere"
    ))
}

fn sysroot() -> Result<PathBuf, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    let output = output.map_err(|e| format!("cannot run rustc: {e}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
