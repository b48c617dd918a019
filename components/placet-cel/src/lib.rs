//! The expression machine: the semantics of the Common Expression Language (CEL) for JSON-shaped data, on a flat
//! compiled form. It contains no parser: programs are made by the host's compiler and arrive inside bundles.
//!
//! Pure and total: [`eval::eval`] returns a value or an [`EvalError`] for every program and environment, within a
//! step budget. It reads no clock and no randomness, and no map here has hash order.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        reason = "tests may fail loudly"
    )
)]

pub mod budget;
mod compare;
pub mod env;
pub mod error;
pub mod eval;
pub mod function;
mod functions;
mod json;
pub mod pool;
pub mod program;
pub mod text;
pub mod value;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use compare::{equal, order};
pub use env::Env;
pub use error::{ErrorKind, EvalError};
pub use eval::{constant_value, eval, eval_node};
pub use function::Function;
pub use pool::OpenPool;
pub use program::{Node, NodeId, Path, Pool, Program, Root};
pub use value::Value;
