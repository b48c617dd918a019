//! Reads the table: strictly, and to the end. A file that cannot be read is a problem, and so is a case that says
//! nothing or says it twice.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::case::{Bundle, Case, Expect, Facts, Group, Step};

/// Shorter texts do not say why.
const LEAST_WHY: usize = 30;

/// The table, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// By name.
    pub groups: Vec<Group>,
    /// One line for each.
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    sections: Vec<u32>,
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    why: String,
    policy: String,
    #[serde(default)]
    bundle: Bundle,
    #[serde(default = "yes")]
    wire: bool,
    #[serde(default)]
    defaults: Map<String, Value>,
    case: Vec<WireCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCase {
    name: String,
    why: Option<String>,
    steps: Option<Vec<WireStep>>,
    call: Option<Map<String, Value>>,
    #[serde(default)]
    without: Vec<String>,
    json: Option<String>,
    list: Option<Vec<String>>,
    #[serde(default)]
    store_down: bool,
    facts: Option<Facts>,
    expect: Option<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStep {
    call: Option<Map<String, Value>>,
    #[serde(default)]
    without: Vec<String>,
    json: Option<String>,
    list: Option<Vec<String>>,
    #[serde(default)]
    store_down: bool,
    facts: Option<Facts>,
    #[serde(default)]
    expect: Expect,
}

impl Suite {
    /// Reads every file of a folder.
    pub fn load(folder: &Path) -> Suite {
        let mut suite = Suite::default();
        let mut paths = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>(),
            Err(error) => {
                suite.problems.push(format!("cannot read `{}`: {error}", folder.display()));
                Vec::new()
            }
        };
        paths.sort();
        for path in paths {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.extension().is_none_or(|ending| ending != "toml") {
                suite.problems.push(format!("`{}` is no TOML file", path.display()));
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
            match text.and_then(|text| suite.group(name, &text)) {
                Ok(group) => suite.groups.push(group),
                Err(error) => suite.problems.push(format!("`{}`: {error}", path.display())),
            }
        }
        suite
    }

    /// Every case with its group's name.
    pub fn cases(&self) -> impl Iterator<Item = (&Group, &Case)> {
        self.groups.iter().flat_map(|group| group.cases.iter().map(move |case| (group, case)))
    }

    fn group(&mut self, name: String, text: &str) -> Result<Group, String> {
        let File { about, sections, table } = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut group = Group { name, about, sections, cases: Vec::new() };
        let mut names = BTreeSet::new();
        for table in table {
            if table.case.is_empty() {
                self.problems.push(format!("{}: a table without cases: {}", group.name, table.why));
            }
            for wire in table.case {
                let place = format!("{}/{}", group.name, wire.name);
                if !names.insert(wire.name.clone()) {
                    self.problems.push(format!("{place}: two cases have this name"));
                }
                let context = (table.policy.as_str(), table.bundle, table.wire, &table.defaults);
                match case(wire, &table.why, context) {
                    Ok(case) => group.cases.push(case),
                    Err(error) => self.problems.push(format!("{place}: {error}")),
                }
            }
        }
        Ok(group)
    }
}

fn case(
    wire: WireCase,
    table: &str,
    (policy, bundle, wire_too, defaults): (&str, Bundle, bool, &Map<String, Value>),
) -> Result<Case, String> {
    let WireCase { name, why, steps, call, without, json, list, store_down, facts, expect } = wire;
    let alone = call.is_some() || json.is_some() || list.is_some() || expect.is_some() || facts.is_some();
    let alone = alone || store_down || !without.is_empty();
    let steps = match steps {
        Some(_) if alone => return Err("it has `steps` and a call of its own".to_owned()),
        Some(steps) => steps,
        None => {
            let expect = expect.unwrap_or_default();
            vec![WireStep { call, without, json, list, store_down, facts, expect }]
        }
    };
    if steps.iter().all(|step| step.expect == Expect::default()) {
        return Err("it expects nothing: add `expect = { verdict = … }`".to_owned());
    }
    let words = table.split_whitespace().chain(why.iter().flat_map(|why| why.split_whitespace()));
    let why = words.collect::<Vec<_>>().join(" ");
    if why.trim().len() < LEAST_WHY || !why.trim_end().ends_with('.') || why.trim() == name {
        return Err("`why` does not say why, in a sentence".to_owned());
    }
    let steps = steps.into_iter().map(|step| read_step(step, defaults)).collect::<Result<Vec<_>, _>>()?;
    if steps.is_empty() {
        return Err("it has no steps".to_owned());
    }
    Ok(Case { name, why, policy: policy.to_owned(), bundle, wire: wire_too, steps })
}

fn yes() -> bool {
    true
}

fn read_step(wire: WireStep, defaults: &Map<String, Value>) -> Result<Step, String> {
    let WireStep { call, without, json, list, store_down, facts, expect } = wire;
    if expect.visible.is_some() != list.is_some() {
        return Err("`list` and `expect.visible` go together".to_owned());
    }
    if facts.is_some() && (store_down || list.is_some()) {
        return Err("with `facts` there is no store, and nothing to list".to_owned());
    }
    let call = match (json, call) {
        (Some(_), Some(_)) => return Err("it has `json` and `call`".to_owned()),
        (Some(_), None) if !without.is_empty() => {
            return Err("`json` is the whole call: `without` takes away nothing".to_owned());
        }
        (Some(text), None) => text,
        (None, call) => {
            let mut whole = defaults.clone();
            for name in without {
                whole
                    .remove(&name)
                    .ok_or_else(|| format!("`without` names `{name}`, which no default is"))?;
            }
            whole.extend(call.unwrap_or_default());
            Value::Object(whole).to_string()
        }
    };
    Ok(Step { call, list, store_down, facts, expect })
}

#[cfg(test)]
mod tests;
