//! Verified claims out of the proxy's metadata, which gives values without their types: texts as they are, lists as
//! marshalled pairs, anything else as binary that no text looks like.

use placet_pep::http::ClaimNames;
use serde_json::{Map, Value, json};

/// At most so many actors of a delegation; with more, the token says too much to be understood.
const ACTORS: usize = 16;

/// The claims that `names` asks for, as JSON. `read` gives a claim by the parts of its path.
///
/// # Errors
/// When one is there and is neither a text nor a list of texts.
pub fn claims(names: &ClaimNames, read: impl Fn(&[&str]) -> Option<Vec<u8>>) -> Result<String, String> {
    let ClaimNames { tenant, agent, agent_roles, user, user_roles, user_scopes, chain, project, env } = names;
    let mut claims = Map::new();
    let plain = [tenant, agent, agent_roles, user, user_roles, user_scopes, project, env];
    for name in plain.into_iter().flatten() {
        let parts: Vec<&str> = name.split('.').collect();
        let Some(bytes) = read(&[name.as_str()]).or_else(|| read(&parts)) else { continue };
        let value =
            value(&bytes).ok_or_else(|| format!("the claim `{name}` is no text and no list of texts"))?;
        claims.insert(name.clone(), value);
    }
    if let Some(name) = chain {
        let mut path: Vec<&str> = vec![name];
        let mut actors = Vec::new();
        while read(&path).is_some() {
            path.push("sub");
            let id = read(&path).and_then(|bytes| text(&bytes));
            actors.push(id.ok_or_else(|| format!("an actor in the claim `{name}` has no `sub`"))?);
            if actors.len() > ACTORS {
                return Err(format!("the claim `{name}` has more than {ACTORS} actors"));
            }
            path.pop();
            path.push("act");
        }
        let nest = |inner: Option<Value>, id: String| match inner {
            None => Some(json!({ "sub": id })),
            Some(inner) => Some(json!({ "sub": id, "act": inner })),
        };
        if let Some(nested) = actors.into_iter().rev().fold(None, nest) {
            claims.insert(name.clone(), nested);
        }
    }
    Ok(Value::Object(claims).to_string())
}

fn value(bytes: &[u8]) -> Option<Value> {
    text(bytes).map(Value::String).or_else(|| list(bytes))
}

/// A text; lengths and numbers in binary have control characters in them.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Pairs of texts and nothing: their number, the lengths of each, then each with a zero behind it.
fn list(bytes: &[u8]) -> Option<Value> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut items = Vec::new();
    for [a, b, c, d, nothing @ ..] in lengths.as_chunks::<8>().0 {
        let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
        let (item, after) = rest.split_at_checked(length)?;
        rest = after.strip_prefix(&[0, 0])?;
        items.push(Value::String(text(item).filter(|_| *nothing == [0; 4])?));
    }
    rest.is_empty().then_some(Value::Array(items))
}

#[cfg(test)]
mod tests;
