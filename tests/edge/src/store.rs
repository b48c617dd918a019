//! A key-value store in memory that behaves like one of those that Spin has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How a store compares and swaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As `wasi:keyvalue` says.
    Exact,
    /// As Spin's SQLite store: a key that was absent when it was read is written whatever it is by then.
    Overwrites,
    /// As a store that reports a failure whether it has swapped or not.
    Pessimist,
    /// As a store that reports success whether it has swapped or not.
    Optimist,
    /// As a store that cannot be reached.
    Down,
}

/// A store; its clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    manner: Manner,
    cells: Arc<Mutex<Cells>>,
}

#[derive(Debug, Default)]
struct Cells {
    values: BTreeMap<String, (u64, Vec<u8>)>,
    writes: u64,
}

/// The store cannot be reached.
#[derive(Debug)]
pub struct Down;

impl Store {
    /// An empty one.
    pub fn new(manner: Manner) -> Store {
        Store { manner, cells: Arc::default() }
    }

    /// The same store, which behaves otherwise.
    pub fn in_manner(&self, manner: Manner) -> Store {
        Store { manner, cells: self.cells.clone() }
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.locked().values.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.locked().values.keys().cloned().collect()
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<(u64, Vec<u8>)>, Down> {
        self.up()?;
        Ok(self.locked().values.get(key).cloned())
    }

    /// Adds to a number.
    ///
    /// # Errors
    /// When the store is down, or the value is no number.
    pub fn increment(&self, key: &str, by: i64) -> Result<i64, Down> {
        self.up()?;
        let mut cells = self.locked();
        let old = match cells.values.get(key) {
            Some((_, bytes)) => i64::from_le_bytes(bytes.as_slice().try_into().map_err(|_| Down)?),
            None => 0,
        };
        let new = old + by;
        cells.put(key, new.to_le_bytes().to_vec());
        Ok(new)
    }

    /// Writes over the version that was read, and says what the store says of it.
    pub(crate) fn swap(&self, key: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Down> {
        self.up()?;
        let mut cells = self.locked();
        let now = cells.values.get(key).map(|(version, _)| *version);
        let swaps = now == seen || (self.manner == Manner::Overwrites && seen.is_none());
        if swaps {
            cells.put(key, bytes.to_vec());
        }
        Ok(match self.manner {
            Manner::Pessimist => false,
            Manner::Optimist => true,
            Manner::Exact | Manner::Overwrites | Manner::Down => swaps,
        })
    }

    fn up(&self) -> Result<(), Down> {
        // Others may come between any two calls.
        std::thread::yield_now();
        if self.manner == Manner::Down { Err(Down) } else { Ok(()) }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cells {
    fn put(&mut self, key: &str, bytes: Vec<u8>) {
        self.writes += 1;
        self.values.insert(key.to_owned(), (self.writes, bytes));
    }
}
