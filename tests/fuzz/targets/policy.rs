//! Any text as a policy file.
#![no_main]

#[path = "../../../host/src/compile/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the host uses all of it")]
mod compile;

use compile::{Severity, Source, compile_sources};
use libfuzzer_sys::fuzz_target;
use placet_pdp::{Pdp, Trust};

fuzz_target!(|text: &str| {
    // A policy may name files beside it; what is on this machine is no part of the input.
    if text.contains("$schema") {
        return;
    }
    let outcome = compile_sources(vec![Source { name: "policy.yaml".to_owned(), text: text.to_owned() }]);
    for diagnostic in &outcome.diagnostics {
        assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic:?}");
    }
    let broken = outcome.diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert!(!broken || outcome.policy.is_none(), "{:?}", outcome.diagnostics);
    if let Some((set, _)) = outcome.policy {
        let bytes = placet_bundle::encode(&set).unwrap();
        let pdp = Pdp::open(&bytes, &Trust::default());
        assert_eq!(pdp.refusal(), None);
    }
});
