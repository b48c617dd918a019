//! Strings as their targets read them.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use placet_cel::text::{email, ip, path, url};
use placet_cel::value::Cidr;
use placet_cel::{ErrorKind, EvalError};
use placet_model::{Json, Kind};

use super::damaged;

/// Text in Unicode NFC, as constants in constraints hold it.
pub fn normal_text(text: &str) -> String {
    nfc(Cow::Borrowed(text)).into_owned()
}

/// A string value in Unicode NFC.
pub(super) fn nfc_text(value: Json<'_>) -> Option<Cow<'_, str>> {
    value.as_str().map(nfc)
}

fn nfc(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        return text;
    }
    let normalizer = const { ComposingNormalizerBorrowed::new_nfc() };
    if normalizer.is_normalized(&text) { text } else { Cow::Owned(normalizer.normalize(&text).into_owned()) }
}

/// Characters of a string, elements of a list.
pub(super) fn length(value: Json<'_>) -> Option<u64> {
    match value.kind() {
        Kind::String => nfc_text(value).map(|s| s.chars().count() as u64),
        Kind::Array => Some(value.len() as u64),
        _ => None,
    }
}

pub(super) fn in_networks(networks: &[String], text: &str) -> Result<bool, EvalError> {
    let address = ip::parse_ip(text)?;
    for written in networks {
        if ip::cidr_contains(&network(written)?, address) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A constraint's network.
pub(super) fn network(written: &str) -> Result<Cidr, EvalError> {
    ip::parse_cidr(written).map_err(|_| damaged("a network of a constraint is not in CIDR notation"))
}

pub(super) fn mailbox_fits(domains: &[String], text: &str) -> Result<bool, EvalError> {
    let mailbox = email::parse_email(text)?;
    Ok(domains.is_empty() || is_one_of(&mailbox.domain, domains))
}

pub(super) fn url_fits(
    schemes: &[String],
    hosts: &[String],
    ports: &[u16],
    text: &str,
) -> Result<bool, EvalError> {
    let url = url::parse_url(text)?;
    if has_user_information(text) {
        return Err(EvalError::new(ErrorKind::Value, "the URL has user information"));
    }
    Ok((schemes.is_empty() || schemes.contains(&url.scheme))
        && (hosts.is_empty() || is_one_of(&url.host, hosts))
        && (ports.is_empty() || url.port.is_some_and(|port| ports.contains(&port))))
}

/// An `@` between `//` and the path, even with nothing before it. `mailto:a@b` has no authority.
fn has_user_information(text: &str) -> bool {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    authority.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

pub(super) fn path_fits(under: &[String], text: &str) -> Result<bool, EvalError> {
    let path = nfc(Cow::Owned(path::normalise(text)?));
    Ok(under.iter().any(|directory| is_under(&path, directory)))
}

/// Whether a host is one of these. `*.example.com` stands for every sub-domain, not for the domain itself.
pub(super) fn is_one_of(host: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(domain) => is_sub_domain(host, domain),
        None => host == unbracketed(pattern),
    })
}

/// Whether `host` is truly below `domain`.
pub(super) fn is_sub_domain(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    !domain.is_empty() && above.is_some_and(|labels| !labels.is_empty())
}

/// IPv6 hosts may be written with brackets in constraints; readers give them without.
pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a normalised path is this directory or lies below it.
pub(super) fn is_under(path: &str, directory: &str) -> bool {
    let directory = directory.strip_suffix('/').unwrap_or(directory);
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
