//! Requests in, what becomes of them out: one table for what is guarded, one for each kind of request.

use placet_model::{Code, Decision, Verdict};

use super::{Admitted, Config, Guard, Head, HttpReply, Incoming, Inspected, Outgoing, Peer, Plan};
use crate::Answered;

const NOW: &str = "2026-11-21T09:00:00Z";

fn guard() -> Guard {
    let config = r#"{
        "mcp": [{"path": "/mcp"}, {"path": "/crm/mcp", "server": "crm"}],
        "http": [{"prefix": "/api", "routes": [
            {"method": "GET", "path": "/api/accounts/{account}", "tool": "bank.account", "types": {"limit": "number"}},
            {"method": "POST", "path": "/api/accounts/{account}/refunds", "tool": "bank.refund",
             "headers": {"x-reason": "reason"}, "args": ["body"], "results": true},
            {"method": "POST", "path": "/api/forms", "tool": "bank.form", "body": "form", "types": {"sure": "boolean"}},
            {"method": "DELETE", "path": "/api/accounts/all", "tool": "bank.wipe"},
            {"method": "DELETE", "path": "/api/accounts/{account}", "tool": "bank.close"}]}],
        "decide": "/v1/decide",
        "identity": {"headers": {"agent": "x-agent", "user": "x-user"}, "fixed": {"tenant": "acme"}},
        "request_limit": 1000, "response_limit": 400}"#;
    Guard::new(Config::from_json(config).expect("a good configuration")).expect("it compiles")
}

fn headers(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('\n').filter_map(|line| line.trim().split_once(": "));
    pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect()
}

const JSON: &str = "x-agent: bot\ncontent-type: application/json";

fn admit(method: &str, path: &str, of: &str) -> Admitted {
    let headers = headers(of);
    guard().admit(&Head { method, path, headers: &headers }, &Peer::default())
}

/// What becomes of a request, in a few words.
fn outcome(method: &str, path: &str, of: &str, body: &str) -> String {
    match admit(method, path, of) {
        Admitted::Pass => "pass".to_owned(),
        Admitted::Refuse(HttpReply { status, .. }) => format!("refused {status}"),
        Admitted::Guarded(exchange) => match exchange.inspect(body.as_bytes(), NOW) {
            Inspected::Refuse(HttpReply { status, .. }) => format!("body refused {status}"),
            Inspected::Decide(proposal) => {
                let call: serde_json::Value = serde_json::from_slice(proposal.call()).expect("a call");
                format!("{} {}", proposal.tool(), call["args"])
            }
            Inspected::Forward(_) => "forward".to_owned(),
            Inspected::Answer(_) => "answer".to_owned(),
        },
    }
}

#[test]
fn what_is_guarded() {
    let check = |method: &str, path: &str, of: &str, expected: &str| {
        assert_eq!(outcome(method, path, of, ""), expected, "{method} {path} {of}");
    };
    for path in ["/", "/index.html", "/other/mcp", "/mcpx", "/v1/decided", "/apis", "/x?next=/mcp"] {
        check("GET", path, "", "pass");
    }
    for path in [
        "/mcp/",
        "//mcp",
        "/./mcp",
        "/x/../mcp",
        "/MCP",
        "/%6dcp",
        "/%256dcp",
        "/mcp;v=1",
        "\\mcp",
        "/mcp%00",
        "/mcp%20",
        "/crm//mcp",
        "/crm%2fmcp",
        "/crm\\mcp",
        "mcp",
        "*",
        "/API/accounts/1",
        "/x/..%2fapi/accounts",
        "/api/../mcp",
        "/api/accounts/..",
        "/api//accounts/1",
        "/api/accounts/1%2f2",
        "/api/accounts/1;x",
        "/mcp#x",
        "/api/accounts/%",
        "/api/accounts/%ff",
        "/api/accounts/%2e%2e",
        "/api/accounts/%00",
        "/api/accounts/%2561",
    ] {
        check("POST", path, JSON, "refused 400");
    }
    for name in ["x-original-url", "x-rewrite-url", "x-override-url"] {
        check("GET", "/", &format!("{name}: /mcp"), "refused 400");
        check("GET", "/", &format!("{name}: /elsewhere"), "pass");
        check("POST", "/mcp", &format!("{JSON}\n{name}: /elsewhere"), "refused 400");
    }
}

#[test]
fn heads_that_are_refused() {
    let check = |method: &str, path: &str, of: &str, expected: &str| {
        assert_eq!(
            outcome(method, path, of, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            expected,
            "{of}"
        );
    };
    check("POST", "/mcp", JSON, "forward");
    check("POST", "/mcp?a=b", JSON, "forward");
    check("POST", "/mcp", "x-agent: bot\ncontent-type: Application/JSON; Charset=\"UTF-8\"", "forward");
    check("POST", "/mcp", &format!("{JSON}\norigin: http://localhost:3000"), "forward");
    check("OPTIONS", "/mcp", "", "pass");
    check("GET", "/mcp", JSON, "refused 405");
    check("PUT", "/mcp", JSON, "refused 405");
    check("GET", "/v1/decide", JSON, "refused 405");
    check("POST", "/mcp", "content-type: application/json", "refused 401");
    check("POST", "/mcp", "x-agent: bot", "refused 415");
    for (line, status) in [
        ("content-type: application/json", 400),
        ("x-agent: other", 400),
        ("origin: http://evil.example", 403),
        ("origin: http://localhost.evil.example", 403),
        ("content-encoding: gzip", 415),
        ("content-encoding: identity, br", 415),
        ("content-length: 1001", 413),
        ("content-length: -1", 400),
        ("upgrade: websocket", 400),
        ("connection: keep-alive, Upgrade", 400),
        ("x-http-method-override: DELETE", 400),
        ("x-method-override: GET", 400),
        ("mcp-protocol-version: 2024-11-05", 400),
        ("mcp-name: =?base64?!!?=", 400),
        ("mcp-param-x: 1", 400),
    ] {
        check("POST", "/mcp", &format!("{JSON}\n{line}"), &format!("refused {status}"));
    }
    for kind in
        ["application/json; charset=utf-16", "text/json", "application/json; x=y", "multipart/form-data", ""]
    {
        check("POST", "/mcp", &format!("x-agent: bot\ncontent-type: {kind}"), "refused 415");
    }
}

#[test]
fn messages() {
    let check =
        |body: &str, expected: &str| assert_eq!(outcome("POST", "/mcp", JSON, body), expected, "{body}");
    let call = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{params}}}"#)
    };
    check(&call(r#"{"name":"find","arguments":{"q":"x"}}"#), r#"find {"q":"x"}"#);
    check(&call(r#"{"name":"find"}"#), "find {}");
    check(&call(r#"{"name":"find","name":"wipe"}"#), "body refused 400");
    check(&call(r#"{"name":"find","n\u0061me":"wipe"}"#), "body refused 400");
    check(&call(r#"{"name":"find","arguments":{"a":1,"a":2}}"#), "body refused 400");
    check(&call(r#"{"name":"find","arguments":[]}"#), "body refused 400");
    check(&call(r#"{"name":"find","tool":"wipe"}"#), "body refused 400");
    check(&call(r#"{"name":"find","requestState":"x"}"#), "body refused 400");
    for body in ["", "[]", "{}", "nonsense", "{}{}", "\u{feff}{}", "{\"a\":1}\n{\"b\":2}"] {
        check(body, "body refused 400");
    }
    check(&" ".repeat(1001), "body refused 413");
    let named = outcome("POST", "/crm/mcp", JSON, &call(r#"{"name":"find"}"#));
    assert_eq!(named, "crm.find {}");
}

#[test]
fn messages_without_sessions() {
    const HEAD: &str = "x-agent: bot\ncontent-type: application/json\nmcp-protocol-version: 2026-07-28";
    let body = |method: &str, params: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}{params}}}}}"#
        )
    };
    let call =
        body("tools/call", r#","name":"find","arguments":{"region":"eu","n":42,"deep":{"flag":true}}"#);
    let check = |lines: &str, body: &str, expected: &str| {
        let of = format!("{HEAD}\n{lines}");
        assert_eq!(outcome("POST", "/mcp", &of, body), expected, "{lines} {body}");
    };
    let decided = r#"find {"deep":{"flag":true},"n":42,"region":"eu"}"#;
    check("mcp-method: tools/call\nmcp-name: find", &call, decided);
    check("mcp-method: tools/call\nmcp-name: =?base64?ZmluZA==?=", &call, decided);
    for param in
        ["mcp-param-region: eu", "mcp-param-n: 42.0", "mcp-param-x: true", "mcp-param-y: =?base64?ZXU=?="]
    {
        check(&format!("mcp-method: tools/call\nmcp-name: find\n{param}"), &call, decided);
    }
    for lines in [
        "",
        "mcp-method: tools/call",
        "mcp-name: find",
        "mcp-method: tools/list\nmcp-name: find",
        "mcp-method: tools/call\nmcp-name: wipe",
        "mcp-method: Tools/Call\nmcp-name: find",
        "mcp-method: tools/call\nmcp-name: find\nmcp-param-region: us",
        "mcp-method: tools/call\nmcp-name: find\nmcp-param-n: 43",
    ] {
        check(lines, &call, "body refused 400");
    }
    check("mcp-method: tools/call\nmcp-name: find\nmcp-name: find", &call, "refused 400");
    let other = call.replace("2026-07-28", "2025-11-25");
    check("mcp-method: tools/call\nmcp-name: find", &other, "body refused 400");
    let none = call.replace("protocolVersion", "other");
    check("mcp-method: tools/call\nmcp-name: find", &none, "body refused 400");
    let again = body("tools/call", r#","name":"find","requestState":"s","inputResponses":{}"#);
    check("mcp-method: tools/call\nmcp-name: find", &again, "find {}");
    check("mcp-method: tools/list", &body("tools/list", ""), "forward");
    check("mcp-method: tools/list\nmcp-name: x", &body("tools/list", ""), "body refused 400");
    check("mcp-method: server/discover", &body("server/discover", ""), "forward");
    check(
        "mcp-method: initialize",
        &body("initialize", r#","protocolVersion":"2025-11-25""#),
        "body refused 404",
    );
    check(
        "mcp-method: resources/read\nmcp-name: a",
        &body("resources/read", r#","uri":"a""#),
        r#"mcp:resources/read {"uri":"a"}"#,
    );
    check("", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "body refused 400");
    assert_eq!(outcome("DELETE", "/mcp", HEAD, ""), "refused 405");
    // A message of this version under the head of another, or of none.
    assert_eq!(outcome("POST", "/mcp", JSON, &call), "body refused 400");
}

#[test]
fn plain_interfaces() {
    let check = |method: &str, path: &str, of: &str, body: &str, expected: &str| {
        assert_eq!(outcome(method, path, of, body), expected, "{method} {path} {of} {body}");
    };
    const AGENT: &str = "x-agent: bot";
    let json = JSON;
    check("GET", "/api/accounts/42", AGENT, "", r#"bank.account {"account":"42"}"#);
    check(
        "GET",
        "/api/accounts/a%20b?q=c+d&limit=5",
        AGENT,
        "",
        r#"bank.account {"account":"a b","limit":5,"q":"c d"}"#,
    );
    check("GET", "/api/accounts/42?limit=5x", AGENT, "", "refused 400");
    check("GET", "/api/accounts/42?q=1&q=2", AGENT, "", "refused 400");
    check("GET", "/api/accounts/42?account=43", AGENT, "", "refused 400");
    check("GET", "/api/accounts/42?q=%zz", AGENT, "", "refused 400");
    check("GET", "/api/accounts/42?=x", AGENT, "", "refused 400");
    check("GET", "/api/accounts/42", json, r#"{"account":"43"}"#, "body refused 400");
    check("GET", "/api/accounts/", AGENT, "", "refused 403");
    check("GET", "/api/other", AGENT, "", "refused 403");
    check("PATCH", "/api/accounts/42", AGENT, "", "refused 403");
    check("DELETE", "/api/accounts/42", AGENT, "", r#"bank.close {"account":"42"}"#);
    check("DELETE", "/api/accounts/all", AGENT, "", "bank.wipe {}");
    let refund = "/api/accounts/42/refunds";
    let reason = format!("{json}\nx-reason: broken");
    check(
        "POST",
        refund,
        &reason,
        r#"{"amount":9.5}"#,
        r#"bank.refund {"account":"42","amount":9.5,"reason":"broken"}"#,
    );
    check("POST", refund, &reason, r#"{"reason":"x"}"#, "body refused 400");
    check("POST", refund, json, r#"{"amount":1,"amount":2}"#, "body refused 400");
    check("POST", refund, json, "[1]", "body refused 400");
    check("POST", &format!("{refund}?amount=5"), json, "{}", "refused 400");
    check("POST", refund, "x-agent: bot\ncontent-type: text/plain", "{}", "refused 415");
    let form = "x-agent: bot\ncontent-type: application/x-www-form-urlencoded";
    check(
        "POST",
        "/api/forms",
        form,
        "a=1&sure=true&b=%C3%A9+x",
        r#"bank.form {"a":"1","b":"é x","sure":true}"#,
    );
    check("POST", "/api/forms", form, "sure=yes", "body refused 400");
    check("POST", "/api/forms", form, "a=1&a=2", "body refused 400");
    check("POST", "/api/forms", json, "{}", "refused 415");
}

fn allowed() -> Decision {
    Decision { verdict: Verdict::Allow, ..Decision::deny(Code::Allowed, "Allowed.", "p") }
}

fn forwarded(method: &str, path: &str, of: &str, body: &str) -> Outgoing {
    match admit(method, path, of) {
        Admitted::Guarded(exchange) => match exchange.inspect(body.as_bytes(), NOW) {
            Inspected::Decide(proposal) => proposal.decided(&allowed()).expect("it is allowed"),
            Inspected::Forward(outgoing) => *outgoing,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_goes_on_is_written_anew() {
    let out = forwarded(
        "POST",
        "/api/forms?z=a+b&y=%41",
        "x-agent: bot\ncontent-type: application/x-www-form-urlencoded",
        "b=%41;x",
    );
    assert_eq!(out.path.as_deref(), Some("/api/forms?z=a%20b&y=A"));
    assert_eq!(out.permit.expect("a body").into_body(), "b=A%3Bx");
    let out = forwarded(
        "POST",
        "/mcp",
        JSON,
        " {\"method\":\"tools/call\",\"params\":{\"arguments\":{\"n\":1e2},\"name\":\"t\"},\"id\":7,\"jsonrpc\":\"2.0\"} ",
    );
    let body = out.permit.expect("a body").into_body();
    assert_eq!(
        body,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{"n":1e2}}}"#
    );
}

#[test]
fn refusals() {
    let proposal = |body: &str, path: &str| match admit("POST", path, JSON) {
        Admitted::Guarded(exchange) => match exchange.inspect(body.as_bytes(), NOW) {
            Inspected::Decide(proposal) => *proposal,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let mut asked = Decision::deny(Code::ApprovalRequired, "Ask.", "p");
    asked.verdict = Verdict::Escalate;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let mut escalated = proposal(call, "/mcp");
    assert_eq!(
        escalated.subject("p"),
        r#"{"agent":"bot","args":{},"policy":"p","session":null,"tenant":"acme","tool":"t","user":null}"#
    );
    escalated.refer("ref".to_owned());
    let reply = escalated.decided(&asked).expect_err("it waits for a person");
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains(r#""dev.placet/approval":"ref""#), "{}", reply.body);
    let denied = Decision::deny(Code::Denied, "No.", "p");
    let reply = proposal("{}", "/api/accounts/1/refunds").decided(&denied).expect_err("it is denied");
    assert_eq!((reply.status, reply.body.contains(r#""code":"denied""#)), (403, true));
}

#[test]
fn answers() {
    let plan = |incoming: &mut Incoming, status: u16, of: &str| match incoming.head(status, &headers(of)) {
        Plan::Pass => "pass".to_owned(),
        Plan::Whole { limit } => format!("whole {limit}"),
        Plan::Events => "events".to_owned(),
        Plan::Replace(reply) => format!("replaced {}", reply.status),
    };
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for (body, status, of, expected) in [
        (call, 200, "content-type: application/json", "whole 400"),
        (call, 200, "content-type: text/event-stream; charset=utf-8", "events"),
        (call, 404, "content-type: application/json", "whole 400"),
        (call, 404, "content-type: text/html", "replaced 404"),
        (call, 200, "content-type: text/html", "replaced 502"),
        (call, 200, "content-type: application/json\ncontent-encoding: br", "replaced 502"),
        (note, 202, "", "replaced 202"),
        (note, 200, "content-type: application/json", "replaced 200"),
    ] {
        let mut incoming = forwarded("POST", "/mcp", JSON, body).incoming;
        assert_eq!(plan(&mut incoming, status, of), expected, "{body} {status} {of}");
    }
    let mut refund = forwarded("POST", "/api/accounts/1/refunds", JSON, "{}").incoming;
    assert_eq!(plan(&mut refund, 200, "content-type: application/json"), "whole 400");
    let Answered::Decide(pending) = refund.whole(br#"{"id":5}"#) else { panic!("a result to decide") };
    let seen: serde_json::Value = serde_json::from_str(&pending.call(NOW)).expect("a call");
    assert_eq!(seen["content"]["structured"]["id"], 5);
    assert_eq!((pending.status(&allowed()), pending.decided(&allowed()).as_str()), (None, r#"{"id":5}"#));
    let Answered::Decide(pending) = refund.whole(b"x") else { panic!("a result to decide") };
    let denied = Decision::deny(Code::Denied, "No.", "p");
    assert_eq!(pending.status(&denied), Some(403));
    assert!(!pending.decided(&denied).contains('x'));
    assert!(matches!(refund.whole(b"\xff"), Answered::Drop(_)));
    let mut account = forwarded("GET", "/api/accounts/1", "x-agent: bot", "").incoming;
    assert_eq!(plan(&mut account, 200, "content-type: image/png"), "pass");
}

#[test]
fn streams_of_events() {
    let check = |chunks: &[&str], expected: &[Option<&str>]| {
        let mut events =
            forwarded("POST", "/mcp", JSON, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).incoming.events();
        let mut found = Vec::new();
        for chunk in chunks {
            found.extend(events.push(chunk.as_bytes()).expect("events").into_iter().map(|event| event.data));
        }
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{chunks:?}");
    };
    check(&["data: a\n\n"], &[Some("a")]);
    check(&["da", "ta: a\n", "\ndata:b\n\n"], &[Some("a"), Some("b")]);
    check(&["data: a\r\n\r", "\ndata: b\r\r\n"], &[Some("a"), Some("b")]);
    check(&["data: a\r\r"], &[Some("a")]);
    check(&["data: a\n\r"], &[Some("a")]);
    check(&["data: a\r", "\n", "\r", "\ndata: b\r\n\r"], &[Some("a"), Some("b")]);
    check(&["\u{feff}data: a\n\n"], &[Some("a")]);
    check(&["data: a\n\n", "\u{feff}data: b\n\n"], &[Some("a"), None]);
    check(&["event: x\nid: 1\ndata: a\ndata: b\nretry: 5\n\n"], &[Some("a\nb")]);
    check(&[": ping\n\n", "event: x\n\n"], &[None, None]);
    check(&["data: not whole\n"], &[]);
    let mut events =
        forwarded("POST", "/mcp", JSON, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).incoming.events();
    assert!(events.push("x".repeat(401).as_bytes()).is_err());
    let mut events =
        forwarded("POST", "/mcp", JSON, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).incoming.events();
    assert!(events.push(b"data: \xff\n\n").is_err());
    let event = &events_of("event: x\nid: 1\ndata: a\nretry: 5\n\n")[0];
    assert_eq!(event.write("b"), "event: x\nretry: 5\ndata: b\n\n");
}

fn events_of(text: &str) -> Vec<super::Event> {
    let incoming = forwarded("POST", "/mcp", JSON, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).incoming;
    incoming.events().push(text.as_bytes()).expect("events")
}

#[test]
fn identities() {
    let check = |identity: &str, of: &str, claims: Option<&str>, expected: &str| {
        let text = format!(r#"{{"mcp": [{{"path": "/mcp"}}], "identity": {identity}}}"#);
        let guard = Guard::new(Config::from_json(&text).expect("a configuration")).expect("it compiles");
        let headers = headers(&format!("content-type: application/json\n{of}"));
        let head = Head { method: "POST", path: "/mcp", headers: &headers };
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
        let found = match guard.admit(&head, &Peer { claims, identity: None }) {
            Admitted::Guarded(exchange) => match exchange.inspect(call, NOW) {
                Inspected::Decide(proposal) => serde_json::to_string(proposal.identity()).expect("JSON"),
                other => panic!("{other:?}"),
            },
            Admitted::Refuse(reply) => reply.status.to_string(),
            Admitted::Pass => "pass".to_owned(),
        };
        assert_eq!(found, expected, "{identity} {of} {claims:?}");
    };
    let whole = r#"{"tenant":"acme","agent":{"id":"bot"}}"#;
    check(r#"{"header": "x-id"}"#, &format!("x-id: {whole}"), None, whole);
    check(r#"{"header": "x-id"}"#, "x-id: {}", None, "401");
    check(r#"{"header": "x-id"}"#, "", None, "401");
    check(r#"{"fixed": {"tenant": "acme", "agent": {"id": "bot"}}}"#, "", None, whole);
    let headers = r#"{"headers": {"tenant": "t", "agent": "a", "agent_roles": "r", "user": "u"}}"#;
    check(headers, "t: acme\na: bot", None, whole);
    check(
        headers,
        "t: acme\na: bot\nr: x, y\nu: ann",
        None,
        r#"{"tenant":"acme","agent":{"id":"bot","roles":["x","y"]},"user":{"id":"ann"}}"#,
    );
    check(headers, "a: bot", None, "401");
    check(headers, "t: acme\nt: other\na: bot", None, "400");
    let claims = r#"{"claims": {"tenant": "org.id", "agent": "azp", "user": "sub", "user_scopes": "scope", "chain": "act"}}"#;
    check(
        claims,
        "",
        Some(
            r#"{"org":{"id":"acme"},"azp":"bot","sub":"ann","scope":"a b","act":{"sub":"outer","act":{"sub":"inner"}}}"#,
        ),
        r#"{"tenant":"acme","agent":{"id":"bot"},"user":{"id":"ann","scopes":["a","b"]},"chain":["inner","outer"]}"#,
    );
    check(claims, "", None, "401");
    check(claims, "", Some(r#"{"azp":"bot"}"#), "401");
    check(claims, "", Some(r#"{"org":{"id":"acme"},"azp":7}"#), "401");
    let xfcc = r#"{"xfcc": {"agent": "uri"}, "fixed": {"tenant": "acme"}}"#;
    let spiffe = r#"{"tenant":"acme","agent":{"id":"spiffe://a/b"}}"#;
    let header = "x-forwarded-client-cert";
    check(
        xfcc,
        &format!("{header}: By=x;URI=spiffe://evil,Hash=1;Subject=\"CN=a, O=b;c\";URI=spiffe://a/b"),
        None,
        spiffe,
    );
    check(xfcc, &format!("{header}: Hash=1"), None, "401");
    check(xfcc, &format!("{header}: URI=a;URI=b"), None, "401");
    check(xfcc, "", None, "401");
}

#[test]
fn configurations_that_are_refused() {
    for (config, expected) in [
        (r#"{"identity": {}}"#, "nothing says who the tenant is"),
        (r#"{"identity": {"fixed": {"tenant": "a"}}}"#, "nothing says who the agent is"),
        (r#"{"identity": {"header": "x", "xfcc": {"agent": "uri"}}}"#, "not several"),
        (r#"{"identity": {"header": "X-Id"}}"#, "lower case"),
        (r#"{"identity": {"header": "x"}, "mcp": [{"path": "mcp"}]}"#, "not a path that can be guarded"),
        (r#"{"identity": {"header": "x"}, "mcp": [{"path": "/a/../b"}]}"#, "not a path that can be guarded"),
        (r#"{"identity": {"header": "x"}, "mcp": [{"path": "/a"}, {"path": "/a"}]}"#, "guarded twice"),
        (r#"{"identity": {"header": "x"}, "request_limit": 0}"#, "a limit of 0 bytes"),
        (r#"{"identity": {"header": "x"}, "typo": 1}"#, "unknown field `typo`"),
        (r#"{"identity": {"header": "x", "fixed": {"tenant": "a"}}}"#, "leave `fixed` out"),
        (
            r#"{"identity": {"headers": {"agent": "a", "tenant": "t"}, "fixed": {"tenant": "a"}}}"#,
            "choose one",
        ),
    ] {
        let error = Config::from_json(config).expect_err(config).to_string();
        assert!(error.contains(expected), "{config}: {error}");
    }
    for (route, expected) in [
        (r#"{"method": "get", "path": "/api/x", "tool": "t"}"#, "in capitals"),
        (r#"{"method": "GET", "path": "/other", "tool": "t"}"#, "below the prefix"),
        (r#"{"method": "GET", "path": "/api/{a}/{a}", "tool": "t"}"#, "twice"),
        (r#"{"method": "GET", "path": "/api/x{a}", "tool": "t"}"#, "neither a text nor one name"),
        (r#"{"method": "GET", "path": "/api/{a}", "tool": "t", "headers": {"x": "a"}}"#, "two places"),
        (r#"{"method": "GET", "path": "/api/x", "tool": ""}"#, "empty"),
    ] {
        let config = format!(
            r#"{{"identity": {{"header": "x"}}, "http": [{{"prefix": "/api", "routes": [{route}]}}]}}"#
        );
        let error = Config::from_json(&config).expect_err(route).to_string();
        assert!(error.contains(expected), "{route}: {error}");
    }
}

#[test]
fn sessions() {
    let session = |of: &str, meta: &str| {
        let headers = headers(&format!("{JSON}\n{of}"));
        let head = Head { method: "POST", path: "/mcp", headers: &headers };
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t"{meta}}}}}"#);
        let Admitted::Guarded(exchange) = guard().admit(&head, &Peer::default()) else { panic!("{of}") };
        let Inspected::Decide(proposal) = exchange.inspect(body.as_bytes(), NOW) else { panic!("{of}") };
        let call: serde_json::Value = serde_json::from_slice(proposal.call()).expect("a call");
        call["session"]["id"].as_str().map(str::to_owned)
    };
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = Some("bot//0af7651916cd43dd8448eb211c80319c".to_owned());
    assert_eq!(session("", ""), None);
    assert_eq!(session("mcp-session-id: s", ""), Some("bot//s".to_owned()));
    assert_eq!(session("mcp-session-id: s\nx-user: a/b", ""), Some("bot/a%2Fb/s".to_owned()));
    assert_eq!(session(&format!("traceparent: {trace}"), ""), traced);
    assert_eq!(session("", &format!(r#","_meta":{{"traceparent":"{trace}"}}"#)), traced);
    assert_eq!(session(&format!("mcp-session-id: s\ntraceparent: {trace}"), ""), Some("bot//s".to_owned()));
    assert_eq!(session("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01", ""), None);
    assert_eq!(session("traceparent: nonsense", ""), None);
}

/// Every request that is not the protocol's own is a call for policies to decide.
#[test]
fn other_methods() {
    let check =
        |body: &str, expected: &str| assert_eq!(outcome("POST", "/mcp", JSON, body), expected, "{body}");
    let request = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
    };
    check(&request("resources/list", "{}"), "mcp:resources/list {}");
    check(&request("prompts/get", r#"{"name":"p","_meta":{"a":1}}"#), r#"mcp:prompts/get {"name":"p"}"#);
    check(&request("tasks/cancel", r#"{"taskId":"1"}"#), r#"mcp:tasks/cancel {"taskId":"1"}"#);
    check(&request("vendor/run", "{}"), "mcp:vendor/run {}");
    for method in
        ["Tools/Call", "tools/call ", " tools/list", "tools/c\u{0131}ll", "", "PING", "logging/setlevel"]
    {
        check(&request(method, r#"{"name":"t"}"#), "body refused 400");
    }
    check(&request("server/discover", "{}"), "body refused 200");
    check(&request("notifications/initialized", "{}"), "body refused 400");
    check(r#"{"jsonrpc":"2.0","method":"notifications/vendor"}"#, "body refused 400");
    check(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}"#, "body refused 400");

    let read = request("resources/read", r#"{"uri":"file:///a"}"#);
    let out = forwarded("POST", "/mcp", JSON, &read);
    assert_eq!(out.permit.expect("a body").into_body(), read);
    let result = br#"{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"file:///a","text":"secret"}]}}"#;
    let Answered::Decide(pending) = out.incoming.whole(result) else { panic!("a result to decide") };
    let seen: serde_json::Value = serde_json::from_str(&pending.call(NOW)).expect("a call");
    assert_eq!((&seen["stage"], &seen["content"]["text"]), (&"result".into(), &"secret".into()));
    let denied = Decision::deny(Code::Denied, "No.", "p");
    let answer = pending.decided(&denied);
    assert!(answer.contains(r#""code":-32001"#) && !answer.contains("secret"), "{answer}");
    let mut redacting = allowed();
    redacting.obligations =
        vec![placet_model::Obligation::Redact { fields: vec!["contents.*.text".to_owned()] }];
    let Answered::Decide(pending) = out.incoming.whole(result) else { panic!("a result to decide") };
    assert!(!pending.decided(&redacting).contains("secret"));
}

#[test]
fn capabilities_are_shown_to_those_who_may_use_them() {
    let initialize =
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let out = forwarded("POST", "/mcp", JSON, initialize);
    let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":
        {"tools":{},"logging":{},"resources":{"subscribe":true},"prompts":{},"tasks":{}}}}"#;
    let Answered::Filter(filter) = out.incoming.whole(answer) else { panic!("to be filtered") };
    assert_eq!(filter.names(), ["mcp:resources/read", "mcp:prompts/get", "mcp:completion/complete"]);
    let shown = filter.filtered(|name| (name == "mcp:prompts/get").then_some(None));
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        shown["result"]["capabilities"],
        serde_json::json!({"tools": {}, "logging": {}, "prompts": {}})
    );
    let other = String::from_utf8_lossy(answer).replace("2025-11-25", "2024-11-05");
    assert!(matches!(out.incoming.whole(other.as_bytes()), Answered::Pass(body) if body.contains("error")));
}
