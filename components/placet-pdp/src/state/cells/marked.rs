//! Cells in a key-value service whose word on compare-and-swap is not relied on.
//!
//! Services differ in what they make of it: some overwrite a key that was absent when it was read, some report a swap
//! as failed that was made, some report one as made that was not. So a cell carries the marks of its last writers and
//! is read again after each swap: whoever finds their own mark has written. And whoever writes a key for the first time
//! has to hold the one ticket for that, which a counter gives out.

use std::cell::Cell;

use super::{Cells, Held};
use crate::state::Unavailable;

/// A key-value service.
pub trait Bucket {
    /// A swap that has begun: it is made if the key is as it was read.
    type Cas;

    /// Reads a key, and begins to swap it.
    ///
    /// # Errors
    /// [`Unavailable`], as of everything here, when the service cannot be reached.
    fn read(&self, key: &str) -> Result<(Option<Vec<u8>>, Self::Cas), Unavailable>;

    /// Makes a swap if it can; whether it did is not asked.
    ///
    /// # Errors
    /// [`Unavailable`]
    fn swap(&self, cas: Self::Cas, bytes: &[u8]) -> Result<(), Unavailable>;

    /// Whether there is a key.
    ///
    /// # Errors
    /// [`Unavailable`]
    fn exists(&self, key: &str) -> Result<bool, Unavailable>;

    /// Adds one to a number that is 0 at first, atomically, and gives the result.
    ///
    /// # Errors
    /// [`Unavailable`]
    fn count(&self, key: &str) -> Result<i64, Unavailable>;

    /// A number that nobody else draws.
    fn mark(&self) -> u64;

    /// Seconds since some moment that is the same for all.
    fn seconds(&self) -> i64;
}

/// How many writers' marks a cell carries: more than can write between one's swap and its second look.
const MARKS: usize = 16;
/// Whoever holds the ticket of a span has all of the next one to use it; seconds.
const SPAN: i64 = 64;

/// Cells in a service.
pub struct Marked<B: Bucket> {
    bucket: B,
    /// What was read last and not yet written.
    read: Cell<Option<(String, Written, B::Cas)>>,
}

/// What stands in the service under a key.
#[derive(Default)]
struct Written {
    version: u64,
    /// The last writer's first.
    marks: [u64; MARKS],
    bytes: Vec<u8>,
}

impl<B: Bucket> Marked<B> {
    /// Cells in this service.
    pub fn new(bucket: B) -> Marked<B> {
        Marked { bucket, read: Cell::new(None) }
    }

    fn look(&self, name: &str) -> Result<(Option<Written>, B::Cas), Unavailable> {
        let (bytes, cas) = self.bucket.read(name)?;
        let written = bytes.map(|bytes| Written::decode(&bytes).ok_or(Unavailable)).transpose()?;
        Ok((written, cas))
    }

    /// Whether this is the one who may write a key for the first time. Whoever took the ticket and did not use it
    /// blocks the key until the span after the next, so that two never hold one at the same time.
    fn may_create(&self, name: &str) -> Result<bool, Unavailable> {
        let span = self.bucket.seconds().div_euclid(SPAN);
        let ticket = |span: i64| format!("{name}/new/{span}");
        if self.bucket.exists(&ticket(span.saturating_sub(1)))? {
            return Err(Unavailable);
        }
        Ok(self.bucket.count(&ticket(span))? == 1)
    }
}

impl<B: Bucket> Cells for Marked<B> {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        let (written, cas) = self.look(name)?;
        let held = written.as_ref().map(|of| Held { bytes: of.bytes.clone(), version: of.version });
        self.read.set(written.map(|written| (name.to_owned(), written, cas)));
        Ok(held)
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        let (old, cas) = match (seen, self.read.take()) {
            (Some(version), Some((of, old, cas))) if of == name && old.version == version => (old, cas),
            (Some(_), _) => return Ok(false),
            (None, _) if !self.may_create(name)? => return Ok(false),
            // Between the first look and the ticket, its last holder may have written.
            (None, _) => match self.look(name)? {
                (None, cas) => (Written::default(), cas),
                (Some(_), _) => return Ok(false),
            },
        };
        let mark = self.bucket.mark();
        self.bucket.swap(cas, &old.next(mark, bytes).encode())?;
        Ok(self.look(name)?.0.is_some_and(|now| now.marks.contains(&mark)))
    }
}

impl Written {
    fn decode(bytes: &[u8]) -> Option<Written> {
        let (version, rest) = bytes.split_first_chunk()?;
        let (marks, bytes) = rest.split_at_checked(8 * MARKS)?;
        let mut written = Written { version: u64::from_le_bytes(*version), ..Written::default() };
        for (mark, bytes) in written.marks.iter_mut().zip(marks.as_chunks().0) {
            *mark = u64::from_le_bytes(*bytes);
        }
        bytes.clone_into(&mut written.bytes);
        Some(written)
    }

    fn encode(&self) -> Vec<u8> {
        let numbers = std::iter::once(&self.version).chain(&self.marks);
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    fn next(mut self, mark: u64, bytes: &[u8]) -> Written {
        self.marks.rotate_right(1);
        if let Some(last) = self.marks.first_mut() {
            *last = mark;
        }
        Written { version: self.version.saturating_add(1), marks: self.marks, bytes: bytes.to_vec() }
    }
}
