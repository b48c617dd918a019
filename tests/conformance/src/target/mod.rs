//! What cases are put to.

mod command;
mod engine;
mod filter;
mod store;
mod wire;

pub use command::Command;
pub use engine::Engine;
pub use filter::Filter;

use crate::case::Case;
use crate::check::CameOut;
use crate::policy::Policy;

/// Something that decides.
pub trait Target: Send + Sync {
    /// What its trials begin with.
    fn name(&self) -> &str;

    /// Whether a case can be put to it at all.
    fn takes(&self, case: &Case) -> bool;

    /// Runs the steps of a case on fresh state.
    ///
    /// # Errors
    /// When it could not run them, or did what no decision explains.
    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String>;
}
