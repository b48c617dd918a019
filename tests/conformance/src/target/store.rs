//! The state of one case.

use std::sync::atomic::{AtomicBool, Ordering};

use placet::store::{Commit, CommitResult, MemoryStore, StateStore, StoredSession, Unavailable};

/// A store in memory that a step can put out of reach.
#[derive(Default)]
pub struct Switched {
    store: MemoryStore,
    down: AtomicBool,
}

impl Switched {
    /// Puts it out of reach, or back into it.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }
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
