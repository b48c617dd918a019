//! Optional values. `or` and `orValue` are evaluated by the machine, which needs their second argument only sometimes.

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    use Function as F;
    Ok(match (function, args) {
        (F::OptionalNone, []) => Value::none(),
        (F::OptionalOf, [value]) => Value::some(value.clone()),
        (F::OptionalOfNonZero, [value]) if is_zero(value) => Value::none(),
        (F::OptionalOfNonZero, [value]) => Value::some(value.clone()),
        (F::HasValue, [Value::Optional(inner)]) => Value::Bool(inner.is_some()),
        (F::OptionalValue, [Value::Optional(Some(inner))]) => (**inner).clone(),
        (F::OptionalValue, [Value::Optional(None)]) => {
            return Err(EvalError::missing("the optional has no value"));
        }
        (F::OptionalUnwrap | F::UnwrapOpt, [Value::List(items)]) => {
            budget.build_list(items.len())?;
            let mut values = Vec::new();
            for item in items.iter() {
                match item {
                    Value::Optional(inner) => values.extend(inner.as_deref().cloned()),
                    _ => return Err(no_overload(function, args)),
                }
            }
            Value::list(values)
        }
        _ => return Err(no_overload(function, args)),
    })
}

/// The zero of a type: null, false, 0, the empty text, list or map, the zero duration, the epoch, no value.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Int(i) => *i == 0,
        Value::Uint(u) => *u == 0,
        Value::Double(d) => *d == 0.0,
        Value::Str(s) => s.as_str().is_empty(),
        Value::Bytes(b) => b.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.entries.is_empty(),
        Value::Timestamp(t) => t.seconds == 0 && t.nanos == 0,
        Value::Duration(d) => d.nanos == 0,
        Value::Optional(inner) => inner.is_none(),
        Value::Type(_) | Value::Ip(_) | Value::Cidr(_) => false,
    }
}
