//! Sessions and counters between requests: in Spin's key-value store, or nowhere.

use placet_pdp::state::StateStore;

use crate::settings::Settings;

#[cfg(feature = "spin")]
mod keyvalue;
#[cfg(not(feature = "spin"))]
mod nowhere;

/// The store of this build.
#[cfg(feature = "spin")]
pub fn store(settings: &Settings) -> impl StateStore {
    use placet_pdp::state::cells::{Bounds, CellStore};
    CellStore::new(keyvalue::Bucket::open(&settings.store), Bounds::default())
}

/// The store of this build.
#[cfg(not(feature = "spin"))]
pub fn store(_: &Settings) -> impl StateStore {
    nowhere::Nowhere
}
