//! What one session remembers: a small, versioned value that travels as bytes.

use placet_model::Timestamp;
use serde::{Deserialize, Serialize};

/// First byte of the encoding. A state of another version cannot be read and counts as unavailable.
const VERSION: u8 = 1;

/// The state of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// How many times it has been written.
    pub version: u64,
    /// The latest time the session has seen, in nanoseconds since the epoch: an earlier `now` frees nothing.
    pub latest: i128,
    /// `layer/id` of the limit that quarantined the session.
    pub quarantined_by: Option<String>,
    /// Sorted by name, then key.
    pub memory: Vec<Memory>,
    /// Sorted by limit, then key.
    pub counters: Vec<Counter>,
}

/// Events remembered under one name and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// `as: NAME`
    pub name: String,
    /// The value of `key:` in canonical form.
    pub key: Option<String>,
    /// Oldest first; the latest only, unless a condition counts them.
    pub events: Vec<Event>,
}

/// One event: when, and until when it counts. Nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: i128,
    /// It counts before this moment; `None`: as long as the session lives.
    pub until: Option<i128>,
}

/// Times at which something a limit counts happened in this session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The limit, as `layer/id`.
    pub limit: String,
    /// Tells counters of one limit apart.
    pub key: String,
    /// Nanoseconds since the epoch, oldest first.
    pub at: Vec<i128>,
}

/// The state does not fit and nothing may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionFull;

impl SessionState {
    /// Reads a state. `None` when the bytes are of another version or damaged.
    pub fn decode(bytes: &[u8]) -> Option<SessionState> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }

    /// Writes the state, forgetting expired events, oldest first, only as far as `bound` bytes require.
    ///
    /// # Errors
    /// [`SessionFull`] when what still counts does not fit.
    pub fn encode(mut self, now: i128, bound: u32) -> Result<Vec<u8>, SessionFull> {
        self.version = self.version.saturating_add(1);
        self.latest = self.latest.max(now);
        loop {
            let bytes = postcard::to_allocvec_with_version(&self);
            if bytes.len() <= bound as usize {
                return Ok(bytes);
            }
            if !self.forget_oldest_expired() {
                return Err(SessionFull);
            }
        }
    }

    /// The time that counts: never earlier than what the session has seen.
    pub fn clock(&self, now: Timestamp) -> i128 {
        self.latest.max(now.nanos_since_epoch())
    }

    /// Events of a name, and of a key when one is given, that still count.
    pub fn events<'s>(
        &'s self,
        name: &'s str,
        key: Option<&'s str>,
        now: i128,
    ) -> impl Iterator<Item = &'s Event> {
        let start = self.memory.partition_point(|m| m.name.as_str() < name);
        self.memory
            .iter()
            .skip(start)
            .take_while(move |m| m.name == name)
            .filter(move |m| key.is_none() || m.key.as_deref() == key)
            .flat_map(|m| &m.events)
            .filter(move |event| event.until.is_none_or(|until| now < until))
    }

    /// Remembers an event. Unless `counted`, it takes the place of the earlier one of the same name and key, but
    /// never shortens how long that one counts.
    pub fn remember(&mut self, name: &str, key: Option<String>, event: Event, counted: bool) {
        let found = self.memory.binary_search_by(|m| (m.name.as_str(), &m.key).cmp(&(name, &key)));
        let at = match found {
            Ok(at) => at,
            Err(at) => {
                self.memory.insert(at, Memory { name: name.to_owned(), key, events: Vec::new() });
                at
            }
        };
        let Some(memory) = self.memory.get_mut(at) else { return };
        match memory.events.last_mut() {
            Some(last) if !counted => {
                last.until = last.until.zip(event.until).map(|(a, b)| a.max(b));
                last.at = last.at.max(event.at);
            }
            _ => {
                memory.events.push(event);
                // Events of one moment have one order, whatever the policy's.
                memory.events.sort();
            }
        }
    }

    /// How many times a counter has counted within the window that ends now.
    pub fn count(&self, limit: &str, key: &str, now: i128, window: i128) -> usize {
        let counts = |at: &&i128| now < at.saturating_add(window);
        self.counter(limit, key).map_or(0, |c| c.at.iter().filter(counts).count())
    }

    /// Counts once more, and drops what the window has left behind.
    pub fn tick(&mut self, limit: &str, key: &str, now: i128, window: i128) {
        let found = self.counters.binary_search_by(|c| (c.limit.as_str(), c.key.as_str()).cmp(&(limit, key)));
        let at = match found {
            Ok(at) => at,
            Err(at) => {
                let counter = Counter { limit: limit.to_owned(), key: key.to_owned(), at: Vec::new() };
                self.counters.insert(at, counter);
                at
            }
        };
        let Some(counter) = self.counters.get_mut(at) else { return };
        counter.at.retain(|at| now < at.saturating_add(window));
        counter.at.push(now);
    }

    fn counter(&self, limit: &str, key: &str) -> Option<&Counter> {
        let found = self.counters.binary_search_by(|c| (c.limit.as_str(), c.key.as_str()).cmp(&(limit, key)));
        found.ok().and_then(|at| self.counters.get(at))
    }

    fn forget_oldest_expired(&mut self) -> bool {
        let now = self.latest;
        let expired = |event: &Event| event.until.is_some_and(|until| until <= now);
        let oldest = self
            .memory
            .iter()
            .enumerate()
            .flat_map(|(m, memory)| memory.events.iter().enumerate().map(move |(e, event)| (event, m, e)))
            .filter(|(event, ..)| expired(event))
            .min_by_key(|(event, m, e)| (event.at, *m, *e))
            .map(|(_, m, e)| (m, e));
        let Some((m, e)) = oldest else { return false };
        if let Some(memory) = self.memory.get_mut(m) {
            memory.events.remove(e);
        }
        self.memory.retain(|memory| !memory.events.is_empty());
        true
    }
}

mod postcard {
    //! The encoding: a version byte, then `postcard`.

    pub use ::postcard::from_bytes;

    /// The state as bytes, version first.
    pub fn to_allocvec_with_version(state: &super::SessionState) -> Vec<u8> {
        let start = vec![super::VERSION];
        // Writing plain data to memory cannot fail; were it to, the missing rest would not decode.
        ::postcard::to_extend(state, start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
