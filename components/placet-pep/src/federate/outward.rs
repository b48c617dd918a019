//! What a server says, in the names that clients know.

use placet_model::{Json, Kind};

use super::{name_of, uri_of};
use crate::splice::{list, with_member};

/// Where a related task stands in `_meta`.
const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

/// A message of a server (a JSON text that was understood), renamed for clients. What carries no names stays as it is.
pub fn outward(server: &str, message: &str) -> String {
    let Some(json) = parsed(message) else { return message.to_owned() };
    let names = Names { server };
    let mut text = message.to_owned();
    for member in ["result", "params"] {
        if let Some(value) = json.get(member).filter(|value| value.kind() == Kind::Object) {
            text = set(&text, member, &names.object(value.text()));
        }
    }
    text
}

struct Names<'a> {
    server: &'a str,
}

impl Names<'_> {
    fn name(&self, name: &str) -> String {
        name_of(self.server, name)
    }

    fn uri(&self, uri: &str) -> String {
        uri_of(self.server, uri)
    }

    /// A result, or the parameters of a notification.
    fn object(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (member, each) in [
            ("tools", Names::named as fn(&Self, &str) -> String),
            ("prompts", Names::named),
            ("resources", Names::located),
            ("resourceTemplates", Names::templated),
            ("contents", Names::located),
            ("tasks", Names::task),
            ("content", Names::block),
            ("messages", Names::said),
        ] {
            text = self.each(&text, member, each);
        }
        if let Some(task) = member(&text, "task").filter(|task| is_object(task)) {
            text = set(&text, "task", &self.task(&task));
        }
        let meta = member(&text, "_meta").unwrap_or_default();
        if let Some(task) = member(&meta, RELATED_TASK).filter(|task| is_object(task)) {
            text = set(&text, "_meta", &set(&meta, RELATED_TASK, &self.task(&task)));
        }
        // A task's own state, and a resource that has changed.
        let text = self.task(&text);
        match has_only(&text, &["uri", "_meta", "title"]) {
            true => self.located(&text),
            false => text,
        }
    }

    /// Every element of a list that is an object.
    fn each(&self, text: &str, name: &str, of: fn(&Self, &str) -> String) -> String {
        let Some(elements) = member(text, name) else { return text.to_owned() };
        let Some(json) = parsed(&elements).filter(|json| json.kind() == Kind::Array) else {
            return text.to_owned();
        };
        let elements: Vec<String> = json
            .elements()
            .map(|element| match element.kind() {
                Kind::Object => of(self, element.text()),
                _ => element.text().to_owned(),
            })
            .collect();
        set(text, name, &list(elements.iter().map(String::as_str)))
    }

    fn named(&self, text: &str) -> String {
        self.changed(text, "name", Names::name)
    }

    fn located(&self, text: &str) -> String {
        self.changed(text, "uri", Names::uri)
    }

    fn templated(&self, text: &str) -> String {
        self.changed(text, "uriTemplate", Names::uri)
    }

    fn task(&self, text: &str) -> String {
        self.changed(text, "taskId", Names::name)
    }

    /// A block of content: a link to a resource, or one that stands in it.
    fn block(&self, text: &str) -> String {
        match member(text, "resource").filter(|resource| is_object(resource)) {
            Some(resource) => set(text, "resource", &self.located(&resource)),
            None => self.located(text),
        }
    }

    /// A message of a prompt.
    fn said(&self, text: &str) -> String {
        match member(text, "content").filter(|content| is_object(content)) {
            Some(content) => set(text, "content", &self.block(&content)),
            None => text.to_owned(),
        }
    }

    /// The object with a member, if it is a text, changed.
    fn changed(&self, text: &str, name: &str, to: fn(&Self, &str) -> String) -> String {
        let value = parsed(text).and_then(|json| json.get(name)?.as_str().map(|value| value.into_owned()));
        let Some(value) = value else { return text.to_owned() };
        let mut written = String::new();
        placet_model::json::write_string(&mut written, &to(self, &value));
        set(text, name, &written)
    }
}

fn parsed(text: &str) -> Option<Json<'_>> {
    Json::parse(text.as_bytes(), usize::MAX, usize::MAX).ok()
}

/// A member of an object, as JSON text.
fn member(text: &str, name: &str) -> Option<String> {
    parsed(text)?.get(name).map(|value| value.text().to_owned())
}

fn set(text: &str, name: &str, value: &str) -> String {
    parsed(text).map_or_else(|| text.to_owned(), |json| with_member(json, name, value))
}

fn is_object(text: &str) -> bool {
    parsed(text).is_some_and(|json| json.kind() == Kind::Object)
}

/// Whether an object has no other members.
fn has_only(text: &str, names: &[&str]) -> bool {
    parsed(text).is_some_and(|json| json.members().all(|(name, _)| names.contains(&name.as_ref())))
}
