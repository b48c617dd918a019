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
        (
            r#"{"tool":"a","agent":{"id":"x","scopes":[]},"tenant":"t","now":"2026-01-01T00:00:00Z"}"#,
            "agent.scopes",
        ),
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
fn sizes_of_tool_names() {
    for (length, good) in [(512, true), (513, false)] {
        let tool = "t".repeat(length);
        let text =
            format!(r#"{{"tool":"{tool}","agent":{{"id":"x"}},"tenant":"t","now":"2026-01-01T00:00:00Z"}}"#);
        check(&text, if good { Ok(()) } else { Err("`tool` is longer") });
    }
}

#[test]
fn a_prompt_and_a_catalogue_need_no_tool() {
    let rest = r#""agent":{"id":"x"},"tenant":"t","now":"2026-01-01T00:00:00Z""#;
    for stage in ["prompt", "list"] {
        check(&format!(r#"{{"stage":"{stage}",{rest}}}"#), Ok(()));
    }
    for stage in ["call", "result"] {
        check(&format!(r#"{{"stage":"{stage}",{rest}}}"#), Err("no `tool`"));
    }
}

/// The same content as one text and in pieces gives the same call, or is refused by both.
#[test]
fn pieces_are_checked_the_same() {
    let list = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let (roles, scopes, chain, grants) = (list(&["r", "é"]), list(&["s:a"]), list(&["a", "b"]), list(&["g"]));
    let empty_actor = list(&["a", ""]);
    let deep = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    let (deep_126, deep_127, deep_128) = (deep(126), deep(127), deep(128));
    let agent = PrincipalParts { id: "x", ..PrincipalParts::default() };
    let user = PrincipalParts { id: "u", roles: &roles, scopes: &scopes, attrs: Some(r#"{"k":1}"#) };
    let base = Parts {
        tool: "a.b",
        agent: Some(agent),
        tenant: Some("t"),
        now: Some("2026-01-01T00:00:00Z"),
        ..Parts::default()
    };
    let resource = ResourceParts { kind: "account", id: "7", attrs: Some("{}") };
    let full = Parts {
        stage: Stage::Result,
        args: Some(r#"{"a":[1,"x"]}"#),
        user: Some(user),
        chain: &chain,
        project: Some("p"),
        env: Some("production"),
        session: Some("s"),
        resource: Some(resource),
        grants: &grants,
        approval: Some("yes"),
        content: Some(r#"{"ok":true}"#),
        ..base
    };
    let attrs = |attrs| Parts { agent: Some(PrincipalParts { attrs: Some(attrs), ..agent }), ..base };
    for (parts, good) in [
        (base, true),
        (full, true),
        (Parts { stage: Stage::Prompt, tool: "", ..base }, true),
        (Parts { content: Some("null"), ..full }, true),
        (Parts { args: Some(&deep_127), ..base }, true),
        (Parts { args: Some(&deep_128), ..base }, false),
        (attrs(&deep_126), true),
        (attrs(&deep_127), false),
        (Parts { args: Some("[]"), ..base }, false),
        (Parts { args: Some("null"), ..base }, false),
        (Parts { args: Some(r#"{"a":1,"a":2}"#), ..base }, false),
        (attrs("1"), false),
        (Parts { tenant: Some(""), ..base }, false),
        (Parts { tenant: None, ..base }, false),
        (Parts { agent: None, ..base }, false),
        (Parts { agent: Some(PrincipalParts { id: "", ..agent }), ..base }, false),
        (Parts { agent: Some(user), ..base }, false),
        (Parts { now: Some("x"), ..base }, false),
        (Parts { now: None, ..base }, false),
        (Parts { tool: "", ..base }, false),
        (Parts { tool: "a\u{1}", ..base }, false),
        (Parts { content: Some("1"), ..base }, false),
        (Parts { session: Some(""), ..base }, false),
        (Parts { env: Some(""), ..base }, false),
        (Parts { chain: &empty_actor, ..base }, false),
        (Parts { resource: Some(ResourceParts { kind: "", ..resource }), ..base }, false),
    ] {
        let text = text_of(&parts);
        let limits = Limits::default();
        let read = Call::read(text.as_bytes(), &limits);
        let built = Call::from_parts(&parts, &limits);
        assert_eq!(read.is_ok(), good, "{text}: {read:?}");
        assert_eq!(built.is_ok(), good, "{parts:?}: {built:?}");
        if good {
            assert_eq!(format!("{built:?}"), format!("{read:?}"));
        }
    }
    let short = Limits { max_bytes: 20, ..Limits::default() };
    assert!(Call::from_parts(&base, &short).is_err());
}

fn text_of(parts: &Parts<'_>) -> String {
    let mut fields = vec![format!("\"stage\":\"{}\"", format!("{:?}", parts.stage).to_lowercase())];
    let quoted = |text: &str| format!("{text:?}").replace("\\u{1}", "\\u0001");
    let list = |of: &[String]| format!("[{}]", of.iter().map(|s| quoted(s)).collect::<Vec<_>>().join(","));
    let principal = |of: &PrincipalParts<'_>| {
        let scopes =
            if of.scopes.is_empty() { String::new() } else { format!(",\"scopes\":{}", list(of.scopes)) };
        let attrs = of.attrs.map(|a| format!(",\"attrs\":{a}")).unwrap_or_default();
        format!("{{\"id\":{},\"roles\":{}{scopes}{attrs}}}", quoted(of.id), list(of.roles))
    };
    let mut add = |name: &str, value: Option<String>| fields.extend(value.map(|v| format!("{name:?}:{v}")));
    add("tool", (!parts.tool.is_empty()).then(|| quoted(parts.tool)));
    add("args", parts.args.map(str::to_owned));
    add("agent", parts.agent.as_ref().map(principal));
    add("user", parts.user.as_ref().map(principal));
    add("chain", Some(list(parts.chain)));
    add("tenant", parts.tenant.map(quoted));
    add("project", parts.project.map(quoted));
    add("env", parts.env.map(quoted));
    add("session", parts.session.map(|s| format!("{{\"id\":{}}}", quoted(s))));
    add(
        "resource",
        parts.resource.map(|r| {
            let attrs = r.attrs.unwrap_or("{}");
            format!("{{\"type\":{},\"id\":{},\"attrs\":{attrs}}}", quoted(r.kind), quoted(r.id))
        }),
    );
    add("now", parts.now.map(quoted));
    add("grants", Some(list(parts.grants)));
    add("approval", parts.approval.map(quoted));
    add("content", parts.content.map(str::to_owned));
    format!("{{{}}}", fields.join(","))
}
