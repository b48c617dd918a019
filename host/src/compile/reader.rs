//! Reading mappings: typed fields, unknown ones reported with the nearest name.

use std::ops::Range;
use std::sync::Arc;

use placet_model::Number;

use super::cel::{CelError, did_you_mean};
use super::diagnostic::{Diagnostic, Severity, Source, whole_characters};
use super::duration::{self, Fault};
use super::yaml::{Key, Node, Style, Value};

/// Collects diagnostics about one file.
pub struct Reader {
    pub source: Arc<Source>,
    pub found: Vec<Diagnostic>,
    /// Tenants that selectors name, and where.
    pub tenants: Vec<(String, Range<usize>)>,
}

/// The fields of one mapping.
pub type Fields<'n> = &'n [(Key, Node)];

impl Reader {
    pub fn new(source: Arc<Source>) -> Reader {
        Reader { source, found: Vec::new(), tenants: Vec::new() }
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
        let text = what.ends_with("(a string)");
        let help = match &node.value {
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) if text => {
                Some("put it in quotes".to_owned())
            }
            Value::Str(text) if what.contains("number") && text.parse::<f64>().is_ok() => {
                Some("write it without quotes".to_owned())
            }
            _ => None,
        };
        self.error("wrong-type", &node.span, message, help);
    }

    /// A field that must be there; the help is an example of it.
    pub fn required<'n>(
        &mut self,
        fields: Fields<'n>,
        node: &Node,
        name: &str,
        what: &str,
        help: &str,
    ) -> Option<&'n Node> {
        let found = get(fields, name);
        if found.is_none() {
            // The first character: the place where the field could be written.
            let span = node.span.start..(node.span.start + 1).min(node.span.end);
            self.error("missing-field", &span, format!("{what} needs `{name}`"), Some(help.to_owned()));
        }
        found
    }

    /// The mapping's fields, when it is one and has no others than these.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(fields) = &node.value else {
            self.expected(&format!("{what} (a mapping)"), node);
            return None;
        };
        for (key, value) in fields {
            if matches!(value.value, Value::Null) && is_leftover(&key.text) {
                let message = format!("`{}` is left over: a comma ended the value before it", key.text);
                let help = Some("put the whole value in quotes".to_owned());
                self.error("unknown-field", &key.span, message, help);
            } else if !known.contains(&key.text.as_str()) {
                let help = did_you_mean(&key.text, known.iter().copied())
                    .or_else(|| Some(format!("its fields are {}", known.join(", "))));
                self.error("unknown-field", &key.span, format!("{what} has no field `{}`", key.text), help);
            }
        }
        Some(fields)
    }

    pub fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Str(text) if text.is_empty() => {
                self.error("empty-text", &node.span, format!("{what} must not be empty"), None);
                None
            }
            Value::Str(text) => Some(text.clone()),
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

    /// As [`Reader::names`], for lists that select: an empty one would select everything.
    pub fn some_names(&mut self, node: &Node, what: &str) -> Vec<String> {
        self.not_empty(node);
        self.names(node, what)
    }

    /// Refuses an empty list.
    pub fn not_empty(&mut self, node: &Node) {
        if matches!(&node.value, Value::List(list) if list.is_empty()) {
            let help = "name at least one, or leave the field out to put no condition on it";
            self.error("empty-list", &node.span, "a list of nothing", Some(help.to_owned()));
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
                let message = format!("{what} (a list) is expected, and this is {}", node.value.kind());
                let help = Some("begin each entry with `- `, or write `[…]`".to_owned());
                self.error("wrong-type", &node.span, message, help);
                &[]
            }
        }
    }

    pub fn whole(&mut self, node: &Node, what: &str) -> Option<u64> {
        match &node.value {
            Value::Int(n) if *n >= 0 => u64::try_from(*n).ok(),
            Value::Uint(n) => Some(*n),
            _ => {
                self.expected(&format!("{what} (a whole number)"), node);
                None
            }
        }
    }

    pub fn number(&mut self, node: &Node, what: &str) -> Option<Number> {
        match &node.value {
            Value::Int(i) => Some(Number::Int(*i)),
            Value::Uint(u) => Some(Number::Uint(*u)),
            Value::Float(f) => Some(Number::Double(*f)),
            _ => {
                self.expected(what, node);
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
        let raw = self.source.text.get(node.span.clone()).unwrap_or("").to_owned();
        let found = match &node.value {
            Value::Str(text) => duration::parse(text),
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => Err(Fault::NoUnit),
            _ => Err(Fault::NotOne),
        };
        let mut help = "write a number and a unit: `500ms`, `90s`, `15m`, `8h`, `1d`, `2w`";
        let message = match found {
            Ok(ms) => return Some(ms),
            Err(Fault::NoUnit) => format!("{what} needs a unit, and `{raw}` has none"),
            Err(Fault::Zero) => {
                help = "say how long, such as `15m`";
                format!("{what} must be longer than `{raw}`")
            }
            Err(Fault::TooLong) => format!("{what} is longer than can be counted"),
            Err(Fault::NotOne) => format!("{what} must be a duration, and `{raw}` is none"),
        };
        self.error("bad-duration", &node.span, message, Some(help.to_owned()));
        None
    }

    /// Errors of an expression, at their places in the file.
    pub fn cel(&mut self, node: &Node, text: &str, errors: Vec<CelError>) {
        let after = self.source.text.get(node.span.end..).unwrap_or("").trim_start();
        let cut = node.style == Style::Plain && after.starts_with(',');
        for error in errors {
            let empty = text.trim().is_empty();
            let span =
                if empty { node.span.clone() } else { node.place(&self.source.text, text, &error.span) };
            let help = if cut && error.unfinished {
                Some("in `{…}` and `[…]` a comma ends a plain text: put the expression in quotes".to_owned())
            } else {
                error.help
            };
            self.error("bad-expression", &span, error.message, help);
        }
    }
}

/// Whether a key is what a comma cut off an expression.
fn is_leftover(key: &str) -> bool {
    key.contains(['(', ')', '<', '>', '=', '&', '|', '[', ']', '\'', '"'])
}

/// The value of a field./// The value of a field.
pub fn get<'n>(fields: Fields<'n>, name: &str) -> Option<&'n Node> {
    fields.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
}
