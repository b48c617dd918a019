use placet_model::{Code, Decision};
use serde_json::Value;

use super::{DecisionLog, Outcome, Record};

fn check(call: &str, expected: &Value) {
    let decision = Decision::deny(Code::Denied, "no\nnever", "digest");
    let record = Record {
        time: "2026-11-21T09:00:00Z",
        exchange: "x1",
        call,
        decision: Some(&decision),
        state_version: Some(3),
        outcome: Some(Outcome::Unknown),
    };
    let line = record.to_json("here");
    assert!(!line.contains('\n'), "{line}");
    let json: Value = serde_json::from_str(&line).expect("a record is JSON");
    assert_eq!(json["call"], *expected);
    assert_eq!(json["decision"]["code"], "denied");
    assert_eq!(json["outcome"], "unknown");
    assert_eq!(json["state_version"], 3);
}

#[test]
fn a_record_is_one_line_whatever_the_call() {
    check(r#"{"tool":"a","args":{"x":1}}"#, &serde_json::json!({"tool": "a", "args": {"x": 1}}));
    check("not json", &"not json".into());
    check("{\"a\":\n1}", &"{\"a\":\n1}".into());
}

#[test]
fn records_are_appended_in_order_and_never_over_others() {
    let folder = std::env::temp_dir().join(format!("placet-log-{}", std::process::id()));
    let path = folder.join("deep/decisions.jsonl");
    for exchange in ["a", "b"] {
        let log = DecisionLog::open(&path).expect("the log opens");
        let record =
            Record { time: "t", exchange, call: "{}", decision: None, state_version: None, outcome: None };
        log.append(&record).expect("it is written");
        log.sync().expect("it is kept");
    }
    let text = std::fs::read_to_string(&path).expect("the log is there");
    let found: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["exchange"].as_str().unwrap_or("").to_owned()
        })
        .collect();
    assert_eq!(found, ["a", "b"]);
    std::fs::remove_dir_all(folder).expect("it can be removed");
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    assert!(DecisionLog::open(std::path::Path::new("/proc/nowhere/log")).is_err());
}

#[test]
fn a_torn_last_line_takes_no_other_record_with_it() {
    let path = std::env::temp_dir().join(format!("placet-torn-{}.jsonl", std::process::id()));
    for (before, after) in [("", 1), ("{\"v\":1}\n", 2), ("{\"v\":1}\n{\"v\":", 3)] {
        std::fs::write(&path, before).expect("written");
        let log = DecisionLog::open(&path).expect("the log opens");
        let record = Record {
            time: "t",
            exchange: "x",
            call: "{}",
            decision: None,
            state_version: None,
            outcome: None,
        };
        log.append(&record).expect("it is written");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text.lines().count(), after, "{text}");
        let last = text.lines().next_back().expect("a line");
        assert!(serde_json::from_str::<Value>(last).is_ok(), "{text}");
    }
    std::fs::remove_file(&path).expect("removed");
}
