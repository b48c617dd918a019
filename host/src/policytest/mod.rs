//! Policy tests: calls and traces with the decisions that their authors expect, kept beside the policies.
//!
//! `file` is what a test file says, `run` decides its calls, `report` draws what came out.

mod file;
mod report;
mod run;

pub use file::{Case, Expect, Step, TestFile, find};
pub use report::{print_text, to_json};
pub use run::{Coverage, Failure, Results, compare, run};
