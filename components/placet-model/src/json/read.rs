//! Reading values out of a checked text.

use std::borrow::Cow;

use super::{Json, swar};

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(text: &'a str) -> Elements<'a> {
        Elements { text, at: if text.starts_with('[') { 1 } else { text.len() } }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let from = skip_separators(self.text, self.at);
        self.at = value_end(self.text.as_bytes(), from)?;
        self.text.get(from..self.at).map(Json)
    }
}

impl<'a> Members<'a> {
    pub(super) fn new(text: &'a str) -> Members<'a> {
        Members { text, at: if text.starts_with('{') { 1 } else { text.len() } }
    }

    /// The next member, its name between the quotes as written.
    pub(super) fn next_raw(&mut self) -> Option<(RawName<'a>, Json<'a>)> {
        let bytes = self.text.as_bytes();
        let quote = skip_separators(self.text, self.at);
        if bytes.get(quote) != Some(&b'"') {
            return None;
        }
        let (end, escaped) = string_end(bytes, quote);
        let name = RawName { text: self.text.get(quote + 1..end.checked_sub(1)?)?, escaped };
        let from = skip_separators(self.text, end);
        self.at = value_end(bytes, from)?;
        self.text.get(from..self.at).map(|value| (name, Json(value)))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<(Cow<'a, str>, Json<'a>)> {
        self.next_raw().map(|(name, value)| (name.read(), value))
    }
}

/// A member's name as it is written.
#[derive(Clone, Copy)]
pub(super) struct RawName<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> RawName<'a> {
    pub(super) fn read(self) -> Cow<'a, str> {
        if self.escaped { unescape(self.text) } else { Cow::Borrowed(self.text) }
    }

    pub(super) fn is(self, name: &str) -> bool {
        if self.escaped { unescape(self.text) == name } else { self.text == name }
    }
}

/// In checked text, what stands between values is white space, `,` and `:` only.
#[inline]
pub(super) fn skip_separators(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or(&[]);
    from + rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')).count()
}

/// Where the value that begins at `from` ends; `None` at a closing bracket or the end.
#[inline]
fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    match bytes.get(from)? {
        b'"' => Some(string_end(bytes, from).0),
        b'{' | b'[' => Some(container_end(bytes, from)),
        b'}' | b']' => None,
        _ => Some(scalar_end(bytes, from)),
    }
}

/// Where a number or word that begins at `from` ends.
#[inline]
pub(super) fn scalar_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or(&[]);
    let is_part = |b: &&u8| !matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
    from + rest.iter().take_while(is_part).count()
}

/// Where the string that begins at `from` ends, quotes included, and whether it has escapes.
#[inline]
pub(super) fn string_end(bytes: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut escaped) = (from + 1, false);
    loop {
        at = swar::quote_or_escape(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return (at + 1, escaped),
            Some(_) => {
                at += 2;
                escaped = true;
            }
            None => return (bytes.len(), escaped),
        }
    }
}

fn container_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        at = swar::structure(bytes, at);
        match bytes.get(at) {
            Some(b'"') => {
                at = string_end(bytes, at).0;
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(_) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            None => return bytes.len(),
        }
        at += 1;
    }
}

/// Resolves the escapes of a checked string's contents.
pub(super) fn unescape(inner: &str) -> Cow<'_, str> {
    let Some(mut at) = inner.find('\\') else { return Cow::Borrowed(inner) };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let (character, used) = escaped_char(escape);
        out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = escape.get(used..).unwrap_or("");
        match rest.find('\\') {
            Some(next) => at = next,
            None => {
                out.push_str(rest);
                return Cow::Owned(out);
            }
        }
    }
}

/// The character that a checked escape stands for, and how many bytes it takes.
fn escaped_char(escape: &str) -> (Option<char>, usize) {
    let unit = |from: usize| escape.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match escape.as_bytes().get(1) {
        Some(b'b') => (Some('\u{8}'), 2),
        Some(b'f') => (Some('\u{c}'), 2),
        Some(b'n') => (Some('\n'), 2),
        Some(b'r') => (Some('\r'), 2),
        Some(b't') => (Some('\t'), 2),
        Some(b'u') => match (unit(2), unit(8)) {
            (Some(high @ 0xD800..0xDC00), Some(low)) => {
                let code = 0x10000 + ((high - 0xD800) << 10) + low.saturating_sub(0xDC00);
                (char::from_u32(code), 12)
            }
            (Some(code), _) => (char::from_u32(code), 6),
            (None, _) => (None, 6),
        },
        Some(&other) => (Some(char::from(other)), 2),
        None => (None, 1),
    }
}
