//! What comes back, and what reaches the server.

use serde_json::{Value, json};

use crate::world::{POLICY, World};

const DECISION: &str = "dev.placet/decision";

#[tokio::test]
async fn calls_are_allowed_denied_and_escalated() {
    let world = World::start().await;
    let session = world.session().await;
    for (tool, args, verdict, code, rules) in [
        ("pay", json!({"amount": 10}), "allow", "allowed", json!(["org/small"])),
        ("pay", json!({"amount": 10.5}), "escalate", "approval-required", json!(["org/big"])),
        ("pay", json!({"amount": 1, "more": 1}), "deny", "default-deny", json!([])),
        ("pay", json!({}), "escalate", "condition-error", json!(["org/big"])),
        ("drop", json!({}), "deny", "denied", json!(["org/never"])),
        ("unknown", json!({}), "deny", "default-deny", json!([])),
        ("notified", json!({}), "deny", "unmet-obligation", json!(["org/notified"])),
    ] {
        let before = world.calls().len();
        let answer = world.call(Some(&session), tool, args.clone()).await;
        let decision = &answer["result"]["_meta"][DECISION];
        assert_eq!(
            decision["verdict"],
            if code == "unmet-obligation" { "deny" } else { verdict },
            "{tool} {args}: {answer}"
        );
        assert_eq!(decision["code"], code, "{tool} {args}");
        assert_eq!(decision["rules"], rules, "{tool} {args}");
        assert_eq!(answer["id"], 7);
        let refused = verdict != "allow";
        assert_eq!(answer["result"]["isError"] == true, refused, "{tool} {args}");
        assert_eq!(
            world.calls().len() - before,
            usize::from(!refused),
            "{tool} {args}: what reached the server"
        );
        let record =
            world.records().into_iter().rev().find(|r| r["call"]["stage"] == "call").expect("a record");
        assert_eq!(record["decision"]["verdict"], verdict, "{tool} {args}");
        assert_eq!(record["call"]["args"], args);
    }
}

#[tokio::test]
async fn the_catalogue_shows_what_can_be_allowed() {
    let world = World::start().await;
    let session = world.session().await;
    let body = r#"{"jsonrpc":"2.0","id":"a\u0062","method":"tools/list"}"#;
    let (status, body) = world.post(&[("mcp-session-id", &session)], body).await;
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200);
    assert_eq!(answer["id"], "ab");
    assert_eq!(answer["result"]["nextCursor"], "more");
    let tools = answer["result"]["tools"].as_array().expect("tools");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names, ["sse", "json", "pay", "rows"]);
    let pay = tools.iter().find(|tool| tool["name"] == "pay").expect("pay");
    let description = pay["description"].as_str().expect("a description");
    assert!(description.starts_with("does\n\nPolicy: ") && description.contains("amount"), "{description}");
    assert_eq!(pay["inputSchema"], json!({"type": "object"}));
}

#[tokio::test]
async fn results_are_decided_before_the_agent_sees_them() {
    let world = World::start().await;
    let session = world.session().await;
    let fine = world.call(Some(&session), "json", json!({"say": "hello"})).await;
    assert_eq!(fine["result"]["content"][0]["text"], "hello");
    let secret = world.call(Some(&session), "json", json!({"say": "a secret"})).await;
    assert_eq!(secret["result"]["isError"], true);
    assert_eq!(secret["result"]["_meta"][DECISION]["rules"], json!(["org/no-secrets"]));
    assert!(!secret.to_string().contains("a secret"));
    let last = world.records().pop().expect("a record");
    assert_eq!((&last["outcome"], &last["decision"]["verdict"]), (&json!("ran"), &json!("deny")));
}

#[tokio::test]
async fn streams_are_decided_message_by_message() {
    let world = World::start().await;
    let session = world.session().await;
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"sse","arguments":{"say":"streamed"}}}"#;
    let (_, text) = world.post(&[("mcp-session-id", &session)], body).await;
    assert!(text.contains("notifications/progress"), "{text}");
    assert!(text.contains("streamed") && text.contains(DECISION), "{text}");
    assert!(!text.contains("not asked for"), "an answer to another request must not pass: {text}");
}

#[tokio::test]
async fn obligations_are_met_or_the_result_is_withheld() {
    let world = World::start().await;
    let answer = world.call(None, "capped", json!({})).await;
    let text = answer["result"]["content"][0]["text"].as_str().expect("text");
    let rows: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(rows, json!({"rows": [{"n": 1}, {"n": 2}]}));
    let answer = world.call(None, "capped", json!({"plain": true})).await;
    assert_eq!(answer["result"]["_meta"][DECISION]["code"], "unmet-obligation", "{answer}");
    assert!(!answer.to_string().contains("1 a"));
}

#[tokio::test]
async fn a_session_remembers_and_another_cannot_be_claimed() {
    let world = World::start().await;
    let (a, b) = (world.session().await, world.session().await);
    assert_eq!(world.call(Some(&a), "rows", json!({})).await["result"]["isError"], Value::Null);
    assert_eq!(world.call(Some(&a), "rows", json!({})).await["result"]["_meta"][DECISION]["code"], "denied");
    assert_eq!(world.call(Some(&b), "rows", json!({})).await["result"]["isError"], Value::Null);
    // What has no session shares the one of agent and user.
    for verdict in ["allow", "deny"] {
        assert_eq!(
            world.call(None, "rows", json!({})).await["result"]["_meta"][DECISION]["verdict"],
            verdict
        );
    }
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for id in ["placet-00000000000000000000000000000000", "mine", ""] {
        assert_eq!(world.post(&[("mcp-session-id", id)], body).await.0, 404, "{id}");
    }
    let ended = world.client.delete(&world.url).header("mcp-session-id", &a).send().await.expect("an answer");
    assert_eq!(ended.status().as_u16(), 200);
    assert_eq!(world.post(&[("mcp-session-id", &a)], body).await.0, 404);
}

#[tokio::test]
async fn odd_servers_are_not_passed_on() {
    let world = World::start().await;
    for (tool, expected) in [
        ("odd.wrong-id", "cannot be used"),
        ("odd.not-json", "cannot be used"),
        ("odd.duplicate", "cannot be used"),
        ("odd.html", "refused the request"),
        ("odd.500", "refused the request"),
        ("odd.redirect", "refused the request"),
        ("odd.long", "cannot be used"),
    ] {
        let answer = world.call(None, tool, json!({})).await;
        let message = answer["error"]["message"].as_str().unwrap_or("");
        assert!(message.contains(expected), "{tool}: {answer}");
        let last = world.records().pop().expect("a record");
        assert_eq!(last["outcome"], "unknown", "{tool}");
    }
    assert_eq!(world.call(None, "odd.error", json!({})).await["error"]["message"], "no");
    assert_eq!(world.records().pop().expect("a record")["outcome"], "failed");
    let cut = world.call(None, "odd.cut", json!({})).await;
    assert_eq!(cut["error"]["message"], "the server's stream ended without an answer");
    assert_eq!(world.records().pop().expect("a record")["outcome"], "unknown");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_never_an_answer() {
    let world = World::with(POLICY, Some("http://127.0.0.1:9/mcp".to_owned())).await;
    let answer = world.call(None, "json", json!({})).await;
    assert_eq!(answer["error"]["message"], "the server does not answer");
    // It could not be asked for its tools, and there was nothing to decide.
    assert_eq!(world.records().len(), 0);
}

/// Headers, body, status, and a part of the answer.
type Case<'a> = (&'a [(&'a str, &'a str)], String, u16, &'a str);

/// Nothing of this may reach the server.
#[tokio::test]
async fn bad_messages_stop_at_the_gateway() {
    let world = World::start().await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let long =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":"{}"}}}}"#, "x".repeat(2 << 20));
    let call =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let cases: Vec<Case<'_>> = vec![
        (&[], String::new(), 400, "-32700"),
        (&[], "{".to_owned(), 400, "-32700"),
        (&[], "null".to_owned(), 400, "-32600"),
        (&[], "[]".to_owned(), 400, "batches"),
        (
            &[],
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}}]"#.to_owned(),
            400,
            "batches",
        ),
        (&[], "{}".to_owned(), 400, "jsonrpc"),
        (&[], r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_owned(), 400, "jsonrpc"),
        (&[], r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(), 400, "`id`"),
        (&[], r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(), 400, "`id`"),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":3}"#.to_owned(), 400, "`method`"),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.to_owned(), 400, "`params`"),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_owned(), 400, "twice"),
        (
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#.to_owned(),
            400,
            "`Method`",
        ),
        (
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#.to_owned(),
            400,
            "twice",
        ),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#.to_owned(), 400, "none of them"),
        (
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}"#.to_owned(),
            200,
            "-32001",
        ),
        (
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"name":"drop"}}"#.to_owned(),
            400,
            "-32601",
        ),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#.to_owned(), 400, "-32601"),
        (
            &[],
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"json"}}"#.to_owned(),
            400,
            "-32601",
        ),
        (
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#.to_owned(),
            400,
            "protocolVersion",
        ),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#.to_owned(), 400, "-32602"),
        (&[], call(r#"{"arguments":{}}"#), 400, "`name`"),
        (&[], call(r#"{"name":7}"#), 400, "`name`"),
        (&[], call(r#"{"name":"json","arguments":[]}"#), 400, "`arguments`"),
        (&[], call(r#"{"name":"json","Arguments":{}}"#), 400, "`Arguments`"),
        (&[], call(r#"{"name":"json","task":{"ttl":1}}"#), 400, "`task`"),
        (&[], call(r#"{"name":"json","arguments":{"a":1,"a":2}}"#), 400, "twice"),
        (&[], call(r#"{"name":"json","arguments":{"a":1e999}}"#), 400, "-32700"),
        (&[], call(r#"{"name":"json","arguments":{"a":"\ud800"}}"#), 400, "-32700"),
        (&[], call(r#"{"name":"","arguments":{}}"#), 200, "tool-unavailable"),
        (&[], deep, 400, "-32700"),
        (&[], long, 413, "more than 1048576 bytes"),
        (
            &[("content-type", "text/plain")],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            415,
            "application/json",
        ),
        (
            &[("content-encoding", "gzip")],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            415,
            "encoding",
        ),
        (
            &[("mcp-protocol-version", "1999-01-01")],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            400,
            "2025-11-25",
        ),
        (
            &[("origin", "https://evil.example")],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            403,
            "origin",
        ),
        (
            &[("origin", "http://localhost.evil.example")],
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
            403,
            "origin",
        ),
        (&[("origin", "null")], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(), 403, "origin"),
        (&[], r#"{"jsonrpc":"2.0","id":5,"result":{"roots":[]}}"#.to_owned(), 400, "no server has asked"),
        (&[], r#"{"jsonrpc":"2.0","id":"placet-ask-1","result":{}}"#.to_owned(), 400, "no server has asked"),
    ];
    for (headers, body, status, part) in cases {
        let (found, text) = world.post(headers, &body).await;
        let shown = body.chars().take(120).collect::<String>();
        assert_eq!(found, status, "{headers:?} {shown}: {text}");
        assert!(text.contains(part), "{headers:?} {shown}: {text}");
        assert_eq!(world.count(), 0, "{headers:?} {shown} reached the server");
    }
    let get = world.client.get(&world.url).send().await.expect("an answer");
    // A stream belongs to a session.
    assert_eq!(get.status().as_u16(), 400);
    let put = world.client.put(&world.url).send().await.expect("an answer");
    assert_eq!(put.status().as_u16(), 405);
}

#[tokio::test]
async fn the_protocols_own_messages_pass() {
    let world = World::start().await;
    for (headers, body, status) in [
        (vec![], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 200),
        (vec![("origin", "http://localhost:3000")], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 200),
        (vec![("origin", "https://app.example.com")], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 200),
        (vec![("mcp-protocol-version", "2025-06-18")], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 200),
        (vec![], r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202),
    ] {
        let before = world.count();
        let (found, text) = world.post(&headers, body).await;
        assert_eq!((found, world.count() - before), (status, 1), "{body}: {text}");
    }
    // Versions are negotiated, and what is not open is not offered.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2099-01-01","capabilities":{}}}"#;
    let (_, text) = world.post(&[], body).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(answer["result"]["capabilities"], json!({"tools": {}}));
}
