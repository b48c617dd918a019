//! The policy that a guest carries.
//!
//! A guest decides by whatever [`with`] gives it. It begins with a decision point that denies everything, and gets its
//! policy in one of two ways: from its configuration, by [`replace`], or at build time, when `placet build`
//! instantiates the guest's core module, calls the two exports of this crate and keeps the memory that results as the
//! module's initial memory. A module made so has its policy open before its first instruction runs.
//!
//! ```
//! use placet_embed::{replace, with};
//! use placet_pdp::{Pdp, Trust};
//!
//! assert_eq!(with(|pdp| pdp.refusal().map(str::to_owned)).as_deref(), Some("No policy is loaded."));
//! replace(Pdp::open(b"not a bundle", &Trust::default()));
//! assert!(with(|pdp| pdp.refusal().is_some_and(|why| why.contains("damaged"))));
//! ```
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(target_arch = "wasm32")]
mod exports;

use std::cell::RefCell;
use std::rc::Rc;

use placet_pdp::{Pdp, Trust};

thread_local! {
    /// The policy in force. A guest is single-threaded, and this is the only state of its own that it needs.
    static PDP: RefCell<Rc<Pdp>> = RefCell::new(Rc::new(Pdp::empty()));
}

/// Lends the policy in force. It stays the one that `f` sees until `f` returns, even when `f` replaces it.
pub fn with<R>(f: impl FnOnce(&Pdp) -> R) -> R {
    let pdp = PDP.with(|cell| Rc::clone(&cell.borrow()));
    f(&pdp)
}

/// Puts another policy in force, one that denies everything not excepted.
pub fn replace(pdp: Pdp) {
    // The old one is dropped after the borrow has ended.
    drop(PDP.with(|cell| cell.replace(Rc::new(pdp))));
}

/// Opens the bundle at the beginning of `bytes` with the trusted keys behind it, puts what results in force, and says
/// whether it decides. Lengths that do not fit the bytes, and keys that are not 32 bytes each, do not open.
pub fn open(bytes: &[u8], bundle: usize) -> bool {
    let keys = bytes.split_at_checked(bundle).and_then(|(bundle, keys)| {
        let (keys, rest) = keys.as_chunks::<32>();
        rest.is_empty().then(|| (bundle, keys.to_vec()))
    });
    let pdp = keys.map_or_else(Pdp::empty, |(bundle, keys)| Pdp::open(bundle, &Trust { keys }));
    let decides = pdp.refusal().is_none();
    replace(pdp);
    decides
}

#[cfg(test)]
mod tests;
