//! API keys.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{World, folder};

/// A key and its entry, as the command line makes them.
fn make(arguments: &[&str]) -> (String, Value) {
    let made = Command::new(env!("CARGO_BIN_EXE_placet"))
        .args(["apikey", "--format", "json"])
        .args(arguments)
        .output();
    let made = made.expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    (made["key"].as_str().expect("a key").to_owned(), made["entry"].clone())
}

fn write(folder: &Path, entries: &[&Value]) {
    std::fs::write(folder.join("keys.yaml.new"), json!({"keys": entries}).to_string()).expect("written");
    std::fs::rename(folder.join("keys.yaml.new"), folder.join("keys.yaml")).expect("renamed");
}

fn front() -> Value {
    json!({"auth": {"api_keys": "$DIR/keys.yaml"}})
}

#[tokio::test]
async fn keys_say_who_calls() {
    let (ci, ci_entry) =
        make(&["ci", "--tenant", "acme", "--agent", "builder", "--role", "dev", "--role", "ops"]);
    let (desk, desk_entry) =
        make(&["desk", "--tenant", "globex", "--agent", "desk", "--user", "ann", "--days", "1"]);
    let (old, mut old_entry) = make(&["old", "--tenant", "acme", "--agent", "old", "--days", "1"]);
    old_entry["expires"] = json!("2020-01-01T00:00:00Z");
    assert!(!ci_entry.to_string().contains(&ci) && ci.starts_with("plk_") && ci.len() == 47, "{ci}");
    let folder = folder();
    write(&folder, &[&ci_entry, &desk_entry, &old_entry]);
    let world = World::start(folder, front()).await;
    let (bearer_ci, bearer_desk) = (format!("Bearer {ci}"), format!("bearer {desk}"));
    for (headers, who) in [
        (("authorization", bearer_ci.as_str()), json!(["acme", "builder", ["dev", "ops"], null])),
        (("x-api-key", ci.as_str()), json!(["acme", "builder", ["dev", "ops"], null])),
        (("authorization", bearer_desk.as_str()), json!(["globex", "desk", null, "ann"])),
    ] {
        assert_eq!(world.call(&[headers], "whoami").await.status, 200);
        let call = world.last();
        let found = json!([call["tenant"], call["agent"]["id"], call["agent"]["roles"], call["user"]["id"]]);
        assert_eq!(found, who);
    }
    let before = world.count();
    let (digest, longer, shorter) = (ci_entry["digest"].as_str().expect("text"), format!("{ci}A"), &ci[..46]);
    for (why, key) in [
        ("expired", old.as_str()),
        ("not known", &longer),
        ("not known", shorter),
        ("not known", "plk_"),
        ("not known", digest),
        ("not known", ""),
    ] {
        let answer = world.call(&[("x-api-key", key)], "whoami").await;
        assert_eq!(answer.status, 401, "{key}");
        assert!(answer.body.contains(why), "{key}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    for headers in [
        vec![],
        vec![("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
        vec![("authorization", "Basic YTpi")],
    ] {
        assert_eq!(world.call(&headers, "whoami").await.status, 401, "{headers:?}");
    }
    for headers in [
        vec![("authorization", bearer_ci.as_str()), ("x-api-key", ci.as_str())],
        vec![("x-api-key", ci.as_str()), ("x-api-key", ci.as_str())],
    ] {
        assert_eq!(world.call(&headers, "whoami").await.status, 400, "{headers:?}");
    }
    assert_eq!(world.count(), before);
    let reached = world.reached.lock().expect("no panic");
    assert!(!format!("{reached:?}").contains(&ci), "keys stay here");
}

#[tokio::test]
async fn a_key_that_is_taken_out_no_longer_counts() {
    let (a, a_entry) = make(&["a", "--tenant", "acme", "--agent", "a"]);
    let (b, b_entry) = make(&["b", "--tenant", "acme", "--agent", "b"]);
    let folder = folder();
    write(&folder, &[&a_entry]);
    let world = World::start(folder, front()).await;
    let status = async |key: &str| world.call(&[("x-api-key", key)], "whoami").await.status;
    assert_eq!((status(&a).await, status(&b).await), (200, 401));
    write(&world.folder, &[&b_entry]);
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!((status(&a).await, status(&b).await), (401, 200));
    // A file that makes no sense changes nothing.
    std::fs::write(world.folder.join("keys.yaml"), "keys: [{name: x}]").expect("written");
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!((status(&a).await, status(&b).await), (401, 200));
}
