//! Diagnostics as data; the command line draws them.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy does not compile.
    Error,
    /// It compiles, and probably does not do what was meant.
    Warning,
}

/// A source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As it was given on the command line, or below the folder given.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable machine code.
    pub code: &'static str,
    /// What: lower case, no full stop.
    pub message: String,
    /// Where: the file, and bytes of its text.
    pub source: Arc<Source>,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// Words at the place.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

#[derive(Serialize)]
struct Wire<'d> {
    severity: Severity,
    code: &'d str,
    message: &'d str,
    file: &'d str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start: usize,
    end: usize,
    help: Option<&'d str>,
}

/// The span with the characters whole that it begins or ends within.
pub fn whole_characters(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end.max(start))
}

impl Diagnostic {
    /// Line and column of a byte of the diagnostic's own source.
    pub fn place(&self, at: usize) -> (usize, usize) {
        Diagnostic::place_in(&self.source, at)
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn place_in(source: &Source, at: usize) -> (usize, usize) {
        let before = source.text.get(..at).unwrap_or(&source.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// For editors: file, lines and columns from 1, byte offsets, message and help.
    pub fn to_json(&self) -> serde_json::Value {
        let ((line, column), (end_line, end_column)) =
            (self.place(self.span.start), self.place(self.span.end));
        let wire = Wire {
            severity: self.severity,
            code: self.code,
            message: &self.message,
            file: &self.source.name,
            line,
            column,
            end_line,
            end_column,
            start: self.span.start,
            end: self.span.end,
            help: self.help.as_deref(),
        };
        serde_json::to_value(wire).unwrap_or_default()
    }

    /// For people: message, source line, caret, help.
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let text = &self.source.text;
        let Range { start, end } = whole_characters(text, &self.span);
        // One line of source says it; a whole mapping does not.
        let end = text[start..end].find('\n').map_or(end, |n| start + n);
        let mut annotation = AnnotationKind::Primary.span(start..end);
        if let Some(label) = &self.label {
            annotation = annotation.label(label.as_str());
        }
        let snippet = Snippet::source(text.as_str()).path(self.source.name.as_str()).annotation(annotation);
        let title = level.primary_title(self.message.as_str()).id(self.code);
        let mut groups = vec![title.element(snippet)];
        if let Some(help) = &self.help {
            groups.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile_sources;

    #[test]
    fn spans_hold_whole_characters() {
        for (span, wanted) in [(0..1, 0..1), (1..2, 1..3), (2..2, 1..3), (2..9, 1..4), (9..9, 4..4)] {
            assert_eq!(whole_characters("aéb", &span), wanted, "{span:?}");
        }
        // Found by fuzzing: "the first byte" of what cannot be read was the first third of a character.
        let text = "policy: a\nlayer: org\nrules:\n  - {id: r, when: a \u{feff}b}\n".to_owned();
        let outcome = compile_sources(vec![Source { name: "p.yaml".to_owned(), text: text.clone() }]);
        let spans: Vec<&str> = outcome.diagnostics.iter().map(|d| &text[d.span.clone()]).collect();
        assert_eq!(spans, ["\u{feff}"]);
    }
}
