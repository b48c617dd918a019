//! The `sets` library: lists as sets.

use super::operators::is_among;
use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let [Value::List(a), Value::List(b)] = args else { return Err(no_overload(function, args)) };
    Ok(Value::Bool(match function {
        Function::SetsContains => includes(a, b, budget)?,
        Function::SetsEquivalent => includes(a, b, budget)? && includes(b, a, budget)?,
        Function::SetsIntersects => {
            let mut found = false;
            for item in a.iter() {
                if is_among(item, b, budget)? {
                    found = true;
                    break;
                }
            }
            found
        }
        _ => return Err(no_overload(function, args)),
    }))
}

fn includes(set: &[Value<'_>], items: &[Value<'_>], budget: &mut Budget) -> Result<bool, EvalError> {
    for item in items {
        if !is_among(item, set, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}
