//! Policies as people write them, YAML and CEL, to the compiled policy set. The only place that knows either text.

pub mod cel;
mod constraint;
mod decode;
pub mod diagnostic;
mod duration;
mod expression;
mod files;
mod head;
mod lint;
mod reader;
mod schema;
mod sections;
mod yaml;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use placet_engine::PolicySet;

pub use diagnostic::{Diagnostic, Severity, Source};
pub use schema::schema_of_policies;

/// Where things of the policy stand in the sources.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    /// For each rule of the policy set, in its order.
    pub rules: Vec<RuleSource>,
}

/// Where a rule stands.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The file.
    pub source: Arc<Source>,
    /// The whole rule.
    pub rule: Range<usize>,
    /// Its `when`.
    pub when: Option<Range<usize>>,
    /// Its argument constraints, by name.
    pub args: Vec<(String, Range<usize>)>,
}

/// What compiling gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The policy, when there is no error.
    pub policy: Option<(PolicySet, SourceMap)>,
    /// Errors and warnings, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a policy file, or all below a folder.
///
/// # Errors
/// When something cannot be read at all; what is wrong with the policies themselves is in the outcome.
pub fn compile_path(path: &Path) -> Result<Outcome, String> {
    let sources = files::load(path)?;
    Ok(compile_sources(sources))
}

/// Compiles sources; schemas are looked for beside them.
pub fn compile_sources(sources: Vec<Source>) -> Outcome {
    decode::compile(sources)
}

/// Any YAML text as data: the reader of policies, for files that lie beside them.
///
/// # Errors
/// What is wrong with the text, with its line, or with the data.
pub fn yaml_as<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let root = yaml::read(text).map_err(|error| {
        let line = text.get(..error.span.start).unwrap_or(text).matches('\n').count() + 1;
        format!("line {line}: {}", error.message)
    })?;
    serde_json::from_value(root.to_json()).map_err(|error| error.to_string())
}

/// Reads a file that a source names, relative to it.
fn beside(source: &Source, name: &str) -> Result<String, String> {
    let folder = Path::new(&source.name).parent().map_or_else(PathBuf::new, Path::to_path_buf);
    files::text(&folder.join(name))
}
