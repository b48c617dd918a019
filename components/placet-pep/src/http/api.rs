//! Plain HTTP interfaces: a route, the path, the query, headers and a body become a tool and its arguments.

use placet_model::json::write_string;
use placet_model::{Json, Kind, Stage};

use super::config::{Argument, Body, Route, Source};
use super::path::decode;
use super::{Head, HttpReply};
use crate::identity::{Identity, Proposed};
use crate::splice::Object;

/// Deepest nesting of a body: that of a call's arguments.
const MAX_DEPTH: usize = 128;

/// A request to a route.
#[derive(Clone, Debug)]
pub struct Call {
    route: Route,
    /// Arguments so far: names, and values as JSON texts.
    args: Vec<(String, String)>,
    /// Path and query, written anew.
    target: String,
}

/// A call that waits for its decision.
#[derive(Debug)]
pub struct ApiCall {
    pub call: String,
    pub tool: String,
    /// JSON text.
    pub args: String,
    pub identity: Identity,
    pub session: Option<String>,
    pub target: String,
    /// The body, written anew.
    pub body: Option<String>,
    pub results: bool,
}

impl Call {
    /// # Errors
    /// When an argument cannot be read, or comes from two places.
    pub fn new(
        route: &Route,
        values: Vec<(String, String)>,
        path: &str,
        query: Option<&str>,
        head: &Head<'_>,
    ) -> Result<Call, HttpReply> {
        // Some servers read a plus in a path as they do in a query.
        let target = path.replace('+', "%2B");
        let mut call = Call { route: route.clone(), args: Vec::new(), target };
        for (name, value) in values {
            call.add_text(name, &value)?;
        }
        for (header, name) in &route.headers {
            if let Some(value) = head.one(header)? {
                call.add_text(name.clone(), value)?;
            }
        }
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(call) };
        if !route.args.contains(&Source::Query) {
            return Err(HttpReply::bad("this route takes no query"));
        }
        let pairs = pairs(query, "query")?;
        call.target.push('?');
        call.target.push_str(&write_pairs(&pairs));
        for (name, value) in pairs {
            call.add_text(name, &value)?;
        }
        Ok(call)
    }

    pub fn takes_body(&self) -> bool {
        self.route.args.contains(&Source::Body)
    }

    pub fn media_type(&self) -> &'static str {
        match self.route.body {
            Body::Json => "application/json",
            Body::Form => "application/x-www-form-urlencoded",
        }
    }

    /// # Errors
    /// When the body is not what the route takes.
    pub fn propose(
        mut self,
        body: &[u8],
        identity: Identity,
        session: Option<String>,
        now: &str,
        limit: usize,
    ) -> Result<ApiCall, HttpReply> {
        let body = match (body, self.route.body) {
            ([], _) => None,
            _ if !self.takes_body() => return Err(HttpReply::bad("this route takes no body")),
            (body, Body::Json) => Some(self.json(body, limit)?),
            (body, Body::Form) => Some(self.form(body)?),
        };
        let args = self.args.iter().fold(Object::new(), |object, (name, value)| object.raw(name, value));
        let args = args.finish();
        let of = Proposed {
            stage: Stage::Call,
            tool: &self.route.tool,
            args: &args,
            content: None,
            session: session.as_deref(),
            now,
        };
        let call = identity.call(&of);
        let Route { tool, results, .. } = self.route;
        Ok(ApiCall { call, tool, args, identity, session, target: self.target, body, results })
    }

    fn json(&mut self, body: &[u8], limit: usize) -> Result<String, HttpReply> {
        let json = Json::parse(body, limit, MAX_DEPTH)
            .map_err(|e| HttpReply::bad(&format!("the body is not acceptable JSON: {e}")))?;
        if json.kind() != Kind::Object {
            return Err(HttpReply::bad("the body must be a JSON object"));
        }
        for (name, value) in json.members() {
            self.add(name.into_owned(), value.text().to_owned())?;
        }
        Ok(json.text().to_owned())
    }

    fn form(&mut self, body: &[u8]) -> Result<String, HttpReply> {
        let text = std::str::from_utf8(body).map_err(|_| HttpReply::bad("the form is not UTF-8"))?;
        let pairs = pairs(text, "form")?;
        let written = write_pairs(&pairs);
        for (name, value) in pairs {
            self.add_text(name, &value)?;
        }
        Ok(written)
    }

    /// Adds an argument that is written as text.
    fn add_text(&mut self, name: String, text: &str) -> Result<(), HttpReply> {
        if text.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            return Err(HttpReply::bad(&format!("the argument `{name}` has characters that are no text")));
        }
        let wrong = |what: &str| HttpReply::bad(&format!("the argument `{name}` is not {what}"));
        let value = match self.route.types.get(&name).copied().unwrap_or(Argument::String) {
            Argument::String => {
                let mut string = String::new();
                write_string(&mut string, text);
                string
            }
            Argument::Number => match Json::parse(text.as_bytes(), usize::MAX, 1) {
                Ok(json) if json.kind() == Kind::Number && json.text() == text => text.to_owned(),
                _ => return Err(wrong("a number")),
            },
            Argument::Boolean if matches!(text, "true" | "false") => text.to_owned(),
            Argument::Boolean => return Err(wrong("`true` or `false`")),
        };
        self.add(name, value)
    }

    fn add(&mut self, name: String, value: String) -> Result<(), HttpReply> {
        if self.args.iter().any(|(other, _)| *other == name) {
            return Err(HttpReply::bad(&format!("the argument `{name}` comes from two places")));
        }
        self.args.push((name, value));
        Ok(())
    }
}

/// The pairs of `name=value&…`, with escapes undone.
fn pairs(text: &str, what: &str) -> Result<Vec<(String, String)>, HttpReply> {
    let broken = || HttpReply::bad(&format!("the {what} has broken escapes, or is not UTF-8"));
    let decode = |part: &str| decode(&part.replace('+', " ")).ok_or_else(broken);
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(broken());
    }
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if name.is_empty() {
                return Err(HttpReply::bad(&format!("the {what} has a value without a name")));
            }
            Ok((name, value))
        })
        .collect()
}

/// The same pairs in the one way that every reader takes alike.
fn write_pairs(pairs: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape(&mut text, name);
        text.push('=');
        escape(&mut text, value);
    }
    text
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
}
