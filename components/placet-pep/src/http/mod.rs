//! HTTP enforcement without I/O: the head of a request in, then its body, then a decision, then the answer.
//!
//! An adapter (proxy filter, edge component, gateway) shows [`Guard::admit`] the head of every request. What is not
//! guarded passes untouched. What is guarded is read whole, becomes a [`Proposal`] that somebody decides, and goes on
//! as an [`Outgoing`] whose body was written anew from the parts that were understood. The answer comes back through
//! [`Incoming`]. Whatever is guarded and cannot be understood is refused: two readers must never see two calls.

mod api;
mod config;
mod events;
mod guard;
mod incoming;
mod path;
mod proposal;
mod reply;
mod who;

pub use config::{
    Argument, Body, ClaimNames, Config, ConfigError, Fixed, HeaderNames, HttpApi, IdentitySource,
    McpEndpoint, Refusals, Route, SessionSource, Source, Xfcc, XfccPart,
};
pub use events::{Event, Events};
pub use guard::{Admitted, Exchange, Guard, Inspected, Purpose, Question};
pub use incoming::{Incoming, Plan};
pub use proposal::{Outgoing, Proposal};
pub use reply::{HttpReply, decision_reply};

use crate::identity::Identity;

/// The head of a request as the proxy shows it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `GET`, `POST`, ….
    pub method: &'a str,
    /// Path and query as they were received.
    pub path: &'a str,
    /// Names in lower case, duplicates kept, no pseudo-headers.
    pub headers: &'a [(String, String)],
}

impl<'a> Head<'a> {
    /// The values of a header, in order; the name in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header that may stand once.
    ///
    /// # Errors
    /// When it stands there more than once.
    pub fn one(&self, name: &str) -> Result<Option<&'a str>, HttpReply> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(HttpReply::bad(&format!("the header `{name}` stands there more than once")));
        }
        Ok(first)
    }
}

/// What the proxy knows of who calls, beyond the headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'a> {
    /// Claims of a token that the proxy has verified; JSON text.
    pub claims: Option<&'a str>,
    /// Who the adapter itself has found out to call; counts where [`IdentitySource::authenticated`] says so.
    pub identity: Option<&'a Identity>,
}

#[cfg(test)]
mod tests;
