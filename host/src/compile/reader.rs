//! Reading mappings: typed fields, unknown ones reported with the nearest name.

use std::ops::Range;
use std::sync::Arc;

use super::cel::{CelError, did_you_mean};
use super::diagnostic::{Diagnostic, Severity, Source, whole_characters};
use super::yaml::{Key, Node, Value};

/// Collects diagnostics about one file.
pub struct Reader {
    pub source: Arc<Source>,
    pub found: Vec<Diagnostic>,
}

/// The fields of one mapping.
pub type Fields<'n> = &'n [(Key, Node)];

impl Reader {
    pub fn new(source: Arc<Source>) -> Reader {
        Reader { source, found: Vec::new() }
    }

    fn report(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: &Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let source = self.source.clone();
        // "The first byte" of something is the whole of its first character.
        let span = whole_characters(&source.text, span);
        self.found.push(Diagnostic { severity, code, message, source, span, label: None, help });
    }

    pub fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.report(Severity::Error, code, span, message.into(), help);
    }

    pub fn warning(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.report(Severity::Warning, code, span, message.into(), help);
    }

    /// A value of the wrong type.
    pub fn expected(&mut self, what: &str, node: &Node) {
        let message = format!("{what} is expected, and this is {}", node.value.kind());
        self.error("wrong-type", &node.span, message, None);
    }

    /// The mapping's fields, when it is one and has no others than these.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(fields) = &node.value else {
            self.expected(&format!("{what} (a mapping)"), node);
            return None;
        };
        for (key, _) in fields {
            if !known.contains(&key.text.as_str()) {
                let help = did_you_mean(&key.text, known.iter().copied())
                    .or_else(|| Some(format!("its fields are {}", known.join(", "))));
                self.error("unknown-field", &key.span, format!("{what} has no field `{}`", key.text), help);
            }
        }
        Some(fields)
    }

    pub fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Str(text) if !text.is_empty() => Some(text.clone()),
            _ => {
                self.expected(&format!("{what} (a string)"), node);
                None
            }
        }
    }

    /// A string, or a list of strings.
    pub fn strings(&mut self, node: &Node, what: &str) -> Vec<(String, Range<usize>)> {
        match &node.value {
            Value::List(list) => {
                list.iter().filter_map(|n| Some((self.string(n, what)?, n.span.clone()))).collect()
            }
            _ => self.string(node, what).map(|text| (text, node.span.clone())).into_iter().collect(),
        }
    }

    /// As [`Reader::strings`], sorted and without places.
    pub fn names(&mut self, node: &Node, what: &str) -> Vec<String> {
        let mut names: Vec<String> = self.strings(node, what).into_iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(list) => list,
            Value::Null => &[],
            _ => {
                self.expected(&format!("{what} (a list)"), node);
                &[]
            }
        }
    }

    pub fn whole(&mut self, node: &Node, what: &str) -> Option<u64> {
        match &node.value {
            Value::Int(n) if *n >= 0 => u64::try_from(*n).ok(),
            _ => {
                self.expected(&format!("{what} (a whole number)"), node);
                None
            }
        }
    }

    pub fn flag(&mut self, node: &Node, what: &str) -> bool {
        match &node.value {
            Value::Bool(flag) => *flag,
            _ => {
                self.expected(&format!("{what} (true or false)"), node);
                false
            }
        }
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help =
            did_you_mean(&text, known.iter().copied()).or(Some(format!("it is one of {}", known.join(", "))));
        self.error("unknown-word", &node.span, format!("`{text}` is not {what}"), help);
        None
    }

    /// A duration such as `15m` or `1h30m`, in milliseconds.
    pub fn duration(&mut self, node: &Node, what: &str) -> Option<u64> {
        let found = match &node.value {
            Value::Str(text) => duration(text),
            _ => None,
        };
        if found.is_none() {
            let help = Some("write a number and a unit: `500ms`, `90s`, `15m`, `8h`, `1d`, `2w`".to_owned());
            self.error("bad-duration", &node.span, format!("{what} is not a duration"), help);
        }
        found
    }

    /// Errors of an expression, at their places in the file.
    pub fn cel(&mut self, node: &Node, text: &str, errors: Vec<CelError>) {
        let raw = self.source.text.get(node.span.clone()).unwrap_or("");
        let shift = if raw == text {
            Some(0)
        } else if raw.get(1..raw.len().saturating_sub(1)) == Some(text) {
            Some(1)
        } else {
            None
        };
        for error in errors {
            let span = match shift {
                Some(shift) => {
                    let start = node.span.start + shift + error.span.start;
                    start..(node.span.start + shift + error.span.end).min(node.span.end).max(start)
                }
                None => node.span.clone(),
            };
            self.error("bad-expression", &span, error.message, error.help);
        }
    }
}

/// The value of a field.
pub fn get<'n>(fields: Fields<'n>, name: &str) -> Option<&'n Node> {
    fields.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
}

fn duration(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, following) = after.split_at(letters);
        let ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(ms)?)?;
        rest = following;
    }
    (total > 0 && total < 1 << 53).then_some(total)
}
