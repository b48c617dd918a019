//! The law of enforcement: whatever bytes come in, either nothing goes on, or what goes on is exactly the call that was
//! decided, to strict and to lax readers alike.

use placet_model::{Code, Decision, Verdict};
use placet_pep::http::{Admitted, Config, Exchange, Guard, Head, Inspected, Outgoing, Peer};
use placet_pep::{Answered, federate};
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

pub fn admitted(path: &str, headers: &[(&str, &str)]) -> Option<Box<Exchange>> {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match guard().admit(&Head { method: "POST", path, headers: &headers }, &Peer::default()) {
        Admitted::Guarded(exchange) => Some(exchange),
        Admitted::Pass | Admitted::Refuse(_) => None,
    }
}

/// The decided call and what goes on, if anything does.
pub fn forwarded(exchange: Box<Exchange>, body: &[u8]) -> Option<(Option<Value>, Outgoing)> {
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
pub fn unambiguous(text: &str) -> bool {
    placet_model::Json::parse(text.as_bytes(), usize::MAX, 512).is_ok()
}

pub fn check_mcp(body: &[u8]) -> bool {
    let exchange = admitted("/mcp", &[("content-type", "application/json")]).expect("the head is good");
    let Some((call, outgoing)) = forwarded(exchange, body) else { return false };
    let sent = outgoing.permit.expect("messages have bodies").into_body();
    assert!(unambiguous(&sent), "{sent}");
    let sent: Value = serde_json::from_str(&sent).expect("what goes on is JSON");
    let method = sent["method"].as_str().unwrap_or("");
    match call {
        None => {
            let opens = method.starts_with("tools/call") || method.contains("read");
            assert!(!opens || sent.get("method").is_none(), "{sent}");
        }
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

/// Whatever a server answers, the agent gets messages that can be read in one way only, and an answer to its own request.
pub fn check_server(answer: &[u8]) -> bool {
    let exchange = admitted("/mcp", &[("content-type", "application/json")]).expect("the head is good");
    let call = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#;
    let (_, outgoing) = forwarded(exchange, call).expect("it goes on");
    let allow = Decision { verdict: Verdict::Allow, ..Decision::deny(Code::Allowed, "Allowed.", "p") };
    let mut passed = false;
    let mut check = |message: &[u8]| {
        let text = match outgoing.incoming.whole(message) {
            Answered::Pass(text) => text,
            Answered::Decide(pending) => {
                let call = pending.call(NOW);
                assert!(unambiguous(&call), "{call}");
                pending.decided(&allow)
            }
            Answered::Filter(_) => panic!("nothing was listed"),
            Answered::Drop(_) => return,
        };
        assert!(unambiguous(&text), "{text}");
        let said: Value = serde_json::from_str(&text).expect("the agent gets JSON");
        assert!(said.get("method").is_some() || said["id"] == 7, "{said}");
        let renamed: Value = serde_json::from_str(&federate::outward("crm", &text)).expect("JSON");
        assert_eq!((&renamed["id"], &renamed["method"]), (&said["id"], &said["method"]));
        passed = true;
    };
    check(answer);
    let mut events = outgoing.incoming.events();
    for bytes in answer.chunks(5) {
        for event in events.push(bytes).unwrap_or_default() {
            check(event.data.as_deref().unwrap_or_default().as_bytes());
            assert_eq!(event.write("{\n}").matches("\n\n").count(), 1, "an event is one");
        }
    }
    passed
}

/// Whatever a client sends to several servers, one of them gets what it would have got alone, in its own names.
pub fn check_route(body: &[u8]) -> bool {
    let names = ["crm", "files"];
    match federate::route(body, 1 << 20, &names) {
        federate::Route::One { server, body: own } => {
            let [sent, own]: [Value; 2] =
                [body, own.as_bytes()].map(|text| serde_json::from_slice(text).expect("it was understood"));
            let named = |of: &Value| {
                let params = &of["params"];
                let of = [
                    &params["name"],
                    &params["uri"],
                    &params["taskId"],
                    &params["ref"]["name"],
                    &params["ref"]["uri"],
                ];
                of.map(|name| name.as_str().unwrap_or("").to_owned())
            };
            let changed: Vec<_> = named(&sent).into_iter().zip(named(&own)).filter(|(a, b)| a != b).collect();
            assert_eq!((&sent["method"], &sent["id"]), (&own["method"], &own["id"]));
            let [(outer, inner)] = changed.as_slice() else { panic!("one name changes: {sent} {own}") };
            let own = federate::inward_name(names[server], outer);
            assert_eq!(own.or_else(|| federate::inward_uri(names[server], outer)).as_ref(), Some(inner));
            true
        }
        federate::Route::Lists { pages, .. } => {
            pages.iter().for_each(|(_, body)| assert!(unambiguous(body), "{body}"));
            true
        }
        _ => false,
    }
}
