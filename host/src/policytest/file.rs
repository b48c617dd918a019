//! What a test file says, and where test files are.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A test file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// The policy it is about, relative to the test file; absent: the folder above `tests/`.
    pub policy: Option<PathBuf>,
    /// What it is about, for readers.
    #[serde(default)]
    pub description: Option<String>,
    /// Fields that every call has unless it says otherwise.
    #[serde(default)]
    pub defaults: Map<String, Value>,
    /// The cases, each with state of its own.
    pub cases: Vec<Case>,
}

/// One call with its expectation, or several that share state.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "WireCase")]
pub struct Case {
    /// What is tested.
    pub name: String,
    /// Its calls, in order; at least one.
    pub steps: Vec<Step>,
}

/// A case as it is written: one step in place, or a trace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCase {
    name: String,
    trace: Option<Vec<Step>>,
    call: Option<Map<String, Value>>,
    json: Option<String>,
    list: Option<Vec<String>>,
    #[serde(default)]
    store_down: bool,
    expect: Option<Expect>,
}

impl TryFrom<WireCase> for Case {
    type Error = String;

    fn try_from(wire: WireCase) -> Result<Case, String> {
        let WireCase { name, trace, call, json, list, store_down, expect } = wire;
        let alone = call.is_none() && json.is_none() && list.is_none() && expect.is_none() && !store_down;
        let steps = match trace {
            Some(_) if !alone => {
                return Err(format!("the case `{name}` has a `trace` and a call of its own"));
            }
            Some(steps) => steps,
            None => vec![Step { call, json, list, store_down, expect: expect.unwrap_or_default() }],
        };
        if steps.is_empty() || steps.iter().any(|step| step.call.is_some() == step.json.is_some()) {
            return Err(format!("the case `{name}` needs `call` or `json`, or a `trace` of such steps"));
        }
        if steps.iter().all(|step| step.expect == Expect::default()) {
            return Err(format!("the case `{name}` expects nothing: add `expect: {{verdict: …}}`"));
        }
        Ok(Case { name, steps })
    }
}

/// A call and what is expected of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The call; `defaults` fill in what it leaves out, `null` takes a default away.
    pub call: Option<Map<String, Value>>,
    /// The call's text as it is, for what no YAML can say: broken JSON, duplicate keys.
    pub json: Option<String>,
    /// Tools to list instead of a call to decide; `call` then says for whom.
    pub list: Option<Vec<String>>,
    /// The state store cannot be reached during this step.
    #[serde(default)]
    pub store_down: bool,
    /// What must come out; absent: anything.
    #[serde(default)]
    pub expect: Expect,
}

/// What must come out. What is absent is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// `allow`, `deny` or `escalate`.
    pub verdict: Option<String>,
    /// The machine code.
    pub code: Option<String>,
    /// Every rule that decided, as `layer/id`.
    pub rules: Option<Vec<String>>,
    /// The reason, in full.
    pub reason: Option<String>,
    /// The obligations, as in the decision's JSON.
    pub obligations: Option<Value>,
    /// The approvals, as in the decision's JSON.
    pub approval: Option<Value>,
    /// What layers in shadow mode would have said, as in the decision's JSON.
    pub shadow: Option<Value>,
    /// With `list`: the tools that are shown.
    pub visible: Option<Vec<String>>,
}

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(path: &Path) -> Result<TestFile, String> {
        let text =
            std::fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        crate::compile::yaml_as(&text).map_err(|e| format!("`{}`: {e}", path.display()))
    }
}

/// The test files of a path: those in folders `tests` below a folder, those in `tests` beside a policy file.
///
/// # Errors
/// What cannot be read.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, path.file_name().is_some_and(|n| n == "tests"), 0, &mut found)?;
    } else {
        let beside = path.parent().unwrap_or(Path::new("")).join("tests");
        if beside.is_dir() {
            walk(&beside, true, 0, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, inside: bool, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let error = |e: std::io::Error| format!("cannot read `{}`: {e}", folder.display());
    if depth > 16 {
        return Err(format!("`{}` is nested too deeply", folder.display()));
    }
    for entry in std::fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.is_dir() {
            walk(&path, inside || path.file_name().is_some_and(|n| n == "tests"), depth + 1, found)?;
        } else if inside && matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml")) {
            found.push(path);
        }
    }
    Ok(())
}
