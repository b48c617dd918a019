//! The law of enforcement: whatever bytes come in, either nothing goes on, or what goes on is exactly the call that was
//! decided, to strict and to lax readers alike.

use placet_model::{Code, Decision, Verdict};
use placet_pep::http::{Admitted, Config, Exchange, Guard, Head, Inspected, Outgoing, Peer};
use proptest::prelude::*;
use serde_json::{Map, Value};

const NOW: &str = "2026-11-21T09:00:00Z";

fn guard() -> Guard {
    let config = r#"{
        "mcp": [{"path": "/mcp"}],
        "http": [{"prefix": "/api", "routes": [
            {"method": "POST", "path": "/api/{kind}/{id}", "tool": "api.post"},
            {"method": "POST", "path": "/api/form", "tool": "api.form", "body": "form"}]}],
        "identity": {"fixed": {"tenant": "acme", "agent": {"id": "bot"}}}}"#;
    Guard::new(Config::from_json(config).expect("a configuration")).expect("it compiles")
}

fn admitted(path: &str, headers: &[(&str, &str)]) -> Option<Box<Exchange>> {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match guard().admit(&Head { method: "POST", path, headers: &headers }, &Peer::default()) {
        Admitted::Guarded(exchange) => Some(exchange),
        Admitted::Pass | Admitted::Refuse(_) => None,
    }
}

/// The decided call and what goes on, if anything does.
fn forwarded(exchange: Box<Exchange>, body: &[u8]) -> Option<(Option<Value>, Outgoing)> {
    let allow = Decision { verdict: Verdict::Allow, ..Decision::deny(Code::Allowed, "Allowed.", "p") };
    match exchange.inspect(body, NOW) {
        Inspected::Decide(proposal) => {
            let call = serde_json::from_slice(proposal.call()).expect("the decided call is JSON");
            Some((Some(call), proposal.decided(&allow).expect("it is allowed")))
        }
        Inspected::Forward(outgoing) => Some((None, *outgoing)),
        Inspected::Refuse(_) => None,
        Inspected::Answer(_) => panic!("there is no decision endpoint"),
    }
}

/// Every object of a text has names of its own, so that readers who take the first and who take the last agree.
fn unambiguous(text: &str) -> bool {
    placet_model::Json::parse(text.as_bytes(), usize::MAX, 512).is_ok()
}

fn check_mcp(body: &[u8]) -> bool {
    let exchange = admitted("/mcp", &[("content-type", "application/json")]).expect("the head is good");
    let Some((call, outgoing)) = forwarded(exchange, body) else { return false };
    let sent = outgoing.permit.expect("messages have bodies").into_body();
    assert!(unambiguous(&sent), "{sent}");
    let sent: Value = serde_json::from_str(&sent).expect("what goes on is JSON");
    let method = sent["method"].as_str().unwrap_or("");
    match call {
        None => assert!(method != "tools/call" && !method.contains("read"), "{sent}"),
        Some(call) if method == "tools/call" => {
            assert_eq!(sent["params"]["name"], call["tool"], "{sent}");
            let none = Value::Object(Map::new());
            assert_eq!(sent["params"].get("arguments").unwrap_or(&none), &call["args"], "{sent}");
        }
        Some(call) => {
            assert_eq!(call["tool"], format!("mcp:{method}"), "{sent}");
            let mut params = sent.get("params").cloned().unwrap_or(Value::Object(Map::new()));
            params.as_object_mut().expect("an object").remove("_meta");
            assert_eq!(params, call["args"], "{sent}");
        }
    }
    true
}

/// Texts close to messages: pieces of messages in any order, some of them twice.
fn near_messages() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\u{feff}",
        "\"jsonrpc\":\"2.0\"",
        "\"id\":1",
        "\"id\":9007199254740993",
        "\"id\":null",
        "\"method\":\"tools/call\"",
        "\"method\":\"tools/list\"",
        "\"meth\\u006fd\":\"tools/call\"",
        "\"method\":\"Tools/Call\"",
        "\"method\":\"resources/read\"",
        "\"params\":{\"name\":\"a\",\"arguments\":{\"x\":1}}",
        "\"params\":{\"name\":\"a\",\"name\":\"b\"}",
        "\"params\":{\"name\":\"a\",\"n\\u0061me\":\"b\"}",
        "\"params\":{\"arguments\":{\"x\":1,\"x\":2},\"name\":\"a\"}",
        "\"params\":{\"uri\":\"a\",\"_meta\":{\"x\":1}}",
        "\"result\":{}",
        "\"error\":{\"code\":1,\"message\":\"m\"}",
        "\"params\":{\"name\":\"a\",\"arguments\":{\"n\":1e400}}",
        "\"params\":{\"name\":\"\\ud800\"}",
        "\"params\":{\"name\":\"a\",\"arguments\":{\"n\":12345678901234567890}}",
        "\"extra\":1",
        "\0",
        "//",
        "'",
    ]);
    let joined = prop::collection::vec(piece.clone(), 0..12).prop_map(|pieces| pieces.concat());
    let object = prop::collection::vec(piece, 1..7).prop_map(|pieces| format!("{{{}}}", pieces.join(",")));
    prop_oneof![joined, object]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages(body in near_messages()) {
        check_mcp(body.as_bytes());
    }

    #[test]
    fn bytes(body in prop::collection::vec(any::<u8>(), 0..200)) {
        check_mcp(&body);
    }

    #[test]
    fn flipped(at in 0_usize..90, to in any::<u8>()) {
        let mut body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":"y"}}}"#.to_vec();
        if let Some(byte) = body.get_mut(at) { *byte = to; }
        check_mcp(&body);
    }

    /// Path, query and body of a plain interface, read by a lax reader as they were decided.
    #[test]
    fn requests(path in "/api/[a-z%/.;+ 0-9]{0,12}/[a-zA-Z%0-9._~ +-]{0,8}", query in "[a-c%=&+;0-9.]{0,16}", body in near_messages()) {
        let target = format!("{path}?{query}");
        let Some(exchange) = admitted(&target, &[("content-type", "application/json")]) else { return Ok(()) };
        let Some((Some(call), outgoing)) = forwarded(exchange, body.as_bytes()) else { return Ok(()) };
        let target = outgoing.path.expect("a target");
        let read = lax_target(&target);
        let args = call["args"].as_object().expect("arguments");
        let mut seen = Map::new();
        for (name, value) in read {
            prop_assert!(seen.insert(name, Value::String(value)).is_none(), "{}", target);
        }
        if let Some(permit) = outgoing.permit {
            let sent = permit.into_body();
            prop_assert!(unambiguous(&sent), "{}", sent);
            let sent: Map<String, Value> = serde_json::from_str(&sent).expect("an object");
            for (name, value) in sent {
                prop_assert!(seen.insert(name, value).is_none());
            }
        }
        prop_assert_eq!(args, &seen);
    }
}

/// What a server reads that decodes everything it can and splits at everything that could be a separator.
fn lax_target(target: &str) -> Vec<(String, String)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut out = Vec::new();
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
            match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
                Some(byte) => {
                    out.push(byte);
                    at += 3;
                }
                None => {
                    out.push(bytes[at]);
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let segments: Vec<String> = path.split('/').skip(2).map(decode).collect();
    let names = ["kind", "id"];
    let mut read: Vec<(String, String)> = names.iter().map(|name| (*name).to_owned()).zip(segments).collect();
    for pair in query.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        read.push((decode(name), decode(value)));
    }
    read
}

#[test]
fn the_law_is_not_empty() {
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1}}}"#;
    assert!(check_mcp(call));
    let exchange = admitted("/api/a%20b/c?x=1+2", &[("content-type", "application/json")]).expect("good");
    let (call, outgoing) = forwarded(exchange, b"{\"y\":2}").expect("it goes on");
    assert_eq!(call.expect("a call")["args"].to_string(), r#"{"id":"c","kind":"a b","x":"1 2","y":2}"#);
    assert_eq!(outgoing.path.as_deref(), Some("/api/a%20b/c?x=1%202"));
}
