//! Why a text is not an expression, in words of our own: the parser's name its own tokens.

use std::ops::Range;

use super::CelError;

/// How the parser's complaints about the grammar begin.
pub(super) const GRAMMAR: &str = "Syntax error: ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A string that ends.
    Text,
    /// A string that does not.
    OpenText,
    Word,
    Number,
    Open,
    Close,
    Operator,
}

struct Token<'s> {
    kind: Kind,
    text: &'s str,
    start: usize,
}

impl Token<'_> {
    fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    fn ends_operand(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Word | Kind::Number | Kind::Close)
    }
}

/// One error for what the parser complained about at this byte.
pub(super) fn explain(source: &str, at: usize, complaint: &str) -> CelError {
    let tokens = tokens(source);
    let Some(last) = tokens.last() else {
        let help = "write one, or leave the field out";
        return CelError::new(0..source.len(), "the expression is empty").help(Some(help.to_owned()));
    };
    if let Some(open) = tokens.iter().find(|t| t.kind == Kind::OpenText) {
        let quote = if open.text.contains('"') { "\"" } else { "'" };
        let help = format!("end it with `{quote}`");
        let mut error = CelError::new(open.span(), "this text does not end").help(Some(help));
        error.unfinished = true;
        return error;
    }
    if let Some(error) = slip(&tokens).or_else(|| brackets(&tokens)) {
        return error;
    }
    let here = tokens.iter().find(|t| t.span().contains(&at));
    let Some(token) = here else {
        let mut error = CelError::new(last.span(), format!("something is missing after `{}`", last.text));
        error.unfinished = true;
        return error;
    };
    let message = words(complaint, token.text);
    let message = message.unwrap_or_else(|| format!("`{}` is not expected here", shown(token.text)));
    CelError::new(token.span(), message)
}

/// The token, readable where it is one character that nobody can see.
fn shown(token: &str) -> String {
    let mut chars = token.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => c.escape_debug().to_string(),
        _ => token.to_owned(),
    }
}

/// Complaints about a token itself.
fn words(complaint: &str, token: &str) -> Option<String> {
    if complaint.starts_with(GRAMMAR) {
        None
    } else if complaint.contains("reserved") {
        Some(format!("`{token}` is a reserved word and cannot be a name"))
    } else if complaint.contains("uint literal") {
        Some(format!("`{token}` does not fit an unsigned integer of 64 bits"))
    } else if complaint.contains("int literal") {
        Some(format!("`{token}` does not fit a signed integer of 64 bits"))
    } else if complaint.contains("literal") || complaint.contains("escape") || complaint.contains("unicode") {
        Some(format!("`{token}` cannot be read as a value"))
    } else {
        None
    }
}

/// Operators of other languages.
fn slip(tokens: &[Token<'_>]) -> Option<CelError> {
    for (n, token) in tokens.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|n| tokens.get(n));
        let after = tokens.get(n + 1);
        let instead = match (token.kind, token.text) {
            (Kind::Operator, "=" | "===") => "write `==` to compare",
            (Kind::Operator, "!==" | "<>") => "write `!=`",
            (Kind::Operator, "=<") => "write `<=`",
            (Kind::Operator, "=>") => "write `>=` to compare, and `,` after the variable of a macro",
            (Kind::Operator, "??") => "write `has(a.b) ? a.b : c`",
            (Kind::Operator, "=~") => "write `args.ref.matches('…')`",
            (Kind::Operator, "&") => "write `&&`",
            (Kind::Operator, "|") => "write `||`",
            (Kind::Operator, ";" | "@" | "#" | "$" | "\\" | "^" | "~" | "`") => {
                let message = "this character has no meaning in expressions";
                let help = "leave it out; text stands in `'…'`";
                return Some(CelError::new(token.span(), message).help(Some(help.to_owned())));
            }
            (Kind::Word, word) if before.is_none_or(|t| t.text != ".") => {
                match word_operator(word, before, after) {
                    Some(instead) => instead,
                    None => continue,
                }
            }
            _ => continue,
        };
        let message = format!("`{}` is not an operator", token.text);
        return Some(CelError::new(token.span(), message).help(Some(instead.to_owned())));
    }
    None
}

fn word_operator(word: &str, before: Option<&Token<'_>>, after: Option<&Token<'_>>) -> Option<&'static str> {
    let between = before.is_some_and(Token::ends_operand);
    match word.to_ascii_lowercase().as_str() {
        "and" if between => Some("write `&&`"),
        "or" if between => Some("write `||`"),
        "is" if between => Some("write `==` to compare"),
        "not" if between && after.is_some_and(|t| t.text == "in") => Some("write `!(a in b)`"),
        "not" if !between && after.is_some_and(|t| t.ends_operand() || t.kind == Kind::Open) => {
            Some("write `!`")
        }
        _ => None,
    }
}

fn brackets(tokens: &[Token<'_>]) -> Option<CelError> {
    let closing = |open: &str| match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    let mut open: Vec<&Token<'_>> = Vec::new();
    for token in tokens {
        match (token.kind, open.last()) {
            (Kind::Open, _) => open.push(token),
            (Kind::Close, None) => {
                let message = format!("`{}` closes nothing", token.text);
                return Some(CelError::new(token.span(), message));
            }
            (Kind::Close, Some(last)) if closing(last.text) != token.text => {
                let message = format!("`{}` cannot close `{}`", token.text, last.text);
                return Some(CelError::new(token.span(), message));
            }
            (Kind::Close, Some(_)) => {
                open.pop();
            }
            _ => {}
        }
    }
    let last = open.last()?;
    let help = format!("add the missing `{}`", closing(last.text));
    let mut error = CelError::new(last.span(), format!("`{}` is not closed", last.text)).help(Some(help));
    error.unfinished = true;
    Some(error)
}

/// Operators of two and three characters, longest first, those of other languages included.
const LONG: [&str; 13] = ["===", "!==", "==", "!=", "<=", ">=", "<>", "=<", "=>", "=~", "&&", "||", "??"];

fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = source.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = source.get(at..).unwrap_or("");
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (kind, length) = token(rest, c);
        tokens.push(Token { kind, text: rest.get(..length).unwrap_or(rest), start: at });
        at += length;
    }
    tokens
}

fn token(rest: &str, c: char) -> (Kind, usize) {
    let while_ = |more: fn(char) -> bool| rest.find(|c| !more(c)).unwrap_or(rest.len());
    let prefix = rest.bytes().take_while(|b| b"rRbB".contains(b)).count();
    if prefix <= 2 && rest.get(prefix..).is_some_and(|r| r.starts_with(['"', '\''])) {
        return string(rest, prefix);
    }
    match c {
        '(' | '[' | '{' => (Kind::Open, 1),
        ')' | ']' | '}' => (Kind::Close, 1),
        c if c.is_ascii_digit() => (Kind::Number, while_(|c| c.is_ascii_alphanumeric() || c == '.')),
        c if c.is_alphabetic() || c == '_' => (Kind::Word, while_(|c| c.is_alphanumeric() || c == '_')),
        _ => match LONG.iter().find(|op| rest.starts_with(**op)) {
            Some(op) => (Kind::Operator, op.len()),
            None => (Kind::Operator, c.len_utf8()),
        },
    }
}

fn string(rest: &str, prefix: usize) -> (Kind, usize) {
    let raw = rest.get(..prefix).is_some_and(|p| p.contains(['r', 'R']));
    let body = rest.get(prefix..).unwrap_or("");
    let single = body.get(..1).unwrap_or("'");
    let triple = body.get(..3).filter(|three| *three == single.repeat(3));
    let quote = triple.unwrap_or(single);
    let mut at = prefix + quote.len();
    while let Some(c) = rest.get(at..).and_then(|r| r.chars().next()) {
        if rest.get(at..).is_some_and(|r| r.starts_with(quote)) {
            return (Kind::Text, at + quote.len());
        }
        if c == '\n' && triple.is_none() {
            return (Kind::OpenText, at);
        }
        at += c.len_utf8();
        if c == '\\' && !raw {
            at += rest.get(at..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8);
        }
    }
    (Kind::OpenText, rest.len())
}
