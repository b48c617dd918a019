//! Protocol version 2026-07-28, which has no sessions, and decisions for enforcement points elsewhere.

use serde_json::{Value, json};

use crate::world::World;

const VERSION: &str = "2026-07-28";

fn body(method: &str, name: Option<&str>, trace: Option<&str>) -> String {
    let mut params = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {}}});
    if let Some(name) = name {
        params["name"] = name.into();
        params["arguments"] = json!({"amount": 5});
    }
    if let Some(trace) = trace {
        params["_meta"]["traceparent"] = format!("00-{trace}-b7ad6b7169203331-01").into();
    }
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

async fn post(world: &World, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let headers = [&[("mcp-protocol-version", VERSION)], headers].concat();
    let (status, text) = world.post(&headers, body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn headers_and_body_must_agree() {
    let world = World::start().await;
    let call = body("tools/call", Some("pay"), None);
    for (headers, status, code) in [
        (&[("mcp-method", "tools/call"), ("mcp-name", "pay")][..], 200, Value::Null),
        (&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?cGF5?=")], 200, Value::Null),
        (&[("mcp-method", "tools/call"), ("mcp-name", "pay"), ("mcp-param-x", "5")], 200, Value::Null),
        (&[], 400, json!(-32020)),
        (&[("mcp-method", "tools/call")], 400, json!(-32020)),
        (&[("mcp-method", "tools/list"), ("mcp-name", "pay")], 400, json!(-32020)),
        (&[("mcp-method", "tools/call"), ("mcp-name", "json")], 400, json!(-32020)),
        (&[("mcp-method", "tools/call"), ("mcp-name", "pay"), ("mcp-param-x", "6")], 400, json!(-32020)),
    ] {
        let before = world.count();
        let (found, answer) = post(&world, headers, &call).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &code), "{headers:?}: {answer}");
        assert_eq!(world.count() - before, usize::from(status == 200), "{headers:?}");
    }
}

#[tokio::test]
async fn a_trace_is_a_session() {
    let world = World::start().await;
    let call = |trace: Option<&'static str>| body("tools/call", Some("rows"), trace);
    let (a, b) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c");
    for (trace, verdict) in
        [(Some(a), "allow"), (Some(b), "allow"), (Some(a), "deny"), (None, "allow"), (None, "deny")]
    {
        let headers = [("mcp-method", "tools/call"), ("mcp-name", "rows")];
        let (_, answer) = post(&world, &headers, &call(trace)).await;
        assert_eq!(
            answer["result"]["_meta"]["dev.placet/decision"]["verdict"], verdict,
            "{trace:?}: {answer}"
        );
    }
    assert_eq!(world.calls(), ["rows", "rows", "rows"]);
}

#[tokio::test]
async fn what_versions_have_is_not_mixed() {
    let world = World::start().await;
    let headers = [("mcp-method", "initialize")];
    let (status, answer) = post(&world, &headers, &body("initialize", None, None)).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!(-32601)));
    let (status, answer) = world.post(&[], &body("server/discover", None, None)).await;
    assert_eq!(status, 400, "{answer}");
    let (status, _) =
        post(&world, &[("mcp-method", "server/discover")], &body("server/discover", None, None)).await;
    assert_eq!(status, 200);
    let delete = world.client.delete(&world.url).header("mcp-protocol-version", VERSION).send().await;
    assert_eq!(delete.expect("an answer").status().as_u16(), 405);
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn decisions_for_others() {
    let world = World::start().await;
    let url = world.url.replace("/mcp", "/v1/decide");
    let decide = async |body: String| {
        let request = world.client.post(&url).header("content-type", "application/json").body(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let answer: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
        (status, answer["verdict"].clone(), answer["code"].clone())
    };
    let call = |tool: &str, stage: &str| {
        json!({"tool": tool, "tenant": "acme", "agent": {"id": "bot"}, "session": {"id": "s"}, "stage": stage,
            "content": if stage == "result" { json!({"ok": true}) } else { Value::Null },
            "now": "2026-11-21T09:00:00Z"})
        .to_string()
        .replace("\"content\":null,", "")
    };
    let answer = |status: u16, verdict: &str, code: &str| (status, json!(verdict), json!(code));
    assert_eq!(decide(call("rows", "call")).await, answer(200, "allow", "allowed"));
    assert_eq!(decide(call("rows", "result")).await, answer(200, "allow", "allowed"));
    assert_eq!(decide(call("rows", "call")).await, answer(200, "deny", "denied"));
    assert_eq!(decide("{}".to_owned()).await, answer(200, "deny", "bad-request"));
    assert_eq!(decide("nonsense".to_owned()).await, answer(200, "deny", "bad-request"));
    assert_eq!(world.records().len(), 5);
    assert_eq!(world.count(), 0);
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}META}}"#;

/// Begins a session, which may carry another on, and gives its id and its handle.
async fn begin(world: &World, handle: Option<&str>) -> (String, String) {
    let meta = handle.map_or(String::new(), |of| format!(r#","_meta":{{"dev.placet/session":"{of}"}}"#));
    let request = world.client.post(&world.url).header("content-type", "application/json");
    let response = request.body(INITIALIZE.replace("META", &meta)).send().await.expect("an answer");
    let id = response.headers().get("mcp-session-id").expect("a session").to_str().expect("text").to_owned();
    let answer: Value = serde_json::from_str(&response.text().await.expect("text")).expect("JSON");
    (id, answer["result"]["_meta"]["dev.placet/session"].as_str().expect("a handle").to_owned())
}

#[tokio::test]
async fn a_handle_carries_a_session_on() {
    let world = World::start().await;
    let verdict = |answer: &Value| answer["result"]["_meta"]["dev.placet/decision"]["verdict"].clone();
    let (first, handle) = begin(&world, None).await;
    assert_eq!(verdict(&world.call(Some(&first), "rows", json!({})).await), "allow");
    // Over another connection, and in the version without sessions.
    let (second, _) = begin(&world, Some(&handle)).await;
    assert_ne!(first, second);
    assert_eq!(verdict(&world.call(Some(&second), "rows", json!({})).await), "deny");
    let (_, other) = begin(&world, None).await;
    let headers = [("mcp-method", "tools/call"), ("mcp-name", "rows")];
    for (handle, expected) in [(&other, json!("allow")), (&other, json!("deny")), (&handle, json!("deny"))] {
        let mut call: Value = serde_json::from_str(&body("tools/call", Some("rows"), None)).expect("JSON");
        call["params"]["_meta"]["dev.placet/session"] = handle.as_str().into();
        let (_, answer) = post(&world, &headers, &call.to_string()).await;
        assert_eq!(verdict(&answer), expected, "{answer}");
    }
    let reached = world.reached.lock().expect("no panic").clone();
    assert!(!json!(reached).to_string().contains("dev.placet/session"), "handles stay at the gateway");
}

#[tokio::test]
async fn a_handle_that_is_none_is_refused() {
    let world = World::start().await;
    let elsewhere = begin(&World::start().await, None).await.1;
    for handle in [json!(elsewhere), json!("placet-1"), json!(""), json!(7), Value::Null] {
        let mut call: Value = serde_json::from_str(&body("tools/call", Some("pay"), None)).expect("JSON");
        call["params"]["_meta"]["dev.placet/session"] = handle.clone();
        let headers = [("mcp-method", "tools/call"), ("mcp-name", "pay")];
        let (status, answer) = post(&world, &headers, &call.to_string()).await;
        assert_eq!((status, &answer["code"]), (403, &json!("bad-handle")), "{handle}: {answer}");
        assert_eq!(world.count(), 0, "{handle} reached the server");
    }
}
