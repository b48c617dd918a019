//! Answers of several servers made one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Json;
use serde_json::{Map, Value};

use crate::message::{self, INTERNAL_ERROR, METHOD_NOT_FOUND, Message, Outcome};
use crate::reply::{Reply, response};
use crate::splice::{Object, list};
use crate::{SESSION_VERSIONS, VERSIONS};

/// For each server that has more, where it goes on; `None`: at its beginning.
pub type Cursors = BTreeMap<String, Option<String>>;

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `tasks/list`.
    Tasks,
}

impl List {
    pub(super) fn of(method: &str) -> Option<List> {
        match method {
            "tools/list" => Some(List::Tools),
            "prompts/list" => Some(List::Prompts),
            "resources/list" => Some(List::Resources),
            "resources/templates/list" => Some(List::Templates),
            "tasks/list" => Some(List::Tasks),
            _ => None,
        }
    }

    /// The member of a result that holds the list.
    pub(super) fn member(self) -> &'static str {
        match self {
            List::Tools => "tools",
            List::Prompts => "prompts",
            List::Resources => "resources",
            List::Templates => "resourceTemplates",
            List::Tasks => "tasks",
        }
    }
}

/// The cursors of several servers in one.
fn write_cursor(cursors: &Cursors) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_string(cursors).unwrap_or_default())
}

pub(super) fn read_cursor(cursor: &str) -> Option<Cursors> {
    let cursors: Cursors = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    (!cursors.is_empty()).then_some(cursors)
}

/// The response to a list request out of the servers' responses, each in the names that clients know. A server that has
/// no such list is passed over; one that failed is, too, as long as another has answered: `failed` says which.
pub fn merge_lists(id: &str, of: List, answers: &[(&str, Option<String>)]) -> (String, Vec<String>) {
    let (mut items, mut cursors, mut failed, mut error) = (Vec::new(), Cursors::new(), Vec::new(), None);
    let mut answered = 0_usize;
    for (server, body) in answers {
        let read = body.as_deref().and_then(|body| message::read(body.as_bytes(), usize::MAX).ok());
        match read {
            Some(Message::Response { outcome: Outcome::Result(result), .. }) => {
                answered = answered.saturating_add(1);
                let listed = result.get(of.member()).into_iter().flat_map(Json::elements);
                items.extend(listed.map(|item| item.text().to_owned()));
                if let Some(cursor) = result.get("nextCursor").and_then(Json::as_str) {
                    cursors.insert((*server).to_owned(), Some(cursor.into_owned()));
                }
            }
            Some(Message::Response { outcome: Outcome::Error(of), .. }) => {
                // A server without such a list has an empty one.
                match of.get("code").map(Json::text) == Some(METHOD_NOT_FOUND.to_string().as_str()) {
                    true => answered = answered.saturating_add(1),
                    false => failed.push((*server).to_owned()),
                }
                error = error.or_else(|| Some(of.text().to_owned()));
            }
            _ => failed.push((*server).to_owned()),
        }
    }
    if answered == 0 {
        let body = match error {
            Some(error) => response(id, "error", &error),
            None => Reply::error(502, Some(id), INTERNAL_ERROR, "no server answers").body,
        };
        return (body, failed);
    }
    let mut result = Object::new().raw(of.member(), &list(items.iter().map(String::as_str)));
    if !cursors.is_empty() {
        result = result.string("nextCursor", &write_cursor(&cursors));
    }
    // Version 2026-07-28 demands these three; what was made for one principal is nobody else's to reuse.
    let result = result.string("resultType", "complete").raw("ttlMs", "0").string("cacheScope", "private");
    (response(id, "result", &result.finish()), failed)
}

/// The answer to `initialize` or `server/discover` out of the servers' answers (JSON-RPC responses by server name): what
/// any of them can do, in a version that all of them speak.
///
/// # Errors
/// The response, when none of them can be used.
pub fn merge_servers(id: &str, answers: &[(&str, String)]) -> Result<String, String> {
    let (mut results, mut error) = (Vec::new(), None);
    for (server, body) in answers {
        match message::read(body.as_bytes(), usize::MAX) {
            Ok(Message::Response { outcome: Outcome::Result(result), .. }) => {
                if let Ok(Value::Object(result)) = serde_json::from_str(result.text()) {
                    results.push((*server, result));
                }
            }
            Ok(Message::Response { outcome: Outcome::Error(of), .. }) => {
                error = error.or_else(|| Some(response(id, "error", of.text())));
            }
            _ => {}
        }
    }
    let Some((_, first)) = results.first() else {
        let nobody = || Reply::error(502, Some(id), INTERNAL_ERROR, "no server answers").body;
        return Err(error.unwrap_or_else(nobody));
    };
    let mut merged = first.clone();
    merged.remove("_meta");
    let mut capabilities = Map::new();
    for (_, result) in &results {
        if let Some(Value::Object(of)) = result.get("capabilities") {
            join(&mut capabilities, of);
        }
    }
    merged.insert("capabilities".to_owned(), Value::Object(capabilities));
    versions(&mut merged, &results);
    let info = serde_json::json!({"name": "placet", "version": env!("CARGO_PKG_VERSION")});
    merged.insert("serverInfo".to_owned(), info);
    let said = results.iter().filter_map(|(server, result)| {
        Some(format!(
            "Server `{server}` (its names begin with `{server}__`):\n{}",
            result.get("instructions")?.as_str()?
        ))
    });
    match said.collect::<Vec<_>>().join("\n\n") {
        said if said.is_empty() => merged.remove("instructions"),
        said => merged.insert("instructions".to_owned(), Value::String(said)),
    };
    Ok(response(id, "result", &Value::Object(merged).to_string()))
}

/// The oldest of the versions that were agreed on, and those that every server offers.
fn versions(merged: &mut Map<String, Value>, results: &[(&str, Map<String, Value>)]) {
    let agreed = |version: &&str| {
        results
            .iter()
            .any(|(_, result)| result.get("protocolVersion").and_then(Value::as_str) == Some(version))
    };
    if let Some(oldest) = SESSION_VERSIONS.iter().copied().rfind(agreed) {
        merged.insert("protocolVersion".to_owned(), oldest.into());
    }
    if merged.contains_key("supportedVersions") {
        let offers = |version: &&str| {
            results.iter().all(|(_, result)| {
                let offered = result.get("supportedVersions").and_then(Value::as_array);
                offered.is_some_and(|of| of.iter().any(|of| of.as_str() == Some(version)))
            })
        };
        let offered: Vec<Value> = VERSIONS.iter().copied().filter(offers).map(Value::from).collect();
        merged.insert("supportedVersions".to_owned(), Value::Array(offered));
    }
}

/// Adds members, and joins those that both have.
fn join(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(there)), Value::Object(value)) => join(there, value),
            (Some(Value::Bool(there)), Value::Bool(value)) => *there |= value,
            (Some(_), _) => {}
            (None, value) => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}
