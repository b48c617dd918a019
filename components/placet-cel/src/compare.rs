//! Equality and order as CEL has them: values of different types are unequal, numbers compare by value across types.

use std::cmp::Ordering;

use crate::budget::Budget;
use crate::error::EvalError;
use crate::program::Constant;
use crate::value::{Map, Value};

/// Whether two values are equal (`==`). Never a type error: values of different types are unequal.
///
/// # Errors
/// `Budget` when the values are too large to compare.
pub fn equal(a: &Value<'_>, b: &Value<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    Ok(match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.as_str() == b.as_str(),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Cidr(a), Value::Cidr(b)) => a == b,
        (Value::Optional(None), Value::Optional(None)) => true,
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => equal(a, b, budget)?,
        (Value::List(a), Value::List(b)) => equal_lists(a, b, budget)?,
        (Value::Map(a), Value::Map(b)) => equal_maps(a, b, budget)?,
        _ => match numbers(a, b) {
            Some(order) => order == Some(Ordering::Equal),
            None => false,
        },
    })
}

fn equal_lists(a: &[Value<'_>], b: &[Value<'_>], budget: &mut Budget) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    budget.step(a.len())?;
    for (a, b) in a.iter().zip(b) {
        if !equal(a, b, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(a: &Map<'_>, b: &Map<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    if a.entries.len() != b.entries.len() {
        return Ok(false);
    }
    for (key, value) in &a.entries {
        match b.get(key, budget)? {
            Some(other) if equal(value, other, budget)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Whether a value equals a constant, without making a value of the constant.
pub(crate) fn equals_constant(
    value: &Value<'_>,
    constant: &Constant,
    budget: &mut Budget,
) -> Result<bool, EvalError> {
    Ok(match (value, constant) {
        (Value::Str(a), Constant::String(b)) => a.as_str() == &**b,
        (Value::Bytes(a), Constant::Bytes(b)) => **a == **b,
        (Value::List(a), Constant::List(b)) if a.len() == b.len() => {
            budget.step(a.len())?;
            for (a, b) in a.iter().zip(b) {
                if !equals_constant(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Constant::Map(b)) if a.entries.len() == b.len() => {
            budget.step(a.entries.len())?;
            for (key, expected) in b {
                budget.step(a.entries.len() / 8)?;
                let Some(found) = find_by_constant(a, key, budget)? else { return Ok(false) };
                if !equals_constant(found, expected, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (value, constant) => match scalar(constant) {
            Some(constant) => equal(value, &constant, budget)?,
            None => false,
        },
    })
}

fn find_by_constant<'m, 'a>(
    map: &'m Map<'a>,
    key: &Constant,
    budget: &mut Budget,
) -> Result<Option<&'m Value<'a>>, EvalError> {
    for (k, value) in &map.entries {
        if equals_constant(k, key, budget)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The value of a constant that needs no memory of its own.
pub(crate) fn scalar(constant: &Constant) -> Option<Value<'_>> {
    Some(match constant {
        Constant::Null => Value::Null,
        Constant::Bool(b) => Value::Bool(*b),
        Constant::Int(i) => Value::Int(*i),
        Constant::Uint(u) => Value::Uint(*u),
        Constant::Double(d) => Value::Double(*d),
        Constant::String(s) => Value::str(s),
        Constant::Timestamp(t) => Value::Timestamp(*t),
        Constant::Duration(nanos) => Value::duration(*nanos),
        Constant::Type(t) => Value::Type(*t),
        Constant::Bytes(_) | Constant::List(_) | Constant::Map(_) => return None,
    })
}

impl<'a> Map<'a> {
    /// The value at a key; numeric keys match by value across types. A key of a type that no map has is in none.
    ///
    /// # Errors
    /// `Budget` when the map is too large to search.
    pub fn get(&self, key: &Value<'_>, budget: &mut Budget) -> Result<Option<&Value<'a>>, EvalError> {
        budget.step(self.entries.len() / 8)?;
        let found = match key {
            Value::Str(text) => return Ok(self.field(text.as_str())),
            Value::Bool(key) => self.entries.iter().find(|(k, _)| matches!(k, Value::Bool(k) if k == key)),
            Value::Int(_) | Value::Uint(_) | Value::Double(_) => {
                self.entries.iter().find(|(k, _)| numbers(k, key) == Some(Some(Ordering::Equal)))
            }
            _ => None,
        };
        Ok(found.map(|(_, value)| value))
    }

    /// The value at a string key.
    pub fn field(&self, name: &str) -> Option<&Value<'a>> {
        let same = |key: &Value<'_>| matches!(key, Value::Str(key) if key.as_str() == name);
        self.entries.iter().find(|(key, _)| same(key)).map(|(_, value)| value)
    }
}

/// The order of two values that `<`, `<=`, `>` and `>=` can compare.
///
/// # Errors
/// `Type` when they have no order, `Value` when one is NaN: an order that is neither way must not pass for "not
/// greater".
pub fn order(a: &Value<'_>, b: &Value<'_>) -> Result<Ordering, EvalError> {
    Ok(match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.as_str().cmp(b.as_str()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        _ => match numbers(a, b) {
            Some(Some(order)) => order,
            Some(None) => return Err(EvalError::value("NaN has no order")),
            None => return Err(unordered(a, b)),
        },
    })
}

#[cold]
fn unordered(a: &Value<'_>, b: &Value<'_>) -> EvalError {
    EvalError::mistyped(format!("`{}` and `{}` have no order", a.type_of().name(), b.type_of().name()))
}

/// The order of two numbers by value; inner nothing when one is NaN, outer when one is no number.
pub(crate) fn numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Int(a), Value::Double(b)) => integer_to_double(i128::from(*a), *a as f64, *b),
        (Value::Uint(a), Value::Double(b)) => integer_to_double(i128::from(*a), *a as f64, *b),
        (Value::Double(a), Value::Int(b)) => {
            integer_to_double(i128::from(*b), *b as f64, *a).map(Ordering::reverse)
        }
        (Value::Double(a), Value::Uint(b)) => {
            integer_to_double(i128::from(*b), *b as f64, *a).map(Ordering::reverse)
        }
        _ => return None,
    })
}

/// Exact, except that integers so near 2^63 or 2^64 that they round to it count as equal to it: CEL's conformance
/// suite wants `9223372036854775808.0 <= 9223372036854775807`.
fn integer_to_double(exact: i128, rounded: f64, double: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if rounded == double && rounded >= TWO_63 && (rounded == TWO_63 || rounded == 2.0 * TWO_63) {
        return Some(Ordering::Equal);
    }
    // Saturates at the ends of i128, far outside either integer type.
    let whole = double.trunc();
    let fraction = || 0.0_f64.partial_cmp(&(double - whole)).unwrap_or(Ordering::Equal);
    Some(exact.cmp(&(whole as i128)).then_with(fraction))
}
