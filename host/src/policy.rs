//! A policy from a path: YAML sources are compiled, bundles are taken as they are.

use std::path::Path;

use placet_bundle::BundleError;

use crate::compile::{Diagnostic, Severity, SourceMap, compile_path};

/// A policy ready to be opened by a decision point.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The bundle's bytes.
    pub bundle: Vec<u8>,
    /// Where its rules stand, when it was compiled from sources.
    pub map: Option<SourceMap>,
    /// Warnings of the compiler.
    pub warnings: Vec<Diagnostic>,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The sources do not compile: errors and warnings.
    #[error("the policy does not compile: {}", summary(.0))]
    Invalid(Vec<Diagnostic>),
    /// The compiled policy does not fit the bundle format.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// Loads the policy of a path: a folder or a `*.yaml` file is compiled, any other file is a bundle. A bundle is not
/// opened here: a broken one is a decision point that denies everything.
///
/// # Errors
/// When nothing can be read, or the sources do not compile.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let is_yaml = matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml"));
    if !path.is_dir() && !is_yaml {
        let bundle = std::fs::read(path)
            .map_err(|e| LoadError::Unreadable(format!("cannot read `{}`: {e}", path.display())))?;
        return Ok(Loaded { bundle, map: None, warnings: Vec::new() });
    }
    let outcome = compile_path(path).map_err(LoadError::Unreadable)?;
    match outcome.policy {
        Some((set, map)) => {
            let bundle = placet_bundle::encode(&set)?;
            Ok(Loaded { bundle, map: Some(map), warnings: outcome.diagnostics })
        }
        None => Err(LoadError::Invalid(outcome.diagnostics)),
    }
}

/// The first error, and how many there are.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let Some(first) = errors.next() else { return "there is no policy in it".to_owned() };
    let more = errors.count();
    let (line, column) = first.place(first.span.start);
    let rest = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    format!("{}:{line}:{column}: {}{rest}", first.source.name, first.message)
}
