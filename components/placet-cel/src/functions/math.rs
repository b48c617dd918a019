//! The `math` library.

use std::cmp::Ordering;

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::compare::numbers;
use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

/// `math.greatest` and `math.least`, of arguments or of one list; the first of equals.
pub(super) fn extreme<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let candidates = match args {
        [Value::List(items)] => items,
        _ => args,
    };
    budget.step(candidates.len())?;
    let Some((first, others)) = candidates.split_first() else {
        return Err(EvalError::value("an empty list has neither a greatest nor a least element"));
    };
    let wanted = if function == Function::Greatest { Ordering::Greater } else { Ordering::Less };
    let mut best = first;
    compare(function, best, best)?;
    for candidate in others {
        if compare(function, candidate, best)? == wanted {
            best = candidate;
        }
    }
    Ok(best.clone())
}

fn compare(function: Function, a: &Value<'_>, b: &Value<'_>) -> Result<Ordering, EvalError> {
    match numbers(a, b) {
        Some(Some(order)) => Ok(order),
        Some(None) => Err(EvalError::value("NaN has no order")),
        None => Err(no_overload(function, &[a.clone(), b.clone()])),
    }
}

/// Functions of a double only.
pub(super) fn double<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    let [Value::Double(d)] = args else { return Err(no_overload(function, args)) };
    Ok(match function {
        Function::Ceil => Value::Double(d.ceil()),
        Function::Floor => Value::Double(d.floor()),
        Function::Round => Value::Double(d.round()),
        Function::Trunc => Value::Double(d.trunc()),
        Function::IsNan => Value::Bool(d.is_nan()),
        Function::IsInf => Value::Bool(d.is_infinite()),
        Function::IsFinite => Value::Bool(d.is_finite()),
        _ => return Err(no_overload(function, args)),
    })
}

/// `math.abs`, `math.sign` and `math.sqrt`
pub(super) fn number<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    use Value as V;
    Ok(match (function, args) {
        (Function::Abs, [V::Int(i)]) => match i.checked_abs() {
            Some(abs) => V::Int(abs),
            None => return Err(EvalError::value("the result is outside the range of its type")),
        },
        (Function::Abs, [V::Uint(u)]) => V::Uint(*u),
        (Function::Abs, [V::Double(d)]) => V::Double(d.abs()),
        (Function::Sign, [V::Int(i)]) => V::Int(i.signum()),
        (Function::Sign, [V::Uint(u)]) => V::Uint((*u).min(1)),
        // `signum` gives zero the sign of one.
        (Function::Sign, [V::Double(d)]) => V::Double(if *d == 0.0 { 0.0 } else { d.signum() }),
        (Function::Sqrt, [V::Int(i)]) => V::Double((*i as f64).sqrt()),
        (Function::Sqrt, [V::Uint(u)]) => V::Double((*u as f64).sqrt()),
        (Function::Sqrt, [V::Double(d)]) => V::Double(d.sqrt()),
        _ => return Err(no_overload(function, args)),
    })
}

/// Operations on the 64 bits of an int or uint; a right shift never copies the sign.
pub(super) fn bits<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    use Value as V;
    match (function, args) {
        (Function::BitNot, [V::Int(a)]) => Ok(V::Int(!a)),
        (Function::BitNot, [V::Uint(a)]) => Ok(V::Uint(!a)),
        (Function::ShiftLeft | Function::ShiftRight, [V::Int(a), V::Int(by)]) => {
            shift(function, a.cast_unsigned(), *by).map(|shifted| V::Int(shifted.cast_signed()))
        }
        (Function::ShiftLeft | Function::ShiftRight, [V::Uint(a), V::Int(by)]) => {
            shift(function, *a, *by).map(V::Uint)
        }
        (Function::BitAnd, [V::Int(a), V::Int(b)]) => Ok(V::Int(a & b)),
        (Function::BitAnd, [V::Uint(a), V::Uint(b)]) => Ok(V::Uint(a & b)),
        (Function::BitOr, [V::Int(a), V::Int(b)]) => Ok(V::Int(a | b)),
        (Function::BitOr, [V::Uint(a), V::Uint(b)]) => Ok(V::Uint(a | b)),
        (Function::BitXor, [V::Int(a), V::Int(b)]) => Ok(V::Int(a ^ b)),
        (Function::BitXor, [V::Uint(a), V::Uint(b)]) => Ok(V::Uint(a ^ b)),
        _ => Err(no_overload(function, args)),
    }
}

fn shift(function: Function, bits: u64, by: i64) -> Result<u64, EvalError> {
    if by < 0 {
        return Err(EvalError::value("bits cannot be shifted by a negative number"));
    }
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    let shifted = if function == Function::ShiftLeft { bits.checked_shl(by) } else { bits.checked_shr(by) };
    Ok(shifted.unwrap_or(0))
}
