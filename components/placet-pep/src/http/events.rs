//! Server-sent events (the WHATWG standard's stream format), as bytes come in.

use crate::splice::one_line;

/// Takes a stream apart.
#[derive(Debug)]
pub struct Events {
    limit: usize,
    /// What has come of the next event.
    rest: Vec<u8>,
    begun: bool,
    /// Whether the last byte was a carriage return.
    returned: bool,
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
        Events { limit, rest: Vec::new(), begun: false, returned: false }
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
        let mut events = Vec::new();
        for byte in bytes {
            // A line ends with CR, LF, or both: at the CR at once, and an LF right after belongs to it.
            let belongs = std::mem::replace(&mut self.returned, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if belongs => {}
                b'\r' | b'\n' if self.rest.last().is_none_or(|last| *last == b'\n') => {
                    events.push(self.whole()?)
                }
                b'\r' | b'\n' => self.rest.push(b'\n'),
                byte => self.rest.push(*byte),
            }
            if self.rest.len() > self.limit {
                return Err("an event of the server is too long");
            }
        }
        Ok(events)
    }

    /// The event that an empty line ends.
    fn whole(&mut self) -> Result<Event, &'static str> {
        let bytes = std::mem::take(&mut self.rest);
        let text = std::str::from_utf8(&bytes).map_err(|_| "an event of the server is not UTF-8")?;
        // A byte order mark may stand before everything.
        let first = !std::mem::replace(&mut self.begun, true);
        Ok(read(text.strip_prefix('\u{feff}').filter(|_| first).unwrap_or(text)))
    }
}

fn read(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.split('\n') {
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
