//! Argument constraints against arguments.
//!
//! Three answers: it holds, it does not, or it cannot be told (an error). A value of another JSON type than the
//! constraint speaks of does not satisfy it. A string whose meaning the constraint is about (an address, a URL, a
//! path) and that different readers would read differently is an error, which the rule that has the constraint
//! takes on its safe side.
//!
//! Strings are compared in Unicode NFC. Addresses, URLs and paths are read from the string as it will be sent, and
//! what was read is compared.

mod compare;
mod describe;
mod narrower;
mod text;

use placet_cel::{ErrorKind, EvalError, OpenPool};
use placet_model::constraint::Shape;
use placet_model::{Constraint, Json, Kind, Literal};

use compare::{equals, equals_any, is_subset};
pub use describe::describe;
pub use narrower::is_narrower;
pub use text::normal_text;
use text::{length, nfc_text};

/// Constraints may not nest deeper.
const MAX_DEPTH: u32 = 64;

/// Fields that fit on the stack.
const FEW: usize = 16;

/// Whether a value, or its absence, satisfies a constraint. What is not there satisfies `absent` only, and
/// combinations of it.
///
/// # Errors
/// When the value is a string whose meaning the constraint is about, and it cannot be read with certainty; when the
/// constraint itself is damaged.
pub fn matches(constraint: &Constraint, value: Option<Json<'_>>, pool: &OpenPool) -> Result<bool, EvalError> {
    Matcher { pool }.matches(constraint, value, MAX_DEPTH)
}

/// Whether arguments have this shape. One member that does not fit decides, whatever is wrong with others.
///
/// # Errors
/// As [`matches`].
pub fn shape_matches(shape: &Shape, args: Json<'_>, pool: &OpenPool) -> Result<bool, EvalError> {
    Matcher { pool }.shape(shape, args, MAX_DEPTH)
}

#[derive(Clone, Copy)]
struct Matcher<'p> {
    pool: &'p OpenPool,
}

impl Matcher<'_> {
    fn matches(
        self,
        constraint: &Constraint,
        value: Option<Json<'_>>,
        depth: u32,
    ) -> Result<bool, EvalError> {
        let depth = depth.checked_sub(1).ok_or_else(|| damaged("a constraint is nested too deeply"))?;
        let Some(value) = value else { return self.absent(constraint, depth) };
        match constraint {
            Constraint::Any => Ok(true),
            Constraint::Absent => Ok(false),
            Constraint::Equals(literal) => Ok(equals(literal, value)),
            Constraint::OneOf(literals) => Ok(equals_any(literals, value)),
            Constraint::NotOneOf(literals) => Ok(!equals_any(literals, value)),
            Constraint::Min(bound) => Ok(value.as_number().is_some_and(|n| n.cmp_value(*bound).is_ge())),
            Constraint::Max(bound) => Ok(value.as_number().is_some_and(|n| n.cmp_value(*bound).is_le())),
            Constraint::MinLength(bound) => Ok(length(value).is_some_and(|n| n >= *bound)),
            Constraint::MaxLength(bound) => Ok(length(value).is_some_and(|n| n <= *bound)),
            Constraint::Prefix(prefix) => Ok(nfc_text(value).is_some_and(|s| s.starts_with(prefix.as_str()))),
            Constraint::Suffix(suffix) => Ok(nfc_text(value).is_some_and(|s| s.ends_with(suffix.as_str()))),
            Constraint::Glob(pattern) => of_text(value, |s| placet_cel::text::glob::matches(s, pattern)),
            Constraint::Regex { pattern: _, automaton } => {
                of_text(value, |s| self.pool.is_match(*automaton, s))
            }
            Constraint::Contains(literal) => Ok(contains(literal, value)),
            Constraint::SubsetOf(literals) => Ok(is_subset(value, literals)),
            Constraint::Each(each) if value.kind() == Kind::Array => {
                every(value.elements().map(|element| self.matches(each, Some(element), depth)))
            }
            Constraint::Each(_) => Ok(false),
            Constraint::Cidr(networks) => of_raw_text(value, |s| text::in_networks(networks, s)),
            Constraint::Email { domains } => of_raw_text(value, |s| text::mailbox_fits(domains, s)),
            Constraint::Url { schemes, hosts, ports } => {
                of_raw_text(value, |s| text::url_fits(schemes, hosts, ports, s))
            }
            Constraint::Path { under } => of_raw_text(value, |s| text::path_fits(under, s)),
            Constraint::Shape(shape) => self.shape(shape, value, depth),
            Constraint::All(all) => every(all.iter().map(|c| self.matches(c, Some(value), depth))),
            Constraint::One(one) => any(one.iter().map(|c| self.matches(c, Some(value), depth))),
            Constraint::None(none) => {
                any(none.iter().map(|c| self.matches(c, Some(value), depth))).map(|b| !b)
            }
        }
    }

    fn absent(self, constraint: &Constraint, depth: u32) -> Result<bool, EvalError> {
        match constraint {
            Constraint::Absent => Ok(true),
            Constraint::All(all) => every(all.iter().map(|c| self.matches(c, None, depth))),
            Constraint::One(one) => any(one.iter().map(|c| self.matches(c, None, depth))),
            _ => Ok(false),
        }
    }

    /// Goes over the members once, putting each in its field's place.
    fn shape(self, shape: &Shape, object: Json<'_>, depth: u32) -> Result<bool, EvalError> {
        if object.kind() != Kind::Object {
            return Ok(false);
        }
        let fields = shape.fields.as_slice();
        if !fields.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(damaged("the fields of a shape are not sorted"));
        }
        let (mut few, mut many) = ([None; FEW], Vec::new());
        let values = match few.get_mut(..fields.len()) {
            Some(values) => values,
            None => {
                many.resize(fields.len(), None);
                many.as_mut_slice()
            }
        };
        for (name, value) in object.members() {
            let place = fields.binary_search_by(|(field, _)| field.as_str().cmp(&name)).ok();
            match place.and_then(|place| values.get_mut(place)) {
                Some(found) => *found = Some(value),
                None if shape.others => {}
                None => return Ok(false),
            }
        }
        every(
            fields.iter().zip(values).map(|((_, constraint), value)| self.matches(constraint, *value, depth)),
        )
    }
}

/// All must hold; one that does not decides, whatever errs. Of errors the first is reported.
fn every(of: impl Iterator<Item = Result<bool, EvalError>>) -> Result<bool, EvalError> {
    let mut error = None;
    for result in of {
        match result {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(e) => error = error.or(Some(e)),
        }
    }
    error.map_or(Ok(true), Err)
}

/// One must hold, and decides, whatever errs.
fn any(of: impl Iterator<Item = Result<bool, EvalError>>) -> Result<bool, EvalError> {
    every(of.map(|result| result.map(|holds| !holds))).map(|none| !none)
}

/// A list with this element, or a string with this part.
fn contains(literal: &Literal, value: Json<'_>) -> bool {
    match (value.kind(), literal) {
        (Kind::Array, literal) => value.elements().any(|element| equals(literal, element)),
        (Kind::String, Literal::String(part)) => nfc_text(value).is_some_and(|s| s.contains(part.as_str())),
        _ => false,
    }
}

fn of_text(value: Json<'_>, test: impl FnOnce(&str) -> Result<bool, EvalError>) -> Result<bool, EvalError> {
    nfc_text(value).map_or(Ok(false), |text| test(&text))
}

/// For readers: normalising first could hide from them what the target will see.
fn of_raw_text(
    value: Json<'_>,
    test: impl FnOnce(&str) -> Result<bool, EvalError>,
) -> Result<bool, EvalError> {
    value.as_str().map_or(Ok(false), |text| test(&text))
}

#[cold]
fn damaged(message: &'static str) -> EvalError {
    EvalError::new(ErrorKind::Program, message)
}

#[cfg(test)]
mod tests;
