//! `format`: `%s %d %f %e %b %o %x %X %%`, with a precision for `%f` and `%e`.

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::text::{number, time};
use crate::value::Value;

/// Digits after the point when the format does not say.
const DEFAULT_PRECISION: usize = 6;
const MAX_PRECISION: usize = 1_000;

pub(super) fn call<'a>(args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let [Value::Str(format), Value::List(items)] = args else {
        return Err(no_overload(Function::Format, args));
    };
    budget.build(format.as_str().len())?;
    let mut out = String::new();
    let mut items = items.iter();
    let mut rest = format.as_str();
    while let Some((literal, clause)) = rest.split_once('%') {
        out.push_str(literal);
        if let Some(after) = clause.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, clause) = precision(clause)?;
        let mut chars = clause.chars();
        let verb = chars.next().ok_or_else(|| EvalError::value("the format ends within a clause"))?;
        let Some(item) = items.next() else {
            return Err(EvalError::value("the format has more clauses than there are arguments"));
        };
        let text = clause_text(verb, precision, item, budget)?;
        budget.build(text.len())?;
        out.push_str(&text);
        rest = chars.as_str();
    }
    out.push_str(rest);
    Ok(Value::string(out))
}

/// `.3` at the head of a clause.
fn precision(clause: &str) -> Result<(usize, &str), EvalError> {
    let Some(rest) = clause.strip_prefix('.') else { return Ok((DEFAULT_PRECISION, clause)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    match digits.parse() {
        Ok(precision) if precision <= MAX_PRECISION => Ok((precision, rest)),
        _ => Err(EvalError::value("the precision of a format clause must be a number up to 1000")),
    }
}

fn clause_text(
    verb: char,
    precision: usize,
    value: &Value<'_>,
    budget: &mut Budget,
) -> Result<String, EvalError> {
    let text = match (verb, value) {
        ('s', value) => {
            let mut out = String::new();
            write_value(&mut out, value, budget)?;
            Some(out)
        }
        ('d', Value::Int(i)) => Some(i.to_string()),
        ('d', Value::Uint(u)) => Some(u.to_string()),
        ('d', Value::Double(d)) => Some(number::plain(*d)),
        ('f', value) => double(value).map(|d| number::fixed(d, precision)),
        ('e', value) => double(value).map(|d| number::scientific(d, precision)),
        ('b', Value::Bool(b)) => Some(u8::from(*b).to_string()),
        ('b' | 'o' | 'x' | 'X', Value::Int(i)) => {
            let sign = if *i < 0 { "-" } else { "" };
            Some(format!("{sign}{}", in_base(verb, i.unsigned_abs())))
        }
        ('b' | 'o' | 'x' | 'X', Value::Uint(u)) => Some(in_base(verb, *u)),
        ('x' | 'X', Value::Str(s)) => Some(hex(verb, s.as_str().as_bytes(), budget)?),
        ('x' | 'X', Value::Bytes(b)) => Some(hex(verb, b, budget)?),
        ('d' | 'b' | 'o' | 'x' | 'X', _) => None,
        _ => return Err(EvalError::value("the format has a clause that does not exist")),
    };
    text.ok_or_else(|| {
        let kind = value.type_of().name();
        EvalError::mistyped(format!("format clause `%{verb}` does not take `{kind}`"))
    })
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(i) => Some(*i as f64),
        Value::Uint(u) => Some(*u as f64),
        Value::Double(d) => Some(*d),
        _ => None,
    }
}

fn in_base(verb: char, n: u64) -> String {
    match verb {
        'b' => format!("{n:b}"),
        'o' => format!("{n:o}"),
        'x' => format!("{n:x}"),
        _ => format!("{n:X}"),
    }
}

fn hex(verb: char, bytes: &[u8], budget: &mut Budget) -> Result<String, EvalError> {
    budget.step(bytes.len())?;
    let digits = if verb == 'x' { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
    let digit = |nibble: u8| digits.get(usize::from(nibble)).map_or('0', |d| char::from(*d));
    Ok(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

/// What `%s` makes of a value; maps in the order of their keys' text.
fn write_value(out: &mut String, value: &Value<'_>, budget: &mut Budget) -> Result<(), EvalError> {
    budget.step(1)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Uint(u) => out.push_str(&u.to_string()),
        Value::Double(d) => out.push_str(&number::plain(*d)),
        Value::Str(s) => push(out, s.as_str(), budget)?,
        Value::Bytes(b) => match std::str::from_utf8(b) {
            Ok(text) => push(out, text, budget)?,
            Err(_) => return Err(EvalError::value("the bytes to format are not UTF-8")),
        },
        Value::Timestamp(t) => out.push_str(&t.to_string()),
        Value::Duration(d) => out.push_str(&time::format_duration(d.nanos)),
        Value::Type(t) => out.push_str(t.name()),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_value(out, item, budget)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.entries.len());
            for (key, value) in &map.entries {
                let (mut k, mut v) = (String::new(), String::new());
                write_value(&mut k, key, budget)?;
                write_value(&mut v, value, budget)?;
                budget.build(k.len().saturating_add(v.len()))?;
                entries.push((k, v));
            }
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            out.push('{');
            out.push_str(&entries.join(", "));
            out.push('}');
        }
        Value::Optional(_) | Value::Ip(_) | Value::Cidr(_) => {
            let kind = value.type_of().name();
            return Err(EvalError::mistyped(format!("format clause `%s` does not take `{kind}`")));
        }
    }
    Ok(())
}

fn push(out: &mut String, text: &str, budget: &mut Budget) -> Result<(), EvalError> {
    budget.build(text.len())?;
    out.push_str(text);
    Ok(())
}
