//! Tool pinning at run time: catalogues as they pass are compared with what was accepted, and what differs is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use placet_model::Json;
use placet_pep::pin::{Finding, Lock, Observed, Pins, Unavailable};
use serde::Deserialize;

use super::metrics;

/// What keeps tools as they were accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolsConfig {
    /// The lock that `placet tools lock` writes. Without one, tools are pinned at first sight.
    pub lock: Option<PathBuf>,
}

/// How long after a catalogue was read it is not read again for the sake of tools that it did not have.
const AGAIN: Duration = Duration::from_secs(10);
/// The same after it could not be read.
const FAILED: Duration = Duration::from_secs(2);

/// The lock cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the lock `{path}` cannot be used: {why}; `placet tools lock` writes one")]
pub struct LockError {
    path: String,
    why: String,
}

/// The pins of one gateway, shared by all sessions.
#[derive(Debug)]
pub struct Pinned {
    file: Option<PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    pins: Pins,
    /// When the file was changed that is in force, or was found to be broken.
    stamp: Option<(SystemTime, u64)>,
    /// For each server that was asked for its catalogue, until when it is not asked again.
    rests: BTreeMap<String, Rest>,
}

#[derive(Debug)]
struct Rest {
    until: Instant,
    failed: Option<String>,
}

/// Whether a catalogue has to be read before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It was seen, or read just now.
    Done,
    /// No catalogue that was seen has the tool.
    Needed,
    /// It could not be read just now.
    Failed(String),
}

impl Pinned {
    /// # Errors
    /// When there is to be a lock and it cannot be read.
    pub fn new(config: &ToolsConfig) -> Result<Pinned, LockError> {
        let (lock, stamp) = match &config.lock {
            Some(path) => (Some(read(path)?), stamp(path)),
            None => (None, None),
        };
        let pins = Pins::new(placet_bundle::digest, lock);
        let inner = Mutex::new(Inner { pins, stamp, rests: BTreeMap::new() });
        Ok(Pinned { file: config.lock.clone(), inner })
    }

    /// Looks at a part of a server's catalogue: the list `tools`, as JSON text. `None` when it is none.
    pub fn observe(&self, server: &str, tools: &str) -> Option<Observed> {
        let tools = Json::parse(tools.as_bytes(), usize::MAX, usize::MAX).ok()?;
        Some(self.current().pins.observe(server, tools))
    }

    /// Whether a tool may be called, by its server's own name for it.
    ///
    /// # Errors
    /// Why not.
    pub fn available(&self, server: &str, tool: &str) -> Result<(), Unavailable> {
        self.current().pins.available(server, tool)
    }

    /// Whether the server has to be asked for its catalogue before a call of this tool.
    pub fn reading(&self, server: &str, tool: &str) -> Reading {
        let inner = self.current();
        if inner.pins.available(server, tool) != Err(Unavailable::Unknown) {
            return Reading::Done;
        }
        match inner.rests.get(server).filter(|rest| Instant::now() < rest.until) {
            None => Reading::Needed,
            Some(Rest { failed: Some(why), .. }) => Reading::Failed(why.clone()),
            Some(Rest { failed: None, .. }) => Reading::Done,
        }
    }

    /// A server's catalogue was read, as far as it has one.
    pub fn was_read(&self, server: &str) {
        let rest = Rest { until: Instant::now() + AGAIN, failed: None };
        self.lock().rests.insert(server.to_owned(), rest);
    }

    /// A server's catalogue could not be read.
    pub fn not_read(&self, server: &str, why: &str) {
        let rest = Rest { until: Instant::now() + FAILED, failed: Some(why.to_owned()) };
        self.lock().rests.insert(server.to_owned(), rest);
    }

    /// A server says that its catalogue has changed: none of its tools is available until it is seen again.
    pub fn stale(&self, server: &str) {
        let mut inner = self.current();
        inner.pins.stale(server);
        inner.rests.remove(server);
    }

    /// How many tools have open findings.
    pub fn open(&self) -> usize {
        self.lock().pins.open()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the lock as it is on disk now. One that cannot be read leaves the last in force.
    fn current(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        let Some(path) = &self.file else { return inner };
        let now = stamp(path);
        if now == inner.stamp {
            return inner;
        }
        inner.stamp = now;
        match read(path) {
            Ok(lock) => {
                inner.pins.relock(Some(lock));
                inner.rests.clear();
                metrics::reloaded("lock", true);
                tracing::info!(lock = %path.display(), "lock reloaded: catalogues are looked at again");
            }
            Err(error) => {
                metrics::reloaded("lock", false);
                tracing::error!(%error, "LOCK NOT RELOADED: the old one stays in force");
            }
        }
        inner
    }
}

fn read(path: &Path) -> Result<Lock, LockError> {
    let fail = |why: String| LockError { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    Lock::read(&text).map_err(fail)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// Raises the alarm over a finding.
pub fn alert(finding: &Finding) {
    let Finding { server, tool, kind, detail } = finding;
    tracing::error!(
        server,
        tool = tool.escape_debug().to_string(),
        finding = kind.as_str(),
        detail,
        "TOOL NOT AVAILABLE until it is accepted (`placet tools lock --accept`)"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_again_when_it_changes_and_a_broken_one_is_not_taken() {
        let path = std::env::temp_dir().join(format!("placet-lock-{}.json", std::process::id()));
        let tools = r#"[{"name": "a", "inputSchema": {}}]"#;
        let config = ToolsConfig { lock: Some(path.clone()) };
        assert!(Pinned::new(&config).is_err());
        std::fs::write(&path, Lock::default().text()).expect("written");
        let pinned = Pinned::new(&config).expect("a lock");
        let hidden = || pinned.observe("s", tools).expect("a list").hidden.len();
        assert_eq!(hidden(), 1);
        let mut lock = Lock::default();
        let list = Json::parse(tools.as_bytes(), usize::MAX, 9).expect("JSON");
        lock.update(placet_bundle::digest, "s", list, |_| true);
        std::fs::write(&path, lock.text()).expect("written");
        assert_eq!(pinned.reading("s", "a"), Reading::Needed);
        assert_eq!(hidden(), 0);
        assert_eq!(pinned.available("s", "a"), Ok(()));
        std::fs::write(&path, "{").expect("written");
        assert_eq!(pinned.available("s", "a"), Ok(()));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(pinned.available("s", "a"), Ok(()));
    }

    #[test]
    fn catalogues_are_read_before_calls_of_unknown_tools() {
        let pinned = Pinned::new(&ToolsConfig::default()).expect("no lock");
        let is =
            |server: &str, tool: &str, reading: Reading| assert_eq!(pinned.reading(server, tool), reading);
        is("s", "a", Reading::Needed);
        assert!(pinned.observe("s", r#"[{"name": "a"}]"#).is_some());
        assert!(pinned.observe("s", "[").is_none());
        is("s", "a", Reading::Done);
        is("s", "b", Reading::Needed);
        pinned.was_read("s");
        is("s", "b", Reading::Done);
        is("t", "b", Reading::Needed);
        pinned.not_read("t", "why");
        is("t", "b", Reading::Failed("why".to_owned()));
        pinned.stale("s");
        is("s", "a", Reading::Needed);
    }
}
