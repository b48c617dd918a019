//! State between decisions, without I/O: what is asked of a store, and the loop that decides on one.
//!
//! [`Round`] drives one decision: it says what to read and what to write, and whoever runs it does so, waiting or not.
//! [`StateStore`] is a store that answers at once; [`cells`] makes one out of any map with compare-and-set.
//! A store knows no clock: the only time is that of the calls whose state it keeps.

pub mod cells;
mod round;

pub use round::{Committing, Outcome, Place, Reading, Round, Step};

use std::fmt;

use placet_model::{Charge, SessionFact, Settlement, Timestamp};

/// Where the state of sessions and the counters of limits are kept. Nothing of one tenant reaches another.
pub trait StateStore: Send + Sync {
    /// The state of a session, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be reached.
    fn read_session(&self, tenant: &str, id: &str) -> Result<Option<StoredSession>, Unavailable>;

    /// Writes everything a decision asked for, or nothing.
    fn commit(&self, commit: &Commit<'_>) -> CommitResult;
}

/// The store cannot be reached, or has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state store is unavailable")
    }
}

impl std::error::Error for Unavailable {}

/// A session's state as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The bytes that a decision's delta asked to store.
    pub state: Vec<u8>,
    /// How many times it has been written, at least 1.
    pub version: u64,
}

/// What one decision asks the store to do.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Whose state it is.
    pub tenant: &'a str,
    /// The session's new state.
    pub session: Option<SessionWrite<'a>>,
    /// Charges to take, all or none.
    pub charges: &'a [Charge],
    /// Reservations to settle.
    pub settlements: &'a [Settlement],
    /// The call's time.
    pub at: Timestamp,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
}

/// A compare-and-set of one session's state.
#[derive(Clone, Copy, Debug)]
pub struct SessionWrite<'a> {
    /// The session.
    pub id: &'a str,
    /// The version that was read; 0 when there was none.
    pub expected: u64,
    /// The new state.
    pub state: &'a [u8],
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitResult {
    /// Everything is written.
    Done,
    /// Nothing is written: the session has changed since it was read, or others kept writing what was to be written.
    Conflict,
    /// Nothing is written: these limits (`layer/id`, sorted) would be exceeded.
    Exceeded(Vec<String>),
    /// Nothing is written: the store cannot be reached, or has no room.
    Unavailable,
}

/// What a decision is told of a session that was read.
pub fn session_fact(read: &Result<Option<StoredSession>, Unavailable>) -> SessionFact<'_> {
    match read {
        Ok(None) => SessionFact::Fresh,
        Ok(Some(stored)) => SessionFact::Stored(&stored.state),
        Err(Unavailable) => SessionFact::Unavailable,
    }
}

#[cfg(test)]
mod tests;
