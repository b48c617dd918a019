//! Dependencies: which crate may have which, and a line about each in `docs/dependencies.md`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Problem;
use super::tree::{Manifest, Tree};

/// What each crate of `components/` may depend on. Whatever is here ends up inside every gateway.
const ALLOWED: &[(&str, &[&str])] = &[
    ("placet-model", &["serde"]),
    ("placet-cel", &["placet-model", "serde", "jiff", "regex-automata", "url"]),
    ("placet-engine", &["placet-model", "placet-cel", "serde", "icu_normalizer", "postcard"]),
    (
        "placet-bundle",
        &["placet-model", "placet-engine", "placet-cel", "serde", "postcard", "sha2", "ed25519-dalek"],
    ),
    ("placet-pdp", &["placet-model", "placet-cel", "placet-engine", "placet-bundle", "serde", "postcard"]),
    ("placet-pep", &["base64", "placet-model", "serde", "serde_json", "unicode-security"]),
    ("placet-embed", &["placet-pdp"]),
    ("placet-component", &["placet-embed", "placet-pdp", "placet-model", "wit-bindgen"]),
    (
        "placet-filter",
        &[
            "placet-embed",
            "placet-model",
            "placet-pdp",
            "placet-pep",
            "base64",
            "proxy-wasm",
            "serde",
            "serde_json",
        ],
    ),
    (
        "placet-edge",
        &["placet-embed", "placet-model", "placet-pdp", "placet-pep", "base64", "futures-util", "spin-sdk"],
    ),
    ("placet-enforcement", &["placet-pep", "placet-pdp", "placet-model", "wit-bindgen"]),
];

/// Where each dependency is explained.
const DOCUMENT: &str = "docs/dependencies.md";

/// No crate of `components/` depends on more than its row of the table.
pub fn allowed(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for manifest in tree.manifests.iter().filter(|m| m.path.starts_with("components/")) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == manifest.package) else {
            let message = "this crate has no row in `ALLOWED` of xtask/src/tidy/dependencies.rs: give it one";
            problems.push(Problem::new(&manifest.path, 0, message));
            continue;
        };
        for name in ["dependencies", "build-dependencies"].iter().flat_map(|t| manifest.dependencies(t)) {
            if !allowed.contains(&name) {
                let message = format!(
                    "`{}` may not depend on `{name}`: do without, or argue for it in `ALLOWED` of xtask",
                    manifest.package
                );
                problems.push(Problem::new(&manifest.path, line_of(tree, &manifest.path, name)?, message));
            }
        }
    }
    Ok(problems)
}

/// Every dependency has its line in the document, and every line its dependency.
pub fn documented(tree: &Tree) -> Result<Vec<Problem>> {
    let mut used: BTreeMap<&str, &Manifest> = BTreeMap::new();
    for manifest in &tree.manifests {
        for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for name in manifest.dependencies(table) {
                used.entry(name).or_insert(manifest);
            }
        }
    }
    let own: BTreeSet<&str> = tree.manifests.iter().map(|m| m.package.as_str()).collect();
    let text = tree.text(DOCUMENT)?;
    let said: BTreeMap<&str, usize> =
        text.lines().enumerate().filter_map(|(at, line)| Some((subject(line)?, at + 1))).collect();

    let mut problems = Vec::new();
    for (name, manifest) in &used {
        if !own.contains(name) && !said.contains_key(name) {
            let message = format!("`{name}` has no line in {DOCUMENT}: say there why it was chosen");
            problems.push(Problem::new(&manifest.path, line_of(tree, &manifest.path, name)?, message));
        }
    }
    for (name, line) in &said {
        if !used.contains_key(name) {
            problems.push(Problem::new(
                DOCUMENT,
                *line,
                format!("nothing depends on `{name}`: remove the line"),
            ));
        }
    }
    Ok(problems)
}

/// Every crate takes the workspace's lints.
pub fn lints(tree: &Tree) -> Result<Vec<Problem>> {
    let inherits = |manifest: &Manifest| {
        let lints = manifest.table.get("lints").and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) == Some(true)
    };
    let missing = tree.manifests.iter().filter(|manifest| !inherits(manifest));
    Ok(missing.map(|m| Problem::new(&m.path, 0, "add `[lints]` with `workspace = true`")).collect())
}

/// What a line of the document is about: "- `NAME`: why".
fn subject(line: &str) -> Option<&str> {
    line.strip_prefix("- `")?.split_once("`:").map(|(name, _)| name)
}

/// Where a manifest names a dependency; 0 when it does so in an unusual way.
fn line_of(tree: &Tree, manifest: &str, name: &str) -> Result<usize> {
    let text = tree.text(manifest)?;
    let names =
        |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']));
    Ok(text.lines().position(names).map_or(0, |at| at + 1))
}
