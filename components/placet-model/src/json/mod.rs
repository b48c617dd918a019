//! Strict JSON (RFC 8259), checked once and then read lazily from its own text.

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

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    message: String,
    offset: usize,
}

impl JsonError {
    /// Byte offset of the first byte that could not be accepted.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

impl<'a> Json<'a> {
    /// The text of this value, without surrounding white space.
    pub fn text(self) -> &'a str {
        self.0
    }
}
