//! `cargo xtask wasm`: builds the guests, checks the artifacts, writes them with their SHA-256.

#[path = "../../host/build/guest.rs"]
#[expect(dead_code, reason = "host/build.rs also asks what to watch for changes, and reads ready guests")]
pub mod guest;

use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};
use wasmparser::{ExternalKind, Parser, Payload, ValType};

use crate::workspace::Workspace;
use guest::Guest;

/// The component without a policy, as it is released for hosts that load one into it.
const RELEASED: &str = "placet-policy.component.wasm";

/// What a guest may be.
struct Terms {
    kind: &'static str,
    /// It is smaller: code size is what starting a gateway costs.
    limit: usize,
    /// What it may import, each `MODULE NAME` of a core module or `INTERFACE` of a component; `*` at the end stands for
    /// anything.
    imports: &'static [&'static str],
}

const TERMS: &[Terms] = &[
    // Nothing from anywhere, and small enough for every gateway.
    Terms { kind: "component", limit: 1 << 20, imports: &[] },
    // The policy component, and cells for state.
    Terms {
        kind: "enforcement",
        limit: 640 << 10,
        imports: &["placet:policy/decisions@0.1.0", "placet:enforcement/cells@0.1.0"],
    },
    // The proxy-wasm ABI, and no WASI.
    Terms { kind: "filter", limit: 1664 << 10, imports: &["env proxy_*"] },
    // What `wasmtime serve` gives every HTTP component.
    Terms {
        kind: "edge",
        limit: 2 << 20,
        imports: &["wasi:http/*", "wasi:clocks/*", "wasi:cli/*", "wasi:random/*"],
    },
    // What Spin gives it, and no environment: everything comes from variables.
    Terms {
        kind: "spin",
        limit: 2 << 20,
        imports: &[
            "wasi:http/*",
            "wasi:clocks/system-clock@0.3.0",
            "wasi:cli/types@0.3.0",
            "wasi:cli/stdin@0.3.0",
            "wasi:cli/stderr@0.3.0",
            "wasi:random/random@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "spin:variables/variables@3.0.0",
        ],
    },
];

/// The header by which the filter's test build traps.
const TRAP: &[u8] = b"x-placet-trap";

/// Something that is released, or checked before it is.
struct Artifact {
    name: String,
    bytes: Vec<u8>,
}

/// Builds, checks and writes; what is wrong with an artifact is printed, and nothing is written then.
///
/// # Errors
/// When a guest does not build or cannot be written.
pub fn run(workspace: &Workspace) -> Result<bool> {
    // Where host/build.rs has them built, too.
    let guests = guest::build(&workspace.root, &workspace.target.join("guest")).map_err(|e| anyhow!(e))?;
    let mut artifacts = Vec::new();
    let mut faults = Vec::new();
    println!("{:<32} {:>9} {:>9}  sha256", "name", "bytes", "limit");
    for (guest, core) in guests {
        let terms = TERMS.iter().find(|terms| terms.kind == guest.kind);
        let terms = terms.with_context(|| format!("`{}` has no row in `TERMS` of xtask", guest.package))?;
        let name = if guest.kind == "component" { RELEASED.to_owned() } else { guest.file() };
        let finished = if guest.component {
            guest::encode(&guest, &core).map_err(|e| anyhow!(e))?
        } else {
            core.clone()
        };
        println!("{name:<32} {:>9} {:>9}  {}", finished.len(), terms.limit, sha256(&finished));
        let found = check(&guest, terms, &finished).with_context(|| format!("`{name}` does not parse"))?;
        faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
        if guest.component && guest.kind == "component" {
            artifacts.push(Artifact { name, bytes: finished });
        }
        artifacts.push(Artifact { name: guest.file(), bytes: core });
    }
    for fault in &faults {
        println!("FAILED  {fault}");
    }
    if faults.is_empty() {
        write(workspace, artifacts)?;
    }
    Ok(faults.is_empty())
}

/// Writes the artifacts and their checksums; the directory serves as `PLACET_GUESTS`.
fn write(workspace: &Workspace, mut artifacts: Vec<Artifact>) -> Result<()> {
    let sums = artifacts.iter().map(|of| format!("{}  {}\n", sha256(&of.bytes), of.name)).collect::<String>();
    artifacts.push(Artifact { name: "SHA256SUMS".to_owned(), bytes: sums.into_bytes() });
    let dir = workspace.scratch("wasm")?;
    for Artifact { name, bytes } in &artifacts {
        let path = dir.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    println!("only the imports they may have; written to {}", workspace.show(&dir));
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with an artifact.
fn check(guest: &Guest, terms: &Terms, bytes: &[u8]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    if bytes.len() >= terms.limit {
        faults.push(format!("it has {} bytes, and must have less than {}", bytes.len(), terms.limit));
    }
    if bytes.windows(TRAP.len()).any(|part| part == TRAP) {
        faults.push("it was built with `trap-for-tests`, and anybody could make it trap".to_owned());
    }
    let imports = if guest.component { component_imports(bytes)? } else { module_imports(bytes)? };
    for import in imports {
        let allowed = terms.imports.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => import.starts_with(prefix),
            None => import == *pattern,
        });
        if !allowed {
            faults.push(format!("it imports `{import}`, which not every gateway has"));
        }
    }
    if !guest.component {
        faults.extend(vectors(bytes)?);
    }
    Ok(faults)
}

/// What a component imports from its host, and, where nothing inside it provides for that, its core modules.
fn component_imports(bytes: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut inner = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    inner.push(format!("{} {}", import.module, import.name));
                }
            }
            // Components inside it import from each other; only the outermost imports from the host.
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    // A component that imports nothing has nothing to give to its modules.
    Ok(if found.is_empty() { inner } else { found })
}

/// What a core module imports.
fn module_imports(bytes: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                found.push(format!("{} {}", import.module, import.name));
            }
        }
    }
    Ok(found)
}

/// Exports with 128-bit vectors, and tags: Envoy's runtime aborts the process when it meets one.
fn vectors(bytes: &[u8]) -> Result<Vec<String>> {
    let mut validator = wasmparser::Validator::new();
    let types = validator.validate_all(bytes)?;
    let types = types.as_ref();
    let mut faults = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::ExportSection(exports) = payload? else { continue };
        for export in exports {
            let export = export?;
            let vector = match export.kind {
                ExternalKind::Func | ExternalKind::FuncExact => {
                    let function = types[types.core_function_at(export.index)].unwrap_func();
                    function.params().iter().chain(function.results()).any(|value| *value == ValType::V128)
                }
                ExternalKind::Global => types.global_at(export.index).content_type == ValType::V128,
                ExternalKind::Tag => true,
                ExternalKind::Memory | ExternalKind::Table => false,
            };
            if vector {
                faults.push(format!("its export `{}` has a type that Envoy does not survive", export.name));
            }
        }
    }
    Ok(faults)
}
