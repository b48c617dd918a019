//! What was accepted: a file that is checked in and read in pull requests.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::Json;
use serde::{Deserialize, Serialize};

use super::{Digest, Entry, Finding, Kind, Pins};

/// The version of the file's format.
const VERSION: u32 = 1;

/// Every tool that was accepted, by server and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By the server's name, or [`super::UNNAMED`].
    pub servers: BTreeMap<String, LockedServer>,
}

/// One server's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedServer {
    /// By the server's own name of each.
    pub tools: BTreeMap<String, Locked>,
}

/// A tool as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The description's first line, for people.
    #[serde(default)]
    pub says: String,
    /// Digest of name, title and description.
    pub description: String,
    /// Digest of the schemas.
    pub schema: String,
    /// Digest of the annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<String>,
    /// What was found in it and accepted as it is.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accepted: BTreeSet<Kind>,
}

impl Default for Lock {
    fn default() -> Lock {
        Lock { version: VERSION, servers: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Lock, String> {
        let lock: Lock = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match lock.version {
            VERSION => Ok(lock),
            other => Err(format!("the lock's version is {other}, and this program reads version {VERSION}")),
        }
    }

    /// The file's text: sorted, a line for each thing.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// A tool as it was accepted.
    pub fn get(&self, server: &str, tool: &str) -> Option<&Locked> {
        self.servers.get(server)?.tools.get(tool)
    }

    /// Accepts an entry, and what was found in it.
    pub fn accept(&mut self, server: &str, entry: &Entry, found: impl IntoIterator<Item = Kind>) {
        let Entry { name, says, description, schema, hints } = entry.clone();
        let content = |kind: &Kind| matches!(kind, Kind::LookAlike | Kind::HiddenText | Kind::Instructions);
        let accepted = found.into_iter().filter(content).collect();
        let tools = &mut self.servers.entry(server.to_owned()).or_default().tools;
        tools.insert(name, Locked { says, description, schema, hints, accepted });
    }

    /// Everything about a server's whole catalogue (the list `tools`) that has not been accepted.
    pub fn check(&self, digest: Digest, server: &str, tools: Json<'_>) -> Vec<Finding> {
        let mut findings = Pins::new(digest, Some(self.clone())).observe(server, tools).alerts;
        let names = tools.elements().filter_map(|tool| Some(Entry::read(tool, digest)?.name)).collect();
        findings.extend(self.removed(server, &names));
        findings.sort();
        findings.dedup();
        findings
    }

    /// Takes over the tools of a server's whole catalogue that `accept` names, as they are or that they are gone; when
    /// the lock does not have the server yet, also those in which nothing is found.
    pub fn update(&mut self, digest: Digest, server: &str, tools: Json<'_>, accept: impl Fn(&str) -> bool) {
        let fresh = !self.servers.contains_key(server);
        let locked = self.servers.entry(server.to_owned()).or_default();
        locked.tools.retain(|tool, _| !accept(tool));
        let found = Pins::new(digest, Some(self.clone())).observe(server, tools).alerts;
        for entry in tools.elements().filter_map(|tool| Entry::read(tool, digest)) {
            let of = found.iter().filter(|finding| finding.tool == entry.name).map(|finding| finding.kind);
            let clean = of.clone().all(|kind| kind == Kind::NewTool);
            if accept(&entry.name) || (fresh && clean) {
                self.accept(server, &entry, of);
            }
        }
    }

    /// The tools that the server no longer has, given the names of a whole catalogue.
    fn removed(&self, server: &str, names: &BTreeSet<String>) -> Vec<Finding> {
        let tools = self.servers.get(server).into_iter().flat_map(|of| of.tools.keys());
        let gone = tools.filter(|tool| !names.contains(*tool));
        let finding = |tool: &String| Finding {
            server: server.to_owned(),
            tool: tool.clone(),
            kind: Kind::Removed,
            detail: "the server's catalogue no longer has it".to_owned(),
        };
        gone.map(finding).collect()
    }
}

impl Locked {
    /// How an entry differs from what was accepted.
    pub(super) fn differences(&self, entry: &Entry) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        if self.description != entry.description {
            found.push((Kind::ChangedDescription, format!("was `{}`, is `{}`", self.says, entry.says)));
        }
        if self.schema != entry.schema {
            found.push((Kind::ChangedSchema, changed(&self.schema, &entry.schema)));
        }
        if self.hints != entry.hints {
            let of = |hints: &Option<String>| hints.as_deref().unwrap_or("none").to_owned();
            found.push((Kind::ChangedHints, changed(&of(&self.hints), &of(&entry.hints))));
        }
        found
    }
}

fn changed(was: &str, is: &str) -> String {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    format!("the digest was `{}`, is `{}`", short(was), short(is))
}
