//! What servers ask of the client: decided like calls, and answered by the gateway when policy refuses.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::world::World;

const POLICY: &str = "
policy: asks
rules:
  - {id: open, tools: [ask], outcome: allow}
  - {id: questions, tools: ['mcp:elicitation/create'], args: {message: {max_length: 100}}, outcome: allow}
  - {id: sampling, tools: ['mcp:sampling/createMessage'], outcome: escalate, reason: Ask somebody.}
";

/// Calls the tool that asks, answers the question with `answer`, and gives what the client saw.
async fn call(world: &World, session: &str, method: &str, answer: bool) -> Vec<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"method": method}}});
    let post = |body: &Value| {
        let request = world.client.post(&world.url).header("content-type", "application/json");
        request.header("mcp-session-id", session).body(body.to_string()).send()
    };
    let mut stream = post(&body).await.expect("an answer").bytes_stream();
    let (mut text, mut seen) = (String::new(), Vec::new());
    while let Some(Ok(chunk)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some((event, rest)) = text.clone().split_once("\n\n") {
            rest.clone_into(&mut text);
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let Some(message) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
                continue;
            };
            if answer && message.get("method").is_some() && message.get("id").is_some() {
                // What was not asked is not answered; what was, once.
                for (id, status) in
                    [(json!("q"), 400), (message["id"].clone(), 202), (message["id"].clone(), 400)]
                {
                    let body = json!({"jsonrpc": "2.0", "id": id, "result": {"action": "accept"}});
                    assert_eq!(post(&body).await.expect("an answer").status().as_u16(), status, "{body}");
                }
            }
            seen.push(message);
        }
    }
    seen
}

fn text(message: &Value) -> &str {
    message["result"]["content"][0]["text"].as_str().unwrap_or("")
}

#[tokio::test]
async fn what_policy_allows_is_asked_and_answered() {
    let world = World::with(POLICY, None).await;
    let session = world.session().await;
    let seen = call(&world, &session, "elicitation/create", true).await;
    assert_eq!(seen[0]["method"], "elicitation/create", "{seen:?}");
    assert_ne!(seen[0]["id"], "q", "the server's ids are not the client's");
    assert_eq!(text(seen.last().expect("an answer")), "answered");
    let record = world.records().into_iter().find(|of| of["call"]["tool"] == "mcp:elicitation/create");
    assert_eq!(record.expect("a record")["decision"]["verdict"], "allow");
}

#[tokio::test]
async fn what_policy_refuses_is_refused_to_the_server() {
    let world = World::with(POLICY, None).await;
    let session = world.session().await;
    for method in ["sampling/createMessage", "roots/list", "vendor/run"] {
        world.reached.lock().expect("no panic").clear();
        let seen = call(&world, &session, method, false).await;
        assert!(
            seen.iter().all(|of| of.get("method").is_none() || of["method"] == "notifications/message"),
            "{seen:?}"
        );
        assert_eq!(text(seen.last().expect("an answer")), "refused", "{method}");
    }
}
