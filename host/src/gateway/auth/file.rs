//! What is read from a file that may change while the gateway runs: key sets, API keys, secrets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a file is taken to be as it was.
const LOOK: Duration = Duration::from_secs(1);
/// Longest file, in bytes.
const LONGEST: u64 = 16 << 20;

/// The contents of a file, read again when it changes. Contents that cannot be used leave the old ones in force.
#[derive(Debug)]
pub struct Reloaded<T> {
    path: PathBuf,
    read: fn(&str) -> Result<T, String>,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Arc<T>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// What changes when a file does: renaming another over it changes the number of its inode, if nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
}

impl Stamp {
    /// `None`: there is no such file.
    pub fn of(path: &Path) -> Option<Stamp> {
        let of = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&of);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Stamp { modified: of.modified().ok()?, length: of.len(), inode })
    }
}

impl<T> Reloaded<T> {
    /// Reads a file for the first time.
    ///
    /// # Errors
    /// When it cannot be read, or is not what it should be.
    pub fn open(path: &Path, read: fn(&str) -> Result<T, String>) -> Result<Reloaded<T>, String> {
        // Before reading: a change in between is seen later.
        let stamp = Stamp::of(path);
        let value = Arc::new(contents(path, read)?);
        let state = State { value, stamp, looked: Instant::now() };
        Ok(Reloaded { path: path.to_owned(), read, state: Mutex::new(state) })
    }

    /// What the file says now, or said when it could last be used.
    pub fn get(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        state.looked = Instant::now();
        let stamp = Stamp::of(&self.path);
        if stamp == state.stamp {
            return;
        }
        state.stamp = stamp;
        match contents(&self.path, self.read) {
            Ok(value) => {
                state.value = Arc::new(value);
                tracing::info!(file = %self.path.display(), "read again");
            }
            Err(error) => tracing::error!(error, "NOT RELOADED: what was read before stays in force"),
        }
    }
}

fn contents<T>(path: &Path, read: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let fault = |why: &dyn std::fmt::Display| format!("`{}`: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| fault(&error))?.len();
    if length > LONGEST {
        return Err(fault(&format_args!("longer than {LONGEST} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
    read(&text).map_err(|error| fault(&error))
}
