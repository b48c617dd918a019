//! Decisions, warm, side by side: native and in the component, few rules and many, against reading the call with
//! `serde_json`. Compare ratios within one run; machines differ and are noisy.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use placet::artifact::Guest;
use placet::compile::{Source, compile_sources};
use placet::runtime::{Budget, Component, ComponentPolicy, DecisionPoint as _, Target, Trust};
use placet_model::Facts;

const CALL: &[u8] = br#"{"tool":"svc0.pay","args":{"amount":120.5,"region":"eu","note":"order 1"},"agent":{"id":"support-bot","roles":["finance"]},"tenant":"acme","session":{"id":"s-1"},"now":"2026-11-21T09:00:00Z"}"#;

/// A policy with so many rules, of which two concern the call.
fn bundle(rules: usize) -> Vec<u8> {
    let mut text = "policy: bench\nrules:\n".to_owned();
    for n in 0..rules / 2 {
        let _ = writeln!(
            text,
            "  - {{id: a{n}, tools: [svc{n}.pay], args: {{amount: {{max: 500}}, region: any, note: any}}, outcome: allow}}"
        );
        let _ = writeln!(
            text,
            "  - {{id: b{n}, tools: ['svc{n}.*'], when: \"args.amount > 500 && env == 'prod'\", outcome: escalate}}"
        );
    }
    let outcome = compile_sources(vec![Source { name: "bench.yaml".to_owned(), text }]);
    let (set, _) = outcome.policy.expect("the policy compiles");
    placet_bundle::encode(&set).expect("it fits a bundle")
}

fn decisions(criterion: &mut Criterion) {
    let component = Arc::new(Component::new(Budget::default()).expect("Wasmtime runs here"));
    let targets = [("native", Target::Native), ("component", Target::Component(component))];
    let mut group = criterion.benchmark_group("decide");
    for rules in [100, 10_000] {
        let bundle = bundle(rules);
        for (name, target) in &targets {
            let point = target.open(&bundle, &Trust::default());
            let decision = point.decide(CALL, &Facts::default());
            assert_eq!(decision.verdict.as_str(), "allow", "{}", decision.reason);
            group.bench_function(format!("{name}, {rules} rules"), |bencher| {
                bencher.iter(|| point.decide(black_box(CALL), &Facts::default()));
            });
        }
    }
    group.finish();
    criterion.bench_function("serde_json::Value from the call, for comparison", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(CALL)));
    });
}

/// What a gateway pays that makes an instance for each request: with the policy inside, and loading it first.
fn instances(criterion: &mut Criterion) {
    let plain = Arc::new(Component::new(Budget::default()).expect("Wasmtime runs here"));
    let mut group = criterion.benchmark_group("a new instance and one decision");
    for rules in [10, 100, 10_000] {
        let bundle = bundle(rules);
        let artifact = Guest::of("component").expect("there is one").build(&bundle).expect("it opens");
        let inside =
            Arc::new(Component::from_wasm(&artifact.wasm, Budget::default()).expect("Wasmtime runs here"));
        let decide = |point: ComponentPolicy| {
            let decision = point.decide(black_box(CALL), &Facts::default());
            assert_eq!(decision.verdict.as_str(), "allow", "{}", decision.reason);
        };
        group.bench_function(format!("the policy inside, {rules} rules"), |bencher| {
            bencher.iter(|| decide(ComponentPolicy::carried(inside.clone())));
        });
        group.bench_function(format!("the bundle loaded, {rules} rules"), |bencher| {
            bencher.iter(|| decide(ComponentPolicy::open(plain.clone(), &bundle, &Trust::default())));
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, instances);
criterion_main!(benches);
