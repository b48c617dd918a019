use placet_model::{Amount, Exceeded, Timestamp};

use super::*;
use crate::store::SessionWrite;

fn charge(limit: &str, amount: u64, ceiling: u64) -> Charge {
    Charge {
        limit: format!("org/{limit}"),
        key: limit.to_owned(),
        amount: Amount(amount),
        ceiling: Amount(ceiling),
        window_ms: 10_000,
        exceeded: Exceeded::Deny,
        allow_if_unavailable: false,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn commit<'a>(charges: &'a [Charge], seconds: i64) -> Commit<'a> {
    Commit { tenant: "acme", session: None, charges, settlements: &[], at: at(seconds), dry_run: false }
}

fn exceeded(limits: &[&str]) -> CommitResult {
    CommitResult::Exceeded(limits.iter().map(|limit| format!("org/{limit}")).collect())
}

#[test]
fn a_window_slides_exactly() {
    let store = MemoryStore::default();
    let one = [charge("rate", 1, 2)];
    for (seconds, expected) in [
        (0, CommitResult::Done),
        (4, CommitResult::Done),
        (9, exceeded(&["rate"])),
        (10, CommitResult::Done),
        (13, exceeded(&["rate"])),
        // An earlier time frees nothing.
        (1, exceeded(&["rate"])),
        (14, CommitResult::Done),
    ] {
        assert_eq!(store.commit(&commit(&one, seconds)), expected, "at {seconds}");
    }
}

#[test]
fn all_charges_or_none() {
    let store = MemoryStore::default();
    let both = [charge("small", 1, 1), charge("big", 5, 100)];
    assert_eq!(store.commit(&commit(&both, 0)), CommitResult::Done);
    for _ in 0..100 {
        assert_eq!(store.commit(&commit(&both, 1)), exceeded(&["small"]));
    }
    // Had refused charges been taken, this one would not fit.
    assert_eq!(store.commit(&commit(&[charge("big", 95, 100)], 1)), CommitResult::Done);
    assert_eq!(store.commit(&commit(&both, 1)), exceeded(&["big", "small"]));
    // Two charges on one key count together.
    let twice = [charge("twice", 2, 3), charge("twice", 2, 3)];
    assert_eq!(store.commit(&commit(&twice, 1)), exceeded(&["twice"]));
    assert_eq!(
        store.commit(&commit(&[charge("over", u64::MAX, 1), charge("over", 1, 1)], 1)),
        exceeded(&["over"])
    );
}

#[test]
fn tenants_do_not_meet() {
    let store = MemoryStore::default();
    let one = [charge("rate", 1, 1)];
    for tenant in ["a", "b"] {
        assert_eq!(store.commit(&Commit { tenant, ..commit(&one, 0) }), CommitResult::Done);
        assert_eq!(store.commit(&Commit { tenant, ..commit(&one, 0) }), exceeded(&["rate"]));
    }
    let write = SessionWrite { id: "s", expected: 0, state: b"x" };
    assert_eq!(store.commit(&Commit { session: Some(write), ..commit(&[], 0) }), CommitResult::Done);
    assert_eq!(store.read_session("other", "s"), Ok(None));
    assert!(store.read_session("acme", "s").unwrap().is_some());
}

#[test]
fn sessions_are_compared_and_set() {
    let store = MemoryStore::default();
    let write = |expected, state: &'static [u8], charges: &[Charge]| {
        let session = Some(SessionWrite { id: "s", expected, state });
        store.commit(&Commit { session, ..commit(charges, 0) })
    };
    assert_eq!(write(1, b"a", &[]), CommitResult::Conflict);
    assert_eq!(write(0, b"a", &[]), CommitResult::Done);
    assert_eq!(write(0, b"b", &[]), CommitResult::Conflict);
    // A lost race takes no charge, and a refused charge writes no session.
    assert_eq!(write(0, b"b", &[charge("once", 1, 1)]), CommitResult::Conflict);
    assert_eq!(write(1, b"b", &[charge("once", 1, 1)]), CommitResult::Done);
    assert_eq!(write(2, b"c", &[charge("once", 1, 1)]), exceeded(&["once"]));
    let stored = store.read_session("acme", "s").unwrap().unwrap();
    assert_eq!(stored, StoredSession { state: b"b".to_vec(), version: 2 });
}

#[test]
fn a_dry_run_changes_nothing() {
    let store = MemoryStore::default();
    let one = [charge("rate", 1, 1)];
    let session = Some(SessionWrite { id: "s", expected: 0, state: b"a" });
    let dry = Commit { dry_run: true, session, ..commit(&one, 0) };
    for _ in 0..3 {
        assert_eq!(store.commit(&dry), CommitResult::Done);
    }
    assert_eq!(store.read_session("acme", "s"), Ok(None));
    assert_eq!(store.commit(&commit(&one, 0)), CommitResult::Done);
    assert_eq!(store.commit(&dry), exceeded(&["rate"]));
}

#[test]
fn reservations_are_settled() {
    let store = MemoryStore::default();
    assert_eq!(store.commit(&commit(&[charge("spend", 80, 100)], 0)), CommitResult::Done);
    assert_eq!(store.commit(&commit(&[charge("spend", 40, 100)], 1)), exceeded(&["spend"]));
    let settlement = Settlement {
        limit: "org/spend".into(),
        key: "spend".into(),
        reserved: Amount(80),
        actual: Amount(20),
        window_ms: 10_000,
    };
    assert_eq!(store.commit(&Commit { settlements: &[settlement], ..commit(&[], 2) }), CommitResult::Done);
    assert_eq!(store.commit(&commit(&[charge("spend", 40, 100)], 3)), CommitResult::Done);
}

#[test]
fn a_full_store_refuses_what_is_new_and_forgets_only_what_is_over() {
    let bounds = Bounds { sessions: 2, idle_ms: 60_000, counters: 2, disorder_ms: 5_000 };
    let store = MemoryStore::new(bounds);
    let take = |key: &str, seconds| store.commit(&commit(&[charge(key, 1, 1)], seconds));
    assert_eq!(
        [take("a", 0), take("b", 1), take("c", 2)],
        [CommitResult::Done, CommitResult::Done, CommitResult::Unavailable]
    );
    // Known keys go on; `a` counts until 10 and may be asked for out of order until 15.
    assert_eq!([take("b", 11), take("c", 12)], [CommitResult::Done, CommitResult::Unavailable]);
    assert_eq!([take("b", 21), take("c", 22)], [CommitResult::Done, CommitResult::Done]);

    let write = |id: &str, seconds| {
        let session = Some(SessionWrite { id, expected: 0, state: b"x" });
        store.commit(&Commit { session, ..commit(&[], seconds) })
    };
    assert_eq!(
        [write("s", 100), write("t", 110), write("u", 120)],
        [CommitResult::Done, CommitResult::Done, CommitResult::Unavailable]
    );
    assert_eq!(take("b", 165), CommitResult::Done);
    assert_eq!(write("u", 166), CommitResult::Done);
    assert_eq!(store.read_session("acme", "s"), Ok(None));
    assert!(store.read_session("acme", "t").unwrap().is_some());
}

#[test]
fn concurrent_charges_never_overshoot() {
    let store = MemoryStore::default();
    let taken = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..200 {
                    if store.commit(&commit(&[charge("rate", 1, 100)], n % 5)) == CommitResult::Done {
                        taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), 100);
}
