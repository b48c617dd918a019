//! Tool pinning at run time: catalogues as they pass are compared with what was accepted, and what differs is told.

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
    /// For each server, until when its catalogue is not read again for the sake of unknown tools.
    rests: Vec<(String, Instant)>,
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
        let inner = Mutex::new(Inner { pins, stamp, rests: Vec::new() });
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

    /// Whether the server should be asked for its catalogue before a call of this tool: no catalogue that was seen has
    /// it, and this was not tried just now.
    pub fn should_read(&self, server: &str, tool: &str) -> bool {
        let inner = self.current();
        if inner.pins.available(server, tool) != Err(Unavailable::Unknown) {
            return false;
        }
        let rest = inner.rests.iter().find(|(of, _)| of == server);
        rest.is_none_or(|(_, until)| *until < Instant::now())
    }

    /// A server's catalogue was read to its end.
    pub fn read_whole(&self, server: &str) {
        self.rest(server, AGAIN);
    }

    /// A server's catalogue could not be read.
    pub fn not_read(&self, server: &str) {
        self.rest(server, FAILED);
    }

    fn rest(&self, server: &str, time: Duration) {
        let mut inner = self.lock();
        inner.rests.retain(|(of, _)| of != server);
        inner.rests.push((server.to_owned(), Instant::now() + time));
    }

    /// A server says that its catalogue has changed: none of its tools is available until it is seen again.
    pub fn stale(&self, server: &str) {
        let mut inner = self.current();
        inner.pins.stale(server);
        inner.rests.retain(|(of, _)| of != server);
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
        assert!(pinned.should_read("s", "a"));
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
        assert!(pinned.should_read("s", "a"));
        assert!(pinned.observe("s", r#"[{"name": "a"}]"#).is_some());
        assert!(pinned.observe("s", "[").is_none());
        assert!(!pinned.should_read("s", "a") && pinned.should_read("s", "b"));
        pinned.read_whole("s");
        assert!(!pinned.should_read("s", "b"), "it was read just now");
        assert!(pinned.should_read("t", "b"), "and the other server was not");
        pinned.not_read("t");
        assert!(!pinned.should_read("t", "b"));
        pinned.stale("s");
        assert!(pinned.should_read("s", "a"));
    }
}
