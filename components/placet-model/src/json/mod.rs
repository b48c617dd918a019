//! Strict JSON (RFC 8259), checked once and then read lazily from its own text.

mod canonical;
mod number;
mod read;
mod scan;
mod swar;

use std::borrow::Cow;

pub use canonical::{write_number, write_string};
pub use number::Number;
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

    /// Checks a whole text: RFC 8259 without byte order mark, at most `max_bytes` long, at most `max_depth` (and never over 512) arrays
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
        if self.kind() == Kind::Number { Number::parse(self.0) } else { None }
    }

    /// The elements of an array; nothing for other kinds.
    pub fn elements(self) -> Elements<'a> {
        Elements::new(self.0)
    }

    /// The members of an object in the order of the text; nothing for other kinds.
    pub fn members(self) -> Members<'a> {
        Members::new(self.0)
    }

    /// How many elements an array or members an object has; 0 for other kinds.
    pub fn len(self) -> usize {
        match self.kind() {
            Kind::Array => self.elements().count(),
            Kind::Object => {
                let mut members = self.members();
                std::iter::from_fn(|| members.next_raw()).count()
            }
            _ => 0,
        }
    }

    /// Whether [`Json::len`] is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of this name.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        let mut members = self.members();
        while let Some((key, value)) = members.next_raw() {
            if key.is(name) {
                return Some(value);
            }
        }
        None
    }

    /// Appends the canonical form of RFC 8785: names in the order of their UTF-16 code units, numbers as ECMAScript
    /// writes them, no white space. The RFC takes every number for a double; here whole numbers within 64 bits are
    /// written with all their digits instead, so that values that differ never have the same form.
    pub fn write_canonical(self, out: &mut String) {
        canonical::write(self.0, 0, out);
    }
}

#[cfg(test)]
mod tests;
