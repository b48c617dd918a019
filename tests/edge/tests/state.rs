//! The component for Spin, request by request in instances of their own: sessions, limits, and stores of every manner.

mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use placet_edge_world::{Manner, Store};
use world::World;

const MANNERS: [Manner; 4] = [Manner::Exact, Manner::Overwrites, Manner::Pessimist, Manner::Optimist];

/// A refund that the limit of five a minute counts.
fn refund(second: u32) -> String {
    let args = r#"{"amount":1,"currency":"USD","customer":"c-1","reason":"late"}"#;
    let agent = r#"{"id":"support-bot","roles":["finance"]}"#;
    format!(
        r#"{{"tool":"payments.refund","args":{args},"agent":{agent},"tenant":"acme","now":"2026-11-21T09:00:{second:02}Z"}}"#
    )
}

#[test]
fn a_session_remembers_from_request_to_request() {
    for manner in MANNERS {
        let world = World::new(Store::new(manner));
        let pay = |session: &str| {
            let args = r#"{"payee":"acme-supplies","amount":10,"currency":"USD"}"#;
            world.call("payments.pay", args, session).verdict_and_code()
        };
        let denied = ("deny".to_owned(), "denied".to_owned());
        assert_eq!(pay("one"), denied, "{manner:?}");
        let verified = world.call("payees.verify", r#"{"payee":"acme-supplies"}"#, "one");
        assert_eq!(verified.verdict(), "allow", "{manner:?}: {verified:?}");
        assert_eq!(pay("one").0, "allow", "{manner:?}");
        assert_eq!(pay("two"), denied, "{manner:?}: another session knows nothing of it");
        assert_eq!(world.reached(), ["payees.verify", "payments.pay"], "{manner:?}");
    }
}

#[test]
fn a_limit_is_exact_however_many_call_at_once() {
    for manner in MANNERS {
        let world = World::new(Store::new(manner));
        let allowed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..4 {
                        let answer = world.decide(&refund(0));
                        match answer.verdict_and_code() {
                            (verdict, _) if verdict == "allow" => {
                                allowed.fetch_add(1, Ordering::Relaxed);
                            }
                            (_, code) => assert_eq!(code, "limit-exceeded", "{manner:?}: {answer:?}"),
                        }
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 5, "{manner:?}");
        assert_eq!(world.decide(&refund(59)).verdict(), "deny", "{manner:?}: within the window");
    }
}

#[test]
fn a_window_slides() {
    let world = World::new(Store::new(Manner::Overwrites));
    for second in [0, 1, 2, 3, 4] {
        assert_eq!(world.decide(&refund(second)).verdict(), "allow", "{second}");
    }
    assert_eq!(world.decide(&refund(5)).verdict(), "deny");
    let next = refund(0).replace("09:00:00", "09:01:00");
    assert_eq!(world.decide(&next).verdict(), "allow", "the first charge no longer counts");
    assert_eq!(world.decide(&next).verdict(), "deny");
}

#[test]
fn without_a_store_what_needs_state_is_denied() {
    for (what, world) in [
        ("down", World::new(Store::new(Manner::Down))),
        ("another label", World::with(Store::new(Manner::Exact), &[("state_store", "elsewhere")])),
    ] {
        let unavailable = ("deny".to_owned(), "state-unavailable".to_owned());
        assert_eq!(world.decide(&refund(0)).verdict_and_code(), unavailable, "{what}");
        let args = r#"{"payee":"acme-supplies","amount":10,"currency":"USD"}"#;
        assert_eq!(world.call("payments.pay", args, "one").verdict(), "deny", "{what}");
        // It is remembered in a session; without one there is nothing to write.
        assert_eq!(world.call("crm.search", r#"{"query":"a"}"#, "one").verdict(), "deny", "{what}");
        assert_eq!(world.call("crm.search", r#"{"query":"a"}"#, "").verdict(), "allow", "{what}");
        assert_eq!(world.reached(), ["crm.search"], "{what}");
    }
}

/// A key is written for the first time by whoever holds its ticket; one that was taken and not used expires.
#[test]
fn a_ticket_that_was_not_used_expires() {
    let learn = Store::new(Manner::Exact);
    let world = World::new(learn.clone());
    assert_eq!(world.decide(&refund(0)).verdict(), "allow");
    let tickets: Vec<String> = learn.keys().into_iter().filter(|key| key.contains("/new/")).collect();
    let [ticket] = tickets.as_slice() else { panic!("one key was written: {tickets:?}") };
    let (name, span) = ticket.rsplit_once('/').expect("a ticket has a span");
    let span: i64 = span.parse().expect("a span is a number");
    for (taken, verdicts) in [(0, "deny"), (1, "deny"), (2, "allow"), (3, "allow")] {
        let store = Store::new(Manner::Exact);
        store.increment(&format!("{name}/{}", span - taken), 1).expect("the store is up");
        let world = World::new(store);
        let answer = world.decide(&refund(0));
        assert_eq!(answer.verdict(), verdicts, "{taken} spans ago: {answer:?}");
    }
}

#[test]
fn what_was_decided_is_what_reaches_the_server() {
    let world = World::new(Store::new(Manner::Overwrites));
    let args = r#"{"amount":1,"currency":"USD","customer":"c-1","reason":"late"}"#;
    let verdicts: Vec<String> = (0..8).map(|_| world.call("payments.refund", args, "s").verdict()).collect();
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "allow").count(), 5, "{verdicts:?}");
    assert_eq!(world.reached(), ["payments.refund"; 5]);
}
