//! `cargo xtask wasm`: builds the policy component, checks the artifact, writes it with its SHA-256.

#[path = "../../host/build/guest.rs"]
#[expect(dead_code, reason = "host/build.rs also asks what to watch for changes")]
mod guest;

use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload};

use crate::workspace::Workspace;

/// What the component is called where it is released.
const NAME: &str = "placet-policy.component.wasm";

/// A component of more bytes is no longer something that every gateway can afford.
const LIMIT: usize = 1 << 20;

/// Builds, checks and writes; what is wrong with the artifact is printed, and nothing is written then.
///
/// # Errors
/// When the component does not build or cannot be written.
pub fn run(workspace: &Workspace) -> Result<bool> {
    // Where host/build.rs has it built, too.
    let bytes = guest::build(&workspace.root, &workspace.target.join("guest")).map_err(|e| anyhow!(e))?;
    let mut faults = imports(&bytes).context("the component does not parse")?;
    if bytes.len() >= LIMIT {
        faults.push(format!("it has {} bytes, and must have less than {LIMIT}", bytes.len()));
    }
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{:<32} {:>9}  sha256", "name", "bytes");
    println!("{NAME:<32} {:>9}  {digest}", bytes.len());
    if !faults.is_empty() {
        for fault in faults {
            println!("FAILED  {NAME}: {fault}");
        }
        return Ok(false);
    }
    let dir = workspace.scratch("wasm")?;
    for (name, contents) in
        [(NAME, bytes.as_slice()), ("SHA256SUMS", format!("{digest}  {NAME}\n").as_bytes())]
    {
        let path = dir.join(name);
        std::fs::write(&path, contents).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    println!("no imports; written to {}", workspace.show(&dir));
    Ok(true)
}

/// What a component imports from its host, and what the core modules inside it import.
fn imports(bytes: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    found.push(format!("its core module imports `{}` from `{}`", import.name, import.module));
                }
            }
            // Components inside it import from each other; only the outermost imports from the host.
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.push(format!("it imports `{}`", import?.name.name));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
