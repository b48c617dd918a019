//! Constraints on text that means something: globs, paths, networks, addresses.

use placet_cel::text;
use placet_engine::constrain::normal_text;
use placet_model::Constraint;

use crate::compile::reader::{Reader, get};
use crate::compile::yaml::Node;

pub(super) fn cidr(reader: &mut Reader, node: &Node) -> Constraint {
    reader.not_empty(node);
    let networks = reader.strings(node, "`cidr`");
    for (network, span) in &networks {
        if text::ip::parse_cidr(network).is_err() {
            let help = Some("write an address and a prefix length: `10.0.0.0/8`".to_owned());
            reader.error("bad-cidr", span, format!("`{network}` is not a network"), help);
        }
    }
    Constraint::Cidr(networks.into_iter().map(|(network, _)| network).collect())
}

pub(super) fn email(reader: &mut Reader, node: &Node) -> Option<Constraint> {
    let fields = reader.fields(node, "`email`", &["domains"])?;
    let domains = get(fields, "domains").map_or_else(Vec::new, |n| hosts(reader, n));
    Some(Constraint::Email { domains })
}

pub(super) fn path(reader: &mut Reader, node: &Node) -> Option<Constraint> {
    let fields = reader.fields(node, "`path`", &["under"])?;
    let help = "name directories: `path: {under: [/data]}`";
    let under = reader.required(fields, node, "under", "`path`", help)?;
    reader.not_empty(under);
    let mut directories = Vec::new();
    for (directory, span) in reader.strings(under, "`under`") {
        match text::path::normalise(&directory) {
            Ok(directory) => directories.push(normal_text(&directory)),
            Err(error) => {
                let help = Some("write the whole path from the root: `/data/files`".to_owned());
                reader.error("bad-path", &span, format!("`{directory}` cannot be used: {error}"), help);
            }
        }
    }
    Some(Constraint::Path { under: directories })
}

pub(super) fn url(reader: &mut Reader, node: &Node) -> Option<Constraint> {
    let fields = reader.fields(node, "`url`", &["schemes", "hosts", "ports"])?;
    let schemes = get(fields, "schemes").map_or_else(Vec::new, |n| schemes(reader, n));
    let hosts = get(fields, "hosts").map_or_else(Vec::new, |n| hosts(reader, n));
    let ports = get(fields, "ports").map_or_else(Vec::new, |n| ports(reader, n));
    Some(Constraint::Url { schemes, hosts, ports })
}

fn schemes(reader: &mut Reader, node: &Node) -> Vec<String> {
    reader.not_empty(node);
    let mut schemes = Vec::new();
    for (text, span) in reader.strings(node, "a scheme") {
        let scheme = text.to_ascii_lowercase();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if is_scheme {
            schemes.push(scheme);
        } else {
            let help = Some("write the name alone, without `://`: `https`".to_owned());
            reader.error("bad-scheme", &span, format!("`{text}` is not a scheme"), help);
        }
    }
    schemes.sort();
    schemes.dedup();
    schemes
}

fn ports(reader: &mut Reader, node: &Node) -> Vec<u16> {
    reader.not_empty(node);
    let mut ports = Vec::new();
    for port in reader.list(node, "`ports`") {
        match reader.whole(port, "a port").map(u16::try_from) {
            Some(Ok(number)) if number > 0 => ports.push(number),
            Some(number) => {
                let message = if number.is_ok() { "no port is 0" } else { "a port is at most 65535" };
                let help = Some("write a number from 1 to 65535, such as `443`".to_owned());
                reader.error("bad-port", &port.span, message, help);
            }
            None => {}
        }
    }
    ports
}

/// Hosts after IDNA, in lower case; a leading `*.` stays.
fn hosts(reader: &mut Reader, node: &Node) -> Vec<String> {
    reader.not_empty(node);
    let mut hosts = Vec::new();
    for (text, span) in reader.strings(node, "a host") {
        let (star, name) = match text.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", text.as_str()),
        };
        if name.contains('*') {
            let help = Some("only the whole first part may be a star: `*.example.com`".to_owned());
            reader.error("bad-host", &span, format!("`{text}` has a `*` where none can be"), help);
            continue;
        }
        match text::url::parse_url(&format!("https://{name}/")) {
            Ok(url) if !name.contains(['/', ':', '@', '?', '#']) || name.contains("::") => {
                hosts.push(format!("{star}{}", url.host));
            }
            _ => {
                let help = Some("write a host name such as `api.example.com` or `*.example.com`".to_owned());
                reader.error("bad-host", &span, format!("`{text}` is not a host"), help);
            }
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// A glob that the engine can read.
pub(super) fn glob(reader: &mut Reader, node: &Node) -> Option<String> {
    let pattern = reader.string(node, "a glob")?;
    if let Err(error) = text::glob::matches("", &pattern) {
        let help = Some("write `\\\\` for a backslash, or leave it out".to_owned());
        reader.error("bad-glob", &node.span, error.to_string(), help);
        return None;
    }
    Some(normal_text(&pattern))
}
