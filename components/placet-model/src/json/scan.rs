//! The checking pass.

use std::borrow::Cow;

use super::{JsonError, number, read, swar};

/// Objects with more members than this are checked for duplicates by sorting.
const FEW: usize = 16;

/// No caller gets more recursion than this.
const DEEPEST: usize = 512;

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    max_depth: usize,
    /// Member names of the objects that are open, innermost last.
    names: Vec<Cow<'a, str>>,
}

pub(super) fn check(text: &[u8], max_bytes: usize, max_depth: usize) -> Result<&str, JsonError> {
    if text.len() > max_bytes {
        return Err(JsonError { message: "the text is longer than allowed", offset: max_bytes });
    }
    let text = std::str::from_utf8(text)
        .map_err(|e| JsonError { message: "the text is not valid UTF-8", offset: e.valid_up_to() })?;
    let max_depth = max_depth.min(DEEPEST);
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, max_depth, names: Vec::new() };
    scanner.space();
    let start = scanner.at;
    scanner.value(0)?;
    let end = scanner.at;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.fail("something follows the value"));
    }
    Ok(text.get(start..end).unwrap_or("null"))
}

impl<'a> Scanner<'a> {
    /// The byte at the cursor; 0, which no JSON text contains, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    fn fail(&self, message: &'static str) -> JsonError {
        JsonError { message, offset: self.at }
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            0 if self.at >= self.bytes.len() => Err(self.fail("the text ends where a value is expected")),
            _ => Err(self.fail("a value is expected")),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.fail("a value is expected"))
    }

    fn number(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at..).and_then(number::scan) {
            Some(length) => {
                self.at += length;
                Ok(())
            }
            None => Err(self.fail("not a JSON number, or one outside what can be represented,")),
        }
    }

    fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > self.max_depth {
            return Err(self.fail("the value is nested too deeply"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fail("`,` or `]` is expected")),
            }
            self.space();
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        let first = self.names.len();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.name(first)?;
            self.space();
            if self.peek() != b':' {
                return Err(self.fail("`:` is expected"));
            }
            self.at += 1;
            self.space();
            self.value(depth)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return self.close(first);
                }
                _ => return Err(self.fail("`,` or `}` is expected")),
            }
            self.space();
        }
    }

    /// A member's name; `first` is the place of the object's first one among the open names.
    fn name(&mut self, first: usize) -> Result<(), JsonError> {
        if self.peek() != b'"' {
            return Err(self.fail("a member name in quotes is expected"));
        }
        let start = self.at;
        let (inner, escaped) = self.string()?;
        let name = if escaped { read::unescape(inner) } else { Cow::Borrowed(inner) };
        let open = self.names.get(first..).unwrap_or(&[]);
        if open.len() < FEW && open.contains(&name) {
            return Err(JsonError { message: "a member name occurs twice in one object", offset: start });
        }
        self.names.push(name);
        Ok(())
    }

    /// Forgets the names of the object that ends here, after the check that many names need.
    fn close(&mut self, first: usize) -> Result<(), JsonError> {
        if self.names.len() - first > FEW {
            let names = self.names.get_mut(first..).unwrap_or(&mut []);
            names.sort_unstable();
            if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
                return Err(self.fail("a member name occurs twice in the object that ends here,"));
            }
        }
        self.names.truncate(first);
        Ok(())
    }

    /// What stands between the quotes of the string at the cursor, and whether it has escapes.
    fn string(&mut self) -> Result<(&'a str, bool), JsonError> {
        let from = self.at + 1;
        let mut escaped = false;
        self.at = from;
        loop {
            self.at = swar::string_special(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let inner = self.text.get(from..self.at).unwrap_or("");
                    self.at += 1;
                    return Ok((inner, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fail("a control character in a string")),
                None => return Err(self.fail("the text ends within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return Err(self.fail("no such escape in a string")),
        }
        match self.hex()? {
            0xDC00..0xE000 => return Err(self.fail("a low surrogate without a high one")),
            0xD800..0xDC00 => {
                let low = match self.bytes.get(self.at + 6..self.at + 8) {
                    Some(b"\\u") => {
                        self.at += 6;
                        self.hex()?
                    }
                    _ => 0,
                };
                if !(0xDC00..0xE000).contains(&low) {
                    return Err(self.fail("a high surrogate without a low one"));
                }
            }
            _ => {}
        }
        self.at += 6;
        Ok(())
    }

    /// The four digits of the `\u` escape at the cursor.
    fn hex(&self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.fail("`\\u` needs four hexadecimal digits"))
    }
}
