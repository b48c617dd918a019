//! Mail addresses: only the plain form that every mail system reads in the same way.

use crate::error::EvalError;

/// A mail address in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// Before the `@`, as written.
    pub local: String,
    /// After it: lower case, non-ASCII labels in Punycode (IDNA).
    pub domain: String,
}

/// Greatest length of an address in bytes (RFC 5321).
const MAX_LENGTH: usize = 254;
/// Greatest length of the local part in bytes.
const MAX_LOCAL: usize = 64;

/// Reads `local@domain` (RFC 5321 dot-string and a domain name).
///
/// # Errors
/// When the text is anything else: display names, comments, quoted local parts, address literals, several `@`, and
/// `%` or `!`, which some relays route by.
pub fn parse_email(text: &str) -> Result<Email, EvalError> {
    let malformed = || EvalError::value("the text is not a plain mail address");
    let (local, domain) = text.split_once('@').ok_or_else(malformed)?;
    if text.len() > MAX_LENGTH || local.len() > MAX_LOCAL || !is_dot_string(local) {
        return Err(malformed());
    }
    let domain = domain_name(domain).ok_or_else(malformed)?;
    Ok(Email { local: local.to_owned(), domain })
}

fn is_dot_string(local: &str) -> bool {
    let allowed = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        _ if c.is_ascii() => "#$&'*+-/=?^_`{|}~".contains(c),
        _ => c.is_alphanumeric(),
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(allowed))
}

/// A domain name in its ASCII form; nothing when the text is not plainly one.
fn domain_name(text: &str) -> Option<String> {
    // The reader of hosts would decode these or take them for an address.
    if text.contains(|c: char| matches!(c, '%' | '[' | ']' | '@') || c.is_whitespace() || c.is_control()) {
        return None;
    }
    let Ok(url::Host::Domain(domain)) = url::Host::parse(text) else { return None };
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (domain.len() <= 253 && domain.split('.').all(is_label)).then_some(domain)
}
