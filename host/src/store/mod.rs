//! State between decisions: sessions by compare-and-set, charges all or none.
//!
//! What a store is, and the loop that decides on one, are in [`placet_pdp::state`]; here is the store of this process.

mod memory;

pub use memory::{Bounds, MemoryStore};
pub use placet_pdp::state::{Commit, CommitResult, SessionWrite, StateStore, StoredSession, Unavailable};
