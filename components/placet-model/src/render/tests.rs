use super::*;
use crate::decision::Code;
use crate::json::Json;
use crate::time::Timestamp;

#[test]
fn amounts() {
    for (number, text) in [
        (Number::Double(0.02), Some("0.02")),
        (Number::Double(0.1), Some("0.1")),
        (Number::Double(1e-9), Some("0.000001")),
        (Number::Double(5e-324), Some("0.000001")),
        (Number::Double(0.0000011), Some("0.000002")),
        (Number::Double(0.999_999_9), Some("1")),
        (Number::Double(1e3), Some("1000")),
        (Number::Int(5000), Some("5000")),
        (Number::Int(0), Some("0")),
        (Number::Double(-0.0), Some("0")),
        (Number::Double(499.99), Some("499.99")),
        (Number::Int(18_446_744_073_709), Some("18446744073709")),
        (Number::Double(18_446_744_073_709.5), Some("18446744073709.5")),
        (Number::Double(18_446_744_073_709.6), None),
        (Number::Int(18_446_744_073_710), None),
        (Number::Int(-1), None),
        (Number::Double(-0.01), None),
        (Number::Double(1e14), None),
        (Number::Double(1e308), None),
        (Number::Double(f64::NAN), None),
        (Number::Double(f64::INFINITY), None),
        (Number::Uint(u64::MAX), None),
    ] {
        assert_eq!(Amount::from_number(number).map(|a| a.to_string()).as_deref(), text, "{number:?}");
    }
}

#[test]
fn decisions() {
    let mut decision = Decision::deny(Code::DefaultDeny, "no rule \"allows\" it\n", "ab12");
    let check = |decision: &Decision, expected: &str| {
        let mut out = String::new();
        decision.write_json(&mut out);
        assert_eq!(out, expected);
        assert!(Json::parse(out.as_bytes(), 1 << 20, 16).is_ok());
    };
    check(
        &decision,
        r#"{"verdict":"deny","code":"default-deny","rules":[],"reason":"no rule \"allows\" it\n","obligations":[],"policy":"ab12"}"#,
    );
    decision.approvals = vec![Approval {
        rule: "team/big".into(),
        approvers: vec!["role:lead".into(), "ann".into()],
        quorum: 2,
        timeout_ms: 900_000,
        notify: vec!["slack:fin".into()],
    }];
    check(
        &decision,
        r#"{"verdict":"deny","code":"default-deny","rules":[],"reason":"no rule \"allows\" it\n","obligations":[],"policy":"ab12"}"#,
    );
    decision.verdict = Verdict::Escalate;
    decision.code = Code::ApprovalRequired;
    decision.rules = vec!["team/big".into()];
    decision.reason = "ask".into();
    decision.obligations = vec![
        Obligation::Redact { fields: vec!["a.b".into()] },
        Obligation::Mask { fields: vec!["c".into()], keep: 4 },
        Obligation::CapRows { max: 100 },
        Obligation::Notify { channels: vec![] },
        Obligation::SignMemory,
    ];
    decision.shadow = vec![Shadow {
        layer: "trial".into(),
        verdict: Verdict::Deny,
        code: Code::Denied,
        rules: vec!["trial/x".into()],
    }];
    let obligations = r#"[{"kind":"redact","fields":["a.b"]},{"kind":"mask","fields":["c"],"keep":4},{"kind":"cap_rows","max":100},{"kind":"notify","channels":[]},{"kind":"sign_memory"}]"#;
    let approval = r#"[{"rule":"team/big","approvers":["role:lead","ann"],"quorum":2,"timeout_ms":900000,"notify":["slack:fin"]}]"#;
    let shadow = r#"[{"layer":"trial","verdict":"deny","code":"denied","rules":["trial/x"]}]"#;
    check(
        &decision,
        &format!(
            r#"{{"verdict":"escalate","code":"approval-required","rules":["team/big"],"reason":"ask","obligations":{obligations},"approval":{approval},"shadow":{shadow},"policy":"ab12"}}"#
        ),
    );
}

#[test]
fn deltas() {
    let mut delta = Delta { at: Timestamp { seconds: 0, nanos: 5_000_000 }, ..Delta::default() };
    let check = |delta: &Delta, expected: &str| {
        let mut out = String::new();
        delta.write_json(&mut out);
        assert_eq!(out, expected);
    };
    check(&delta, r#"{"charges":[],"settlements":[],"session_bytes":null,"at":"1970-01-01T00:00:00.005Z"}"#);
    delta.session = Some(vec![1, 2, 3]);
    delta.charges = vec![Charge {
        limit: "team/l".into(),
        key: "k".into(),
        amount: Amount(20_000),
        ceiling: Amount(5_000_000_000),
        window_ms: 1000,
        exceeded: Exceeded::Quarantine,
        allow_if_unavailable: true,
    }];
    delta.settlements = vec![Settlement {
        limit: "team/l".into(),
        key: "k".into(),
        reserved: Amount::ONE,
        actual: Amount(1),
        window_ms: 1000,
    }];
    check(
        &delta,
        r#"{"charges":[{"limit":"team/l","key":"k","amount":"0.02","ceiling":"5000","window_ms":1000,"exceeded":"quarantine","on_unavailable":"allow"}],"settlements":[{"limit":"team/l","key":"k","reserved":"1","actual":"0.000001","window_ms":1000}],"session_bytes":3,"at":"1970-01-01T00:00:00.005Z"}"#,
    );
}
