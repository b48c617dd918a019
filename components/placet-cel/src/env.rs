//! What a program is evaluated in.

use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

/// Gives a program its variables. `'a` is the life of the call's text and of the policy's pool.
pub trait Env<'a> {
    /// The value at `Pool::paths[path]`.
    ///
    /// # Errors
    /// `Missing` when a variable or field is absent, `Type` when a field is selected from something that has none,
    /// `Unknown` in partial evaluation.
    fn load(&self, path: u32) -> Result<Value<'a>, EvalError>;

    /// Whether the last field of `Pool::paths[path]` is there.
    ///
    /// # Errors
    /// As [`Env::load`] has them for all but the last field.
    fn has(&self, path: u32) -> Result<bool, EvalError>;

    /// The functions that need state: `session.*`.
    ///
    /// # Errors
    /// When there is no session, its state is unavailable, or an argument has the wrong type.
    fn call(&self, function: Function, args: &[Value<'a>]) -> Result<Value<'a>, EvalError>;
}
