//! The expression machine: the semantics of the Common Expression Language (CEL) for JSON-shaped data, on a flat
//! compiled form. It contains no parser: programs are made by the host's compiler and arrive inside bundles.
//!
//! Pure and total: [`eval::eval`] returns a value or an [`EvalError`] for every program and environment, within a
//! step budget. It reads no clock and no randomness, and no map here has hash order.

pub mod env;
pub mod error;
pub mod function;
pub mod program;
pub mod value;

pub use env::Env;
pub use error::{ErrorKind, EvalError};
pub use function::Function;
pub use program::{Node, NodeId, Path, Pool, Program, Root};
pub use value::Value;
