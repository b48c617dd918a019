//! Cells in Spin's key-value store, by the compare-and-swap of `wasi:keyvalue`.
//!
//! Not every store behind that interface compares: Spin's default one (SQLite) overwrites a key that was absent when it
//! was read, and others report a swap as failed that was made, or the other way round. So a cell carries the marks of
//! its last writers and is read again after each swap, and whoever writes a key for the first time has to take the one
//! ticket for that first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use placet_pdp::state::Unavailable;
use placet_pdp::state::cells::{Cells, Held};
use spin_sdk::experimental::wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
use spin_sdk::experimental::wasi::keyvalue::store::{self, Error};
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random::get_random_u64;

/// How many writers' marks a cell carries: more than can write between one's swap and its second look.
const MARKS: usize = 16;
/// Whoever holds the ticket of a span has all of the next one to use it; seconds.
const SPAN: i64 = 64;

pub struct Bucket {
    bucket: Result<store::Bucket, Unavailable>,
    /// What was read and not yet written.
    read: Mutex<BTreeMap<String, (Cell, Cas)>>,
}

/// What stands in the store: version, marks, bytes.
#[derive(Default)]
struct Cell {
    version: u64,
    marks: [u64; MARKS],
    bytes: Vec<u8>,
}

impl Bucket {
    pub fn open(label: &str) -> Bucket {
        Bucket { bucket: store::open(label).map_err(|_| Unavailable), read: Mutex::default() }
    }

    fn bucket(&self) -> Result<&store::Bucket, Unavailable> {
        self.bucket.as_ref().map_err(|unavailable| *unavailable)
    }

    fn look(&self, name: &str) -> Result<(Option<Cell>, Cas), Unavailable> {
        let cas = Cas::new(self.bucket()?, name).map_err(unavailable)?;
        let cell = match cas.current().map_err(unavailable)? {
            Some(bytes) => Some(Cell::decode(&bytes).ok_or(Unavailable)?),
            None => None,
        };
        Ok((cell, cas))
    }

    /// Whether this is the one who may write a key for the first time. Whoever took the ticket and did not use it
    /// blocks the key until the span after the next.
    fn may_create(&self, name: &str) -> Result<bool, Unavailable> {
        let bucket = self.bucket()?;
        let span = system_clock::now().seconds.div_euclid(SPAN);
        let ticket = |span| format!("{name}/new/{span}");
        if bucket.exists(&ticket(span.saturating_sub(1))).map_err(unavailable)? {
            return Err(Unavailable);
        }
        Ok(increment(bucket, &ticket(span), 1).map_err(unavailable)? == 1)
    }
}

impl Cells for Bucket {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        let (cell, cas) = self.look(name)?;
        let Some(cell) = cell else { return Ok(None) };
        let held = Held { bytes: cell.bytes.clone(), version: cell.version };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(name.to_owned(), (cell, cas));
        Ok(Some(held))
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let (old, cas) = match (seen, read) {
            (Some(version), Some((cell, cas))) if cell.version == version => (cell, cas),
            (Some(_), _) => return Ok(false),
            (None, _) if !self.may_create(name)? => return Ok(false),
            // Between the first look and the ticket, its last holder may have written.
            (None, _) => match self.look(name)? {
                (None, cas) => (Cell::default(), cas),
                (Some(_), _) => return Ok(false),
            },
        };
        let mark = get_random_u64();
        match swap(cas, &old.next(mark, bytes).encode()) {
            Ok(()) | Err(CasError::CasFailed(_)) => {}
            Err(CasError::StoreError(error)) => return Err(unavailable(error)),
        }
        Ok(self.look(name)?.0.is_some_and(|cell| cell.marks.contains(&mark)))
    }
}

fn unavailable(_: Error) -> Unavailable {
    Unavailable
}

impl Cell {
    fn decode(bytes: &[u8]) -> Option<Cell> {
        let (version, rest) = bytes.split_first_chunk()?;
        let (marks, bytes) = rest.split_at_checked(8 * MARKS)?;
        let mut cell =
            Cell { version: u64::from_le_bytes(*version), bytes: bytes.to_vec(), ..Cell::default() };
        for (mark, bytes) in cell.marks.iter_mut().zip(marks.as_chunks().0) {
            *mark = u64::from_le_bytes(*bytes);
        }
        Some(cell)
    }

    fn encode(&self) -> Vec<u8> {
        let numbers = std::iter::once(&self.version).chain(&self.marks);
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    fn next(mut self, mark: u64, bytes: &[u8]) -> Cell {
        self.marks.rotate_right(1);
        self.marks[0] = mark;
        Cell { version: self.version.saturating_add(1), marks: self.marks, bytes: bytes.to_vec() }
    }
}
