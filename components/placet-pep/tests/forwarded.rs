//! Property tests of the law of enforcement.

mod law;

use law::{admitted, check_mcp, check_route, check_server, forwarded, unambiguous};
use proptest::prelude::*;
use serde_json::{Map, Value};

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

    /// What servers answer, whole and as events.
    #[test]
    fn answers(body in near_messages(), id in prop::sample::select(vec!["7", "\"7\"", "8"])) {
        check_server(body.as_bytes());
        check_server(body.replace("\"id\":1", &format!("\"id\":{id}")).as_bytes());
        check_server(format!("data: {}\n\n", body.replace('\n', "\ndata: ")).as_bytes());
    }

    #[test]
    fn routes(body in near_messages(), name in prop::sample::select(vec!["crm__a", "files__crm__a", "crm+a:b", "a"])) {
        check_route(body.as_bytes());
        check_route(body.replace("\"a\"", &format!("\"{name}\"")).as_bytes());
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
    assert!(check_server(br#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#));
    assert!(check_server(b"data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":7,\"result\":{}}\n\n"));
    assert!(!check_server(br#"{"jsonrpc":"2.0","id":8,"result":{"content":[]}}"#));
    let named = String::from_utf8_lossy(call).replace("\"a\"", "\"crm__a\"");
    assert!(check_route(named.as_bytes()));
    assert!(!check_route(call));
    let exchange = admitted("/api/a%20b/c?x=1+2", &[("content-type", "application/json")]).expect("good");
    let (call, outgoing) = forwarded(exchange, b"{\"y\":2}").expect("it goes on");
    assert_eq!(call.expect("a call")["args"].to_string(), r#"{"id":"c","kind":"a b","x":"1 2","y":2}"#);
    assert_eq!(outgoing.path.as_deref(), Some("/api/a%20b/c?x=1%202"));
}
