use super::*;

const GOOD: &str = r#""tool":"a.b","agent":{"id":"x"},"tenant":"t","now":"2026-01-01T00:00:00Z""#;

fn check(text: &str, expected: Result<(), &str>) {
    let got = Call::read(text.as_bytes(), &Limits::default());
    match (got, expected) {
        (Ok(_), Ok(())) => {}
        (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{text}: {e}"),
        (got, _) => panic!("{text}: {got:?}, expected {expected:?}"),
    }
}

#[test]
fn reads_calls() {
    let with = |more: &str| format!("{{{GOOD}{more}}}");
    check(&with(""), Ok(()));
    for good in [
        r#","args":{"a":[1,2,{"b":null}]}"#,
        r#","user":{"id":"u","roles":["r"],"scopes":["s:a"],"attrs":{"k":1}}"#,
        r#","chain":["a","b"],"project":"p","env":"production","session":{"id":"s"}"#,
        r#","resource":{"type":"t","id":"i","attrs":{}}"#,
        r#","stage":"result","content":{"ok":true}"#,
        r#","stage":"prompt","content":"hello""#,
        r#","grants":["x"],"approval":"y""#,
    ] {
        check(&with(good), Ok(()));
    }
    for (bad, part) in [
        (r#","args":[]"#, "`args` is not an object"),
        (r#","args":null"#, "`args` is not an object"),
        (r#","arg":{}"#, "no field `arg`"),
        (r#","user":{"id":"u","role":[]}"#, "no field `user.role`"),
        (r#","user":{}"#, "`user.id` is missing"),
        (r#","user":null"#, "`user` is not an object"),
        (r#","chain":"a""#, "`chain` is not a list"),
        (r#","chain":[1]"#, "`chain` is not a list"),
        (r#","chain":[""]"#, "empty"),
        (r#","session":"s""#, "`session` is not an object"),
        (r#","session":{"id":""}"#, "`session.id` is missing or empty"),
        (r#","stage":"later""#, "`stage` is not one of"),
        (r#","content":"x""#, "`content` belongs"),
        (r#","env":1"#, "`env` is not a string"),
        (r#","tool":"a.b""#, "twice"),
        (r#","\u0074ool":"a.b""#, "twice"),
        (r#","args":{"a":1,"a":1}"#, "twice"),
        (r#","args":{"a":1e999}"#, "outside"),
        (r#","args":{"a":123456789012345678901}"#, "outside"),
        (r#","grants":"x""#, "`grants` is not a list"),
        (r#","resource":{"id":"i"}"#, "`resource.type`"),
    ] {
        check(&with(bad), Err(part));
    }
}

#[test]
fn requires_fields() {
    for (text, part) in [
        ("", "acceptable JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "no `agent`"),
        (r#"{"tool":"a","agent":{"id":"x"},"now":"2026-01-01T00:00:00Z"}"#, "no `tenant`"),
        (r#"{"tool":"a","agent":{"id":"x"},"tenant":"t"}"#, "no `now`"),
        (r#"{"agent":{"id":"x"},"tenant":"t","now":"2026-01-01T00:00:00Z"}"#, "no `tool`"),
        (r#"{"tool":"a","agent":{"id":"x","scopes":[]},"tenant":"t","now":"2026-01-01T00:00:00Z"}"#, "agent.scopes"),
        (r#"{"tool":"a","agent":{"id":"x"},"tenant":"","now":"2026-01-01T00:00:00Z"}"#, "`tenant`"),
        (r#"{"tool":"a","agent":{"id":"x"},"tenant":"t","now":"today"}"#, "RFC 3339"),
        (r#"{"tool":"a\u0000","agent":{"id":"x"},"tenant":"t","now":"2026-01-01T00:00:00Z"}"#, "control"),
    ] {
        check(text, Err(part));
    }
}

#[test]
fn depth_and_size() {
    let nested = |depth: usize| {
        format!("{{{GOOD},\"args\":{{\"a\":{}{}}}}}", "[".repeat(depth - 2), "]".repeat(depth - 2))
    };
    check(&nested(128), Ok(()));
    check(&nested(129), Err("nested too deeply"));
    let long = format!("{{{GOOD},\"args\":{{\"a\":\"{}\"}}}}", "x".repeat(1 << 20));
    check(&long, Err("longer than allowed"));
}

#[test]
fn pieces_are_checked_the_same() {
    let roles = ["r".to_owned()];
    let agent = PrincipalParts { id: "x", roles: &roles, ..PrincipalParts::default() };
    let parts = Parts {
        tool: "a.b",
        agent: Some(agent),
        tenant: Some("t"),
        now: Some("2026-01-01T00:00:00Z"),
        args: Some(r#"{"a":1}"#),
        ..Parts::default()
    };
    let limits = Limits::default();
    let text = format!(r#"{{{GOOD},"args":{{"a":1}}}}"#).replace(r#"{"id":"x"}"#, r#"{"id":"x","roles":["r"]}"#);
    let read = Call::read(text.as_bytes(), &limits).unwrap();
    assert_eq!(format!("{:?}", Call::from_parts(&parts, &limits).unwrap()), format!("{read:?}"));
    for bad in [
        Parts { args: Some("[]"), ..parts },
        Parts { args: Some(r#"{"a":1,"a":2}"#), ..parts },
        Parts { tenant: Some(""), ..parts },
        Parts { tenant: None, ..parts },
        Parts { now: Some("x"), ..parts },
        Parts { tool: "", ..parts },
        Parts { content: Some("1"), ..parts },
        Parts { session: Some(""), ..parts },
    ] {
        assert!(Call::from_parts(&bad, &limits).is_err(), "{bad:?}");
    }
}
