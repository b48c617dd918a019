//! Sessions and counters between requests.

use placet_pdp::state::{Commit, CommitResult, StateStore, StoredSession, Unavailable};

use crate::settings::Settings;

pub fn store(_: &Settings) -> NoState {
    NoState
}

/// An instance lives for one request and has nowhere to keep anything: what needs state is denied.
pub struct NoState;

impl StateStore for NoState {
    fn read_session(&self, _tenant: &str, _id: &str) -> Result<Option<StoredSession>, Unavailable> {
        Err(Unavailable)
    }

    fn commit(&self, _commit: &Commit<'_>) -> CommitResult {
        CommitResult::Unavailable
    }
}
