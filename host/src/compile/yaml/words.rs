//! The scanner's complaints in words that help.

use std::ops::Range;

use super::YamlError;

/// What the scanner says about a byte of the text, said so that an author can act.
pub(super) fn words(text: &str, at: usize, info: &str) -> YamlError {
    let rest = text.get(at..).unwrap_or("");
    let one = at..at + rest.chars().next().map_or(0, char::len_utf8);
    let error = |message: &str, span, help: &str| YamlError {
        message: message.to_owned(),
        span,
        help: Some(help.to_owned()),
    };
    let word = at..at + rest.find([' ', ',', ']', '}', '\n', '\r']).unwrap_or(rest.len());
    if let Some(tab) = tab(text, at).filter(|_| info.contains("tab") || info.contains("indent")) {
        return error("a tab cannot indent YAML", tab..tab + 1, "indent with spaces");
    }
    if info.contains("unknown anchor") {
        let help = "put it in quotes if it is meant as text: a value that begins with `*` is a YAML alias";
        return error("there is no anchor of this name before", word, help);
    }
    if info.contains("anchor or alias") {
        let help = "put it in quotes: `\"*\"`";
        return error("a value that begins with `*` or `&` must be quoted", word, help);
    }
    for (expected, open, close) in [("expected ',' or ']'", '[', ']'), ("expected ',' or '}'", '{', '}')] {
        if info.contains(expected) {
            let span = opening(text, at, open, close).unwrap_or(one);
            let message = format!("this `{open}` is not closed");
            let help = format!("add the missing `{close}`; put texts with brackets in quotes");
            return error(&message, span, &help);
        }
    }
    if info.contains("expected '-' indicator") || info.contains("did not find expected key") {
        let help = "the fields of a mapping, and the `-` of a list, stand in one column each";
        return error("this line is not indented as the lines before it", one, help);
    }
    if info.contains("mapping values are not allowed") {
        let help = "put texts with `: ` in them in quotes; begin each field on a line of its own";
        return error("there cannot be a `:` here", one, help);
    }
    if info.contains("quoted scalar") {
        return error("a quoted text does not end", one, "close the quote it begins with");
    }
    if info.contains("tag") {
        let help = "put values that begin with `!` in quotes: `when: \"!…\"`";
        return error("a value that begins with `!` is a YAML tag", word, help);
    }
    if info.contains("cannot start any token") || info.contains("unexpected character") {
        return error("a value cannot begin with this character", one, "put the value in quotes");
    }
    YamlError { message: format!("the file is not YAML: {info}"), span: one, help: None }
}

/// The bracket that is open before this byte.
fn opening(text: &str, at: usize, open: char, close: char) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    for (n, c) in text.get(..at)?.char_indices().rev() {
        if c == close {
            depth += 1;
        } else if c == open {
            if depth == 0 {
                return Some(n..n + 1);
            }
            depth -= 1;
        }
    }
    None
}

/// A tab in the indentation of this line or the next.
fn tab(text: &str, at: usize) -> Option<usize> {
    let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let mut start = line;
    for line in text.get(line..).unwrap_or("").split_inclusive('\n').take(2) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..indent).and_then(|indent| indent.find('\t')) {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

/// The first character that YAML does not have in its texts.
pub(super) fn control_character(text: &str) -> Option<YamlError> {
    let printable = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || c >= '\u{10000}'
    };
    let (at, c) = text.char_indices().find(|(_, c)| !printable(*c))?;
    Some(YamlError {
        message: format!("the file holds a control character, U+{:04X}", u32::from(c)),
        span: at..at + c.len_utf8(),
        help: Some("remove it: nobody can see it in a review".to_owned()),
    })
}
