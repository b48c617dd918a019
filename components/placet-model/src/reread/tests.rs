use super::*;

fn full() -> Decision {
    let mut decision = Decision::deny(Code::ApprovalRequired, "why \"not\"\n", "ab12");
    decision.verdict = Verdict::Escalate;
    decision.rules = vec!["org/a".to_owned(), "team/b".to_owned()];
    let fields = || vec!["a.b".to_owned(), "rows.*.c".to_owned()];
    decision.obligations = vec![
        Obligation::Redact { fields: fields() },
        Obligation::Mask { fields: fields(), keep: 4 },
        Obligation::CapRows { max: u64::MAX },
        Obligation::Notify { channels: vec!["slack:x".to_owned()] },
        Obligation::SignMemory,
    ];
    decision.approvals = vec![Approval {
        rule: "org/a".to_owned(),
        approvers: vec!["role:cfo".to_owned()],
        quorum: 2,
        timeout_ms: 900_000,
        notify: vec![],
    }];
    let rules = vec!["new/x".to_owned()];
    decision.shadow =
        vec![Shadow { layer: "new".to_owned(), verdict: Verdict::Deny, code: Code::Denied, rules }];
    decision
}

fn text(decision: &Decision) -> String {
    let mut text = String::new();
    decision.write_json(&mut text);
    text
}

#[test]
fn what_was_written_is_read() {
    let allowed =
        Decision { verdict: Verdict::Allow, code: Code::Allowed, ..Decision::deny(Code::Denied, "", "") };
    for decision in [full(), allowed, Decision::deny(Code::EngineTrap, "x", "")] {
        assert_eq!(Decision::read_json(text(&decision).as_bytes()), Some(decision));
    }
}

#[test]
fn anything_else_is_not() {
    let good = text(&full());
    for end in 0..good.len() {
        assert_eq!(Decision::read_json(&good.as_bytes()[..end]), None, "{end} bytes");
    }
    for (from, to) in [
        ("\"escalate\"", "\"maybe\""),
        ("\"escalate\"", "1"),
        ("\"approval-required\"", "\"unheard-of\""),
        ("\"redact\"", "\"shred\""),
        ("\"keep\":4", "\"keep\":-4"),
        ("\"keep\":4", "\"keep\":4294967296"),
        ("\"quorum\":2", "\"quorum\":\"2\""),
        ("\"rules\":[", "\"rules\":[1,"),
        ("\"reason\"", "\"code\""),
        ("\"policy\":\"ab12\"", "\"policy\":null"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(Decision::read_json(good.replacen(from, to, 1).as_bytes()), None, "{from} -> {to}");
    }
    for text in ["", "null", "[]", "{}", "<html>", "{\"verdict\":\"allow\"}"] {
        assert_eq!(Decision::read_json(text.as_bytes()), None, "{text}");
    }
}
