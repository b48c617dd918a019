//! The canonical form of RFC 8785.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use super::{Number, read};

/// Writes the value that begins at `from` of a checked text and says where it ends. One pass over the text, however
/// deep it nests.
pub(super) fn write(text: &str, from: usize, out: &mut String) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(from) {
        Some(b'"') => {
            let (end, escaped) = read::string_end(bytes, from);
            write_raw(text, from, end, escaped, out);
            end
        }
        Some(b'[') => array(text, from, out),
        Some(b'{') => object(text, from, out),
        _ => {
            let end = read::scalar_end(bytes, from);
            let scalar = text.get(from..end).unwrap_or("null");
            match Number::parse(scalar) {
                Some(number) => write_number(out, number),
                None => out.push_str(scalar),
            }
            end
        }
    }
}

fn array(text: &str, from: usize, out: &mut String) -> usize {
    out.push('[');
    let mut at = read::skip_separators(text, from + 1);
    let mut first = true;
    while !matches!(text.as_bytes().get(at), Some(b']') | None) {
        if !first {
            out.push(',');
        }
        first = false;
        at = read::skip_separators(text, write(text, at, out));
    }
    out.push(']');
    at + 1
}

fn object(text: &str, from: usize, out: &mut String) -> usize {
    out.push('{');
    let start = out.len();
    // Each member's name, and where its rendering ends in `out`.
    let mut members: Vec<(Cow<'_, str>, usize)> = Vec::new();
    let mut sorted = true;
    let mut at = read::skip_separators(text, from + 1);
    while text.as_bytes().get(at) == Some(&b'"') {
        if !members.is_empty() {
            out.push(',');
        }
        let (end, escaped) = read::string_end(text.as_bytes(), at);
        let inner = text.get(at + 1..end.saturating_sub(1)).unwrap_or("");
        let name = if escaped { read::unescape(inner) } else { Cow::Borrowed(inner) };
        sorted = sorted && members.last().is_none_or(|(last, _)| utf16_order(last, &name).is_lt());
        write_raw(text, at, end, escaped, out);
        out.push(':');
        at = read::skip_separators(text, write(text, read::skip_separators(text, end), out));
        members.push((name, out.len()));
    }
    if !sorted {
        reorder(members, start, out);
    }
    out.push('}');
    at + 1
}

/// Puts the members that were rendered from `start` on into the order of their names.
fn reorder(members: Vec<(Cow<'_, str>, usize)>, start: usize, out: &mut String) {
    let rendered = out.get(start..).unwrap_or("").to_owned();
    let mut from = 0;
    let mut parts: Vec<(Cow<'_, str>, &str)> = Vec::with_capacity(members.len());
    for (name, end) in members {
        let end = end - start;
        parts.push((name, rendered.get(from..end).unwrap_or("")));
        from = end + 1;
    }
    parts.sort_by(|(a, _), (b, _)| utf16_order(a, b));
    out.truncate(start);
    for (n, (_, part)) in parts.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(part);
    }
}

/// The order of UTF-16 code units: that of code points, but for the surrogates of characters beyond U+FFFF.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

/// A string of a checked text; without escapes it is canonical as it stands.
fn write_raw(text: &str, from: usize, end: usize, escaped: bool, out: &mut String) {
    let raw = text.get(from..end).unwrap_or("\"\"");
    if escaped {
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
        write_string(out, &read::unescape(inner));
    } else {
        out.push_str(raw);
    }
}

/// Appends `text` as a JSON string with the escapes of RFC 8785.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends a number in its canonical form: ECMAScript's `Number::toString`, but every whole number within 64 bits is
/// written with all its digits, so that different numbers never have the same form.
pub fn write_number(out: &mut String, number: Number) {
    match number {
        Number::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Number::Uint(u) => {
            let _ = write!(out, "{u}");
        }
        Number::Double(d) => write_double(out, d),
    }
}

fn write_double(out: &mut String, double: f64) {
    if double == 0.0 {
        out.push('0');
        return;
    }
    // 2^63 as a double must not look like the integer 9223372036854776000, which is another number.
    if double.trunc() == double
        && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&double)
    {
        let _ = write!(out, "{}", double as i128);
        return;
    }
    if double < 0.0 {
        out.push('-');
    }
    // `{:e}` gives the shortest digits that read back as the same double: `d.ddde±x`.
    let scientific = format!("{:e}", double.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = even_of_two(digits, double.abs());
    let point = exponent.parse::<i32>().unwrap_or(0).saturating_add(1);
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

/// Of two shortest texts that are equally far from the double, ECMAScript takes the one whose last digit is even,
/// and Rust the greater one.
fn even_of_two(digits: String, double: f64) -> String {
    let odd = digits.bytes().last().is_some_and(|digit| digit % 2 == 1);
    if !odd || digits.len() < 2 {
        return digits;
    }
    // It is a tie when the double has one digit more, a 5, and ends there. No double has more than 767 digits.
    let ends_with_five = |precision: usize| {
        let exact = format!("{double:.precision$e}");
        let mantissa = exact.split_once('e').map_or("", |(mantissa, _)| mantissa);
        mantissa
            .get(digits.len() + 1..)
            .is_some_and(|rest| rest.trim_end_matches('0') == "5")
            .then_some(exact)
    };
    if ends_with_five(digits.len() + 20).is_none() {
        return digits;
    }
    let Some(exact) = ends_with_five(767) else { return digits };
    let lower: String = exact.chars().filter(|c| *c != '.').take(digits.len()).collect();
    if lower != digits {
        return lower;
    }
    // An odd last digit can go up by one without a carry unless it is 9, and then a shorter text would have done.
    let mut bytes = digits.clone().into_bytes();
    if let Some(last @ b'1'..=b'7') = bytes.last_mut() {
        *last += 1;
    }
    String::from_utf8(bytes).unwrap_or(digits)
}
