//! Several servers behind one gateway: one catalogue, each call at its own server.

use serde_json::{Value, json};

use super::world::World;

const POLICY: &str = "
policy: several
rules:
  - {id: crm, tools: [crm.json], outcome: allow}
  - {id: files, tools: [files.rows, files.sse], outcome: allow}
  - {id: read, tools: ['files.mcp:resources/read'], args: {uri: {prefix: 'file:///open/'}}, outcome: allow}
";

async fn ask(world: &World, session: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (status, text) = world.post(&[("mcp-session-id", session)], &body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn clients_see_one_catalogue() {
    let world = World::of_two(POLICY).await;
    let session = world.session().await;
    let (_, answer) = ask(&world, &session, "tools/list", json!({})).await;
    let names = |answer: &Value| -> Vec<String> {
        let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
        tools.iter().map(|tool| tool["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(&answer), ["crm__json", "files__sse", "files__rows"]);
    // Both servers have more, and are asked for it with the cursors that they gave.
    let cursor = answer["result"]["nextCursor"].clone();
    let before = world.count();
    let (_, answer) = ask(&world, &session, "tools/list", json!({"cursor": cursor})).await;
    assert_eq!(names(&answer).len(), 3);
    let reached = world.reached.lock().expect("no panic").split_off(before);
    assert!(reached.len() == 2 && reached.iter().all(|of| of["params"]["cursor"] == "more"), "{reached:?}");
}

#[tokio::test]
async fn a_call_reaches_its_own_server_in_its_own_words() {
    let world = World::of_two(POLICY).await;
    let session = world.session().await;
    for (tool, reached, allowed) in [
        ("crm__json", "json", true),
        ("files__rows", "rows", true),
        ("files__sse", "sse", true),
        ("files__json", "json", false),
        ("crm__rows", "rows", false),
    ] {
        let before = world.calls().len();
        let answer = world.call(Some(&session), tool, json!({})).await;
        assert_eq!(answer["result"]["isError"] != true, allowed, "{tool}: {answer}");
        let calls = world.calls().split_off(before);
        assert_eq!(calls, if allowed { vec![reached.to_owned()] } else { Vec::new() }, "{tool}");
    }
    let tools: Vec<Value> = world.records().iter().map(|of| of["call"]["tool"].clone()).collect();
    assert!(tools.contains(&json!("files.json")) && tools.contains(&json!("crm.rows")), "{tools:?}");
    for tool in ["json", "crm_json", "CRM__json", "other__json", "crm__", "crm.json"] {
        let before = world.count();
        let answer = world.call(Some(&session), tool, json!({})).await;
        assert!(answer["error"]["message"].as_str().is_some_and(|of| of.contains("there is no")), "{answer}");
        assert_eq!(world.count(), before, "{tool} reached a server");
    }
}

#[tokio::test]
async fn resources_belong_to_servers_and_other_methods_to_nobody() {
    let world = World::of_two(POLICY).await;
    let session = world.session().await;
    for (method, params, reached) in [
        ("resources/read", json!({"uri": "files+file:///open/a"}), Some("file:///open/a")),
        ("resources/read", json!({"uri": "files+file:///shut/a"}), None),
        ("resources/read", json!({"uri": "crm+file:///open/a"}), None),
        ("resources/read", json!({"uri": "file:///open/a"}), None),
        ("vendor/run", json!({"name": "files__x"}), None),
    ] {
        let before = world.count();
        let (_, answer) = ask(&world, &session, method, params.clone()).await;
        let seen = world.reached.lock().expect("no panic").split_off(before);
        let uris: Vec<&str> = seen.iter().filter_map(|of| of["params"]["uri"].as_str()).collect();
        assert_eq!(uris, reached.into_iter().collect::<Vec<_>>(), "{method} {params}: {answer}");
        assert_eq!(answer.get("error").is_none(), reached.is_some(), "{answer}");
    }
    let before = world.count();
    assert_eq!(ask(&world, &session, "ping", json!({})).await.0, 200);
    assert_eq!(world.count(), before, "the gateway answers a ping itself");
}

#[tokio::test]
async fn a_server_that_is_not_there_takes_nothing_away_from_the_others() {
    let world = World::with_dead_server(POLICY).await;
    let session = world.session().await;
    let (_, answer) = ask(&world, &session, "tools/list", json!({})).await;
    assert_eq!(answer["result"]["tools"][0]["name"], "crm__json", "{answer}");
    let answer = world.call(Some(&session), "files__rows", json!({})).await;
    assert_eq!(answer["error"]["message"], "the server does not answer");
    assert_eq!(world.call(Some(&session), "crm__json", json!({})).await["result"]["isError"], Value::Null);
}
