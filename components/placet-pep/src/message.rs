//! One JSON-RPC 2.0 message, read strictly.

use std::borrow::Cow;

use placet_model::{Json, Kind};

/// Deepest nesting of a message: that of a call, and the message around it.
const MAX_DEPTH: usize = 132;

/// A message that was understood.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// A request or, without `id`, a notification.
    Request { id: Option<Json<'a>>, method: Cow<'a, str>, params: Option<Json<'a>> },
    /// An answer to a request.
    Response { id: Json<'a>, outcome: Outcome<'a> },
}

/// What a response says.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    Result(Json<'a>),
    Error(Json<'a>),
}

/// Why a body is not a message: the JSON-RPC error code, and words.
#[derive(Clone, Debug)]
pub struct Malformed<'a> {
    pub code: i32,
    pub message: String,
    /// The request's id where it could be read.
    pub id: Option<Json<'a>>,
}

pub const PARSE_ERROR: i32 = -32700;
pub const INVALID_REQUEST: i32 = -32600;
pub const METHOD_NOT_FOUND: i32 = -32601;
pub const INVALID_PARAMS: i32 = -32602;
pub const INTERNAL_ERROR: i32 = -32603;

/// Reads a message. Names that JSON-RPC does not define are refused: a laxer reader might take them for others.
pub fn read(body: &[u8], max_bytes: usize) -> Result<Message<'_>, Malformed<'_>> {
    let malformed = |code, message: String| Malformed { code, message, id: None };
    let json = Json::parse(body, max_bytes, MAX_DEPTH)
        .map_err(|e| malformed(PARSE_ERROR, format!("the body is not acceptable JSON: {e}")))?;
    let invalid = |message: &str| malformed(INVALID_REQUEST, message.to_owned());
    match json.kind() {
        Kind::Object => {}
        Kind::Array => return Err(invalid("batches of messages are not part of this protocol version")),
        _ => return Err(invalid("a message is a JSON object")),
    }
    let id = json.get("id").filter(|id| is_id(*id));
    let invalid = |message: &str| Malformed { id, ..invalid(message) };
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    if let Some((name, _)) = json.members().find(|(name, _)| !known.contains(&name.as_ref())) {
        return Err(invalid(&format!("a message has no member `{name}`")));
    }
    if json.get("jsonrpc").and_then(Json::as_str).as_deref() != Some("2.0") {
        return Err(invalid("`jsonrpc` must be \"2.0\""));
    }
    if json.get("id").is_some() && id.is_none() {
        return Err(invalid("`id` must be a string or a whole number"));
    }
    let (method, params) = (json.get("method"), json.get("params"));
    match (method, json.get("result"), json.get("error")) {
        (Some(method), None, None) => {
            let method = method.as_str().ok_or_else(|| invalid("`method` must be a string"))?;
            if params.is_some_and(|params| params.kind() != Kind::Object) {
                return Err(invalid("`params` must be an object"));
            }
            Ok(Message::Request { id, method, params })
        }
        (None, Some(result), None) if params.is_none() => {
            let id = id.ok_or_else(|| invalid("a response needs an `id`"))?;
            Ok(Message::Response { id, outcome: Outcome::Result(result) })
        }
        (None, None, Some(error)) if params.is_none() => {
            let id = id.ok_or_else(|| invalid("a response needs an `id`"))?;
            Ok(Message::Response { id, outcome: Outcome::Error(error) })
        }
        _ => Err(invalid("a message is a request, a notification or a response, and this is none of them")),
    }
}

fn is_id(id: Json<'_>) -> bool {
    match id.kind() {
        Kind::String => true,
        Kind::Number => id.text().bytes().all(|b| b.is_ascii_digit() || b == b'-'),
        _ => false,
    }
}
