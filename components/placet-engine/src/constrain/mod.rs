//! Argument constraints against arguments. Strings that mean something are compared as their targets read them.

mod describe;
mod narrower;

use std::borrow::Cow;

use placet_cel::text::{email, glob, ip, path, url};
use placet_cel::{ErrorKind, EvalError, OpenPool};
use placet_model::constraint::Shape;
use placet_model::{Constraint, Json, Kind, Literal, Number};

pub use describe::describe;
pub use narrower::is_narrower;

/// Whether the arguments have this shape. One member that does not fit decides, whatever is wrong with others.
///
/// # Errors
/// When a member that must be read cannot be: an ambiguous URL, a path that escapes.
pub fn shape_matches(shape: &Shape, object: Json<'_>, pool: &OpenPool) -> Result<bool, EvalError> {
    if object.kind() != Kind::Object {
        return Ok(false);
    }
    let members: Vec<(Cow<'_, str>, Json<'_>)> = object.members().collect();
    let named = |name: &str| shape.fields.binary_search_by(|(field, _)| field.as_str().cmp(name)).is_ok();
    if !shape.others && members.iter().any(|(name, _)| !named(name)) {
        return Ok(false);
    }
    let value = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| *value);
    every(shape.fields.iter().map(|(name, constraint)| matches(constraint, value(name), pool)))
}

/// Whether a value, or its absence, satisfies a constraint.
///
/// # Errors
/// When the value is a string whose meaning the constraint is about, and it cannot be read with certainty.
pub fn matches(constraint: &Constraint, value: Option<Json<'_>>, pool: &OpenPool) -> Result<bool, EvalError> {
    let Some(value) = value else { return absent(constraint, pool) };
    Ok(match constraint {
        Constraint::Any => true,
        Constraint::Absent => false,
        Constraint::Equals(literal) => equals(literal, value),
        Constraint::OneOf(literals) => literals.iter().any(|l| equals(l, value)),
        Constraint::NotOneOf(literals) => !literals.iter().any(|l| equals(l, value)),
        Constraint::Min(bound) => value.as_number().is_some_and(|n| n.cmp_value(*bound).is_ge()),
        Constraint::Max(bound) => value.as_number().is_some_and(|n| n.cmp_value(*bound).is_le()),
        Constraint::MinLength(bound) => length(value).is_some_and(|n| n >= *bound),
        Constraint::MaxLength(bound) => length(value).is_some_and(|n| n <= *bound),
        Constraint::Prefix(prefix) => text(value).is_some_and(|s| s.starts_with(prefix.as_str())),
        Constraint::Suffix(suffix) => text(value).is_some_and(|s| s.ends_with(suffix.as_str())),
        Constraint::Glob(pattern) => text(value).is_some_and(|s| glob::matches(&s, pattern).unwrap_or(false)),
        Constraint::Regex { pattern: _, automaton } => match text(value) {
            Some(text) => pool.is_match(*automaton, &text)?,
            None => false,
        },
        Constraint::Contains(literal) => match (value.kind(), literal) {
            (Kind::Array, literal) => value.elements().any(|element| equals(literal, element)),
            (Kind::String, Literal::String(part)) => text(value).is_some_and(|s| s.contains(part.as_str())),
            _ => false,
        },
        Constraint::SubsetOf(literals) => {
            value.kind() == Kind::Array
                && value.elements().all(|element| literals.iter().any(|l| equals(l, element)))
        }
        Constraint::Each(each) => {
            return match value.kind() {
                Kind::Array => every(value.elements().map(|element| matches(each, Some(element), pool))),
                _ => Ok(false),
            };
        }
        Constraint::Cidr(networks) => return of_text(value, |text| in_networks(networks, text)),
        Constraint::Email { domains } => return of_text(value, |text| in_domains(domains, text)),
        Constraint::Url { schemes, hosts, ports } => {
            return of_text(value, |text| url_fits(schemes, hosts, ports, text));
        }
        Constraint::Path { under } => {
            return of_text(value, |text| {
                let normal = path::normalise(text)?;
                Ok(under.iter().any(|directory| is_under(&normal, directory)))
            });
        }
        Constraint::Shape(shape) => return shape_matches(shape, value, pool),
        Constraint::All(all) => return every(all.iter().map(|c| matches(c, Some(value), pool))),
        Constraint::One(one) => return any(one.iter().map(|c| matches(c, Some(value), pool))),
        Constraint::None(none) => return any(none.iter().map(|c| matches(c, Some(value), pool))).map(|b| !b),
    })
}

/// What is not there satisfies `absent` only, and combinations of it.
fn absent(constraint: &Constraint, pool: &OpenPool) -> Result<bool, EvalError> {
    match constraint {
        Constraint::Absent => Ok(true),
        Constraint::All(all) => every(all.iter().map(|c| matches(c, None, pool))),
        Constraint::One(one) => any(one.iter().map(|c| matches(c, None, pool))),
        _ => Ok(false),
    }
}

/// All must hold; one that does not decides, whatever errs.
fn every(mut of: impl Iterator<Item = Result<bool, EvalError>>) -> Result<bool, EvalError> {
    let mut error = None;
    loop {
        match of.next() {
            Some(Ok(true)) => {}
            Some(Ok(false)) => return Ok(false),
            Some(Err(e)) => error = error.or(Some(e)),
            None => return error.map_or(Ok(true), Err),
        }
    }
}

/// One must hold, and decides, whatever errs.
fn any(of: impl Iterator<Item = Result<bool, EvalError>>) -> Result<bool, EvalError> {
    every(of.map(|result| result.map(|holds| !holds))).map(|none| !none)
}

/// Text in Unicode NFC.
fn text(value: Json<'_>) -> Option<Cow<'_, str>> {
    value.as_str().map(nfc)
}

fn nfc(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        return text;
    }
    let normalizer = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
    if normalizer.is_normalized(&text) { text } else { Cow::Owned(normalizer.normalize(&text).into_owned()) }
}

/// A constant's text in Unicode NFC, as constraints hold it.
pub fn normal_text(text: &str) -> String {
    nfc(Cow::Borrowed(text)).into_owned()
}

fn of_text(
    value: Json<'_>,
    test: impl FnOnce(&str) -> Result<bool, EvalError>,
) -> Result<bool, EvalError> {
    match value.as_str() {
        Some(text) => test(&text),
        None => Ok(false),
    }
}

fn length(value: Json<'_>) -> Option<u64> {
    match value.kind() {
        Kind::String => text(value).map(|s| s.chars().count() as u64),
        Kind::Array => Some(value.elements().count() as u64),
        _ => None,
    }
}

/// Equality with a constant: numbers by value, strings in NFC, objects as sets of members.
fn equals(literal: &Literal, value: Json<'_>) -> bool {
    match literal {
        Literal::Null => value.kind() == Kind::Null,
        Literal::Bool(b) => value.as_bool() == Some(*b),
        Literal::Number(n) => value.as_number().is_some_and(|v: Number| v.cmp_value(*n).is_eq()),
        Literal::String(s) => text(value).is_some_and(|v| v == s.as_str()),
        Literal::List(of) => {
            value.kind() == Kind::Array
                && value.elements().count() == of.len()
                && value.elements().zip(of).all(|(v, l)| equals(l, v))
        }
        Literal::Map(of) => {
            value.kind() == Kind::Object
                && value.members().count() == of.len()
                && of.iter().all(|(name, l)| value.get(name).is_some_and(|v| equals(l, v)))
        }
    }
}

fn in_networks(networks: &[String], text: &str) -> Result<bool, EvalError> {
    let address = ip::parse_ip(text)?;
    Ok(networks.iter().filter_map(|n| ip::parse_cidr(n).ok()).any(|network| ip::cidr_contains(&network, address)))
}

fn in_domains(domains: &[String], text: &str) -> Result<bool, EvalError> {
    let email = email::parse_email(text)?;
    Ok(domains.is_empty() || is_one_of(&email.domain, domains.iter().map(String::as_str)))
}

fn url_fits(schemes: &[String], hosts: &[String], ports: &[u16], text: &str) -> Result<bool, EvalError> {
    let url = url::parse_url(text)?;
    if !url.user.is_empty() {
        return Err(EvalError::new(ErrorKind::Value, "the text holds a URL with user information"));
    }
    Ok((schemes.is_empty() || schemes.contains(&url.scheme))
        && (hosts.is_empty() || is_one_of(&url.host, hosts.iter().map(String::as_str)))
        && (ports.is_empty() || url.port.is_some_and(|port| ports.contains(&port))))
}

/// Whether a normalised host is one of these. `*.example.com` stands for every sub-domain, not for the domain itself.
fn is_one_of<'p>(host: &str, mut patterns: impl Iterator<Item = &'p str>) -> bool {
    patterns.any(|pattern| match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == pattern,
    })
}

/// Whether a normalised path is this normalised directory or lies below it.
fn is_under(path: &str, directory: &str) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || directory == "/",
        None => false,
    }
}

#[cfg(test)]
mod tests;
