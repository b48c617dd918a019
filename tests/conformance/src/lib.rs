//! The conformance suite of Placet: one table of cases, and a runner that puts each of them to every target.
//!
//! The table is `cases/*.toml` (read by [`table`]), the policies that its cases speak of are in `policies/`. A
//! [`target::Target`] is whatever decides: the engine in this process, the component, the filter in a proxy, a server at
//! the edge, or somebody else's implementation behind a command. The README says how to run it on your own.

pub mod case;
pub mod check;
pub mod differential;
pub mod ledger;
pub mod policy;
pub mod proxy;
pub mod run;
pub mod table;
pub mod target;
pub mod wire;

use std::path::PathBuf;

/// Where the suite's files are.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
