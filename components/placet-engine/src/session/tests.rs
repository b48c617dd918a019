use super::*;

fn event(at: i128, until: Option<i128>) -> Event {
    Event { at, until }
}

#[test]
fn remembers_by_name_and_key() {
    let mut state = SessionState::default();
    state.remember("b", Some("k".into()), event(1, Some(10)), false);
    state.remember("a", None, event(2, None), false);
    let has = |name, key, now| state.events(name, key, now).next().is_some();
    assert!(has("b", None, 5) && has("b", Some("k"), 9) && has("a", None, 1000));
    assert!(!has("b", Some("j"), 5) && !has("b", None, 10) && !has("c", None, 0) && !has("a", Some("k"), 0));
}

#[test]
fn the_latest_event_stands_for_all_unless_counted() {
    let mut state = SessionState::default();
    state.remember("a", None, event(1, Some(100)), false);
    state.remember("a", None, event(2, Some(50)), false);
    assert_eq!(state.events("a", None, 3).copied().collect::<Vec<_>>(), [event(2, Some(100))]);
    state.remember("n", None, event(1, None), true);
    state.remember("n", None, event(2, None), true);
    assert_eq!(state.events("n", None, 3).count(), 2);
}

#[test]
fn encodes_within_bounds_or_not_at_all() {
    let mut state = SessionState::default();
    for n in 0..50 {
        state.remember("old", Some(format!("{n:03}")), event(n, Some(n + 1)), false);
    }
    state.remember("new", None, event(99, None), false);
    let all = state.clone().encode(100, 1 << 14).unwrap();
    assert_eq!(SessionState::decode(&all).unwrap().memory.len(), 51);
    let some = SessionState::decode(&state.clone().encode(100, 300).unwrap()).unwrap();
    assert!(some.memory.len() < 51 && some.events("new", None, 100).count() == 1);
    // The oldest expired events went first.
    assert_eq!(some.memory.last().unwrap().key.as_deref(), Some("049"));
    assert_eq!(state.encode(100, 10), Err(SessionFull));
}

#[test]
fn what_still_counts_is_never_forgotten() {
    let mut state = SessionState::default();
    for n in 0..100 {
        state.remember("live", Some(format!("{n:03}")), event(n, None), false);
    }
    assert_eq!(state.encode(1000, 500), Err(SessionFull));
}

#[test]
fn refuses_other_versions_and_damage() {
    assert_eq!(SessionState::decode(&[]), None);
    assert_eq!(SessionState::decode(&[2, 0, 0]), None);
    let bytes = SessionState::default().encode(5, 100).unwrap();
    assert!(SessionState::decode(&bytes).is_some());
    assert_eq!(SessionState::decode(&bytes[..bytes.len() - 1]), None);
}
