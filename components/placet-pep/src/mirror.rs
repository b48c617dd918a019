//! Headers that say again what the body says (MCP 2026-07-28): `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name` and
//! `Mcp-Param-*`. A message is refused when they and its body disagree: something between may have read the headers,
//! and the server the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::{Json, Kind};

use crate::message::{self, Message};
use crate::reply::Reply;

/// The protocol version without sessions.
pub const STATELESS: &str = "2026-07-28";
/// The JSON-RPC error code of headers and body that disagree.
pub const HEADER_MISMATCH: i32 = -32_020;
/// Where a message says its own version.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The headers, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`.
    pub name: Option<String>,
    /// `Mcp-Param-*`: the name's rest, in lower case, and the value.
    pub params: Vec<(String, String)>,
}

/// A header's value; `=?base64?…?=` is undone. `None` when that cannot be.
pub fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(text) => String::from_utf8(STANDARD.decode(text).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// The headers that would say again what a message of the version without sessions says: for transports that have none.
/// Other messages have none.
pub fn said_again(body: &[u8], max_bytes: usize) -> Vec<(String, String)> {
    let Ok(Message::Request { method, params, .. }) = message::read(body, max_bytes) else {
        return Vec::new();
    };
    let meta = params.and_then(|params| params.get("_meta")).and_then(|meta| meta.get(META_VERSION));
    let Some(version) = meta.and_then(Json::as_str) else { return Vec::new() };
    let mut headers = vec![("mcp-protocol-version".to_owned(), version.into_owned())];
    headers.push(("mcp-method".to_owned(), method.clone().into_owned()));
    if let Some(name) = target(&method, params).and_then(Json::as_str) {
        headers.push(("mcp-name".to_owned(), encoded(&name)));
    }
    headers
}

/// A text as a header's value.
pub(crate) fn encoded(text: &str) -> String {
    let plain = text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.trim() == text;
    match plain && !text.starts_with("=?") {
        true => text.to_owned(),
        false => format!("=?base64?{}?=", STANDARD.encode(text)),
    }
}

/// What a request names.
fn target<'a>(method: &str, params: Option<Json<'a>>) -> Option<Json<'a>> {
    match method {
        "tools/call" | "prompts/get" => params.and_then(|params| params.get("name")),
        "resources/read" => params.and_then(|params| params.get("uri")),
        _ => None,
    }
}

impl Mirror {
    /// Whether the message is one of the version without sessions.
    pub fn is_stateless(&self) -> bool {
        self.version.as_deref() == Some(STATELESS)
    }

    /// Whether a message says what the headers say.
    pub fn check(&self, id: Option<Json<'_>>, method: &str, params: Option<Json<'_>>) -> Result<(), Reply> {
        let id = id.map(Json::text);
        let mismatch = |what: String| {
            Err(Reply::error(400, id, HEADER_MISMATCH, &format!("headers and body disagree: {what}")))
        };
        let meta = params.and_then(|params| params.get("_meta")).and_then(|meta| meta.get(META_VERSION));
        let said = meta.map(|version| version.as_str().unwrap_or_default());
        match (said.as_deref(), self.version.as_deref()) {
            (None, Some(STATELESS)) if id.is_some() => {
                return mismatch(format!("`_meta` does not say `{META_VERSION}`"));
            }
            (Some(said), version) if version != Some(said) => {
                let version = version.unwrap_or("none");
                return mismatch(format!("`MCP-Protocol-Version` is `{version}`, and `_meta` says `{said}`"));
            }
            _ => {}
        }
        match self.method.as_deref() {
            None if self.is_stateless() => return mismatch("`Mcp-Method` is missing".to_owned()),
            Some(named) if named != method => {
                return mismatch(format!("`Mcp-Method` is `{named}`, and the method is `{method}`"));
            }
            _ => {}
        }
        let target = target(method, params).and_then(Json::as_str);
        match (self.name.as_deref(), target.as_deref()) {
            (None, Some(_)) if self.is_stateless() => return mismatch("`Mcp-Name` is missing".to_owned()),
            (Some(named), target) if Some(named) != target => {
                let target = target.unwrap_or("nothing");
                return mismatch(format!("`Mcp-Name` is `{named}`, and the body names `{target}`"));
            }
            _ => {}
        }
        let args = params.and_then(|params| params.get("arguments")).unwrap_or(Json::EMPTY_OBJECT);
        match self.params.iter().find(|(_, value)| !holds(args, value, 0)) {
            Some((name, value)) => mismatch(format!("`Mcp-Param-{name}` is `{value}`, and no argument is")),
            None => Ok(()),
        }
    }
}

/// Whether some argument is this text, number or truth value. Which one the header stands for only the server's
/// schema says, and the server checks that; here, nothing may pass that the decision has not seen.
fn holds(json: Json<'_>, value: &str, depth: usize) -> bool {
    match json.kind() {
        Kind::String => json.as_str().is_some_and(|text| text == value),
        Kind::Bool => json.text() == value,
        Kind::Number => {
            json.text() == value
                || match (json.text().parse::<f64>(), value.parse::<f64>()) {
                    (Ok(a), Ok(b)) => a == b && a.abs() <= 9_007_199_254_740_991.0,
                    _ => false,
                }
        }
        Kind::Object if depth < 64 => {
            json.members().any(|(_, member)| holds(member, value, depth.saturating_add(1)))
        }
        Kind::Null | Kind::Array | Kind::Object => false,
    }
}
