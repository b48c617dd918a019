//! Conversions between types.

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::text::{ip, number, time};
use crate::value::Value;

const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let [value] = args else { return Err(no_overload(function, args)) };
    if let Some(converted) = match function {
        Function::ToDyn => Some(value.clone()),
        Function::TypeOf => Some(Value::Type(value.type_of())),
        Function::ToInt => to_int(value)?,
        Function::ToUint => to_uint(value)?,
        Function::ToDouble => to_double(value)?,
        Function::ToBool => to_bool(value)?,
        Function::ToString => to_string(value, budget)?,
        Function::ToBytes => to_bytes(value, budget)?,
        Function::ToTimestamp => to_timestamp(value)?,
        _ => to_duration(value)?,
    } {
        return Ok(converted);
    }
    Err(no_overload(function, args))
}

/// A converted value, or nothing when the type cannot be converted.
type Converted<'a> = Result<Option<Value<'a>>, EvalError>;

fn to_int<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Int(match value {
        Value::Int(i) => *i,
        Value::Uint(u) => i64::try_from(*u).map_err(|_| out_of_range("int"))?,
        // Both ends are excluded: a double there may stand for an integer outside.
        Value::Double(d) if -TWO_63 < *d && *d < TWO_63 => *d as i64,
        Value::Double(_) => return Err(out_of_range("int")),
        Value::Str(s) => s.as_str().parse().map_err(|_| unparsable("int"))?,
        Value::Timestamp(t) => t.seconds,
        _ => return Ok(None),
    })))
}

fn to_uint<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Uint(match value {
        Value::Uint(u) => *u,
        Value::Int(i) => u64::try_from(*i).map_err(|_| out_of_range("uint"))?,
        Value::Double(d) if 0.0 <= *d && *d < TWO_64 => *d as u64,
        Value::Double(_) => return Err(out_of_range("uint")),
        Value::Str(s) if !s.as_str().starts_with('+') => {
            s.as_str().parse().map_err(|_| unparsable("uint"))?
        }
        Value::Str(_) => return Err(unparsable("uint")),
        _ => return Ok(None),
    })))
}

fn to_double<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Double(match value {
        Value::Double(d) => *d,
        Value::Int(i) => *i as f64,
        Value::Uint(u) => *u as f64,
        Value::Str(s) => number::parse_double(s.as_str())?,
        _ => return Ok(None),
    })))
}

fn to_bool<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(Some(Value::Bool(match value {
        Value::Bool(b) => *b,
        Value::Str(s) => match s.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => return Err(unparsable("bool")),
        },
        _ => return Ok(None),
    })))
}

fn to_string<'a>(value: &Value<'a>, budget: &mut Budget) -> Converted<'a> {
    let text = match value {
        Value::Str(_) => return Ok(Some(value.clone())),
        Value::Bool(b) => return Ok(Some(Value::str(if *b { "true" } else { "false" }))),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Double(d) => number::shortest(*d),
        Value::Bytes(b) => match std::str::from_utf8(b) {
            Ok(text) => text.to_owned(),
            Err(_) => return Err(EvalError::value("the bytes are not UTF-8")),
        },
        Value::Timestamp(t) => t.to_string(),
        Value::Duration(d) => time::format_duration(d.nanos),
        Value::Ip(ip) => ip.to_string(),
        Value::Cidr(cidr) => ip::format_cidr(cidr),
        _ => return Ok(None),
    };
    budget.build(text.len())?;
    Ok(Some(Value::string(text)))
}

fn to_bytes<'a>(value: &Value<'a>, budget: &mut Budget) -> Converted<'a> {
    Ok(match value {
        Value::Bytes(_) => Some(value.clone()),
        Value::Str(s) => {
            budget.build(s.as_str().len())?;
            Some(Value::bytes(s.as_str().as_bytes()))
        }
        _ => None,
    })
}

fn to_timestamp<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(match value {
        Value::Timestamp(_) => Some(value.clone()),
        Value::Int(seconds) => {
            Some(Value::Timestamp(time::timestamp_of_nanos(i128::from(*seconds) * 1_000_000_000)?))
        }
        Value::Str(s) => Some(Value::Timestamp(time::parse_timestamp(s.as_str())?)),
        _ => None,
    })
}

fn to_duration<'a>(value: &Value<'a>) -> Converted<'a> {
    Ok(match value {
        Value::Duration(_) => Some(value.clone()),
        Value::Str(s) => Some(Value::duration(time::parse_duration(s.as_str())?)),
        _ => None,
    })
}

#[cold]
fn out_of_range(kind: &str) -> EvalError {
    EvalError::value(format!("the number is outside the range of `{kind}`"))
}

#[cold]
fn unparsable(kind: &str) -> EvalError {
    EvalError::value(format!("the text is not written as `{kind}`"))
}
