//! Builds the guests and leaves them where `include_bytes!` finds them: their core modules for `placet build`, the
//! policy component for the host's own decisions, and the enforcement component, which has no policy.
//!
//! `PLACET_GUESTS=DIR` takes ready core modules instead, for builds without a WebAssembly target.

#[path = "build/guest.rs"]
#[expect(dead_code, reason = "cargo xtask test also builds guests with features for tests")]
mod guest;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use guest::Guest;

fn main() {
    if let Err(error) = run() {
        for line in error.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed={}", guest::READY);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo does not say where the host is")?;
    let root = Path::new(&manifest).parent().ok_or("the host has no workspace around it")?;
    let guests = match std::env::var_os(guest::READY) {
        Some(dir) => {
            println!("cargo::rerun-if-changed={}", Path::new(&dir).display());
            guest::read(Path::new(&dir))?
        }
        None => {
            for source in guest::SOURCES {
                println!("cargo::rerun-if-changed={}", root.join(source).display());
            }
            // OUT_DIR is <target>/<profile>/build/<package>/out. A directory of its own: cargo locks those it uses.
            let target = out.ancestors().nth(4).unwrap_or(&out);
            guest::build(root, &target.join("guest"))?
        }
    };
    let mut list = String::from("&[");
    for (guest, core) in guests {
        let Guest { kind, component, decides, .. } = guest;
        if !decides {
            write(&out.join(format!("{kind}.component.wasm")), &guest::encode(&guest, &core)?)?;
            continue;
        }
        write(&out.join(guest.file()), &core)?;
        let item = format!(
            "Guest {{ kind: {kind:?}, component: {component:?}, core: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{}\")) }}, ",
            guest.file()
        );
        list.write_str(&item).map_err(|e| e.to_string())?;
        if kind == "component" {
            write(&out.join("policy.component.wasm"), &guest::encode(&guest, &core)?)?;
        }
    }
    list.push(']');
    write(&out.join("guests.rs"), list.as_bytes())
}

fn write(path: &Path, contents: &[u8]) -> Result<(), String> {
    std::fs::write(path, contents).map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}
