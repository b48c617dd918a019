//! The proof that a message may be forwarded.

use placet_model::json::write_string;
use placet_model::{Json, Kind};

use crate::splice::with_member;

/// A message that may go to the server, as the bytes to send. Only this crate makes permits; whoever sends tool calls
/// should accept nothing else.
#[derive(Debug)]
pub struct Permit {
    body: String,
}

impl Permit {
    pub(crate) fn of(body: String) -> Permit {
        Permit { body }
    }

    /// The same message in a trace of the gateway's: `traceparent` (W3C) stands in `_meta` where the client's did, and
    /// with `always` in any case, if it is a request with parameters.
    #[must_use]
    pub fn traced(self, traceparent: &str, always: bool) -> Permit {
        let Ok(message) = Json::parse(self.body.as_bytes(), usize::MAX, usize::MAX) else { return self };
        let Some(params) = message.get("params").filter(|of| of.kind() == Kind::Object) else { return self };
        let meta = params.get("_meta").filter(|of| of.kind() == Kind::Object);
        let there = meta.is_some_and(|meta| meta.get("traceparent").is_some());
        if !there && (!always || message.get("id").is_none()) {
            return self;
        }
        let mut value = String::new();
        write_string(&mut value, traceparent);
        let meta = with_member(meta.unwrap_or(Json::EMPTY_OBJECT), "traceparent", &value);
        Permit { body: with_member(message, "params", &with_member(params, "_meta", &meta)) }
    }

    /// The body to send.
    pub fn into_body(self) -> String {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::Permit;

    #[test]
    fn where_the_trace_stands() {
        for (body, always, expected) in [
            (
                r#"{"id":1,"params":{"a":1,"_meta":{"traceparent":"old","b":2}}}"#,
                false,
                r#"{"id":1,"params":{"a":1,"_meta":{"b":2,"traceparent":"new"}}}"#,
            ),
            (r#"{"id":1,"params":{"a":1}}"#, false, r#"{"id":1,"params":{"a":1}}"#),
            (
                r#"{"id":1,"params":{"a":1}}"#,
                true,
                r#"{"id":1,"params":{"a":1,"_meta":{"traceparent":"new"}}}"#,
            ),
            (r#"{"params":{"a":1}}"#, true, r#"{"params":{"a":1}}"#),
            (r#"{"id":1}"#, true, r#"{"id":1}"#),
            (
                r#"{"id":1,"result":{"_meta":{"traceparent":"old"}}}"#,
                true,
                r#"{"id":1,"result":{"_meta":{"traceparent":"old"}}}"#,
            ),
        ] {
            assert_eq!(Permit::of(body.to_owned()).traced("new", always).into_body(), expected);
        }
    }
}
