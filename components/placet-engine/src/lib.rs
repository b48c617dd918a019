//! The decision function: pure, total, indexed.
//!
//! [`decide()`] reads as `semantics.md` does: which files apply, which rules match, how their verdicts combine, what
//! limits, memory and obligations add. It reads no clock and depends on nothing but its arguments.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod index;
pub mod policy;

pub use policy::PolicySet;
