//! Whether the quickstart showed what it promises.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::calls::{CALLS, Call, HIDDEN};
use super::mcp::Answer;

/// Every call got its verdict, nothing else reached the server, and every decision is in the log.
///
/// # Errors
/// When a log cannot be read.
pub fn everything(tools: &[String], answers: &[Answer], record: &Path, decisions: &Path) -> Result<bool> {
    let mut faults = Vec::new();
    if tools.is_empty() {
        faults.push("no tool is listed".to_owned());
    }
    for hidden in HIDDEN.iter().filter(|hidden| tools.iter().any(|tool| tool == *hidden)) {
        faults.push(format!("`{hidden}` is listed, though no call of it is ever allowed"));
    }
    for (call, answer) in CALLS.iter().zip(answers) {
        faults.extend(unexpected(call, answer));
    }
    let allowed: Vec<&str> = CALLS.iter().filter(|c| c.verdict == "allow").map(|c| c.tool).collect();
    let seen = lines(record)?;
    let seen: Vec<&str> = seen.iter().filter_map(|line| line["tool"].as_str()).collect();
    if seen != allowed {
        faults.push(format!("the server saw {seen:?}, and should have seen {allowed:?}"));
    }
    let logged = logged(&lines(decisions)?);
    let decided: Vec<String> = CALLS.iter().map(|call| format!("{} {}", call.tool, call.verdict)).collect();
    if logged != decided {
        faults.push(format!("the decision log has {logged:?}, and should have {decided:?}"));
    }
    for fault in &faults {
        println!("FAILED  {fault}");
    }
    if faults.is_empty() {
        let (all, ran) = (CALLS.len(), allowed.len());
        println!(
            "\nas expected: {all} calls decided and logged, and the {ran} that were allowed reached the server"
        );
    }
    Ok(faults.is_empty())
}

fn unexpected(call: &Call, answer: &Answer) -> Option<String> {
    if answer.verdict == call.verdict
        && answer.rules == call.rules
        && answer.is_error == (call.verdict != "allow")
    {
        return None;
    }
    Some(format!(
        "`{}` {}: expected {} by {}, got {} by {}{} ({})",
        call.tool,
        call.args,
        call.verdict,
        call.rules.join(", "),
        answer.verdict,
        answer.rules.join(", "),
        if answer.is_error { ", with `isError`" } else { ", without `isError`" },
        answer.reason
    ))
}

/// Tool and verdict of every call that the log says was decided before it ran.
fn logged(records: &[Value]) -> Vec<String> {
    let entry = |record: &Value| {
        let call = &record["call"];
        let before = call["stage"].as_str().unwrap_or("call") == "call";
        let verdict = record["decision"]["verdict"].as_str().filter(|_| before)?;
        Some(format!("{} {verdict}", call["tool"].as_str()?))
    };
    records.iter().filter_map(entry).collect()
}

/// The JSON values of a file, one on each line.
fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let parse = |line| {
        serde_json::from_str(line).with_context(|| format!("`{}` has a line that is no JSON", path.display()))
    };
    text.lines().map(parse).collect()
}
