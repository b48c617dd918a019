//! One entry of a tool catalogue, and the digests that stand for it.

use placet_model::{Json, Kind};

use super::Digest;
use crate::splice::Object;

/// A catalogue's entry for a tool, reduced to what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The tool's name.
    pub name: String,
    /// The first line of its description, at most 100 characters; for people who read locks.
    pub says: String,
    /// Digest of name, title and description.
    pub description: String,
    /// Digest of the schemas of its arguments and results.
    pub schema: String,
    /// Digest of its annotations; `None`: it has none.
    pub hints: Option<String>,
}

/// The annotations that the specification has; others mean nothing to anybody.
const HINTS: [&str; 5] = ["destructiveHint", "idempotentHint", "openWorldHint", "readOnlyHint", "title"];

/// Longest first line that a lock shows, in characters.
const FIRST_LINE: usize = 100;

impl Entry {
    /// Reads an entry; `None` when it has no name.
    pub fn read(tool: Json<'_>, digest: Digest) -> Option<Entry> {
        let name = tool.get("name").and_then(Json::as_str)?.into_owned();
        let text = tool.get("description").and_then(Json::as_str).unwrap_or_default();
        let of = |members: &[&str]| digest(canonical(&reduced(tool, members)).as_bytes());
        let hints = tool.get("annotations").map(|annotations| reduced(annotations, &HINTS));
        let hints = hints.filter(|hints| hints != "{}");
        Some(Entry {
            says: first_line(&text),
            description: of(&["description", "name", "title"]),
            schema: of(&["inputSchema", "outputSchema"]),
            hints: hints.map(|hints| digest(canonical(&hints).as_bytes())),
            name,
        })
    }
}

/// Of an object, these members where they are there and not null: libraries leave out null on the way.
fn reduced(json: Json<'_>, members: &[&str]) -> String {
    let present = |name: &&str| json.get(name).filter(|value| value.kind() != Kind::Null);
    let present = members.iter().filter_map(|name| Some((name, present(name)?)));
    present.fold(Object::new(), |object, (name, value)| object.raw(name, value.text())).finish()
}

/// RFC 8785. What is not JSON stands for itself.
fn canonical(text: &str) -> String {
    let Ok(json) = Json::parse(text.as_bytes(), usize::MAX, usize::MAX) else { return text.to_owned() };
    let mut canonical = String::new();
    json.write_canonical(&mut canonical);
    canonical
}

/// What people see of a description: nothing that would not be seen.
fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let visible = |c: char| c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric();
    let mut short: String =
        line.chars().take(FIRST_LINE).map(|c| if visible(c) { c } else { '\u{b7}' }).collect();
    if line.chars().count() > FIRST_LINE {
        short.push('…');
    }
    short
}
