//! The store over cells: the same promises as any other, damage, room, and every interleaving of cell operations.

mod marked;
mod races;

use std::collections::BTreeMap;
use std::sync::Mutex;

use placet_model::{Amount, Timestamp};

use super::*;
use crate::state::tests::charge;

/// Cells in memory. `fail` makes it unreachable.
#[derive(Default)]
pub struct Map {
    cells: Mutex<BTreeMap<String, Held>>,
    fail: Mutex<bool>,
}

impl Cells for Map {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        if *self.fail.lock().unwrap() {
            return Err(Unavailable);
        }
        Ok(self.cells.lock().unwrap().get(name).cloned())
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        let mut cells = self.cells.lock().unwrap();
        if cells.get(name).map(|held| held.version) != seen {
            return Ok(false);
        }
        let version = seen.unwrap_or(100) + 1;
        cells.insert(name.to_owned(), Held { bytes: bytes.to_vec(), version });
        Ok(true)
    }
}

const ONE: Bounds = Bounds { slots: 1, slot: 4_096, share: 2_048, idle_ms: 60_000, disorder_ms: 1_000 };

fn store(bounds: Bounds) -> CellStore<Map> {
    CellStore::new(Map::default(), bounds)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn commit<'a>(charges: &'a [Charge], seconds: i64) -> Commit<'a> {
    Commit { tenant: "acme", session: None, charges, settlements: &[], at: at(seconds), dry_run: false }
}

fn write<'a>(id: &'a str, expected: u64, state: &'a [u8], charges: &'a [Charge]) -> Commit<'a> {
    Commit { session: Some(SessionWrite { id, expected, state }), ..commit(charges, 0) }
}

fn exceeded(limits: &[&str]) -> CommitResult {
    CommitResult::Exceeded(limits.iter().map(|limit| format!("org/{limit}")).collect())
}

use CommitResult::{Conflict, Done};

#[test]
fn charges_are_taken_together_or_not_at_all() {
    let store = store(ONE);
    let both = [charge("small", 1, 1), charge("big", 5, 100)];
    assert_eq!(store.commit(&commit(&both, 0)), Done);
    for _ in 0..30 {
        assert_eq!(store.commit(&commit(&both, 1)), exceeded(&["small"]));
    }
    // Had refused charges been taken, this one would not fit.
    assert_eq!(store.commit(&commit(&[charge("big", 95, 100)], 1)), Done);
    assert_eq!(store.commit(&commit(&both, 1)), exceeded(&["big", "small"]));
    let twice = [charge("twice", 2, 3), charge("twice", 2, 3)];
    assert_eq!(store.commit(&commit(&twice, 1)), exceeded(&["twice"]));
    let over = [charge("over", u64::MAX, 1), charge("over", 1, 1)];
    assert_eq!(store.commit(&commit(&over, 1)), exceeded(&["over"]));
    // The window has passed.
    assert_eq!(store.commit(&commit(&both, 11)), Done);
}

#[test]
fn sessions_are_compared_and_set() {
    let store = store(Bounds::default());
    let once = [charge("once", 1, 1)];
    assert_eq!(store.commit(&write("s", 1, b"a", &[])), Conflict);
    assert_eq!(store.commit(&write("s", 0, b"a", &[])), Done);
    assert_eq!(store.commit(&write("s", 0, b"b", &[])), Conflict);
    // A lost race gives its charge back, and a refused charge writes no session.
    assert_eq!(store.commit(&write("s", 0, b"b", &once)), Conflict);
    assert_eq!(store.commit(&write("s", 1, b"b", &once)), Done);
    assert_eq!(store.commit(&write("s", 2, b"c", &once)), exceeded(&["once"]));
    let stored = StoredSession { state: b"b".to_vec(), version: 2 };
    assert_eq!(store.read_session("acme", "s"), Ok(Some(stored)));
}

#[test]
fn a_dry_run_changes_nothing() {
    let store = store(ONE);
    let one = [charge("rate", 1, 1)];
    let dry = Commit { dry_run: true, ..write("s", 0, b"a", &one) };
    for _ in 0..3 {
        assert_eq!(store.commit(&dry), Done);
    }
    assert_eq!(store.read_session("acme", "s"), Ok(None));
    assert!(store.cells.cells.lock().unwrap().is_empty());
    assert_eq!(store.commit(&commit(&one, 0)), Done);
    assert_eq!(store.commit(&dry), exceeded(&["rate"]));
    assert_eq!(store.commit(&Commit { dry_run: true, ..write("s", 7, b"a", &[]) }), Conflict);
}

#[test]
fn reservations_are_settled() {
    let store = store(ONE);
    let spend = |amount| [charge("spend", amount, 100)];
    let settlement = Settlement {
        limit: "org/spend".into(),
        key: "spend".into(),
        reserved: Amount(80),
        actual: Amount(30),
        window_ms: 10_000,
    };
    assert_eq!(store.commit(&commit(&spend(80), 0)), Done);
    assert_eq!(store.commit(&commit(&spend(40), 1)), exceeded(&["spend"]));
    let settle = Commit { settlements: &[settlement], ..write("s", 0, b"", &[]) };
    assert_eq!(store.commit(&Commit { session: write("s", 9, b"", &[]).session, ..settle }), Conflict);
    assert_eq!(store.commit(&commit(&spend(40), 1)), exceeded(&["spend"]), "a lost race settles nothing");
    assert_eq!(store.commit(&settle), Done);
    assert_eq!(store.commit(&commit(&spend(71), 1)), exceeded(&["spend"]));
    assert_eq!(store.commit(&commit(&spend(70), 1)), Done);
}

#[test]
fn nothing_of_one_tenant_or_session_reaches_another() {
    // One slot: they are neighbours in the same cell.
    let store = store(ONE);
    let one = [charge("rate", 1, 1)];
    for tenant in ["a", "b", ""] {
        assert_eq!(store.commit(&Commit { tenant, ..commit(&one, 0) }), Done, "{tenant}");
        assert_eq!(store.commit(&Commit { tenant, ..commit(&one, 0) }), exceeded(&["rate"]));
        for id in ["x", "y", "rate"] {
            assert_eq!(store.read_session(tenant, id), Ok(None));
            let state = format!("{tenant}{id}");
            assert_eq!(store.commit(&Commit { tenant, ..write(id, 0, state.as_bytes(), &[]) }), Done);
        }
    }
    for (tenant, id) in [("a", "x"), ("a", "y"), ("b", "x"), ("", "rate")] {
        let stored = store.read_session(tenant, id).unwrap().unwrap();
        assert_eq!(stored.state, format!("{tenant}{id}").into_bytes());
    }
    for (tenant, id) in [("ab", "x"), ("", "ax"), ("a", "z")] {
        assert_eq!(store.read_session(tenant, id), Ok(None));
    }
}

#[test]
fn a_full_slot_is_unavailable_until_something_in_it_expires() {
    let store = store(ONE);
    let state = [7; 400];
    let put = |id: &str, seconds| {
        let session = Some(SessionWrite { id, expected: 0, state: &state });
        store.commit(&Commit { session, ..commit(&[], seconds) })
    };
    for id in ["1", "2", "3", "4"] {
        assert_eq!(put(id, 0), Done);
    }
    assert_eq!(put("5", 59), CommitResult::Unavailable);
    let charged = [charge("rate", 1, 1)];
    assert_eq!(
        store.commit(&Commit { at: at(59), ..write("5", 0, &state, &charged) }),
        CommitResult::Unavailable
    );
    // What was taken for it was given back, and what was there still is.
    assert_eq!(store.commit(&commit(&charged, 59)), Done);
    assert!(store.read_session("acme", "1").unwrap().is_some());
    // Another tenant has a share of its own, and its clock expires nothing here.
    let other = Commit { tenant: "other", at: at(1_000_000), ..write("1", 0, &state, &[]) };
    assert_eq!(store.commit(&other), Done);
    assert_eq!(put("5", 59), CommitResult::Unavailable);
    assert_eq!(put("5", 60), Done);
    assert_eq!(store.read_session("acme", "1"), Ok(None));
    // The counter counts longer than its sessions live.
    assert_eq!(store.commit(&commit(&charged, 68)), exceeded(&["rate"]));
}

#[test]
fn more_than_one_tenant_can_fill_is_the_end() {
    let store = store(ONE);
    let mut done = 0;
    for tenant in 0..20 {
        let tenant = tenant.to_string();
        let commit = Commit { tenant: &tenant, ..write("s", 0, &[1; 500], &[]) };
        match store.commit(&commit) {
            Done => done += 1,
            result => assert_eq!(result, CommitResult::Unavailable),
        }
    }
    assert_eq!(done, 7);
    assert!(store.cells.cells.lock().unwrap().values().all(|held| held.bytes.len() <= ONE.slot));
}

#[test]
fn damaged_or_unreachable_cells_are_unavailable() {
    let one = [charge("rate", 1, 5)];
    let store = store(ONE);
    let both =
        Commit { session: Some(SessionWrite { id: "s", expected: 0, state: b"abc" }), ..commit(&one, 0) };
    assert_eq!(store.commit(&both), Done);
    let good = store.cells.cells.lock().unwrap().values().next().unwrap().bytes.clone();
    let set = |bytes: &[u8]| {
        store.cells.cells.lock().unwrap().values_mut().for_each(|held| held.bytes = bytes.to_vec());
    };
    for (what, bytes) in [("empty", &[][..]), ("another version", &[9, 0]), ("more behind it", &[1, 0, 0])] {
        set(bytes);
        assert_eq!(store.read_session("acme", "s"), Err(Unavailable), "{what}");
        assert_eq!(store.commit(&commit(&one, 1)), CommitResult::Unavailable, "{what}");
        assert_eq!(store.commit(&write("s", 1, b"", &[])), CommitResult::Unavailable, "{what}");
    }
    for length in 0..good.len() {
        set(&good[..length]);
        assert_eq!(store.commit(&commit(&one, 1)), CommitResult::Unavailable, "{length} bytes");
    }
    // Any byte may be another: an answer, never a panic.
    for n in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[n / 8] ^= 1 << (n % 8);
        set(&bytes);
        let _ = (store.read_session("acme", "s"), store.commit(&commit(&one, 1)), store.commit(&both));
    }
    set(&good);
    assert_eq!(store.commit(&commit(&one, 1)), Done);
    *store.cells.fail.lock().unwrap() = true;
    assert_eq!(store.read_session("acme", "s"), Err(Unavailable));
    assert_eq!(store.commit(&commit(&one, 1)), CommitResult::Unavailable);
    assert_eq!(store.commit(&Commit { dry_run: true, ..commit(&one, 1) }), CommitResult::Unavailable);
}

#[test]
fn slots_are_spread_and_named_apart() {
    let mut names = std::collections::BTreeSet::new();
    for n in 0..20_000 {
        let name = slot::name(slot::Kind::Session, "acme", &n.to_string(), 1_024);
        assert_eq!(name.len(), "placet/1/01024/0000".len());
        names.insert(name);
    }
    assert_eq!(names.len(), 1_024);
}
