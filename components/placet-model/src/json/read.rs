//! Reading values out of a checked text.

use std::borrow::Cow;

use super::Json;

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
        self.at = skip_separators(self.text, self.at);
        let (value, end) = value_at(self.text, self.at)?;
        self.at = end;
        Some(value)
    }
}

impl<'a> Members<'a> {
    pub(super) fn new(text: &'a str) -> Members<'a> {
        Members { text, at: if text.starts_with('{') { 1 } else { text.len() } }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<(Cow<'a, str>, Json<'a>)> {
        self.at = skip_separators(self.text, self.at);
        let (name, end) = value_at(self.text, self.at)?;
        let name = name.as_str()?;
        self.at = skip_separators(self.text, end);
        let (value, end) = value_at(self.text, self.at)?;
        self.at = end;
        Some((name, value))
    }
}

/// In checked text, what stands between values is white space, `,` and `:` only.
fn skip_separators(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or(&[]);
    from + rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')).count()
}

/// The value that begins at `from` and where it ends; `None` at a closing bracket or the end.
fn value_at(text: &str, from: usize) -> Option<(Json<'_>, usize)> {
    let bytes = text.as_bytes();
    let end = match bytes.get(from)? {
        b'"' => string_end(bytes, from),
        b'{' | b'[' => container_end(bytes, from),
        b'}' | b']' => return None,
        _ => {
            let rest = bytes.get(from..)?;
            let is_part = |b: &&u8| !matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
            from + rest.iter().take_while(is_part).count()
        }
    };
    text.get(from..end).map(|value| (Json(value), end))
}

/// Where the string that begins at `from` ends, quotes included.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn container_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Resolves the escapes of a checked string's contents.
pub(super) fn unescape(inner: &str) -> Cow<'_, str> {
    if !inner.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = |from: usize| escape.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let (character, used) = match escape.as_bytes().get(1) {
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
        };
        out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = escape.get(used..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}
