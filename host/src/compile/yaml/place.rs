//! Where the characters of a scalar stand in the source: quotes, escapes, folded lines and indentation lie between.

use std::ops::Range;

use super::{Node, Style};

impl Node {
    /// The place in the source of a part of the scalar's text; the whole scalar when it cannot be told.
    pub fn place(&self, source: &str, text: &str, part: &Range<usize>) -> Range<usize> {
        let raw = source.get(self.span.clone()).unwrap_or("");
        let Some(offsets) = offsets(raw, text, self.style) else { return self.span.clone() };
        let at = |n: usize| self.span.start + offsets.get(n).copied().unwrap_or(raw.len());
        let end = self.span.end;
        let start = at(part.start).min(end);
        // The end is after the last character, not before the next, which may be lines away.
        let last =
            text.get(..part.end).and_then(|t| t.char_indices().next_back()).map(|(at, c)| (at, c.len_utf8()));
        match last {
            Some((last, length)) if part.end > part.start => start..(at(last) + length).clamp(start, end),
            _ => start..start,
        }
    }
}

/// For each byte of the text, and its end, the byte of the raw scalar. `None` when the two do not agree.
fn offsets(raw: &str, text: &str, style: Style) -> Option<Vec<usize>> {
    let mut walk = Walk { raw, at: 0, style };
    if matches!(style, Style::Single | Style::Double) {
        walk.at = 1;
    }
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for c in text.chars() {
        let at = walk.step(c)?;
        // Every byte of the character stands where its source begins, so that spans stay on characters.
        offsets.extend(std::iter::repeat_n(at, c.len_utf8()));
    }
    offsets.push(walk.at.min(raw.len()));
    Some(offsets)
}

struct Walk<'r> {
    raw: &'r str,
    at: usize,
    style: Style,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Where this character stands; moves behind it.
    fn step(&mut self, c: char) -> Option<usize> {
        let is_space = matches!(c, ' ' | '\t' | '\n');
        if is_space && self.rest().starts_with(c) {
            let at = self.at;
            self.at += 1;
            return Some(at);
        }
        if is_space && !self.escaped() {
            // A line that was folded into a space, or a break at the end that the span does not reach.
            let at = self.at;
            self.skip_space();
            return Some(at);
        }
        loop {
            let before = self.at;
            self.skip_space();
            if self.style == Style::Double && self.rest().starts_with("\\\n") {
                self.at += 2;
            }
            if self.at == before {
                break;
            }
        }
        let at = self.at;
        self.at += match self.style {
            Style::Single if self.rest().starts_with("''") => 2,
            Style::Double if self.escaped() => self.escape(),
            _ if self.rest().starts_with(c) => c.len_utf8(),
            _ => return None,
        };
        Some(at)
    }

    fn escaped(&self) -> bool {
        self.style == Style::Double && self.rest().starts_with('\\')
    }

    /// Bytes of the escape sequence here.
    fn escape(&self) -> usize {
        match self.rest().as_bytes().get(1) {
            Some(b'x') => 4,
            Some(b'u') => 6,
            Some(b'U') => 10,
            _ => 2,
        }
    }
}
