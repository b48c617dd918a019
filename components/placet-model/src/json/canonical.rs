//! The canonical form of RFC 8785.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Json, Kind, Number};

pub(super) fn write(json: Json<'_>, out: &mut String) {
    match json.kind() {
        Kind::Null | Kind::Bool => out.push_str(json.text()),
        Kind::String => write_string(out, &json.as_str().unwrap_or(Cow::Borrowed(""))),
        Kind::Number => match json.as_number() {
            Some(number) => write_number(out, number),
            None => out.push_str(json.text()),
        },
        Kind::Array => {
            out.push('[');
            for (n, element) in json.elements().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        Kind::Object => {
            let mut members: Vec<_> = json.members().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_string(out, &name);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Appends `text` as a JSON string with the escapes of RFC 8785.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// ECMAScript's `Number::toString` for doubles; integers as they are.
fn write_number(out: &mut String, number: Number) {
    let double = match number {
        Number::Int(i) => {
            let _ = write!(out, "{i}");
            return;
        }
        Number::Uint(u) => {
            let _ = write!(out, "{u}");
            return;
        }
        Number::Double(d) => d,
    };
    if double == 0.0 {
        out.push('0');
        return;
    }
    if double < 0.0 {
        out.push('-');
    }
    // `{:e}` gives the shortest digits that read back as the same double: `d.ddde±x`.
    let scientific = format!("{:e}", double.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        (count..point).for_each(|_| out.push('0'));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at_checked(point as usize).unwrap_or((&digits, ""));
        let _ = write!(out, "{whole}.{fraction}");
    } else if (-5..=0).contains(&point) {
        out.push_str("0.");
        (point..0).for_each(|_| out.push('0'));
        out.push_str(&digits);
    } else {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{:+}", point - 1);
    }
}
