//! `placet tools lock` and `placet tools import`, as they are run.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use super::world::{folder, server, tool};

async fn placet(folder: &Path, args: &[&str]) -> (i32, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_placet")).args(args).current_dir(folder).output().await;
    let Output { status, stdout, stderr } = run.expect("placet runs");
    let text = [stdout, stderr].concat();
    (status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_written_checked_and_changed() {
    let folder = folder();
    let (upstream, url) = server(json!([tool("find", "Finds customers.\nThen more.")])).await;
    let change = |pages: Vec<Value>| *upstream.pages.lock().expect("no panic") = pages;
    change(vec![json!([tool("find", "Finds customers.\nThen more.")]), json!([tool("pay", "Pays.")])]);
    let at = ["tools", "lock", "--upstream", &url];
    let with = |more: &[&'static str]| [&at[..], more].concat();
    for (pages, args, code, says) in [
        (None, with(&["--check"]), 2, "there is no lock"),
        (None, with(&[]), 0, "2 tools of `default`"),
        (None, with(&["--check"]), 0, "as they were accepted"),
        (
            Some(json!([tool("find", "Finds customers."), tool("pay", "Pays.")])),
            with(&["--check"]),
            1,
            "error[changed-description]: the tool `find`",
        ),
        (None, with(&[]), 1, "error[changed-description]"),
        (None, with(&["--accept", "finds"]), 2, "neither the server nor the lock has a tool `finds`"),
        (None, with(&["--accept", "find"]), 0, "2 tools"),
        (None, with(&["--check"]), 0, "as they were accepted"),
        (
            Some(json!([tool("pay", "Pays."), tool("Pay", "Pays, too.")])),
            with(&["--check"]),
            1,
            "error[look-alike]: the tool `Pay`",
        ),
        (None, with(&["--check"]), 1, "error[removed]: the tool `find`"),
        (None, with(&["--accept", "find", "--accept", "Pay"]), 0, "2 tools"),
        (None, with(&["--check", "--server", "crm"]), 1, "error[new-tool]"),
        (None, with(&["--check", "-o", "nowhere.json"]), 2, "there is no lock"),
    ] {
        if let Some(pages) = pages {
            change(vec![pages]);
        }
        let (found, text) = placet(&folder, &args).await;
        assert_eq!(found, code, "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
    let text = std::fs::read_to_string(folder.join("tools.lock.json")).expect("the lock");
    let lock: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(lock["servers"]["default"]["tools"]["Pay"]["accepted"], json!(["look-alike"]));
    assert_eq!(lock["servers"]["default"]["tools"]["pay"]["says"], "Pays.");
    assert!(text.lines().count() > 10, "a line for each thing:\n{text}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_cannot_be_read() {
    let folder = folder();
    let (upstream, url) = server(json!([tool("find", "Finds.")])).await;
    *upstream.circle.lock().expect("no panic") = true;
    for (args, says) in [
        (vec!["--upstream", &url], "its pages come again"),
        (vec!["--upstream", "http://127.0.0.1:9/mcp"], "no session"),
        (vec!["--upstream", &url, "--header", "nonsense"], "is not a header"),
        (vec!["--", "/does/not/exist"], "cannot start"),
        (vec![], "there is no server"),
        (vec!["--file", "nothing.json"], "nothing.json"),
    ] {
        let (code, text) = placet(&folder, &[&["tools", "lock"][..], &args].concat()).await;
        assert_eq!(code, 2, "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
        assert!(!folder.join("tools.lock.json").exists(), "{args:?}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_compiles_and_is_checked_against() {
    let folder = folder();
    let mut odd = tool("näme: \"x\" #1 🎉", "Odd.\n\u{7f}");
    odd["inputSchema"]["properties"]["ключ 🎉"] = json!({"type": ["string", "null"], "enum": ["a", null]});
    let mut hinted = tool("db.query", "Queries.");
    hinted["annotations"] = json!({"readOnlyHint": true});
    hinted["inputSchema"] = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"limit": {"type": "integer", "maximum": 100}, "at": {"$ref": "#/$defs/place"}},
        "required": ["limit"], "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}}});
    let (_, url) = server(json!([odd, hinted, tool("star*", "Left out.")])).await;
    let args = ["tools", "import", "--upstream", &url, "--server", "crm", "-o", "tools.yaml"];
    let (code, text) = placet(&folder, &args).await;
    assert_eq!(code, 0, "{text}");
    let written = std::fs::read_to_string(folder.join("tools.yaml")).expect("the policy");
    assert!(written.contains("effects: [read] # readOnlyHint: true"), "{written}");
    assert!(written.contains("effects: [write, destructive, external] # no hints"), "{written}");
    let (code, text) = placet(&folder, &["check", "tools.yaml"]).await;
    assert_eq!(code, 0, "{text}\n{written}");
    // Conditions are checked against the types.
    for (when, compiles) in [
        ("args.limit > 5", true),
        ("args.at.city == 'Oslo' && 'read' in tool.effects", true),
        ("args.limit.startsWith('5')", false),
        ("args.limits > 5", false),
        ("args.at.town == 'Oslo'", false),
    ] {
        let rule = format!(
            "policy: use\nrules:\n  - {{id: a, tools: [crm.db.query], when: \"{when}\", outcome: allow}}\n"
        );
        std::fs::write(folder.join("use.yaml"), rule).expect("written");
        let (code, text) = placet(&folder, &["check", "."]).await;
        assert_eq!(code, i32::from(!compiles), "{when}: {text}");
    }
    let (code, text) = placet(&folder, &args).await;
    assert!(code == 2 && text.contains("cannot write"), "never over what is there: {text}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_standard_streams_are_read_the_same() {
    let folder = folder();
    let (_, url) = server(json!([tool("find", "Finds."), tool("pay", "Pays.")])).await;
    std::fs::write(folder.join("p.yaml"), "policy: p\nrules: [{id: a, tools: [find], outcome: allow}]\n")
        .expect("written");
    let gateway =
        [env!("CARGO_BIN_EXE_placet"), "serve", "--policy", "p.yaml", "--stdio", "--upstream", &url];
    let (code, text) = placet(&folder, &[&["tools", "lock", "--"][..], &gateway].concat()).await;
    assert_eq!(code, 0, "{text}");
    let lock = std::fs::read_to_string(folder.join("tools.lock.json")).expect("the lock");
    assert!(
        lock.contains("\"find\"") && !lock.contains("\"pay\""),
        "what the policy never allows is not shown: {lock}"
    );
    // Over HTTP the same tool has the same digests.
    let (_, text) = placet(&folder, &["tools", "lock", "--check", "--upstream", &url]).await;
    assert!(text.contains("error[new-tool]: the tool `pay`") && !text.contains("`find`"), "{text}");
    std::fs::remove_dir_all(folder).expect("removed");
}
