//! Strict JSON (RFC 8259), checked once and then read lazily from its own text.

mod canonical;
mod read;
mod scan;

use std::borrow::Cow;

pub use canonical::write_string;
pub use read::{Elements, Members};

/// A JSON value whose whole text has been checked: well-formed, no duplicate member names, depth and numbers in
/// range. Reading it allocates nothing until a string with escapes is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a str);

/// What kind of value a [`Json`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

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
        scan::number(text)
    }

    /// Compares by value, exactly: `1e3` is 1000, and 2^53 + 1 is above 2^53 written as a double.
    pub fn cmp_value(self, other: Number) -> std::cmp::Ordering {
        use std::cmp::Ordering;
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

fn cmp_int_double(a: i128, b: f64) -> std::cmp::Ordering {
    // The cast saturates, and `a` is within 64 bits, so only the fraction can be lost, and it decides ties.
    let whole = b.trunc();
    a.cmp(&(whole as i128)).then_with(|| 0.0_f64.partial_cmp(&(b - whole)).unwrap_or(std::cmp::Ordering::Equal))
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    message: &'static str,
    offset: usize,
}

impl JsonError {
    /// Byte offset of the first byte that could not be accepted.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &'static str {
        self.message
    }
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

impl<'a> Json<'a> {
    /// `null`
    pub const NULL: Json<'static> = Json("null");
    /// `{}`
    pub const EMPTY_OBJECT: Json<'static> = Json("{}");

    /// Checks a whole text: RFC 8259 without byte order mark, at most `max_bytes` long, at most `max_depth` arrays
    /// and objects deep, no object with two members of one name (compared after unescaping), no lone surrogate,
    /// integers within 64 bits, doubles finite.
    ///
    /// # Errors
    /// What is wrong first, and where.
    pub fn parse(text: &'a [u8], max_bytes: usize, max_depth: usize) -> Result<Json<'a>, JsonError> {
        scan::check(text, max_bytes, max_depth).map(Json)
    }

    /// The text of this value, without surrounding white space.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What kind of value it is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The string, unescaped.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(read::unescape(inner))
    }

    /// The boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The number.
    pub fn as_number(self) -> Option<Number> {
        if self.kind() == Kind::Number { scan::number(self.0) } else { None }
    }

    /// The elements of an array; nothing for other kinds.
    pub fn elements(self) -> Elements<'a> {
        Elements::new(self.0)
    }

    /// The members of an object in the order of the text; nothing for other kinds.
    pub fn members(self) -> Members<'a> {
        Members::new(self.0)
    }

    /// The member of this name.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.members().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Appends the canonical form of RFC 8785. Integers beyond 2^53 are written exactly, where the RFC would round
    /// them to a double: so that different numbers never have the same form.
    pub fn write_canonical(self, out: &mut String) {
        canonical::write(self, out);
    }
}

#[cfg(test)]
mod tests;
