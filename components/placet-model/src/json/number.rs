//! Numbers: their grammar, their value, and comparison by value.

use std::cmp::Ordering;

/// A JSON number: the integer types when it is written without fraction and exponent, else the nearest double.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Number {
    /// An integer that fits 64 signed bits.
    Int(i64),
    /// An integer above that which fits 64 unsigned bits.
    Uint(u64),
    /// Anything else; always finite.
    Double(f64),
}

impl Number {
    /// Reads a JSON number. `None` when it is not one, or outside what 64 bits or a double can hold.
    pub fn parse(text: &str) -> Option<Number> {
        if let Some(int) = short_integer(text.as_bytes()) {
            return Some(Number::Int(int));
        }
        let shape = Shape::of(text.as_bytes())?;
        if shape.end != text.len() {
            return None;
        }
        if shape.is_integer {
            return match text.parse::<i64>() {
                // Minus zero is a double: no integer has a sign at zero.
                Ok(0) if text.starts_with('-') => Some(Number::Double(-0.0)),
                Ok(int) => Some(Number::Int(int)),
                Err(_) => text.parse::<u64>().ok().map(Number::Uint),
            };
        }
        text.parse::<f64>().ok().filter(|d| d.is_finite()).map(Number::Double)
    }

    /// Compares by value, exactly: `1e3` is 1000, and 2^53 + 1 is above 2^53 written as a double.
    pub fn cmp_value(self, other: Number) -> Ordering {
        match (self.integer(), other.integer(), self, other) {
            (Some(a), Some(b), ..) => a.cmp(&b),
            (Some(a), None, _, Number::Double(b)) => cmp_int_double(a, b),
            (None, Some(b), Number::Double(a), _) => cmp_int_double(b, a).reverse(),
            (_, _, Number::Double(a), Number::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        }
    }

    /// The value, when it is written as an integer.
    fn integer(self) -> Option<i128> {
        match self {
            Number::Int(i) => Some(i128::from(i)),
            Number::Uint(u) => Some(i128::from(u)),
            Number::Double(_) => None,
        }
    }
}

fn cmp_int_double(a: i128, b: f64) -> Ordering {
    // The cast saturates, and `a` is within 64 bits, so only the fraction can be lost, and it decides ties.
    let whole = b.trunc();
    a.cmp(&(whole as i128)).then_with(|| 0.0_f64.partial_cmp(&(b - whole)).unwrap_or(Ordering::Equal))
}

/// Where the number that begins the text ends, if it is one that can be represented.
pub(super) fn scan(bytes: &[u8]) -> Option<usize> {
    let shape = Shape::of(bytes)?;
    // Up to 18 digits always fit; a fraction without exponent stays finite up to 308 digits.
    let surely = if shape.is_integer { shape.end <= 18 } else { !shape.has_exponent && shape.end <= 300 };
    if surely {
        return Some(shape.end);
    }
    let text = std::str::from_utf8(bytes.get(..shape.end)?).ok()?;
    Number::parse(text).map(|_| shape.end)
}

/// An integer of at most 18 digits, without the sign that zero may have.
fn short_integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let plain = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', ..] => digits.len() <= 18,
        _ => false,
    };
    if !plain {
        return None;
    }
    let value =
        digits.iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))?;
    Some(if negative { -value } else { value })
}

/// How a number is written, by the grammar of RFC 8259.
struct Shape {
    end: usize,
    is_integer: bool,
    has_exponent: bool,
}

impl Shape {
    fn of(bytes: &[u8]) -> Option<Shape> {
        let digits = |from: usize| {
            let rest = bytes.get(from..).unwrap_or(&[]);
            let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            (count > 0).then_some(from + count)
        };
        let whole = usize::from(bytes.first() == Some(&b'-'));
        let mut end = if bytes.get(whole) == Some(&b'0') { whole + 1 } else { digits(whole)? };
        let mut shape = Shape { end, is_integer: true, has_exponent: false };
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1)?;
            shape.is_integer = false;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
            end = digits(end + 1 + usize::from(signed))?;
            shape = Shape { end, is_integer: false, has_exponent: true };
        }
        shape.end = end;
        // `01`, `1.2.3` and `1x` are not numbers followed by something: they are not numbers.
        let goes_on =
            matches!(bytes.get(end), Some(b'0'..=b'9' | b'.' | b'-' | b'+' | b'a'..=b'z' | b'A'..=b'Z'));
        (!goes_on).then_some(shape)
    }
}
