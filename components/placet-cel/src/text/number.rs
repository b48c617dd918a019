//! Doubles as text.

use crate::error::EvalError;

/// The double that a text writes: decimal or exponent notation, `NaN`, `Infinity`, `inf` with a sign or not.
///
/// # Errors
/// When the text is not a number, or one too large for a double.
pub fn parse_double(text: &str) -> Result<f64, EvalError> {
    let Ok(double) = text.parse::<f64>() else {
        return Err(EvalError::value("the text is not written as `double`"));
    };
    if double.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
        return Err(EvalError::value("the number is outside the range of `double`"));
    }
    Ok(double)
}

/// The shortest text that reads back as this double; exponent notation below 1e-4 and from 1e+06 on, as CEL
/// implementations print it: `6.02214e+23`, `123.456`, `-0.001`.
pub fn shortest(double: f64) -> String {
    if let Some(name) = name(double) {
        return name.to_owned();
    }
    let text = format!("{double:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => with_exponent(mantissa, exponent),
        _ => format!("{double}"),
    }
}

/// Scientific notation with so many digits after the point: `1.052033e+03`.
pub fn scientific(double: f64, precision: usize) -> String {
    if let Some(name) = name(double) {
        return name.to_owned();
    }
    let text = format!("{double:.precision$e}");
    match text.split_once('e').map(|(mantissa, exponent)| (mantissa, exponent.parse::<i32>())) {
        Some((mantissa, Ok(exponent))) => with_exponent(mantissa, exponent),
        _ => text,
    }
}

/// Decimal notation with so many digits after the point, correctly rounded.
pub fn fixed(double: f64, precision: usize) -> String {
    name(double).map_or_else(|| format!("{double:.precision$}"), str::to_owned)
}

/// Decimal notation with as many digits as the value needs.
pub fn plain(double: f64) -> String {
    name(double).map_or_else(|| format!("{double}"), str::to_owned)
}

fn name(double: f64) -> Option<&'static str> {
    match double {
        d if d.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
