//! The checking pass.

use std::borrow::Cow;

use super::{JsonError, Number, read};

/// Objects with more members than this are checked for duplicates by sorting.
const FEW: usize = 16;

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
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        max_depth: max_depth.min(512),
        names: Vec::new(),
    };
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

impl Scanner<'_> {
    /// The byte at the cursor; 0, which no JSON text contains, at the end.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn fail(&self, message: &'static str) -> JsonError {
        JsonError { message, offset: self.at }
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number(),
            0 if self.at >= self.bytes.len() => Err(self.fail("the text ends where a value is expected")),
            _ => Err(self.fail("a value is expected")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.fail("a value is expected"))
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
            if self.peek() != b'"' {
                return Err(self.fail("a member name in quotes is expected"));
            }
            let start = self.at;
            let (from, to) = self.string()?;
            let name = read::unescape(self.text.get(from..to).unwrap_or(""));
            let open = self.names.get(first..).unwrap_or(&[]);
            if open.len() < FEW && open.contains(&name) {
                return Err(JsonError { message: "a member name occurs twice in one object", offset: start });
            }
            self.names.push(name);
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

    /// Checks a string and returns where its contents begin and end.
    fn string(&mut self) -> Result<(usize, usize), JsonError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok((start, self.at - 1));
                }
                b'\\' => self.escape()?,
                0..0x20 if self.at >= self.bytes.len() => return Err(self.fail("the text ends within a string")),
                0..0x20 => return Err(self.fail("a control character must be escaped in a string")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.hex()?;
                match unit {
                    0xDC00..0xE000 => Err(self.fail("a low surrogate without a high one")),
                    0xD800..0xDC00 => {
                        self.at += 6;
                        let low = if self.peek() == b'\\' && self.bytes.get(self.at + 1) == Some(&b'u') {
                            self.hex()?
                        } else {
                            0
                        };
                        if !(0xDC00..0xE000).contains(&low) {
                            return Err(self.fail("a high surrogate without a low one"));
                        }
                        self.at += 6;
                        Ok(())
                    }
                    _ => {
                        self.at += 6;
                        Ok(())
                    }
                }
            }
            _ => Err(self.fail("no such escape in a string")),
        }
    }

    /// The four digits of the `\u` escape at the cursor.
    fn hex(&self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at + 2..self.at + 6).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.fail("`\\u` needs four hexadecimal digits"))
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
            self.at += 1;
        }
        match self.text.get(start..self.at).and_then(number) {
            Some(_) => Ok(()),
            None => {
                self.at = start;
                Err(self.fail("not a JSON number, or one outside what can be represented,"))
            }
        }
    }
}

/// Reads a number by the grammar of RFC 8259.
pub(super) fn number(text: &str) -> Option<Number> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (magnitude, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent_ok = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    let whole_ok = digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
    if !(whole_ok && fraction.is_none_or(digits) && exponent_ok) {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        return match text.parse::<i64>() {
            // Minus zero is a double: no integer has a sign at zero.
            Ok(0) if text.starts_with('-') => Some(Number::Double(-0.0)),
            Ok(int) => Some(Number::Int(int)),
            Err(_) => text.parse::<u64>().ok().map(Number::Uint),
        };
    }
    text.parse::<f64>().ok().filter(|d| d.is_finite()).map(Number::Double)
}
