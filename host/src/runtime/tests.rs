//! The component against the native engine, and everything that can go wrong with it.

mod sample;

use std::sync::Mutex;
use std::time::Duration;

use placet_model::{Answer, Code, SessionFact, Verdict};
use sample::{Random, bundle, call, random_call};

use super::*;
use crate::store::{Commit, CommitResult, MemoryStore, StateStore, StoredSession, Unavailable};

fn component(budget: Budget) -> Target {
    Target::Component(Arc::new(Component::new(budget).unwrap()))
}

fn small() -> Budget {
    Budget { instances: 4, ..Budget::default() }
}

fn service(target: &Target, store: Arc<dyn StateStore>) -> DecisionService {
    let point = target.open(&bundle(), &Trust::default());
    assert_eq!(point.refusal(), None);
    DecisionService::new(PolicyHandle::new(point), store)
}

fn text(decision: &Decision) -> String {
    let mut out = String::new();
    decision.write_json(&mut out);
    decision.delta.write_json(&mut out);
    out
}

#[test]
fn the_component_decides_as_the_native_engine_does() {
    let bundle = bundle();
    let started = std::time::Instant::now();
    let target = component(small());
    let compiled = started.elapsed();
    let in_wasm = target.open(&bundle, &Trust::default());
    let native = Target::Native.open(&bundle, &Trust::default());
    assert_eq!(in_wasm.describe(), native.describe());
    let mut random = Random(1);
    let tools: Vec<String> = ["a.read", "a.limited", "b.secret", "none"].map(str::to_owned).to_vec();
    let mut session: Option<Vec<u8>> = None;
    let mut codes = std::collections::BTreeSet::new();
    for n in 0..3_000 {
        let call = random_call(&mut random);
        let facts = Facts {
            session: match (&session, n % 11) {
                (_, 0) => SessionFact::Unavailable,
                (Some(state), _) => SessionFact::Stored(state),
                (None, _) => SessionFact::Fresh,
            },
            answer: match n % 7 {
                0 => Answer::Exceeded(vec!["org/rate".to_owned()]),
                1 => Answer::Unavailable,
                2 => Answer::Taken,
                _ => Answer::NotAsked,
            },
        };
        let (a, b) = (in_wasm.decide(&call, &facts), native.decide(&call, &facts));
        assert_eq!(a, b, "{}", String::from_utf8_lossy(&call));
        assert_eq!(text(&a), text(&b));
        codes.insert(a.code);
        if n % 50 == 0 {
            assert_eq!(in_wasm.list_tools(&call, &facts, &tools), native.list_tools(&call, &facts, &tools));
        }
        session = if n % 40 == 0 { None } else { a.delta.session.or(session) };
    }
    assert!(codes.len() >= 6, "the calls are too much alike: {codes:?}");
    println!("compiled in {compiled:?}, then 6,000 decisions until {:?}", started.elapsed());
}

#[test]
fn what_the_engine_may_not_use_up() {
    let ordinary = call("a.read", "{}");
    // No time at all for decisions: loading works, deciding does not, and the next instance is no better.
    let target = component(Budget { decision: Duration::ZERO, ..small() });
    let point = target.open(&bundle(), &Trust::default());
    for _ in 0..10 {
        let decision = point.decide(&ordinary, &Facts::default());
        assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::EngineTimeout));
        assert_eq!(decision.policy, point.describe().digest);
    }
    assert!(!point.list_tools(&ordinary, &Facts::default(), &["a.read".to_owned()])[0].visible);

    // A call too large for the instance's memory is denied; the next one finds a new instance.
    let target = component(Budget { memory: 4 << 20, ..small() });
    let point = target.open(&bundle(), &Trust::default());
    let large = call("a.read", &format!("{{\"x\": \"{}\"}}", "x".repeat(8 << 20)));
    for _ in 0..10 {
        assert_eq!(point.decide(&large, &Facts::default()).code, Code::EngineMemory);
        assert_eq!(point.decide(&ordinary, &Facts::default()).code, Code::Allowed);
    }

    // No memory for the policy itself.
    let target = component(Budget { memory: 64 << 10, ..small() });
    match target {
        Target::Component(component) => {
            let point = ComponentPolicy::open(component, &bundle(), &Trust::default());
            assert!(point.refusal().is_some());
            assert_eq!(point.decide(&ordinary, &Facts::default()).verdict, Verdict::Deny);
        }
        Target::Native => unreachable!(),
    }
}

#[test]
fn a_component_that_traps_denies() {
    let wasm = sample::trapping_component();
    let component = Arc::new(Component::from_wasm(&wasm, small()).unwrap());
    let point = ComponentPolicy::open(component, &bundle(), &Trust::default());
    assert!(point.refusal().is_some());
    for _ in 0..20 {
        let decision = point.decide(&call("a.read", "{}"), &Facts::default());
        assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::EngineTrap));
    }
    for (what, wasm) in [("empty", &b""[..]), ("not wasm", b"\0asm"), ("a module", b"\0asm\x01\0\0\0")] {
        assert!(Component::from_wasm(wasm, small()).is_err(), "{what}");
    }
}

#[test]
fn a_bundle_that_was_tampered_with_denies_everything() {
    let good = bundle();
    let ordinary = call("a.read", "{}");
    let target = component(small());
    let signed = placet_bundle::sign(&good, &[3; 32]).unwrap();
    let key = placet_bundle::public_key(&[3; 32]);
    let check = |bytes: &[u8], keys: &[[u8; 32]], what: String, codes: &[Code]| {
        let trust = Trust { keys: keys.to_vec() };
        let native = Target::Native.open(bytes, &trust).decide(&ordinary, &Facts::default());
        assert!(codes.contains(&native.code), "{what}: {:?}", native.code);
        native
    };
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, &[], format!("byte {at}"), &[Code::BundleInvalid]);
    }
    for at in 0..signed.len() {
        let mut bytes = signed.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, &[key], format!("signed, byte {at}"), &[Code::BundleInvalid, Code::BundleUntrusted]);
    }
    type Case<'a> = (&'a str, &'a [u8], &'a [[u8; 32]], Code);
    let cases: [Case<'_>; 6] = [
        ("untouched", &good, &[], Code::Allowed),
        ("signed and trusted", &signed, &[key], Code::Allowed),
        ("signed, nobody asks", &signed, &[], Code::Allowed),
        ("unsigned", &good, &[key], Code::BundleUntrusted),
        ("of a stranger", &signed, &[placet_bundle::public_key(&[4; 32])], Code::BundleUntrusted),
        ("cut short", &signed[..signed.len() / 2], &[key], Code::BundleInvalid),
    ];
    for (what, bytes, keys, code) in cases {
        let native = check(bytes, keys, what.to_owned(), &[code]);
        let in_wasm = target.open(bytes, &Trust { keys: keys.to_vec() });
        assert_eq!(in_wasm.decide(&ordinary, &Facts::default()), native, "{what}");
    }
}

#[test]
fn a_policy_is_swapped_between_decisions_and_kept_when_the_next_is_broken() {
    let target = component(small());
    let handle = PolicyHandle::new(target.open(&bundle(), &Trust::default()));
    let before = handle.get();
    let error = handle.replace(target.open(b"nonsense", &Trust::default())).unwrap_err();
    assert!(error.contains("does not begin like a policy bundle"), "{error}");
    assert_eq!(handle.get().describe(), before.describe());
    handle.replace(target.open(&sample::other_bundle(), &Trust::default())).unwrap();
    assert_ne!(handle.get().describe().digest, before.describe().digest);
    // Who has taken the old one goes on with it.
    assert_eq!(before.decide(&call("a.read", "{}"), &Facts::default()).code, Code::Allowed);
    assert_eq!(handle.get().decide(&call("a.read", "{}"), &Facts::default()).code, Code::DefaultDeny);
}

#[test]
fn limits_hold_under_concurrency() {
    for target in [component(small()), Target::Native] {
        let service = service(&target, Arc::new(MemoryStore::default()));
        let allowed = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let decision = service.decide(&call("a.limited", "{}"), false);
                        match decision.verdict {
                            Verdict::Allow => *allowed.lock().unwrap() += 1,
                            _ => assert_eq!(decision.code, Code::LimitExceeded, "{decision:?}"),
                        }
                        assert_eq!(decision.delta.charges, []);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner().unwrap(), 3);
    }
}

#[test]
fn memory_goes_from_call_to_call() {
    let service = service(&Target::Native, Arc::new(MemoryStore::default()));
    let decide = |tool: &str, dry: bool| service.decide(&call(tool, "{}"), dry).code;
    assert_eq!(decide("b.after", false), Code::DefaultDeny);
    assert_eq!(decide("a.mark", true), Code::Allowed);
    assert_eq!(decide("b.after", false), Code::DefaultDeny, "a dry run remembers nothing");
    let first = service.decide_on_state(&call("a.mark", "{}"), false);
    let next = service.decide_on_state(&call("b.after", "{}"), false);
    assert_eq!(next.decision.code, Code::Allowed);
    assert!(next.state_version > first.state_version);
}

/// A store that does as it is told.
struct Scripted {
    readable: bool,
    results: Mutex<Vec<CommitResult>>,
}

impl StateStore for Scripted {
    fn read_session(&self, _: &str, _: &str) -> Result<Option<StoredSession>, Unavailable> {
        if self.readable { Ok(None) } else { Err(Unavailable) }
    }

    fn commit(&self, _: &Commit<'_>) -> CommitResult {
        self.results.lock().unwrap().pop().unwrap_or(CommitResult::Unavailable)
    }
}

#[test]
fn a_store_that_fails_widens_nothing() {
    use CommitResult::{Conflict, Done, Exceeded, Unavailable};
    let rate = || Exceeded(vec!["org/rate".to_owned()]);
    let cases: [(&str, &str, bool, Vec<CommitResult>, Code); 9] = [
        ("no state needed", "a.read", true, vec![], Code::Allowed),
        ("charges cannot be taken", "a.limited", true, vec![], Code::StateUnavailable),
        ("the policy lets it pass", "a.lenient", true, vec![], Code::Allowed),
        ("nothing can be read", "b.after", false, vec![], Code::StateUnavailable),
        ("nothing can be remembered", "a.mark", true, vec![], Code::StateUnavailable),
        ("taken", "a.limited", true, vec![Done], Code::Allowed),
        ("a lost race is run again", "a.mark", true, vec![Done, Conflict, Conflict], Code::Allowed),
        ("exceeded", "a.limited", true, vec![Done, rate()], Code::LimitExceeded),
        ("always a lost race", "a.mark", true, vec![Conflict; 1_000], Code::StateUnavailable),
    ];
    for (what, tool, readable, results, code) in cases {
        let service = service(&Target::Native, Arc::new(Scripted { readable, results: Mutex::new(results) }));
        let decision = service.decide(&call(tool, "{}"), false);
        assert_eq!(decision.code, code, "{what}: {decision:?}");
        assert_eq!(decision.verdict == Verdict::Allow, code == Code::Allowed, "{what}");
    }
    assert_eq!(Unavailable, CommitResult::Unavailable);
}

#[test]
fn what_is_not_a_call_is_denied() {
    let service = service(&component(small()), Arc::new(MemoryStore::default()));
    for input in ["", "null", "[]", "{", "{}", "{\"tool\":1}", "\u{1F980}", "{\"tool\":\"a\",\"tool\":\"b\"}"]
    {
        let decision = service.decide(input.as_bytes(), false);
        assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::BadRequest), "{input}");
    }
    for input in [vec![0xff; 10], vec![b'['; 100_000], vec![b' '; 3 << 20]] {
        assert_eq!(service.decide(&input, false).code, Code::BadRequest);
    }
}
