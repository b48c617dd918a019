//! Writing JSON out of pieces of other JSON, which keep their own text.

use std::borrow::Cow;

use placet_model::Json;
use placet_model::json::write_string;

/// An object being written.
pub struct Object {
    text: String,
}

impl Object {
    pub fn new() -> Object {
        Object { text: "{".to_owned() }
    }

    /// Adds a member whose value is a JSON text.
    pub fn raw(mut self, name: &str, value: &str) -> Object {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_string(&mut self.text, name);
        self.text.push(':');
        self.text.push_str(value);
        self
    }

    /// Adds a string.
    pub fn string(self, name: &str, value: &str) -> Object {
        let mut text = String::with_capacity(value.len() + 2);
        write_string(&mut text, value);
        self.raw(name, &text)
    }

    /// Adds every member of an object but one.
    pub fn members_but(mut self, json: Json<'_>, left_out: &str) -> Object {
        for (name, value) in json.members() {
            if name != left_out {
                self = self.raw(&name, value.text());
            }
        }
        self
    }

    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// The object with one member set to a JSON text.
pub fn with_member(json: Json<'_>, name: &str, value: &str) -> String {
    Object::new().members_but(json, name).raw(name, value).finish()
}

/// A JSON text in one line, for transports where a line break ends a message. JSON has raw line breaks between its tokens
/// only; what Unicode also calls one stands in strings only, where it is escaped.
pub fn one_line(json: &str) -> Cow<'_, str> {
    if !json.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\r' => line.push(' '),
            '\u{85}' => line.push_str("\\u0085"),
            '\u{2028}' => line.push_str("\\u2028"),
            '\u{2029}' => line.push_str("\\u2029"),
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

/// A list of JSON texts.
pub fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    let items: Vec<&str> = items.collect();
    format!("[{}]", items.join(","))
}
