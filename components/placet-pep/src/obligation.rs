//! Obligations on results: fields taken out or masked, rows cut off.

use placet_model::Obligation;
use serde_json::Value;

/// Whether this enforcement point can do it at all.
pub fn can_meet(obligation: &Obligation) -> bool {
    match obligation {
        Obligation::Redact { .. } | Obligation::Mask { .. } | Obligation::CapRows { .. } => true,
        Obligation::Notify { .. } | Obligation::SignMemory => false,
    }
}

/// A tool result (JSON text) after its obligations; `None` when one cannot be met on it. Structured content and text
/// blocks that are JSON are worked on; any other block cannot be known to be harmless.
pub fn meet(result: &str, obligations: &[Obligation]) -> Option<String> {
    if obligations.is_empty() {
        return Some(result.to_owned());
    }
    let mut result: Value = serde_json::from_str(result).ok()?;
    if let Some(structured) = result.get_mut("structuredContent") {
        apply_all(structured, obligations);
    }
    if let Some(blocks) = result.get_mut("content") {
        for block in blocks.as_array_mut()? {
            let text = block.get_mut("text")?;
            let mut json: Value = serde_json::from_str(text.as_str()?).ok()?;
            apply_all(&mut json, obligations);
            *text = Value::String(json.to_string());
        }
    }
    Some(result.to_string())
}

/// A JSON text after its obligations; `None` when one cannot be met on it.
pub fn meet_plain(text: &str, obligations: &[Obligation]) -> Option<String> {
    if obligations.is_empty() {
        return Some(text.to_owned());
    }
    let mut json: Value = serde_json::from_str(text).ok()?;
    apply_all(&mut json, obligations);
    Some(json.to_string())
}

fn apply_all(json: &mut Value, obligations: &[Obligation]) {
    for obligation in obligations {
        match obligation {
            Obligation::Redact { fields } => fields.iter().for_each(|field| redact(json, &parts(field))),
            Obligation::Mask { fields, keep } => {
                fields.iter().for_each(|field| mask(json, &parts(field), *keep))
            }
            Obligation::CapRows { max } => {
                if let Some(rows) = outermost_list(json) {
                    rows.truncate(usize::try_from(*max).unwrap_or(usize::MAX));
                }
            }
            Obligation::Notify { .. } | Obligation::SignMemory => {}
        }
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('.').collect()
}

/// The values below `*`, or below a name; a name reaches through lists, as people write paths.
fn below<'v>(json: &'v mut Value, name: &str) -> Vec<&'v mut Value> {
    match (json, name) {
        (Value::Object(members), "*") => members.values_mut().collect(),
        (Value::Object(members), name) => members.get_mut(name).into_iter().collect(),
        (Value::Array(elements), "*") => elements.iter_mut().collect(),
        (Value::Array(elements), name) => {
            elements.iter_mut().flat_map(|element| below(element, name)).collect()
        }
        _ => Vec::new(),
    }
}

fn redact(json: &mut Value, path: &[&str]) {
    match (path, json) {
        ([], _) => {}
        (["*"], Value::Object(members)) => members.clear(),
        (["*"], Value::Array(elements)) => elements.clear(),
        ([name], Value::Object(members)) => {
            members.remove(*name);
        }
        ([_], Value::Array(elements)) => elements.iter_mut().for_each(|element| redact(element, path)),
        ([name, rest @ ..], json) => below(json, name).into_iter().for_each(|value| redact(value, rest)),
    }
}

fn mask(json: &mut Value, path: &[&str], keep: u32) {
    match path {
        [] => *json = masked(json, keep),
        [name, rest @ ..] => below(json, name).into_iter().for_each(|value| mask(value, rest, keep)),
    }
}

/// Asterisks, and the last characters; what is no string becomes one.
fn masked(value: &Value, keep: u32) -> Value {
    let text = match value {
        Value::Null => return Value::Null,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let count = text.chars().count();
    let keep = usize::try_from(keep).unwrap_or(0);
    // Nothing is masked by keeping all of it.
    let hidden = if keep >= count { count } else { count.saturating_sub(keep) };
    let stars = std::iter::repeat_n('*', hidden);
    Value::String(stars.chain(text.chars().skip(hidden)).collect())
}

/// The list nearest to the root; of several as near, the first.
fn outermost_list(json: &mut Value) -> Option<&mut Vec<Value>> {
    fn depth(json: &Value) -> Option<usize> {
        match json {
            Value::Array(_) => Some(0),
            Value::Object(members) => members.values().filter_map(depth).min().map(|d| d.saturating_add(1)),
            _ => None,
        }
    }
    let mut at = json;
    loop {
        match at {
            Value::Array(rows) => return Some(rows),
            Value::Object(members) => {
                let nearest =
                    members.iter().filter_map(|(name, value)| Some((depth(value)?, name.clone()))).min()?;
                at = members.get_mut(&nearest.1)?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
