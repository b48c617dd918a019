//! The policy is edited while the gateway serves.

use std::time::Duration;

use serde_json::json;

use crate::world::{POLICY, World};

/// Waits, up to a few seconds, until a call of `pay` for 11 gets a verdict.
async fn becomes(world: &World, verdict: &str) -> bool {
    for _ in 0..100 {
        let answer = world.call(None, "pay", json!({"amount": 11})).await;
        if answer["result"]["_meta"]["dev.placet/decision"]["verdict"] == verdict {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test]
async fn a_broken_policy_leaves_the_old_one_and_a_mended_one_decides() {
    let world = World::start().await;
    assert!(becomes(&world, "escalate").await);
    // Broken: long enough for several reloads to have been tried.
    for broken in ["policy: [", "policy: p\nrules: [{id: a, tools: x, outcome: alow}]\n", ""] {
        world.write_policy(broken);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let answer = world.call(None, "pay", json!({"amount": 11})).await;
        assert_eq!(answer["result"]["_meta"]["dev.placet/decision"]["rules"], json!(["org/big"]), "{broken}");
    }
    world.write_policy(&POLICY.replace("max: 10", "max: 20").replace("args.amount > 10", "args.amount > 20"));
    assert!(becomes(&world, "allow").await, "the mended policy decides");
    std::fs::remove_file(world.folder.join("policies/policy.yaml")).expect("removed");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(becomes(&world, "allow").await, "a policy that is gone is no policy to reload");
}
