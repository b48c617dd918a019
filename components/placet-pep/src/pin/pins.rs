//! What the catalogues of running servers looked like, and which of their tools are available.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::Json;

use super::lock::Lock;
use super::{Digest, Entry, Finding, Kind, alike, hidden};

/// Tools of one server that are remembered; further ones are not available.
const MOST: usize = 10_000;

/// Catalogues that were seen, against what was accepted.
#[derive(Clone, Debug)]
pub struct Pins {
    digest: Digest,
    lock: Option<Lock>,
    /// Without a lock: what each tool looked like at first sight.
    first: Lock,
    /// The accepted names by what they look like.
    looks: BTreeMap<String, BTreeSet<String>>,
    servers: BTreeMap<String, Catalogue>,
}

/// One server's tools as they were last seen.
#[derive(Clone, Debug, Default)]
struct Catalogue {
    tools: BTreeMap<String, Status>,
    /// The last part that was seen (its digest), and what came out: catalogues seldom change.
    last: Option<(String, BTreeSet<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Status {
    entry: Entry,
    found: Vec<Kind>,
}

/// What was seen in a catalogue or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The tools that are to be left out.
    pub hidden: BTreeSet<String>,
    /// Findings that are new: they are to be told to somebody.
    pub alerts: Vec<Finding>,
}

/// Why a tool may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// No catalogue that was seen has it.
    Unknown,
    /// It has an open finding.
    Found(Kind),
}

impl Unavailable {
    /// What an agent is told.
    pub fn reason(self) -> &'static str {
        match self {
            Unavailable::Unknown => "The server's catalogue does not have this tool, or cannot be read.",
            Unavailable::Found(kind) => kind.reason(),
        }
    }

    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Unavailable::Unknown => "unknown-tool",
            Unavailable::Found(kind) => kind.as_str(),
        }
    }
}

impl Pins {
    /// With a lock, tools are compared with it; without one, with what they looked like at first sight.
    pub fn new(digest: Digest, lock: Option<Lock>) -> Pins {
        let mut pins = Pins {
            digest,
            lock: None,
            first: Lock::default(),
            looks: BTreeMap::new(),
            servers: BTreeMap::new(),
        };
        pins.relock(lock);
        pins
    }

    /// Puts another lock in force. Every catalogue has to be seen again.
    pub fn relock(&mut self, lock: Option<Lock>) {
        self.lock = lock;
        self.servers.clear();
        self.looks.clear();
        let accepted = self.lock.as_ref().unwrap_or(&self.first);
        let names = accepted.servers.values().flat_map(|server| server.tools.keys());
        for name in names {
            for key in alike::keys(name) {
                self.looks.entry(key).or_default().insert(name.clone());
            }
        }
    }

    /// Looks at a server's catalogue or a part of it (the list `tools` of a `tools/list` result).
    pub fn observe(&mut self, server: &str, tools: Json<'_>) -> Observed {
        let part = (self.digest)(tools.text().as_bytes());
        if let Some((last, hidden)) = self.servers.get(server).and_then(|of| of.last.as_ref())
            && *last == part
        {
            return Observed { hidden: hidden.clone(), alerts: Vec::new() };
        }
        let entries: Vec<(Entry, Json<'_>)> =
            tools.elements().filter_map(|tool| Some((Entry::read(tool, self.digest)?, tool))).collect();
        let mut observed = Observed::default();
        for (entry, tool) in &entries {
            let found = self.judge(server, entry, *tool, &entries);
            self.note(server, entry, &found, &mut observed);
        }
        let catalogue = self.servers.entry(server.to_owned()).or_default();
        catalogue.last = Some((part, observed.hidden.clone()));
        observed
    }

    /// Everything about an entry that has not been accepted.
    fn judge(
        &self,
        server: &str,
        entry: &Entry,
        tool: Json<'_>,
        listed: &[(Entry, Json<'_>)],
    ) -> Vec<(Kind, String)> {
        let name = &entry.name;
        if listed.iter().filter(|(other, _)| other.name == *name).count() > 1 {
            return vec![(Kind::LookAlike, "the catalogue has this name more than once".to_owned())];
        }
        let accepted = self.lock.as_ref().unwrap_or(&self.first).get(server, name);
        let mut found = hidden::search(tool);
        match accepted {
            Some(locked) => {
                found.extend(locked.differences(entry));
                found.retain(|(kind, _)| !locked.accepted.contains(kind));
                // What was pinned at first sight had no findings, and what is in the lock was looked at.
                return found;
            }
            None if self.lock.is_some() => {
                found.push((Kind::NewTool, format!("the lock does not have it; it says `{}`", entry.says)));
            }
            None => {}
        }
        found.extend(self.look_alike(name, listed).map(|why| (Kind::LookAlike, why)));
        found
    }

    /// Which other tool a new one could be taken for. Of two that are new together, the one in plain letters is taken to
    /// be the original.
    fn look_alike(&self, name: &str, listed: &[(Entry, Json<'_>)]) -> Option<String> {
        if let Some(why) = alike::odd(name) {
            return Some(why.to_owned());
        }
        let accepted = alike::keys(name).into_iter().filter_map(|key| self.looks.get(&key)).flatten();
        let beside = listed.iter().map(|(other, _)| &other.name);
        let beside =
            beside.filter(|other| alike::alike(name, other) && (!name.is_ascii() || other.is_ascii()));
        let other = accepted.filter(|other| *other != name).chain(beside).next()?;
        Some(format!("it looks like the tool {}", super::quoted(other)))
    }

    /// Remembers what was seen of a tool.
    fn note(&mut self, server: &str, entry: &Entry, found: &[(Kind, String)], observed: &mut Observed) {
        let name = &entry.name;
        if self.lock.is_none() && found.is_empty() && self.first.get(server, name).is_none() {
            self.first.accept(server, entry, []);
            for key in alike::keys(name) {
                self.looks.entry(key).or_default().insert(name.clone());
            }
        }
        if !found.is_empty() {
            observed.hidden.insert(name.clone());
        }
        let catalogue = self.servers.entry(server.to_owned()).or_default();
        let status = Status { entry: entry.clone(), found: found.iter().map(|(kind, _)| *kind).collect() };
        if catalogue.tools.get(name) == Some(&status) {
            return;
        }
        if catalogue.tools.len() >= MOST && !catalogue.tools.contains_key(name) {
            observed.hidden.insert(name.clone());
            return;
        }
        catalogue.tools.insert(name.clone(), status);
        let finding = |(kind, detail): &(Kind, String)| Finding {
            server: server.to_owned(),
            tool: name.clone(),
            kind: *kind,
            detail: detail.clone(),
        };
        observed.alerts.extend(found.iter().map(finding));
    }

    /// Whether a tool, by its server's own name, may be called.
    ///
    /// # Errors
    /// Why not.
    pub fn available(&self, server: &str, tool: &str) -> Result<(), Unavailable> {
        let seen = self.servers.get(server).and_then(|of| of.tools.get(tool));
        let status = seen.ok_or(Unavailable::Unknown)?;
        status.found.first().map_or(Ok(()), |kind| Err(Unavailable::Found(*kind)))
    }

    /// A server says that its catalogue has changed: none of its tools is available until it is seen again.
    pub fn stale(&mut self, server: &str) {
        self.servers.remove(server);
    }

    /// How many tools have open findings.
    pub fn open(&self) -> usize {
        let statuses = self.servers.values().flat_map(|of| of.tools.values());
        statuses.filter(|status| !status.found.is_empty()).count()
    }
}
