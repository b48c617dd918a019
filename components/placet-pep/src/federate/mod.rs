//! Several servers behind one endpoint: a client sees one catalogue, and each server its own names.
//!
//! A tool, prompt or task `find` of the server `crm` is `crm__find` to clients (names that language models may use have no
//! dots), a resource `file:///a` is `crm+file:///a`. Policies know the tool as `crm.find`. A client's message is
//! [`route`]d before it is read for its meaning: it goes to one server, in that server's names, or to each of them, and
//! their answers are [`merge`]d. What servers say is renamed by [`outward`].

mod merge;
mod outward;
mod route;

pub use merge::{Cursors, List, merge_lists, merge_servers};
pub use outward::outward;
pub use route::{Route, answers, route, with_id};

/// What stands between a server's name and a name of its own.
const SEPARATOR: &str = "__";

/// Whether a server can have this name: small letters, digits and single hyphens, a letter first. Then no name can be
/// read in two ways.
pub fn is_server_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 32 && name.bytes().all(plain)
}

/// A server's own name of a tool, prompt or task that clients know as `name`; `None` when it is not this server's.
pub fn inward_name(server: &str, name: &str) -> Option<String> {
    own(server, name, SEPARATOR)
}

/// The same of a resource.
pub fn inward_uri(server: &str, uri: &str) -> Option<String> {
    own(server, uri, "+")
}

fn own(server: &str, name: &str, separator: &str) -> Option<String> {
    let own = name.strip_prefix(server)?.strip_prefix(separator)?;
    (!own.is_empty()).then(|| own.to_owned())
}

/// What clients know a server's tool, prompt or task as.
pub fn name_of(server: &str, name: &str) -> String {
    format!("{server}{SEPARATOR}{name}")
}

/// What clients know a server's resource as.
fn uri_of(server: &str, uri: &str) -> String {
    format!("{server}+{uri}")
}

#[cfg(test)]
mod tests;
