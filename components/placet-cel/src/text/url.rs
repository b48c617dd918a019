//! URLs as browsers and HTTP clients read them (WHATWG), refusing what other readers read differently.

use url::Host;

use crate::error::EvalError;

/// The parts of a URL that say where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Lower case.
    pub scheme: String,
    /// The user name before `@`, percent-encoded; empty when there is none.
    pub user: String,
    /// Lower case, IDNA applied, no dot at the end; an IP address in canonical form, without brackets; may be empty.
    pub host: String,
    /// The port, or the scheme's default; nothing when neither is known.
    pub port: Option<u16>,
    /// With `.` and `..` resolved, still percent-encoded.
    pub path: String,
    /// Without the `?`; empty when there is none.
    pub query: String,
}

/// Reads an absolute URL.
///
/// # Errors
/// When the text is not one, or readers disagree about it: white space, control characters, `\`, several `@`, an
/// encoded host, a missing or third slash before the host, an IPv4 address in hexadecimal, octal or short form.
pub fn parse_url(text: &str) -> Result<Url, EvalError> {
    if text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
        return Err(ambiguous());
    }
    let Ok(parsed) = url::Url::parse(text) else {
        return Err(EvalError::value("the text is not an absolute URL"));
    };
    let written = written_host(text, &parsed)?;
    let host = match parsed.host() {
        None => String::new(),
        Some(Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            name.strip_suffix('.').map(str::to_owned).unwrap_or(name)
        }
        Some(Host::Ipv4(ip)) if ip.to_string() == written => written.to_owned(),
        Some(Host::Ipv4(_)) => return Err(ambiguous()),
        Some(Host::Ipv6(ip)) => ip.to_canonical().to_string(),
    };
    Ok(Url {
        scheme: parsed.scheme().to_owned(),
        user: parsed.username().to_owned(),
        host,
        port: parsed.port_or_known_default(),
        path: parsed.path().to_owned(),
        query: parsed.query().unwrap_or_default().to_owned(),
    })
}

/// The host as it is written, checked to be where every reader finds it.
fn written_host<'t>(text: &'t str, parsed: &url::Url) -> Result<&'t str, EvalError> {
    let Some((_, rest)) = text.split_once(':') else { return Err(ambiguous()) };
    let Some(rest) = rest.strip_prefix("//") else {
        // `mailto:` and its like have no host; `https:host` has one that not every reader finds.
        return if parsed.has_host() { Err(ambiguous()) } else { Ok("") };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let (user, place) = authority.split_once('@').unwrap_or(("", authority));
    if place.contains(['@', '%']) || user.to_ascii_lowercase().contains("%40") {
        return Err(ambiguous());
    }
    if authority.is_empty() && parsed.scheme() != "file" && parsed.has_host() {
        return Err(ambiguous());
    }
    Ok(match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => place,
    })
}

#[cold]
fn ambiguous() -> EvalError {
    EvalError::value("the URL is written in a way that not every reader reads alike")
}
