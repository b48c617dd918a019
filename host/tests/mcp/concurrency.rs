//! Many calls at once: a ceiling is never overshot, and a session's memory is never lost.

use std::sync::Arc;

use serde_json::json;

use crate::world::World;

const POLICY: &str = "
policy: concurrency
rules:
  - {id: open, tools: [json, rows], outcome: allow}
  - {id: once, tools: [rows], when: session.has('did'), outcome: deny}
remember:
  - {on: {tools: [rows]}, as: did}
limits:
  - {id: five, tools: [json], per: [agent], max: 5, window: 1h}
";

/// Sends so many calls of a tool at once, and says how many were allowed.
async fn send(world: &Arc<World>, session: Option<String>, tool: &'static str, calls: usize) -> usize {
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..calls {
        let (world, session) = (world.clone(), session.clone());
        sent.spawn(async move { world.call(session.as_deref(), tool, json!({})).await });
    }
    let mut allowed = 0;
    while let Some(answer) = sent.join_next().await {
        let answer = answer.expect("the call ends");
        let verdict = &answer["result"]["_meta"]["dev.placet/decision"]["verdict"];
        assert!(verdict == "allow" || verdict == "deny", "{answer}");
        allowed += usize::from(verdict == "allow");
    }
    allowed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_exact() {
    let world = Arc::new(World::with(POLICY, None).await);
    assert_eq!(send(&world, None, "json", 60).await, 5);
    assert_eq!(world.calls().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_happen_once_happens_once() {
    let world = Arc::new(World::with(POLICY, None).await);
    let session = world.session().await;
    assert_eq!(send(&world, Some(session), "rows", 40).await, 1);
    assert_eq!(world.calls().len(), 1);
}
