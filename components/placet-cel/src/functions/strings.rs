//! Strings: the standard functions and the `strings` library. Positions count characters (Unicode code points).

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::pool::OpenPool;
use crate::value::{Str, Value};

/// Functions that look into a string and make none (but `charAt`).
pub(super) fn search<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    use Function as F;
    if let Some(text) = args.first().and_then(Value::as_str) {
        budget.read(text.len())?;
    }
    Ok(match (function, args) {
        (F::Size, [Value::Str(text)]) => length(text.as_str().chars().count()),
        (F::Size, [Value::Bytes(bytes)]) => length(bytes.len()),
        (F::Size, [Value::List(items)]) => length(items.len()),
        (F::Size, [Value::Map(map)]) => length(map.entries.len()),
        (F::Contains, [Value::Str(text), Value::Str(part)]) => {
            Value::Bool(text.as_str().contains(part.as_str()))
        }
        (F::StartsWith, [Value::Str(text), Value::Str(part)]) => {
            Value::Bool(text.as_str().starts_with(part.as_str()))
        }
        (F::EndsWith, [Value::Str(text), Value::Str(part)]) => {
            Value::Bool(text.as_str().ends_with(part.as_str()))
        }
        (F::CharAt, [Value::Str(text), Value::Int(at)]) => {
            let start = offset_of(text.as_str(), *at)?;
            let rest = text.as_str().get(start..).unwrap_or_default();
            let end = rest.chars().next().map_or(start, |c| start + c.len_utf8());
            Value::Str(text.part(start, end))
        }
        (F::IndexOf, [Value::Str(text), Value::Str(part)]) => index_of(text.as_str(), part.as_str(), 0),
        (F::IndexOf, [Value::Str(text), Value::Str(part), Value::Int(from)]) => {
            check_start(text.as_str(), part.as_str(), *from)?;
            index_of(text.as_str(), part.as_str(), offset_of(text.as_str(), *from)?)
        }
        (F::LastIndexOf, [Value::Str(text), Value::Str(part)]) => {
            last_index_of(text.as_str(), part.as_str(), text.as_str().len())
        }
        (F::LastIndexOf, [Value::Str(text), Value::Str(part), Value::Int(from)]) => {
            check_start(text.as_str(), part.as_str(), *from)?;
            last_index_of(text.as_str(), part.as_str(), offset_of(text.as_str(), *from)?)
        }
        _ => return Err(no_overload(function, args)),
    })
}

/// `matches`, by an automaton of the pool.
pub(super) fn matches<'a>(args: &[Value<'a>], pool: &OpenPool, budget: &mut Budget) -> Outcome<'a> {
    match args {
        [Value::Str(text), Value::Int(automaton)] => {
            budget.read(text.as_str().len())?;
            let index = u32::try_from(*automaton).unwrap_or(u32::MAX);
            pool.is_match(index, text.as_str()).map(Value::Bool)
        }
        _ => Err(no_overload(Function::Matches, args)),
    }
}

/// Functions that make a string or a list of strings.
pub(super) fn make<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    use Function as F;
    match (function, args) {
        (F::LowerAscii, [Value::Str(text)]) => {
            budget.build(text.as_str().len())?;
            Ok(Value::string(text.as_str().to_ascii_lowercase()))
        }
        (F::UpperAscii, [Value::Str(text)]) => {
            budget.build(text.as_str().len())?;
            Ok(Value::string(text.as_str().to_ascii_uppercase()))
        }
        (F::Trim, [Value::Str(text)]) => trim(text, budget),
        (F::Substring, [Value::Str(text), Value::Int(from)]) => {
            let start = offset_of(text.as_str(), *from)?;
            substring(text, start, text.as_str().len(), budget)
        }
        (F::Substring, [Value::Str(text), Value::Int(from), Value::Int(to)]) => {
            let (start, end) = (offset_of(text.as_str(), *from)?, offset_of(text.as_str(), *to)?);
            substring(text, start, end, budget)
        }
        (F::Replace, [Value::Str(text), Value::Str(old), Value::Str(new)]) => {
            replace(text.as_str(), old.as_str(), new.as_str(), -1, budget)
        }
        (F::Replace, [Value::Str(text), Value::Str(old), Value::Str(new), Value::Int(most)]) => {
            replace(text.as_str(), old.as_str(), new.as_str(), *most, budget)
        }
        (F::Split, [Value::Str(text), Value::Str(separator)]) => split(text, separator.as_str(), -1, budget),
        (F::Split, [Value::Str(text), Value::Str(separator), Value::Int(most)]) => {
            split(text, separator.as_str(), *most, budget)
        }
        (F::Join, [Value::List(items)]) => join(items, "", args, budget),
        (F::Join, [Value::List(items), Value::Str(separator)]) => {
            join(items, separator.as_str(), args, budget)
        }
        (F::Quote, [Value::Str(text)]) => quote(text.as_str(), budget),
        _ => Err(no_overload(function, args)),
    }
}

fn length<'a>(n: usize) -> Value<'a> {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The byte offset of the character at this position, or of the end.
fn offset_of(text: &str, position: i64) -> Result<usize, EvalError> {
    let mut offsets = text.char_indices().map(|(offset, _)| offset).chain([text.len()]);
    let offset = usize::try_from(position).ok().and_then(|position| offsets.nth(position));
    offset.ok_or_else(out_of_range)
}

/// A search may not start at the end of the text or beyond, unless it is for nothing.
fn check_start(text: &str, part: &str, from: i64) -> Result<(), EvalError> {
    let at_end = offset_of(text, from)? == text.len();
    if at_end && !part.is_empty() { Err(out_of_range()) } else { Ok(()) }
}

fn index_of<'a>(text: &str, part: &str, start: usize) -> Value<'a> {
    let found = text.get(start..).and_then(|rest| rest.find(part)).and_then(|at| text.get(..start + at));
    found.map_or(Value::Int(-1), |before| length(before.chars().count()))
}

/// The last place that is not after the byte offset `start`.
fn last_index_of<'a>(text: &str, part: &str, start: usize) -> Value<'a> {
    let end = text.len().min(start.saturating_add(part.len()));
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    // The end may lie within a character; the part is whole characters, so a match never does.
    let whole = match std::str::from_utf8(bytes) {
        Ok(whole) => whole,
        Err(error) => text.get(..error.valid_up_to()).unwrap_or_default(),
    };
    let before = whole.rfind(part).and_then(|at| text.get(..at));
    before.map_or(Value::Int(-1), |before| length(before.chars().count()))
}

fn trim<'a>(text: &Str<'a>, budget: &mut Budget) -> Outcome<'a> {
    let whole = text.as_str();
    budget.build(whole.len())?;
    let start = whole.len() - whole.trim_start().len();
    let end = start + whole.trim().len();
    Ok(Value::Str(text.part(start, end)))
}

fn substring<'a>(text: &Str<'a>, start: usize, end: usize, budget: &mut Budget) -> Outcome<'a> {
    if start > end {
        return Err(EvalError::value("the substring ends before it starts"));
    }
    budget.read(text.as_str().len())?;
    budget.build(end - start)?;
    Ok(Value::Str(text.part(start, end)))
}

fn replace<'a>(text: &str, old: &str, new: &str, most: i64, budget: &mut Budget) -> Outcome<'a> {
    budget.read(text.len())?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = text.matches(old).take(most).count();
    budget.build(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::string(text.replacen(old, new, most)))
}

/// At most `most` parts, the last with all that remains; all when negative, none when zero. An empty separator
/// separates characters.
fn split<'a>(text: &Str<'a>, separator: &str, most: i64, budget: &mut Budget) -> Outcome<'a> {
    let whole = text.as_str();
    budget.build(whole.len())?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut start = 0;
    let mut rest = Some(whole).filter(|_| most > 0 && !(whole.is_empty() && separator.is_empty()));
    while let Some(text_left) = rest {
        budget.build_list(1)?;
        let end =
            if parts.len().saturating_add(1) >= most { None } else { next_separator(text_left, separator) };
        let length = end.unwrap_or(text_left.len());
        parts.push(Value::Str(text.part(start, start + length)));
        start += length + separator.len();
        rest = end.and_then(|end| text_left.get(end + separator.len()..));
    }
    Ok(Value::list(parts))
}

fn next_separator(text: &str, separator: &str) -> Option<usize> {
    if separator.is_empty() {
        text.char_indices().nth(1).map(|(offset, _)| offset)
    } else {
        text.find(separator)
    }
}

fn join<'a>(items: &[Value<'a>], separator: &str, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let Value::Str(text) = item else { return Err(no_overload(Function::Join, args)) };
        budget.step(1)?;
        budget.build(text.as_str().len().saturating_add(separator.len()))?;
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(text.as_str());
    }
    Ok(Value::string(joined))
}

fn quote<'a>(text: &str, budget: &mut Budget) -> Outcome<'a> {
    budget.build(text.len().saturating_mul(2).saturating_add(2))?;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Ok(Value::string(quoted))
}

#[cold]
fn out_of_range() -> EvalError {
    EvalError::value("the position is outside the text")
}
