//! Answers of the enforcement point itself.

use placet_model::{Decision, Verdict};

use crate::reply::{Reply, json};
use crate::splice::Object;

/// An HTTP answer that does not come from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case; `content-length` is the adapter's.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl HttpReply {
    /// A JSON body.
    pub fn json(status: u16, body: String) -> HttpReply {
        HttpReply { status, headers: vec![header("content-type", "application/json")], body }
    }

    /// A problem (RFC 9457) with a stable code.
    pub fn problem(status: u16, code: &str, detail: &str) -> HttpReply {
        let body =
            Object::new().raw("status", &status.to_string()).string("code", code).string("detail", detail);
        HttpReply {
            status,
            headers: vec![header("content-type", "application/problem+json")],
            body: body.finish(),
        }
    }

    /// A request that two readers could read differently, or that none can.
    pub fn bad(detail: &str) -> HttpReply {
        HttpReply::problem(400, "bad-request", detail)
    }

    /// A version of MCP that is not spoken here, as the protocol has it said.
    pub(crate) fn unspoken(version: &str, spoken: &[String]) -> HttpReply {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let supported: Vec<String> = spoken.iter().map(|of| quoted(of)).collect();
        let data = Object::new()
            .raw("supported", &format!("[{}]", supported.join(",")))
            .string("requested", version)
            .finish();
        let error = Object::new().raw("code", "-32022").string("message", "Unsupported protocol version");
        HttpReply::json(400, crate::reply::response("null", "error", &error.raw("data", &data).finish()))
    }

    /// A refused call of a plain HTTP interface.
    pub(crate) fn refused(decision: &Decision, reference: Option<&str>) -> HttpReply {
        let mut body = Object::new()
            .raw("status", "403")
            .string("code", decision.code.as_str())
            .string("detail", &decision.reason);
        if let (Verdict::Escalate, Some(reference)) = (decision.verdict, reference) {
            body = body.string("approval", reference);
        }
        let body = body.raw("decision", &json(decision)).finish();
        HttpReply { status: 403, headers: vec![header("content-type", "application/problem+json")], body }
    }

    /// With one more header; its name in lower case.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> HttpReply {
        self.headers.push(header(name, value));
        self
    }
}

impl From<Reply> for HttpReply {
    fn from(reply: Reply) -> HttpReply {
        HttpReply::json(reply.status, reply.body)
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The answer of the decision endpoint.
pub fn decision_reply(decision: &Decision) -> HttpReply {
    HttpReply::json(200, json(decision))
}
