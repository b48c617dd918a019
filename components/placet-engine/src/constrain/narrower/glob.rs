//! Inclusion of globs, and of prefixes and suffixes as the globs that they are.

use placet_model::Constraint;

/// One token of a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// A character that means itself.
    Char(char),
}

/// A glob in normal form: in a run of `*` and `?`, every `?` comes first and there is at most one `*`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

impl Glob {
    /// The glob that a constraint on strings is, if it is one.
    pub(super) fn of(constraint: &Constraint) -> Option<Glob> {
        let literal = |text: &str| text.chars().map(Token::Char).collect::<Vec<_>>();
        match constraint {
            Constraint::Glob(pattern) => tokens(pattern).map(normal),
            Constraint::Prefix(text) => {
                let mut tokens = literal(text);
                tokens.push(Token::Any);
                Some(Glob(tokens))
            }
            Constraint::Suffix(text) => {
                let mut tokens = vec![Token::Any];
                tokens.extend(text.chars().map(Token::Char));
                Some(Glob(tokens))
            }
            _ => None,
        }
    }

    /// `*part*`
    pub(super) fn containing(part: &str) -> Glob {
        let inner = part.chars().map(Token::Char);
        normal(std::iter::once(Token::Any).chain(inner).chain([Token::Any]).collect())
    }

    /// The least number of characters.
    pub(super) fn least(&self) -> u64 {
        self.0.iter().filter(|token| **token != Token::Any).count() as u64
    }

    /// The greatest number of characters, if there is one.
    pub(super) fn most(&self) -> Option<u64> {
        (!self.0.contains(&Token::Any)).then(|| self.least())
    }

    /// Whether every string is described.
    pub(super) fn is_everything(&self) -> bool {
        self.0 == [Token::Any]
    }

    /// Whether every string of `self` is shown to be one of `wider`: `wider` is matched against the tokens of `self`,
    /// where only a `*` takes a `*` and a `?` takes any single one.
    pub(super) fn is_within(&self, wider: &Glob) -> bool {
        let (mut at, mut token) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let taken = match (wider.0.get(token), self.0.get(at)) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                (Some(Token::One), Some(Token::One | Token::Char(_))) => true,
                (Some(Token::Char(a)), Some(Token::Char(b))) => a == b,
                _ => false,
            };
            if taken {
                token += 1;
                at += 1;
                continue;
            }
            let Some((successor, tried)) = retry else { return false };
            if tried >= self.0.len() {
                return false;
            }
            token = successor;
            at = tried + 1;
            retry = Some((successor, at));
        }
    }

    /// Whether it is shown that no string is described by both: they begin or end differently.
    pub(super) fn is_apart_from(&self, other: &Glob) -> bool {
        let differ = |(a, b): (&Token, &Token)| matches!((a, b), (Token::Char(a), Token::Char(b)) if a != b);
        let fixed = |pair: &(&Token, &Token)| *pair.0 != Token::Any && *pair.1 != Token::Any;
        self.0.iter().zip(&other.0).take_while(fixed).any(differ)
            || self.0.iter().rev().zip(other.0.iter().rev()).take_while(fixed).any(differ)
            || self.most().is_some_and(|most| most < other.least())
            || other.most().is_some_and(|most| most < self.least())
    }
}

/// `None` when the pattern ends with a `\` that escapes nothing.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(characters.next()?),
            literal => Token::Char(literal),
        });
    }
    Some(out)
}

fn normal(tokens: Vec<Token>) -> Glob {
    let mut out = Vec::with_capacity(tokens.len());
    let mut open = false;
    for token in tokens {
        match token {
            Token::Any => open = true,
            Token::One => out.push(Token::One),
            Token::Char(_) => {
                if std::mem::take(&mut open) {
                    out.push(Token::Any);
                }
                out.push(token);
            }
        }
    }
    if open {
        out.push(Token::Any);
    }
    Glob(out)
}
