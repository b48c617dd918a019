//! No state: an instance has nowhere to keep anything, so that what needs state is denied.

use placet_pdp::state::{Commit, CommitResult, StateStore, StoredSession, Unavailable};

pub struct Nowhere;

impl StateStore for Nowhere {
    fn read_session(&self, _tenant: &str, _id: &str) -> Result<Option<StoredSession>, Unavailable> {
        Err(Unavailable)
    }

    fn commit(&self, _commit: &Commit<'_>) -> CommitResult {
        CommitResult::Unavailable
    }
}
