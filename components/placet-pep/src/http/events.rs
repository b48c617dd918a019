//! Server-sent events (the WHATWG standard's stream format), as bytes come in.

use crate::splice::one_line;

/// Takes a stream apart.
#[derive(Debug)]
pub struct Events {
    limit: usize,
    /// What has come of the next event.
    rest: Vec<u8>,
    begun: bool,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its data, when it has any.
    pub data: Option<String>,
    /// Its type.
    name: Option<String>,
    /// Its id: where a stream that broke off is taken up again.
    pub id: Option<String>,
    /// Milliseconds to wait before that, as they were written.
    pub retry: Option<String>,
}

impl Events {
    pub(super) fn new(limit: usize) -> Events {
        Events { limit, rest: Vec::new(), begun: false }
    }

    /// The stream goes on in a new one: what has come of an event in the old one is lost.
    pub fn restart(&mut self) {
        *self = Events::new(self.limit);
    }

    /// Takes more of the stream and gives the events that are now whole.
    ///
    /// # Errors
    /// When an event is over the limit, or is not UTF-8. The stream must end then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, &'static str> {
        self.rest.extend_from_slice(bytes);
        if !self.begun && self.rest.len() >= 3 {
            self.begun = true;
            if self.rest.starts_with("\u{feff}".as_bytes()) {
                self.rest.drain(..3);
            }
        }
        let mut events = Vec::new();
        while let Some((event, rest)) = next(&self.rest) {
            let event = std::str::from_utf8(event).map_err(|_| "an event of the server is not UTF-8")?;
            events.push(read(event));
            self.rest = rest.to_vec();
        }
        if self.rest.len() > self.limit {
            return Err("an event of the server is too long");
        }
        Ok(events)
    }
}

/// The text of the first event, and what comes after the empty line that ends it.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    loop {
        let line = bytes.get(start..)?;
        let end = line.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
        let broken = line.get(end..)?;
        let skip = match broken {
            // A line feed may still come.
            [b'\r'] => return None,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        let after = start.saturating_add(end).saturating_add(skip);
        if end == 0 {
            return Some((bytes.get(..start)?, bytes.get(after..)?));
        }
        start = after;
    }
}

fn read(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.split("\r\n").flat_map(|line| line.split(['\n', '\r'])) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => event.data = Some(value.to_owned()),
            },
            "event" => event.name = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = Some(value.to_owned()),
            _ => {}
        }
    }
    event
}

impl Event {
    /// What stands for an event without data: a comment, so that the stream stays alive.
    pub const SILENT: &str = ":\n\n";

    /// The event with other data. Line breaks, which JSON has between its tokens only, become spaces. Its id stays out: a stream that is taken up again comes
    /// without its request, and nobody could say what its messages answer.
    pub fn write(&self, data: &str) -> String {
        let mut text = String::new();
        for (field, value) in [("event", &self.name), ("retry", &self.retry)] {
            if let Some(value) = value {
                text.push_str(&format!("{field}: {value}\n"));
            }
        }
        text.push_str(&format!("data: {}\n\n", one_line(data)));
        text
    }
}
