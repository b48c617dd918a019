//! Plain scalars as values: the core schema of YAML 1.2, and no number that would lose digits.

use super::{Style, Value};

/// Integers below this are doubles without loss.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Only plain scalars can be anything but strings. The error is a message and what to do.
pub(super) fn scalar(text: &str, style: Style) -> Result<Value, (String, String)> {
    if style != Style::Plain {
        return Ok(Value::Str(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(digits, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") {
        let message = format!("`{text}` is not a number that a call can have");
        return Err((message, "write a finite number, or quote it if it is meant as text".to_owned()));
    }
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return integer(text);
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(float) if numeric => double(text, float),
        _ => Ok(Value::Str(text.to_owned())),
    }
}

fn integer(text: &str) -> Result<Value, (String, String)> {
    if let Ok(int) = text.parse() {
        return Ok(Value::Int(int));
    }
    text.parse().map(Value::Uint).map_err(|_| {
        let message = format!("`{text}` does not fit 64 bits, and would lose digits");
        (message, format!("integers go from {} to {}; quote it if it is meant as text", i64::MIN, u64::MAX))
    })
}

fn double(text: &str, float: f64) -> Result<Value, (String, String)> {
    if !float.is_finite() {
        let message = format!("`{text}` is larger than any number can be");
        return Err((message, "the largest is about `1.8e308`; quote it if it is meant as text".to_owned()));
    }
    if float.abs() >= EXACT && significant(text) != significant(&format!("{float:e}")) {
        let message = format!("`{text}` would be rounded to {float:e}");
        return Err((message, "write a number of fewer digits, or an integer of 64 bits".to_owned()));
    }
    Ok(Value::Float(float))
}

/// The digits that count, without sign, point, exponent and outer zeros.
fn significant(text: &str) -> String {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}
