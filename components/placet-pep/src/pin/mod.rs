//! Tool pinning: a tool stays available as long as its catalogue entry is the one that was accepted.
//!
//! What is accepted stands in a [`Lock`], or without one is what each tool looked like at first sight. An entry whose
//! description, schema or hints changed afterwards, whose name looks like another tool's, or whose texts hide something
//! or address the model, has open [`Finding`]s: the tool is left out of catalogues, and its calls are refused.

mod alike;
mod entry;
mod hidden;
mod lock;
mod pins;

pub use entry::Entry;
pub use lock::{Lock, Locked, LockedServer};
pub use pins::{Observed, Pins, Unavailable};

/// What a server without a name is called in locks and findings.
pub const UNNAMED: &str = "default";

/// SHA-256 as hexadecimal digits; this crate names no library for it.
pub type Digest = fn(&[u8]) -> String;

/// What is wrong with a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The lock does not have it.
    NewTool,
    /// Name, title or description are not those that were accepted.
    ChangedDescription,
    /// The schema of its arguments or results is not the one that was accepted.
    ChangedSchema,
    /// Its annotations are not those that were accepted.
    ChangedHints,
    /// The lock has it, and the server no longer.
    Removed,
    /// Its name could be taken for another tool's.
    LookAlike,
    /// Something in its entry is not shown to people but read by models.
    HiddenText,
    /// Something in its entry tells the model what to do besides using the tool.
    Instructions,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::NewTool,
        Kind::ChangedDescription,
        Kind::ChangedSchema,
        Kind::ChangedHints,
        Kind::Removed,
        Kind::LookAlike,
        Kind::HiddenText,
        Kind::Instructions,
    ];

    /// The word in locks, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::NewTool => "new-tool",
            Kind::ChangedDescription => "changed-description",
            Kind::ChangedSchema => "changed-schema",
            Kind::ChangedHints => "changed-hints",
            Kind::Removed => "removed",
            Kind::LookAlike => "look-alike",
            Kind::HiddenText => "hidden-text",
            Kind::Instructions => "instructions",
        }
    }

    /// What an agent is told: nothing that the server wrote.
    pub fn reason(self) -> &'static str {
        match self {
            Kind::NewTool => "The tool is new on its server, and nobody has accepted it yet.",
            Kind::ChangedDescription => "The tool's description has changed since it was accepted.",
            Kind::ChangedSchema => "The tool's schema has changed since it was accepted.",
            Kind::ChangedHints => "The tool's annotations have changed since it was accepted.",
            Kind::Removed => "The server no longer has this tool.",
            Kind::LookAlike => {
                "The tool's name could be taken for another tool's, and nobody has accepted it."
            }
            Kind::HiddenText => "The tool's description hides something, and nobody has accepted it.",
            Kind::Instructions => {
                "The tool's description gives instructions to models, and nobody has accepted it."
            }
        }
    }
}

/// Something about a tool that a person has to accept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The server's name, or [`UNNAMED`].
    pub server: String,
    /// The tool, by the server's own name for it.
    pub tool: String,
    /// What is wrong.
    pub kind: Kind,
    /// Where and what, for operators. What the server wrote is quoted with escapes, and short.
    pub detail: String,
}

/// A piece of a text that nobody here vouches for: in one line, without anything that a terminal would act on.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 80;
    let short: String = text.chars().take(MOST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    let plain = |c: char| if c.is_ascii() { c.escape_default().to_string() } else { shown(c) };
    format!("`{}{more}`", short.chars().map(plain).collect::<String>())
}

/// Letters as they are, and everything that could be invisible by its number.
fn shown(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { c.escape_unicode().to_string() }
}

#[cfg(test)]
mod tests;
