//! Why an expression has no value.

use std::borrow::Cow;

/// The kind of an evaluation error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// Not an error of the data: the value is not known yet (partial evaluation).
    Unknown,
    /// A field, key or variable is not there.
    Missing,
    /// No overload for the types of the operands.
    Type,
    /// Overflow, division by zero, index or value out of range, unparsable text.
    Value,
    /// The step or size budget is used up.
    Budget,
    /// The program is damaged.
    Program,
}

/// An evaluation error. Its message names fields and types, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

impl EvalError {
    /// An error of this kind: lower case, no full stop, names in backticks.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError { kind, message: message.into() }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
