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
    /// The session's state could not be read.
    Unavailable,
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

    /// Whether `&&`, `||` and the macros built on them must not absorb it: what an exhausted budget or a damaged
    /// program would have said is not known, and is not a property of the data.
    pub fn is_fatal(&self) -> bool {
        matches!(self.kind, ErrorKind::Budget | ErrorKind::Program)
    }

    /// Of two errors that remain, the one to report: what is not known yet outweighs an ordinary error, because the
    /// whole may still be decided; else the first.
    pub(crate) fn merge(self, later: EvalError) -> EvalError {
        if later.kind == ErrorKind::Unknown { later } else { self }
    }

    pub(crate) fn missing(message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError::new(ErrorKind::Missing, message)
    }

    pub(crate) fn mistyped(message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError::new(ErrorKind::Type, message)
    }

    pub(crate) fn value(message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError::new(ErrorKind::Value, message)
    }

    pub(crate) fn budget(message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError::new(ErrorKind::Budget, message)
    }

    pub(crate) fn program(message: impl Into<Cow<'static, str>>) -> EvalError {
        EvalError::new(ErrorKind::Program, message)
    }
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
