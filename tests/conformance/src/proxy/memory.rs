//! What the proxy holds while a module runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Which proxy this one does as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Envoy: pausing in the headers keeps the server from seeing them, continuing there shows them; with
    /// `allow_on_headers_stop_iteration`.
    Envoy,
    /// Kong's WasmX: pausing in the headers hangs unless a call-out is under way, the end of the stream is never said
    /// there, and the server is asked when the whole body has passed.
    Kong,
}

/// Names and values, in order; names may stand several times.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The answer that a module gives in place of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The status code.
    pub status: u16,
    /// Without pseudo-headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that a module sends on its own.
#[derive(Clone, Debug)]
pub struct CallOut {
    /// What the module knows it by.
    pub token: u32,
    /// Which context waits for its answer.
    pub context: u32,
    /// With pseudo-headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// Data that the workers share.
#[derive(Debug, Default)]
pub struct Shared {
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    version: u32,
    /// Nothing can be read or written.
    pub down: bool,
}

/// Nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfReach;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Yes,
    /// Something else is there than was read.
    Mismatch,
    /// Nothing can be written.
    Down,
}

impl Shared {
    /// A value and its version.
    ///
    /// # Errors
    /// When nothing can be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, OutOfReach> {
        if self.down { Err(OutOfReach) } else { Ok(self.data.get(key).cloned()) }
    }

    /// Writes when `cas` is the version that is there. Envoy takes 0 for "whatever is there" and writes what is not
    /// there whatever is said; WasmX compares in any case, with 0 for what is not there.
    pub fn set(&mut self, kind: Kind, key: &[u8], value: &[u8], cas: u32) -> Written {
        let there = self.data.get(key).map(|(_, version)| *version);
        let fits = match (kind, there) {
            (Kind::Envoy, None) => true,
            (Kind::Envoy, Some(version)) => cas == 0 || cas == version,
            (Kind::Kong, there) => cas == there.unwrap_or(0),
        };
        if self.down {
            return Written::Down;
        }
        if !fits {
            return Written::Mismatch;
        }
        self.version += 1;
        self.data.insert(key.to_vec(), (value.to_vec(), self.version));
        Written::Yes
    }
}

/// Everything that the functions of the ABI reach.
pub struct Memory {
    /// Which proxy.
    pub kind: Kind,
    /// What the workers share.
    pub shared: Arc<Mutex<Shared>>,
    /// Nanoseconds since the epoch.
    pub now: u64,
    /// The configuration of the plugin that is being configured.
    pub configuration: Vec<u8>,
    /// Header maps by the ABI's number.
    pub maps: [Headers; 8],
    /// Bodies by the ABI's number.
    pub buffers: [Vec<u8>; 9],
    /// Properties by their path, its parts joined by NUL.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Lines with their levels.
    pub log: Vec<(u32, String)>,
    /// Names of metrics, and their values: sums of counters, and how many observations of histograms.
    pub metrics: Vec<(String, u32, i64)>,
    /// The answer in place of the server's.
    pub local: Option<Local>,
    /// Requests that the module has sent.
    pub calls: Vec<CallOut>,
    /// How many it has sent.
    pub tokens: u32,
    /// The context whose callback runs.
    pub context: u32,
    /// Request, response: whether the module said to go on with what it paused.
    pub resumed: [bool; 2],
    /// Milliseconds between ticks, 0 for none.
    pub tick: u32,
}

impl Memory {
    /// That of a worker that has not done anything.
    pub fn new(kind: Kind) -> Memory {
        let mut properties = BTreeMap::new();
        if kind == Kind::Envoy {
            // Where the listener is: Envoy has it, WasmX has not, and so modules tell the one from the other.
            properties.insert(b"xds\0listener_direction".to_vec(), 1_u64.to_le_bytes().to_vec());
        }
        Memory {
            kind,
            shared: Arc::default(),
            now: 0,
            configuration: Vec::new(),
            maps: Default::default(),
            buffers: Default::default(),
            properties,
            log: Vec::new(),
            metrics: Vec::new(),
            local: None,
            calls: Vec::new(),
            tokens: 0,
            context: 0,
            resumed: [false; 2],
            tick: 0,
        }
    }

    /// The shared data, locked.
    pub fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.maps = Default::default();
        self.buffers = Default::default();
        self.local = None;
        self.calls.clear();
        self.resumed = [false; 2];
        self.log.clear();
        let of_request = |path: &Vec<u8>| !path.starts_with(b"placet.") && !path.starts_with(b"wasmx\0");
        self.properties.retain(|path, _| of_request(path));
    }
}

/// Headers as the ABI passes them: their number, the lengths of each, then each with a zero behind name and value.
pub fn pack(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for (name, value) in headers {
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

/// The other way round; `None` when the bytes are no headers.
pub fn unpack(bytes: &[u8]) -> Option<Headers> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = number(0)?;
    let mut at = 4 + count.checked_mul(8)?;
    let mut headers = Vec::new();
    for n in 0..count {
        let (name, value) = (number(4 + 8 * n)?, number(8 + 8 * n)?);
        let name_text = std::str::from_utf8(bytes.get(at..at + name)?).ok()?.to_owned();
        at += name + 1;
        headers.push((name_text, bytes.get(at..at + value)?.to_vec()));
        at += value + 1;
    }
    (at == bytes.len()).then_some(headers)
}

#[cfg(test)]
mod tests {
    use super::{Kind, OutOfReach, Shared, Written, pack, unpack};

    #[test]
    fn headers_there_and_back() {
        for headers in [
            vec![],
            vec![("a".to_owned(), b"1".to_vec())],
            vec![("a".to_owned(), Vec::new()), ("a".to_owned(), vec![0xff, 0])],
        ] {
            assert_eq!(unpack(&pack(&headers)), Some(headers));
        }
        for broken in [&b"\x01\0\0\0"[..], b"\x01", b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a\0b", b"\0\0\0\0x"] {
            assert_eq!(unpack(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn compare_and_set() {
        use Kind::{Envoy, Kong};
        use Written::{Mismatch, Yes};
        for (kind, on_nothing, with_nothing, blindly) in
            [(Envoy, Yes, Yes, Yes), (Kong, Yes, Mismatch, Mismatch)]
        {
            let mut shared = Shared::default();
            assert_eq!(shared.set(kind, b"other", b"x", 7), with_nothing, "{kind:?}");
            assert_eq!(shared.set(kind, b"k", b"a", 0), on_nothing, "{kind:?}");
            let (value, version) = shared.get(b"k").unwrap().unwrap();
            assert_eq!(value, b"a");
            assert_eq!(shared.set(kind, b"k", b"b", version + 1), Mismatch, "{kind:?}");
            assert_eq!(shared.set(kind, b"k", b"b", version), Yes, "{kind:?}");
            assert_eq!(shared.set(kind, b"k", b"c", version), Mismatch, "{kind:?}");
            assert_eq!(shared.set(kind, b"k", b"d", 0), blindly, "{kind:?}");
            shared.down = true;
            assert_eq!(shared.set(kind, b"k", b"d", 0), Written::Down, "{kind:?}");
            assert_eq!(shared.get(b"k"), Err(OutOfReach));
        }
    }
}
