//! RE2 patterns as automata. `\d`, `\w`, `\s` and `\b` are ASCII, as RE2 has them; everything else is Unicode.

use placet_cel::program::Automaton;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_syntax::ast::{self, Ast, ClassPerlKind, Visitor};
use regex_syntax::hir::Look;

/// An automaton may not be larger than this, in bytes.
const MAX_BYTES: usize = 512 << 10;

/// Why a pattern has no automaton. The message fits into a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Builds the automaton of a pattern.
///
/// # Errors
/// When it is not a regular expression of RE2, or its automaton is too large.
pub fn automaton(pattern: &str) -> Result<Automaton, RegexError> {
    let error = |message: String| RegexError { message, help: None };
    let translated = translate(pattern)?;
    let dfa = dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Unanchored)
                .unicode_word_boundary(false)
                .dfa_size_limit(Some(8 << 20))
                .determinize_size_limit(Some(8 << 20)),
        )
        .syntax(syntax::Config::new().unicode(true).utf8(false).nest_limit(100))
        .thompson(thompson::Config::new().utf8(true).nfa_size_limit(Some(1 << 20)))
        .build(&translated)
        .map_err(|e| error(too_large_or(&e)))?;
    let sparse = dfa.to_sparse().map_err(|e| error(too_large_or(&e)))?;
    let bytes = sparse.to_bytes_little_endian();
    if bytes.len() > MAX_BYTES {
        let message =
            format!("its automaton takes {} bytes, and {MAX_BYTES} are the most allowed", bytes.len());
        return Err(error(message));
    }
    Ok(Automaton { pattern: pattern.into(), dfa: bytes.into() })
}

fn too_large_or(e: &dense::BuildError) -> String {
    if e.is_size_limit_exceeded() { "its automaton is too large".to_owned() } else { e.to_string() }
}

/// Whether the pattern says what the whole text must be: every alternative begins with `^` and ends with `$`.
pub fn anchored(pattern: &str) -> bool {
    let hir = translate(pattern)
        .ok()
        .and_then(|p| regex_syntax::ParserBuilder::new().utf8(false).nest_limit(100).build().parse(&p).ok());
    // These sets hold what every alternative must match there.
    hir.is_some_and(|hir| {
        let properties = hir.properties();
        properties.look_set_prefix().contains(Look::Start) && properties.look_set_suffix().contains(Look::End)
    })
}

fn help(kind: &ast::ErrorKind) -> Option<String> {
    use ast::ErrorKind as K;
    let help = match kind {
        K::UnsupportedLookAround => {
            "combine constraints instead: `all`, `none` and `not_one_of` exclude values"
        }
        K::UnsupportedBackreference => "patterns are matched in linear time, which rules out back-references",
        K::GroupUnclosed => "close the `(`, or write `\\(` for the character",
        K::GroupUnopened => "open the group with `(`, or write `\\)` for the character",
        K::ClassUnclosed => "close the `[`, or write `\\[` for the character",
        K::RepetitionMissing => "put before the operator what it repeats, or escape it with `\\`",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Spells the pattern so that Perl classes and word boundaries are ASCII.
fn translate(pattern: &str) -> Result<String, RegexError> {
    let finder = Finder { edits: Vec::new() };
    let parsed = ast::parse::ParserBuilder::new().nest_limit(100).build().parse(pattern);
    let tree = parsed.map_err(|e| RegexError { message: e.kind().to_string(), help: help(e.kind()) })?;
    let edits = ast::visit(&tree, finder)
        .map_err(|()| RegexError { message: "it cannot be read".to_owned(), help: None })?;
    let mut out = String::new();
    let mut from = 0;
    for (start, end, text) in edits {
        out.push_str(&pattern[from..start]);
        out.push_str(&text);
        from = end;
    }
    out.push_str(&pattern[from..]);
    Ok(out)
}

struct Finder {
    edits: Vec<(usize, usize, String)>,
}

impl Finder {
    fn perl(&mut self, class: &ast::ClassPerl) {
        let set = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\x0C\r ",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let text = if class.negated { format!("[^{set}]") } else { format!("[{set}]") };
        self.edits.push((class.span.start.offset, class.span.end.offset, text));
    }
}

impl Visitor for Finder {
    type Output = Vec<(usize, usize, String)>;
    type Err = ();

    fn finish(mut self) -> Result<Self::Output, ()> {
        self.edits.sort();
        Ok(self.edits)
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), ()> {
        match tree {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::Assertion(assertion) => {
                let text = match assertion.kind {
                    ast::AssertionKind::WordBoundary => r"(?-u:\b)",
                    ast::AssertionKind::NotWordBoundary => r"(?-u:\B)",
                    _ => return Ok(()),
                };
                let (start, end) = (assertion.span.start.offset, assertion.span.end.offset);
                self.edits.push((start, end, text.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), ()> {
        if let ast::ClassSetItem::Perl(class) = item {
            self.perl(class);
        }
        Ok(())
    }
}
