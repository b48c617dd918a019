//! Decides the calls of test files and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use placet_bundle::Trust;
use placet_model::Decision;
use serde_json::{Map, Value};

use super::file::{Case, Expect, Step, TestFile};
use crate::policy::{self, LoadError};
use crate::runtime::{DecisionPoint, DecisionService, PolicyHandle, Target};
use crate::store::{Commit, CommitResult, MemoryStore, StateStore, StoredSession, Unavailable};

/// What came out of running test files.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Cases in which everything was as expected.
    pub passed: usize,
    /// What was not.
    pub failures: Vec<Failure>,
    /// Which rules decided something.
    pub coverage: Coverage,
}

/// A step that did not come out as expected; the rest of its case was not run.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The test file.
    pub file: PathBuf,
    /// The case.
    pub case: String,
    /// Which step of a trace, from 1.
    pub step: usize,
    /// What was expected, one line for each field.
    pub expected: String,
    /// What came out, the same fields.
    pub actual: String,
    /// The reason that the decision gave.
    pub reason: String,
}

/// Rules by whether a case was decided by them.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How many rules the policies have.
    pub total: usize,
    /// Rules that decided nothing, as `layer/id`.
    pub uncovered: Vec<String>,
}

impl Coverage {
    /// Per cent of the rules that decided something; 100 when there are none.
    pub fn percent(&self) -> f64 {
        if self.total == 0 {
            return 100.0;
        }
        let covered = self.total.saturating_sub(self.uncovered.len());
        covered as f64 * 100.0 / self.total as f64
    }
}

/// Runs test files; `given` is the policy of those that name none, when it is not the folder above `tests`.
///
/// # Errors
/// When a file cannot be read, or a policy does not compile.
pub fn run(files: &[PathBuf], given: Option<&Path>, target: &Target) -> Result<Results, LoadError> {
    let mut policies: BTreeMap<PathBuf, Tested> = BTreeMap::new();
    let mut results = Results::default();
    for path in files {
        let file = TestFile::read(path).map_err(LoadError::Unreadable)?;
        let policy = policy_of(path, &file, given);
        if !policies.contains_key(&policy) {
            policies.insert(policy.clone(), Tested::open(&policy, target)?);
        }
        let Some(tested) = policies.get_mut(&policy) else { continue };
        for case in &file.cases {
            match tested.case(path, &file.defaults, case) {
                None => results.passed += 1,
                Some(failure) => results.failures.push(failure),
            }
        }
    }
    for tested in policies.into_values() {
        results.coverage.total += tested.rules.len();
        results.coverage.uncovered.extend(tested.rules.difference(&tested.decided).cloned());
    }
    Ok(results)
}

/// Decides every call of a test file on two targets and compares the decisions byte for byte, state changes included.
/// Says how many were compared.
///
/// # Errors
/// When something cannot be read, or where the targets differ.
pub fn compare(path: &Path, a: &Target, b: &Target) -> Result<usize, String> {
    let file = TestFile::read(path)?;
    let policy = policy_of(path, &file, None);
    let opened = |target| Tested::open(&policy, target).map_err(|error| error.to_string());
    let (a, b) = (opened(a)?, opened(b)?);
    let mut compared = 0;
    for case in &file.cases {
        let services = [&a, &b].map(|tested| {
            let store = Arc::new(Switched::default());
            (DecisionService::new(PolicyHandle::new(tested.point.clone()), store.clone()), store)
        });
        for step in case.steps.iter().filter(|step| step.list.is_none()) {
            let call = call_text(&file.defaults, step);
            let [a, b] = services.each_ref().map(|(service, store)| {
                store.down.store(step.store_down, Ordering::Relaxed);
                let decision = service.decide(call.as_bytes(), false);
                let mut text = String::new();
                decision.write_json(&mut text);
                decision.delta.write_json(&mut text);
                (text, decision.delta.session)
            });
            if a != b {
                return Err(format!("`{}`: {}: {} but {}", path.display(), case.name, a.0, b.0));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

fn policy_of(path: &Path, file: &TestFile, given: Option<&Path>) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    if let Some(named) = &file.policy {
        return folder.join(named);
    }
    if let Some(given) = given {
        return given.to_owned();
    }
    let tests = path.ancestors().find(|a| a.file_name().is_some_and(|n| n == "tests"));
    match tests.and_then(Path::parent) {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => folder.to_owned(),
    }
}

/// A policy under test.
struct Tested {
    point: Arc<dyn DecisionPoint>,
    rules: BTreeSet<String>,
    decided: BTreeSet<String>,
}

impl Tested {
    fn open(path: &Path, target: &Target) -> Result<Tested, LoadError> {
        let bundle = policy::load(path)?.bundle;
        let set = placet_bundle::open(&bundle, &Trust::default())?.set;
        let rules = set.rules.iter().map(|rule| set.qualified(rule.file, &rule.id)).collect();
        Ok(Tested { point: target.open(&bundle, &Trust::default()), rules, decided: BTreeSet::new() })
    }

    /// Runs one case on fresh state; `None`: as expected.
    fn case(&mut self, file: &Path, defaults: &Map<String, Value>, case: &Case) -> Option<Failure> {
        let store = Arc::new(Switched::default());
        let service = DecisionService::new(PolicyHandle::new(self.point.clone()), store.clone());
        for (n, step) in (1..).zip(&case.steps) {
            store.down.store(step.store_down, Ordering::Relaxed);
            let call = call_text(defaults, step);
            let (actual, reason) = match &step.list {
                Some(tools) => (listed(&service, &call, tools), String::new()),
                None => {
                    let decision = service.decide(call.as_bytes(), false);
                    self.decided.extend(decision.rules.iter().cloned());
                    self.decided.extend(decision.shadow.iter().flat_map(|s| s.rules.iter().cloned()));
                    (came_out(&decision), decision.reason)
                }
            };
            let (expected, actual) = (lines(&step.expect, &step.expect), lines(&actual, &step.expect));
            if expected != actual {
                let (file, case) = (file.to_owned(), case.name.clone());
                return Some(Failure { file, case, step: n, expected, actual, reason });
            }
        }
        None
    }
}

fn call_text(defaults: &Map<String, Value>, step: &Step) -> String {
    match (&step.json, &step.call) {
        (Some(text), _) => text.clone(),
        (None, call) => {
            let mut whole = defaults.clone();
            for (key, value) in call.iter().flatten() {
                match value {
                    Value::Null => whole.remove(key),
                    value => whole.insert(key.clone(), value.clone()),
                };
            }
            Value::Object(whole).to_string()
        }
    }
}

fn listed(service: &DecisionService, call: &str, tools: &[String]) -> Expect {
    let visible = service.list_tools(call.as_bytes(), tools).into_iter().filter(|t| t.visible);
    Expect { visible: Some(visible.map(|t| t.tool).collect()), ..Expect::default() }
}

fn came_out(decision: &Decision) -> Expect {
    let mut text = String::new();
    decision.write_json(&mut text);
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |name: &str| Some(json.get(name).cloned().unwrap_or(Value::Null));
    Expect {
        verdict: Some(decision.verdict.as_str().to_owned()),
        code: Some(decision.code.as_str().to_owned()),
        rules: Some(decision.rules.clone()),
        reason: Some(decision.reason.clone()),
        obligations: field("obligations"),
        approval: field("approval"),
        shadow: field("shadow"),
        visible: None,
    }
}

/// The fields of `it` that are asked for, a line each.
fn lines(it: &Expect, asked: &Expect) -> String {
    let mut text = String::new();
    let mut line = |name: &str, asked: bool, value: Option<String>| {
        if asked {
            text.push_str(&format!("{name}: {}\n", value.unwrap_or_else(|| "nothing".to_owned())));
        }
    };
    let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| format!("[{}]", names.join(", ")));
    let json = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    line("verdict", asked.verdict.is_some(), it.verdict.clone());
    line("code", asked.code.is_some(), it.code.clone());
    line("rules", asked.rules.is_some(), list(&it.rules));
    line("reason", asked.reason.is_some(), it.reason.clone());
    line("obligations", asked.obligations.is_some(), json(&it.obligations));
    line("approval", asked.approval.is_some(), json(&it.approval));
    line("shadow", asked.shadow.is_some(), json(&it.shadow));
    line("visible", asked.visible.is_some(), list(&it.visible));
    text
}

/// A store in memory that a test can put out of reach.
#[derive(Default)]
struct Switched {
    store: MemoryStore,
    down: AtomicBool,
}

impl StateStore for Switched {
    fn read_session(&self, tenant: &str, id: &str) -> Result<Option<StoredSession>, Unavailable> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Unavailable);
        }
        self.store.read_session(tenant, id)
    }

    fn commit(&self, commit: &Commit<'_>) -> CommitResult {
        if self.down.load(Ordering::Relaxed) {
            return CommitResult::Unavailable;
        }
        self.store.commit(commit)
    }
}
