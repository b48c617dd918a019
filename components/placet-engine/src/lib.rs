//! The decision function: pure, total, indexed.
//!
//! [`decide()`] reads as the semantics do: which files apply, which rules match, how their verdicts combine, what
//! limits, memory and obligations add. It reads no clock and depends on nothing but its arguments.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod constrain;
mod decide;
mod env;
pub mod explain;
pub mod index;
mod layers;
mod limits;
mod list;
pub mod matching;
mod memory;
pub mod policy;
mod residual;
mod scope;
mod select;
pub mod session;
pub mod window;

pub use decide::decide;
pub use list::{Visibility, visibility};
pub use policy::PolicySet;
