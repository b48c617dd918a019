//! Services of every manner, many writers at once, and tickets: never past a ceiling, and exact where nobody dies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::*;
use crate::state::cells::marked::{Bucket, Marked};

/// What a service does with a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It makes it if the key is as it was read.
    Exact,
    /// It makes it also when the key was absent when it was read.
    Overwrites,
    /// It cannot be reached.
    Down,
}

/// Versions and bytes by key.
type Keys = BTreeMap<String, (u64, Vec<u8>)>;

struct Service {
    manner: Manner,
    keys: Mutex<Keys>,
    drawn: AtomicU64,
    clock: AtomicI64,
}

impl Service {
    fn new(manner: Manner) -> Service {
        Service { manner, keys: Mutex::default(), drawn: AtomicU64::new(0), clock: AtomicI64::new(640) }
    }

    fn keys(&self) -> Result<MutexGuard<'_, Keys>, Unavailable> {
        // Others may come between any two calls.
        std::thread::yield_now();
        if self.manner == Manner::Down { Err(Unavailable) } else { Ok(self.keys.lock().unwrap()) }
    }
}

impl Bucket for &Service {
    type Cas = (String, Option<u64>);

    fn read(&self, key: &str) -> Result<(Option<Vec<u8>>, Self::Cas), Unavailable> {
        let (version, bytes) = self.keys()?.get(key).cloned().unzip();
        Ok((bytes, (key.to_owned(), version)))
    }

    fn swap(&self, (key, seen): Self::Cas, bytes: &[u8]) -> Result<(), Unavailable> {
        let mut keys = self.keys()?;
        let now = keys.get(&key).map(|(version, _)| *version);
        if now == seen || (self.manner == Manner::Overwrites && seen.is_none()) {
            keys.insert(key, (now.unwrap_or(0) + 1, bytes.to_vec()));
        }
        Ok(())
    }

    fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        Ok(self.keys()?.contains_key(key))
    }

    fn count(&self, key: &str) -> Result<i64, Unavailable> {
        let mut keys = self.keys()?;
        let (count, _) = keys.entry(key.to_owned()).or_default();
        *count += 1;
        Ok(*count as i64)
    }

    fn mark(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn seconds(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }
}

#[test]
fn a_ceiling_holds_from_the_first_write_on() {
    for manner in [Manner::Exact, Manner::Overwrites] {
        for round in 0..10 {
            let service = Service::new(manner);
            let taken = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let store = CellStore::new(Marked::new(&service), ONE);
                        let one = [charge("rate", 1, 5)];
                        for _ in 0..4 {
                            let mut results = std::iter::repeat_with(|| store.commit(&commit(&one, 0)));
                            match results.find(|result| *result != Conflict) {
                                Some(Done) => drop(taken.fetch_add(1, Ordering::Relaxed)),
                                result => assert_eq!(result, Some(exceeded(&["rate"]))),
                            }
                        }
                    });
                }
            });
            assert_eq!(taken.into_inner(), 5, "{manner:?}, round {round}");
        }
    }
}

#[test]
fn a_session_is_written_once_for_each_version() {
    let service = Service::new(Manner::Overwrites);
    let store = CellStore::new(Marked::new(&service), ONE);
    let other = CellStore::new(Marked::new(&service), ONE);
    assert_eq!(store.commit(&write("s", 0, b"a", &[])), Done);
    assert_eq!(other.commit(&write("s", 0, b"b", &[])), Conflict);
    assert_eq!(other.commit(&write("s", 1, b"b", &[])), Done);
    let stored = StoredSession { state: b"b".to_vec(), version: 2 };
    assert_eq!(store.read_session("acme", "s"), Ok(Some(stored)));
}

#[test]
fn a_ticket_that_was_not_used_expires() {
    for (taken_before, expected) in
        [(0, Conflict), (63, Conflict), (64, CommitResult::Unavailable), (128, Done), (500, Done)]
    {
        let service = Service::new(Manner::Exact);
        let name = slot::name(slot::Kind::Session, "acme", "s", 1);
        // Somebody took a ticket at the beginning of a span, and died.
        (&service).count(&format!("{name}/new/10")).unwrap();
        service.clock.store(640 + taken_before, Ordering::Relaxed);
        let store = CellStore::new(Marked::new(&service), ONE);
        assert_eq!(store.commit(&write("s", 0, b"a", &[])), expected, "{taken_before} s later");
    }
}

#[test]
fn what_somebody_else_put_there_is_no_cell() {
    let service = Service::new(Manner::Exact);
    let store = CellStore::new(Marked::new(&service), ONE);
    let name = slot::name(slot::Kind::Session, "acme", "s", 1);
    for bytes in [&[][..], &[0; 8], &[0; 135], &[0; 137]] {
        service.keys.lock().unwrap().insert(name.clone(), (1, bytes.to_vec()));
        assert_eq!(store.read_session("acme", "s"), Err(Unavailable), "{}", bytes.len());
        assert_eq!(store.commit(&write("s", 0, b"a", &[])), CommitResult::Unavailable, "{}", bytes.len());
    }
    let down = Service::new(Manner::Down);
    let store = CellStore::new(Marked::new(&down), ONE);
    assert_eq!(store.read_session("acme", "s"), Err(Unavailable));
    assert_eq!(store.commit(&write("s", 0, b"a", &[])), CommitResult::Unavailable);
}
