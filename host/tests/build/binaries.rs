//! The binaries themselves: they decide by the policy inside them, and changing one is noticed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use placet::artifact::{GUESTS, Guest, Proof, Stamp, VerifyError, verify};
use placet::policy::load;
use placet::runtime::{Budget, Component, ComponentPolicy, DecisionPoint as _, Target, Trust};
use placet_model::{Answer, Facts, SessionFact};
use wasm_encoder::{CustomSection, Section as _};

use crate::{policies, root};

fn bundle(path: &Path) -> Vec<u8> {
    load(path).unwrap().bundle
}

fn built(bundle: &[u8]) -> Vec<Vec<u8>> {
    GUESTS.iter().map(|guest| guest.build(bundle).unwrap().wasm).collect()
}

fn component() -> &'static Guest {
    Guest::of("component").unwrap()
}

fn run(wasm: &[u8]) -> ComponentPolicy {
    ComponentPolicy::carried(Arc::new(Component::from_wasm(wasm, Budget::default()).unwrap()))
}

/// Calls by principals of several kinds, of which each policy below knows some.
fn calls() -> Vec<Vec<u8>> {
    let tools = [
        ("crm.read", "{}"),
        ("crm.search", r#"{"query":"x"}"#),
        ("payments.pay", r#"{"payee":"p-1","amount":12.5,"currency":"EUR"}"#),
        ("payments.refund", r#"{"amount":700,"currency":"USD","customer":"c","reason":"late"}"#),
        ("email.send", r#"{"to":["x@example.com"],"subject":"s","body":"b"}"#),
        ("admin.drop_database", "{}"),
        ("tick", r#"{"k":"a"}"#),
        ("sum", r#"{"k":"a"}"#),
        ("pay", r#"{"payee":"p-1"}"#),
        ("pay", r#"{"payee":1e400}"#),
    ];
    let mut calls = vec![b"not a call".to_vec(), Vec::new()];
    for (tool, args) in tools {
        for (tenant, role) in [("acme", "finance"), ("acme", "support"), ("other", "finance")] {
            calls.push(
                format!(
                    r#"{{"tool":"{tool}","args":{args},"agent":{{"id":"bot","roles":["{role}"]}},"tenant":"{tenant}","session":{{"id":"s-1"}},"now":"2026-11-21T09:00:00Z"}}"#
                )
                .into_bytes(),
            );
        }
    }
    calls
}

#[test]
fn the_component_decides_by_the_policy_inside_it() {
    let conformance = root().join("tests/conformance/policies");
    let mut verdicts = BTreeSet::new();
    for path in [
        policies(),
        conformance.join("memory/policy.yaml"),
        conformance.join("limits/policy.yaml"),
        conformance.join("roles/policy.yaml"),
    ] {
        let bundle = bundle(&path);
        let native = Target::Native.open(&bundle, &Trust::default());
        let artifact = component().build(&bundle).unwrap();
        let inside = run(&artifact.wasm);
        assert_eq!(inside.refusal(), None);
        assert_eq!(inside.describe(), native.describe());
        assert_eq!(inside.describe().digest, artifact.stamp.policy);
        let mut session = None::<Vec<u8>>;
        for call in calls() {
            for answer in [Answer::NotAsked, Answer::Exceeded(vec!["team/payment-rate".to_owned()])] {
                let fact = session.as_deref().map_or(SessionFact::Fresh, SessionFact::Stored);
                let facts = Facts { session: fact, answer };
                let (a, b) = (inside.decide(&call, &facts), native.decide(&call, &facts));
                assert_eq!(a, b, "{}: {}", path.display(), String::from_utf8_lossy(&call));
                verdicts.insert(a.verdict.as_str());
                session = a.delta.session.or(session);
            }
        }
    }
    assert_eq!(verdicts.len(), 3, "the calls are too much alike: {verdicts:?}");
}

/// An instance with the policy inside decides before one that has to load it, and so at less cost.
#[test]
fn opening_costs_nothing_when_an_instance_starts() {
    let bundle = bundle(&policies());
    let built = component().build(&bundle).unwrap();
    let compiling = Instant::now();
    let inside = Arc::new(Component::from_wasm(&built.wasm, Budget::default()).unwrap());
    let compiling = compiling.elapsed();
    let plain = Arc::new(Component::new(Budget::default()).unwrap());
    let call = &calls()[2];
    // The best of many: what else the machine does is not what is measured.
    let best = |start: &dyn Fn() -> ComponentPolicy| {
        let time = |_| {
            let begun = Instant::now();
            let point = start();
            assert_eq!(point.decide(call, &Facts::default()).policy, built.stamp.policy);
            begun.elapsed()
        };
        (0..50).map(time).min().unwrap()
    };
    let carried = best(&|| ComponentPolicy::carried(inside.clone()));
    let loaded = best(&|| ComponentPolicy::open(plain.clone(), &bundle, &Trust::default()));
    println!("compiled in {compiling:?}; an instance and a decision: {carried:?} carried, {loaded:?} loaded");
    assert!(carried < loaded, "{carried:?} with the policy inside, {loaded:?} when it is loaded");
}

#[test]
fn a_component_without_a_policy_carries_none() {
    let point = run(placet::runtime::COMPONENT);
    assert!(point.refusal().is_some_and(|why| why.contains("carries no policy")));
    assert_eq!(point.decide(&calls()[2], &Facts::default()).code.as_str(), "engine-missing");
}

#[test]
fn what_a_component_carries_can_be_replaced() {
    let wasm = component().build(&bundle(&policies())).unwrap().wasm;
    let other = bundle(&root().join("tests/conformance/policies/memory/policy.yaml"));
    let target = Target::Component(Arc::new(Component::from_wasm(&wasm, Budget::default()).unwrap()));
    let native = Target::Native.open(&other, &Trust::default());
    assert_eq!(target.open(&other, &Trust::default()).describe(), native.describe());
}

#[test]
fn every_bundle_of_one_policy_gives_its_digest() {
    let plain = bundle(&policies());
    let signed = placet_bundle::sign(&plain, &[7; 32]).unwrap();
    for guest in GUESTS {
        let [a, b] = [&plain, &signed].map(|bundle| guest.build(bundle).unwrap());
        assert_eq!(a.stamp.policy, b.stamp.policy);
        assert_eq!((a.stamp.signed_by.is_none(), b.stamp.signed_by.is_some()), (true, true));
        assert_eq!(Stamp::read(&a.wasm).unwrap(), (a.stamp, plain.as_slice()));
        assert!(a.wasm != b.wasm, "the signature is not in it");
    }
    assert!(component().build(b"not a bundle").is_err());
}

/// The exports that open a policy are gone, and with them any way to write into the module's memory beforehand.
#[test]
fn what_opens_a_policy_is_not_exported() {
    for (guest, wasm) in GUESTS.iter().zip(built(&bundle(&policies()))) {
        for name in ["placet_buffer", "placet_open"] {
            let there = wasm.windows(name.len()).any(|bytes| bytes == name.as_bytes());
            assert!(!there, "{} exports {name}", guest.file());
        }
    }
}

#[test]
fn changes_are_noticed() {
    let bundle = placet_bundle::sign(&bundle(&policies()), &[7; 32]).unwrap();
    let trust = Trust { keys: vec![placet_bundle::public_key(&[7; 32])] };
    for guest in GUESTS {
        let artifact = guest.build(&bundle).unwrap();
        let fine = verify(&artifact.wasm, &trust).unwrap();
        assert_eq!((fine.proof, &fine.stamp), (Proof::Reproduced, &artifact.stamp));

        // A byte of code or of memory, here and there; the reason of a rule, so that it says something else.
        let at = |what: &[u8]| artifact.wasm.windows(what.len()).position(|bytes| bytes == what).unwrap();
        for place in [at(b"Agents do not administer"), at(b"\0asm") + 200, artifact.wasm.len() / 3] {
            let mut changed = artifact.wasm.clone();
            changed[place] ^= 1;
            let refused = verify(&changed, &trust);
            assert!(refused.is_err(), "{} at {place}: {refused:?}", guest.file());
        }
        let end = artifact.wasm.len() - section_of(&artifact.stamp).len();
        for (what, stamp) in stamps(&artifact.stamp) {
            let changed = [&artifact.wasm[..end], &section_of(&stamp)].concat();
            let refused = verify(&changed, &trust).map(|verified| verified.proof);
            match what {
                // Nobody here has that guest: nothing is proven, and `inspect --verify-key` refuses.
                "guest" if guest.kind == "component" => assert_eq!(refused.unwrap(), Proof::Described),
                "guest" => assert_eq!(refused.unwrap(), Proof::Unproven),
                _ => assert!(refused.is_err(), "{}: {what}", guest.file()),
            }
        }
        let again = [artifact.wasm.as_slice(), &section_of(&artifact.stamp)].concat();
        assert!(matches!(verify(&again, &trust), Err(VerifyError::Stamp(_))), "a second stamp");
        let none = &artifact.wasm[..end];
        assert!(matches!(verify(none, &trust), Err(VerifyError::Stamp(_))), "no stamp");
    }
}

/// Other policies, with a stamp and a bundle that say nothing of it.
#[test]
fn another_policy_inside_is_noticed() {
    let (good, bad) =
        (bundle(&policies()), bundle(&root().join("tests/conformance/policies/memory/policy.yaml")));
    let [honest, other] = [&good, &bad].map(|bundle| component().build(bundle).unwrap());
    // The memory of the one, and what the other says of itself.
    let said = section("placet-bundle", &bad).len() + section_of(&other.stamp).len();
    let body = &other.wasm[..other.wasm.len() - said];
    let mut stamp = honest.stamp.clone();
    for (guest, expected) in [(stamp.guest.clone(), "was changed"), ("0".repeat(64), "decides by the policy")]
    {
        stamp.guest = guest;
        let mut forged = body.to_vec();
        forged.extend(section("placet-bundle", &good));
        forged.extend(section_of(&stamp));
        let refused = verify(&forged, &Trust::default()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

fn section_of(stamp: &Stamp) -> Vec<u8> {
    section("placet", &serde_json::to_vec(stamp).unwrap())
}

fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    CustomSection { name: name.into(), data: data.into() }.append_to(&mut bytes);
    bytes
}

/// A stamp with one thing changed each.
fn stamps(of: &Stamp) -> Vec<(&'static str, Stamp)> {
    vec![
        (
            "kind",
            Stamp { kind: "gateway".to_owned(), guest: String::new(), policy: "0".repeat(64), ..of.clone() },
        ),
        ("engine", Stamp { engine: "9.9.9".to_owned(), ..of.clone() }),
        ("format", Stamp { format: of.format + 1, ..of.clone() }),
        ("policy", Stamp { policy: "0".repeat(64), ..of.clone() }),
        ("signer", Stamp { signed_by: Some("0".repeat(64)), ..of.clone() }),
        ("no signer", Stamp { signed_by: None, ..of.clone() }),
        ("guest", Stamp { guest: "0".repeat(64), ..of.clone() }),
    ]
}
