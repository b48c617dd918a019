//! Calls as an MCP client would make them: the call's fields as headers, time and message.

use std::collections::BTreeMap;
use std::fmt::Formatter;

use placet_model::{Json, Timestamp};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What an enforcement point is shown of a call, and the message that makes it.
#[derive(Clone, Debug)]
pub struct Wired {
    /// The identity as a trusted header's value, in ASCII.
    pub identity: String,
    /// Nanoseconds since the epoch.
    pub now: u64,
    /// The tool.
    pub tool: String,
    /// The arguments, as they stand in the call.
    pub args: Option<String>,
}

/// A call in its parts; `None` when MCP has no way to say it: other stages, resources, tokens, broken input.
pub fn wired(call: &str, list: bool) -> Option<Wired> {
    let Fields(mut fields) = serde_json::from_str(call).ok()?;
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    let now = Timestamp::parse_rfc3339(&text(&fields.remove("now")?)?)?.nanos_since_epoch();
    // Proxies' clocks give microseconds.
    let now = u64::try_from(now).ok().filter(|now| now % 1_000 == 0)?;
    let stage = fields.remove("stage").map_or(Some("call".to_owned()), |stage| text(&stage))?;
    let tool = fields.remove("tool").map_or(Some(String::new()), |tool| text(&tool))?;
    let args = fields.remove("args").map(|args| args.get().to_owned());
    if stage != "call" && !(list && stage == "list")
        || args.as_ref().is_some_and(|args| !args.starts_with('{'))
    {
        return None;
    }
    let mut identity = String::from("{");
    if let Some(session) = fields.remove("session") {
        let session: BTreeMap<String, String> = serde_json::from_str(session.get()).ok()?;
        identity.push_str(&format!("\"session\":{},", Value::from(session.get("id")?.as_str())));
    }
    let known = ["tenant", "agent", "user", "chain", "project", "env"];
    for (name, value) in fields {
        // An identity is the operator's: in it, `null` is absence.
        if !known.contains(&name.as_str()) || value.get() == "null" {
            return None;
        }
        identity.push_str(&format!("\"{name}\":{},", value.get()));
    }
    identity.pop();
    identity.push('}');
    Json::parse(identity.as_bytes(), usize::MAX, usize::MAX).ok()?;
    Some(Wired { identity: ascii(&identity), now, tool, args })
}

/// The members of an object, each once.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fields, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Members)
    }
}

impl Wired {
    /// The message that calls the tool.
    pub fn call(&self) -> String {
        let name = Value::from(self.tool.as_str());
        let args = self.args.as_ref().map(|args| format!(",\"arguments\":{args}")).unwrap_or_default();
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name}{args}}}}}"#)
    }

    /// Whether a message that reached the server is this call.
    ///
    /// # Errors
    /// What is another.
    pub fn is(&self, body: &[u8]) -> Result<(), String> {
        let message: Value = match serde_json::from_slice(body) {
            Ok(message) => message,
            // Deeper than that reader goes: then by the suite's own.
            Err(_) if Json::parse(body, usize::MAX, usize::MAX).is_ok() => return self.is_deep(body),
            Err(error) => {
                let body = String::from_utf8_lossy(body);
                return Err(format!("the server got no JSON: {error}: {body}"));
            }
        };
        let args = self.args.as_deref().map_or(Ok(json!({})), serde_json::from_str::<Value>);
        let args = args.map_err(|error| error.to_string())?;
        let got = message["params"].get("arguments").cloned().unwrap_or_else(|| json!({}));
        let same =
            message["method"] == "tools/call" && message["params"]["name"] == *self.tool && got == args;
        if same { Ok(()) } else { Err(format!("the server got another call: {message}")) }
    }

    fn is_deep(&self, body: &[u8]) -> Result<(), String> {
        let canonical = |text: &[u8]| {
            let mut canonical = String::new();
            let json = Json::parse(text, usize::MAX, usize::MAX);
            json.map(|json| json.write_canonical(&mut canonical)).map_err(|error| error.to_string())?;
            Ok::<_, String>(canonical)
        };
        let same = canonical(body)? == canonical(self.call().as_bytes())?;
        if same { Ok(()) } else { Err("the server got another call, which is deep".to_owned()) }
    }
}

/// Whether what became of a call is what its decision says: forwarded as it was when it is allowed, else refused for
/// the same reason. `forwarded` is what the server got, the rest what the client got.
///
/// # Errors
/// What is not so.
pub fn effect(
    forwarded: Option<&[u8]>,
    status: u16,
    answer: &[u8],
    wired: &Wired,
    decision: &str,
) -> Result<(), String> {
    let decision: Value = serde_json::from_str(decision).map_err(|error| error.to_string())?;
    let allowed = decision["verdict"] == "allow";
    match forwarded {
        Some(body) if allowed => wired.is(body),
        Some(_) => Err(format!("forwarded, and the decision is {decision}")),
        None => {
            let body: Value = serde_json::from_slice(answer).unwrap_or_default();
            let said = &body["result"]["_meta"]["dev.placet/decision"];
            let same = |name: &str| said[name] == decision[name];
            // An obligation that the enforcement point cannot meet is for it to refuse.
            let obliged = decision["obligations"].as_array().is_some_and(|list| !list.is_empty());
            let unmet = allowed && obliged && said["code"] == "unmet-obligation";
            // What is no call may be refused before there is one: as no identity, or as no message.
            let no_call = decision["code"] == "bad-request";
            if unmet || no_call || !allowed && same("verdict") && same("code") {
                return Ok(());
            }
            let answer = String::from_utf8_lossy(answer);
            Err(format!("answered {status} {answer}, and the decision is {decision}"))
        }
    }
}

/// What is guarded in every case.
pub fn guard() -> Value {
    json!({
        "mcp": [{"path": "/mcp"}],
        "decide": "/v1/decide",
        "identity": {"header": "x-placet-identity"},
    })
}

/// The message that asks for the catalogue.
pub const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;

/// A server's catalogue.
pub fn catalogue(tools: &[String]) -> String {
    let tool = |name: &String| json!({"name": name, "inputSchema": {"type": "object"}});
    let tools: Vec<Value> = tools.iter().map(tool).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
}

/// The names in a catalogue.
pub fn names(body: &[u8]) -> Option<Vec<String>> {
    let message: Value = serde_json::from_slice(body).ok()?;
    let tools = message["result"]["tools"].as_array()?.iter();
    tools.map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

/// JSON text in ASCII, for a header.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{effect, wired};

    #[test]
    fn calls() {
        let call = r#"{"tool":"a","args":{"n":1e2},"agent":{"id":"é"},"tenant":"t","session":{"id":"s"},"now":"1970-01-01T00:00:01Z"}"#;
        let wired = wired(call, false).expect("MCP can say it");
        assert_eq!(wired.now, 1_000_000_000);
        assert_eq!(wired.identity, r#"{"session":"s","agent":{"id":"\u00e9"},"tenant":"t"}"#);
        let message =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1e2}}}"#;
        assert_eq!(wired.call(), message);
        assert_eq!(wired.is(message.as_bytes()), Ok(()));
        for other in [message.replace("1e2", "101"), message.replace("\"a\"", "\"b\""), "{".to_owned()] {
            assert!(wired.is(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn effects() {
        let call = r#"{"tool":"a","agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#;
        let wired = wired(call, false).expect("MCP can say it");
        let (message, other) = (wired.call(), wired.call().replace("\"a\"", "\"b\""));
        let decision = |verdict: &str, code: &str, obligations: &str| {
            format!(r#"{{"verdict":"{verdict}","code":"{code}","obligations":[{obligations}]}}"#)
        };
        let answer = |verdict: &str, code: &str| {
            let said = decision(verdict, code, "");
            format!(r#"{{"result":{{"_meta":{{"dev.placet/decision":{said}}}}}}}"#)
        };
        let allowed = decision("allow", "allowed", "");
        let obliged = decision("allow", "allowed", "1");
        let denied = decision("deny", "denied", "");
        for (what, forwarded, answered, decided, good) in [
            ("allowed", Some(&message), String::new(), &allowed, true),
            ("allowed, another call", Some(&other), String::new(), &allowed, false),
            ("allowed and refused", None, answer("deny", "denied"), &allowed, false),
            ("denied and forwarded", Some(&message), String::new(), &denied, false),
            ("denied", None, answer("deny", "denied"), &denied, true),
            ("denied for another reason", None, answer("deny", "default-deny"), &denied, false),
            ("denied without a reason", None, String::new(), &denied, false),
            ("not to be met", None, answer("deny", "unmet-obligation"), &obliged, true),
            ("obliged, and denied", None, answer("deny", "denied"), &obliged, false),
            ("no call", None, String::new(), &decision("deny", "bad-request", ""), true),
            (
                "no call, forwarded",
                Some(&message),
                String::new(),
                &decision("deny", "bad-request", ""),
                false,
            ),
        ] {
            let forwarded = forwarded.map(String::as_bytes);
            let found = effect(forwarded, 200, answered.as_bytes(), &wired, decided);
            assert_eq!(found.is_ok(), good, "{what}: {found:?}");
        }
    }

    #[test]
    fn what_no_client_says() {
        for call in [
            "{",
            r#"{"tool":"a","agent":{"id":"b"},"tenant":"t"}"#,
            r#"{"tool":"a","agent":{"id":"b"},"tenant":"t","now":"x"}"#,
            r#"{"tool":"a","agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00.000000001Z"}"#,
            r#"{"tool":"a","stage":"result","agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
            r#"{"tool":"a","tool":"a","agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
            r#"{"tool":"a","agent":{"id":"b"},"user":null,"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
            r#"{"tool":"a","agent":{"id":"b","attrs":{"x":1,"x":2}},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
            r#"{"tool":"a","args":[],"agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
            r#"{"tool":"a","grants":[],"agent":{"id":"b"},"tenant":"t","now":"1970-01-01T00:00:00Z"}"#,
        ] {
            assert!(wired(call, false).is_none(), "{call}");
        }
    }
}
