//! Builds the policy component and leaves it where `include_bytes!` finds it.
//!
//! `PLACET_COMPONENT_WASM=FILE` takes a ready component instead, for builds without a WebAssembly target.

#[path = "build/guest.rs"]
mod guest;

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=PLACET_COMPONENT_WASM");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above the host");
    let component = match std::env::var_os("PLACET_COMPONENT_WASM") {
        Some(file) => {
            println!("cargo::rerun-if-changed={}", Path::new(&file).display());
            std::fs::read(&file).map_err(|e| format!("cannot read `{}`: {e}", Path::new(&file).display()))
        }
        None => {
            for source in guest::SOURCES {
                println!("cargo::rerun-if-changed={}", root.join(source).display());
            }
            // OUT_DIR is <target>/<profile>/build/<package>/out. A directory of its own: cargo locks those it uses.
            let target = out.ancestors().nth(4).unwrap_or(&out);
            guest::build(root, &target.join("guest"))
        }
    };
    match component
        .and_then(|c| std::fs::write(out.join("policy.component.wasm"), c).map_err(|e| e.to_string()))
    {
        Ok(()) => {}
        Err(error) => {
            for line in error.lines() {
                println!("cargo::error={line}");
            }
        }
    }
}
