//! Arithmetic and relations.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::compare::{equal, order};
use crate::error::EvalError;
use crate::function::Function;
use crate::text::time;
use crate::value::{Duration, Str, Value};

/// `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`
pub(super) fn relation<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let [a, b] = args else { return Err(no_overload(function, args)) };
    Ok(Value::Bool(match function {
        Function::Eq => equal(a, b, budget)?,
        Function::Ne => !equal(a, b, budget)?,
        Function::Lt => order(a, b)? == Ordering::Less,
        Function::Le => order(a, b)? != Ordering::Greater,
        Function::Gt => order(a, b)? == Ordering::Greater,
        Function::Ge => order(a, b)? != Ordering::Less,
        _ => match b {
            Value::List(items) => is_among(a, items, budget)?,
            Value::Map(map) => map.get(a, budget)?.is_some(),
            _ => return Err(no_overload(function, args)),
        },
    }))
}

/// Whether a list has an element equal to the value.
pub(super) fn is_among(
    item: &Value<'_>,
    items: &[Value<'_>],
    budget: &mut Budget,
) -> Result<bool, EvalError> {
    for other in items {
        budget.step(1)?;
        if equal(item, other, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `+`, `-`, `*`, `/`, `%`, unary `-` and `!`; no conversion between numeric types.
pub(super) fn arithmetic<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    use Value as V;
    match (function, args) {
        (Function::Not, [V::Bool(b)]) => Ok(V::Bool(!b)),
        (Function::Neg, [V::Int(a)]) => checked(a.checked_neg().map(V::Int)),
        (Function::Neg, [V::Double(a)]) => Ok(V::Double(-a)),
        (_, [V::Int(a), V::Int(b)]) => int(function, *a, *b),
        (_, [V::Uint(a), V::Uint(b)]) => uint(function, *a, *b),
        (Function::Add, [V::Double(a), V::Double(b)]) => Ok(V::Double(a + b)),
        (Function::Sub, [V::Double(a), V::Double(b)]) => Ok(V::Double(a - b)),
        (Function::Mul, [V::Double(a), V::Double(b)]) => Ok(V::Double(a * b)),
        (Function::Div, [V::Double(a), V::Double(b)]) => Ok(V::Double(a / b)),
        (Function::Add, [V::Str(a), V::Str(b)]) => concat_texts(a, b, budget),
        (Function::Add, [V::Bytes(a), V::Bytes(b)]) => {
            budget.build(a.len().saturating_add(b.len()))?;
            Ok(V::bytes([&**a, &**b].concat()))
        }
        (Function::Add, [V::List(a), V::List(b)]) => {
            budget.build_list(a.len().saturating_add(b.len()))?;
            Ok(V::List(a.iter().chain(b.iter()).cloned().collect::<Rc<[_]>>()))
        }
        (Function::Add, [V::Timestamp(t), V::Duration(d)] | [V::Duration(d), V::Timestamp(t)]) => {
            time::timestamp_of_nanos(t.nanos_since_epoch().saturating_add(d.nanos)).map(V::Timestamp)
        }
        (Function::Sub, [V::Timestamp(t), V::Duration(d)]) => {
            time::timestamp_of_nanos(t.nanos_since_epoch().saturating_sub(d.nanos)).map(V::Timestamp)
        }
        (Function::Sub, [V::Timestamp(a), V::Timestamp(b)]) => {
            span(a.nanos_since_epoch().saturating_sub(b.nanos_since_epoch()))
        }
        (Function::Add, [V::Duration(a), V::Duration(b)]) => span(a.nanos.saturating_add(b.nanos)),
        (Function::Sub, [V::Duration(a), V::Duration(b)]) => span(a.nanos.saturating_sub(b.nanos)),
        _ => Err(no_overload(function, args)),
    }
}

fn int<'a>(function: Function, a: i64, b: i64) -> Outcome<'a> {
    checked(match function {
        Function::Add => a.checked_add(b),
        Function::Sub => a.checked_sub(b),
        Function::Mul => a.checked_mul(b),
        Function::Div if b != 0 => a.checked_div(b),
        Function::Mod if b != 0 => a.checked_rem(b),
        Function::Div | Function::Mod => return Err(division_by_zero()),
        _ => return Err(no_overload(function, &[Value::Int(a), Value::Int(b)])),
    })
    .map(Value::Int)
}

fn uint<'a>(function: Function, a: u64, b: u64) -> Outcome<'a> {
    checked(match function {
        Function::Add => a.checked_add(b),
        Function::Sub => a.checked_sub(b),
        Function::Mul => a.checked_mul(b),
        Function::Div if b != 0 => a.checked_div(b),
        Function::Mod if b != 0 => a.checked_rem(b),
        Function::Div | Function::Mod => return Err(division_by_zero()),
        _ => return Err(no_overload(function, &[Value::Uint(a), Value::Uint(b)])),
    })
    .map(Value::Uint)
}

fn concat_texts<'a>(a: &Str<'a>, b: &Str<'a>, budget: &mut Budget) -> Outcome<'a> {
    if a.as_str().is_empty() || b.as_str().is_empty() {
        return Ok(Value::Str(if a.as_str().is_empty() { b.clone() } else { a.clone() }));
    }
    budget.build(a.as_str().len().saturating_add(b.as_str().len()))?;
    Ok(Value::string([a.as_str(), b.as_str()].concat()))
}

fn span<'a>(nanos: i128) -> Outcome<'a> {
    time::check_duration(nanos).map(|nanos| Value::Duration(Duration { nanos }))
}

fn checked<T>(result: Option<T>) -> Result<T, EvalError> {
    result.ok_or_else(|| EvalError::value("the result is outside the range of its type"))
}

#[cold]
fn division_by_zero() -> EvalError {
    EvalError::value("division by zero")
}
