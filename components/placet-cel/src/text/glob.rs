//! Globs: `*` stands for any run of characters, `?` for one, `\` makes the next character mean itself.

use crate::error::EvalError;

enum Token {
    Any,
    One,
    Char(char),
}

/// Whether the pattern describes the whole text. Takes time proportional to the text for every `*`, at most to text
/// times pattern; never exponential.
///
/// # Errors
/// When the pattern ends with a `\` that makes nothing mean itself.
pub fn matches(text: &str, pattern: &str) -> Result<bool, EvalError> {
    matches_counted(text, pattern, &mut |_| Ok(()))
}

/// As [`matches`], paying for every so many comparisons.
pub(crate) fn matches_counted(
    text: &str,
    pattern: &str,
    pay: &mut dyn FnMut(usize) -> Result<(), EvalError>,
) -> Result<bool, EvalError> {
    const BATCH: usize = 256;
    let tokens = tokens(pattern)?;
    let (mut at, mut token, mut work) = (0, 0, 0_usize);
    // After the last `*`: its successor, and where in the text that was last tried.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        work += 1;
        if work % BATCH == 0 {
            pay(BATCH)?;
        }
        let next = char_at(text, at);
        match (tokens.get(token), next) {
            (None, None) => return Ok(true),
            (Some(Token::Any), _) => {
                token += 1;
                retry = Some((token, at));
            }
            (Some(Token::One), Some(c)) => {
                token += 1;
                at += c.len_utf8();
            }
            (Some(Token::Char(wanted)), Some(c)) if *wanted == c => {
                token += 1;
                at += c.len_utf8();
            }
            _ => {
                let Some((successor, tried)) = retry else { return Ok(false) };
                let Some(skipped) = char_at(text, tried) else { return Ok(false) };
                token = successor;
                at = tried + skipped.len_utf8();
                retry = Some((successor, at));
            }
        }
    }
}

fn char_at(text: &str, offset: usize) -> Option<char> {
    text.get(offset..)?.chars().next()
}

fn tokens(pattern: &str) -> Result<Vec<Token>, EvalError> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' if matches!(tokens.last(), Some(Token::Any)) => {}
            '*' => tokens.push(Token::Any),
            '?' => tokens.push(Token::One),
            '\\' => match chars.next() {
                Some(literal) => tokens.push(Token::Char(literal)),
                None => return Err(EvalError::value("the glob ends with a `\\` that escapes nothing")),
            },
            literal => tokens.push(Token::Char(literal)),
        }
    }
    Ok(tokens)
}
