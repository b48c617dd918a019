//! Cases of routing, merging and renaming.

use super::*;

const SERVERS: [&str; 2] = ["crm", "files"];

#[test]
fn a_message_finds_its_server() {
    let one = |server, body: &str| Route::One { server, body: body.to_owned() };
    for (message, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm__find","arguments":{"name":"x__y"}}}"#,
            one(
                0,
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"x__y"},"name":"find"}}"#,
            ),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"files__crm__find"}}"#,
            one(1, r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"crm__find"}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"files+file:///a"}}"#,
            one(1, r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"crm__7"}}"#,
            one(0, r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"7"}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"crm__p"},"argument":{}}}"#,
            one(
                0,
                r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"argument":{},"ref":{"type":"ref/prompt","name":"p"}}}"#,
            ),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, Route::Servers),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Route::Every { answer: None }),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            Route::Answered(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"placet-3","result":{}}"#,
            Route::Answer { id: r#""placet-3""#.to_owned() },
        ),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, Route::Unreadable),
        ("[]", Route::Unreadable),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            Route::Lists {
                id: "1".to_owned(),
                list: List::Tools,
                pages: vec![
                    (0, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#.to_owned()),
                    (1, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#.to_owned()),
                ],
            },
        ),
    ] {
        assert_eq!(route(message.as_bytes(), 1 << 20, &SERVERS), expected, "{message}");
    }
}

#[test]
fn what_names_no_server_is_refused() {
    for message in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"CRM__find"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm_find"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm__"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm+find"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"crm__file:///a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"vendor/run","params":{"name":"crm__x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"of somebody else"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}"#,
    ] {
        let route = route(message.as_bytes(), 1 << 20, &SERVERS);
        assert!(matches!(route, Route::Refused(_)), "{message}: {route:?}");
    }
}

#[test]
fn pages_of_one_list_go_on_where_they_ended() {
    let answers = [
        (
            "crm",
            Some(
                r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"crm__a"}],"nextCursor":"p2"}}"#
                    .to_owned(),
            ),
        ),
        ("files", Some(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"files__b"}]}}"#.to_owned())),
    ];
    let (body, failed) = merge_lists("1", List::Tools, &answers);
    assert!(failed.is_empty());
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["result"]["tools"], serde_json::json!([{"name": "crm__a"}, {"name": "files__b"}]));
    let next = format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{{"cursor":{}}}}}"#,
        body["result"]["nextCursor"]
    );
    let Route::Lists { pages, .. } = route(next.as_bytes(), 1 << 20, &SERVERS) else { panic!("a list") };
    let page = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"p2"}}"#;
    assert_eq!(pages, [(0, page.to_owned())]);
}

#[test]
fn a_server_without_a_list_or_without_an_answer_is_passed_over() {
    let none = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#.to_owned();
    let broken = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"broken"}}"#.to_owned();
    for (answers, expected, failed) in [
        ([Some(none.clone()), Some(none.clone())], r#""prompts":[]"#, 0),
        ([Some(none), None], r#""prompts":[]"#, 1),
        ([Some(broken), None], "broken", 2),
        ([None, None], "no server answers", 2),
    ] {
        let answers: Vec<_> = SERVERS.into_iter().zip(answers).collect();
        let (body, names) = merge_lists("1", List::Prompts, &answers);
        assert!(body.contains(expected), "{body}");
        assert_eq!(names.len(), failed, "{body}");
    }
}

#[test]
fn servers_are_one_server() {
    let answers = [
        (
            "crm",
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"a"},"instructions":"Be kind."}}"#
                .to_owned(),
        ),
        (
            "files",
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{}},"serverInfo":{"name":"b"}}}"#
                .to_owned(),
        ),
    ];
    let body: serde_json::Value = serde_json::from_str(&merge_servers("1", &answers).unwrap()).unwrap();
    let result = &body["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["capabilities"], serde_json::json!({"tools": {"listChanged": true}, "prompts": {}}));
    assert_eq!(result["serverInfo"]["name"], "placet");
    assert_eq!(result["instructions"], "Server `crm` (its names begin with `crm__`):\nBe kind.");
    assert!(merge_servers("1", &[]).is_err());
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#.to_owned();
    assert!(merge_servers("1", &[("crm", refused)]).unwrap_err().contains("\"no\""));
}

#[test]
fn what_servers_say_is_renamed() {
    for (said, expected) in [
        (
            r#"{"result":{"tools":[{"name":"a","x":1.50}]}}"#,
            r#"{"result":{"tools":[{"x":1.50,"name":"crm__a"}]}}"#,
        ),
        (
            r#"{"result":{"contents":[{"uri":"u:1","text":"t"}]}}"#,
            r#"{"result":{"contents":[{"text":"t","uri":"crm+u:1"}]}}"#,
        ),
        (
            r#"{"result":{"content":[{"type":"resource_link","uri":"u:1"},{"type":"resource","resource":{"uri":"u:2"}},{"type":"text","text":"u:3"}]}}"#,
            r#"{"result":{"content":[{"type":"resource_link","uri":"crm+u:1"},{"type":"resource","resource":{"uri":"crm+u:2"}},{"type":"text","text":"u:3"}]}}"#,
        ),
        (
            r#"{"method":"notifications/resources/updated","params":{"uri":"u:1"}}"#,
            r#"{"method":"notifications/resources/updated","params":{"uri":"crm+u:1"}}"#,
        ),
        (r#"{"result":{"task":{"taskId":"7"}}}"#, r#"{"result":{"task":{"taskId":"crm__7"}}}"#),
        (
            r#"{"method":"notifications/message","params":{"level":"info","data":{"uri":"u:1"}}}"#,
            r#"{"method":"notifications/message","params":{"level":"info","data":{"uri":"u:1"}}}"#,
        ),
        (
            r#"{"result":{"structuredContent":{"uri":"u:1","name":"n"}}}"#,
            r#"{"result":{"structuredContent":{"uri":"u:1","name":"n"}}}"#,
        ),
        (r#"{"error":{"code":1,"message":"m"}}"#, r#"{"error":{"code":1,"message":"m"}}"#),
    ] {
        assert_eq!(outward("crm", said), expected);
    }
}

#[test]
fn names_of_servers_cannot_be_read_in_two_ways() {
    for name in ["crm", "a", "files-2"] {
        assert!(is_server_name(name), "{name}");
    }
    for name in ["", "Crm", "2a", "a_b", "a__b", "a+b", "a.b", "-a", "ä"] {
        assert!(!is_server_name(name), "{name}");
    }
    assert_eq!(inward_name("a", "a__b"), Some("b".to_owned()));
    assert_eq!(inward_name("a", "ab__c"), None);
    assert_eq!(inward_name("a", "a+b"), None);
    assert_eq!(inward_uri("a", "a+x:y"), Some("x:y".to_owned()));
    assert_eq!(inward_uri("a", "a__x:y"), None);
}
