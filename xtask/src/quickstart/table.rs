//! Calls, verdicts and rules in columns.

use std::io::IsTerminal as _;

use serde_json::{Map, Value};

use super::calls::CALLS;
use super::mcp::Answer;

/// Arguments longer than that are cut.
const WIDTH: usize = 50;

/// Prints what the agent is shown, and a row for each call.
pub fn print(tools: &[String], answers: &[Answer]) {
    println!("tools/list shows {}\n", tools.join(", "));
    println!("{:<20} {:<WIDTH$} {:<9} decided by", "tool", "arguments", "verdict");
    for (call, answer) in CALLS.iter().zip(answers) {
        let verdict = colored(&answer.verdict);
        let rules = if answer.rules.is_empty() { "no rule".to_owned() } else { answer.rules.join(", ") };
        println!("{:<20} {:<WIDTH$} {verdict} {rules}", call.tool, cut(&plain(call.args)));
        if answer.is_error {
            println!("{:<20} > {}", "", answer.reason);
        }
    }
}

/// A JSON object without what only machines need.
fn plain(args: &str) -> String {
    let args: Map<String, Value> = serde_json::from_str(args).unwrap_or_default();
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = |value: &Value| match value.as_array() {
        Some(list) => list.iter().map(word).collect::<Vec<_>>().join(","),
        None => word(value),
    };
    args.iter().map(|(name, of)| format!("{name}={}", value(of))).collect::<Vec<_>>().join(" ")
}

fn cut(args: &str) -> String {
    if args.chars().count() <= WIDTH {
        return args.to_owned();
    }
    args.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// A verdict in its column, coloured on a terminal.
fn colored(verdict: &str) -> String {
    let padded = format!("{verdict:<9}");
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if no_color || !std::io::stdout().is_terminal() {
        return padded;
    }
    let color = match verdict {
        "allow" => 32,
        "escalate" => 33,
        _ => 31,
    };
    format!("\x1b[{color}m{padded}\x1b[0m")
}
