//! Constraints that no value can satisfy together.

use std::ops::Range;

use placet_model::{Constraint, Literal};

use crate::compile::reader::Reader;

/// Reports constraints that exclude each other.
pub(super) fn contradiction(reader: &mut Reader, all: &[Constraint], span: &Range<usize>) {
    let Some((message, help)) = found(all) else { return };
    reader.error("unreachable-rule", span, message, Some(help.to_owned()));
}

fn found(all: &[Constraint]) -> Option<(&'static str, &'static str)> {
    if all.len() > 1 && all.iter().any(|c| matches!(c, Constraint::Absent)) {
        let help = "for an argument that may be left out, write `one: [absent, {…}]`";
        return Some(("an argument that is absent can satisfy nothing else", help));
    }
    let min = all.iter().find_map(|c| if let Constraint::Min(n) = c { Some(*n) } else { None });
    let max = all.iter().find_map(|c| if let Constraint::Max(n) = c { Some(*n) } else { None });
    let short = all.iter().find_map(|c| if let Constraint::MinLength(n) = c { Some(*n) } else { None });
    let long = all.iter().find_map(|c| if let Constraint::MaxLength(n) = c { Some(*n) } else { None });
    let numbers = min.zip(max).is_some_and(|(min, max)| min.cmp_value(max).is_gt());
    if numbers || short.zip(long).is_some_and(|(short, long)| short > long) {
        return Some(("no value can satisfy this: the least is above the most", "swap them, or correct one"));
    }
    let mut constants = all.iter().filter_map(|c| match c {
        Constraint::Equals(literal) => Some(std::slice::from_ref(literal)),
        Constraint::OneOf(literals) => Some(literals.as_slice()),
        _ => None,
    });
    let excluded = |literal: &Literal| all.iter().any(|c| !may_satisfy(literal, c));
    if constants.any(|literals| literals.iter().all(excluded)) {
        let help = "keep the constants, or what else is asked, but not both";
        return Some(("no value can satisfy this: what it may equal is excluded beside it", help));
    }
    None
}

/// Whether a constant satisfies a constraint. `true` when that is not obvious.
fn may_satisfy(literal: &Literal, constraint: &Constraint) -> bool {
    match (constraint, literal) {
        (Constraint::Min(least), Literal::Number(n)) => n.cmp_value(*least).is_ge(),
        (Constraint::Max(most), Literal::Number(n)) => n.cmp_value(*most).is_le(),
        (Constraint::Min(_) | Constraint::Max(_), _) => false,
        (Constraint::Equals(other), literal) => same(literal, other),
        (Constraint::OneOf(others), literal) => others.iter().any(|other| same(literal, other)),
        (Constraint::NotOneOf(others), literal) => !others.iter().any(|other| same(literal, other)),
        (Constraint::Prefix(prefix), Literal::String(text)) => text.starts_with(prefix.as_str()),
        (Constraint::Suffix(suffix), Literal::String(text)) => text.ends_with(suffix.as_str()),
        (
            Constraint::Prefix(_) | Constraint::Suffix(_) | Constraint::Regex { .. } | Constraint::Glob(_),
            literal,
        ) => {
            matches!(literal, Literal::String(_))
        }
        _ => true,
    }
}

fn same(a: &Literal, b: &Literal) -> bool {
    match (a, b) {
        (Literal::Number(a), Literal::Number(b)) => a.cmp_value(*b).is_eq(),
        (a, b) => a == b,
    }
}
