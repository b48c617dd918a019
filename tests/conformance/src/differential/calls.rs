//! Traces of calls.

use serde_json::Value;

use super::{Tape, step};
use crate::case::Step;

const TOOLS: &[&str] = &["pay.send", "pay.refund", "crm.read", "é.send", "x"];
const TEXTS: &[&str] =
    &["a", "b", "K", "\u{212a}", "é", "e\u{301}", "10.1.2.3", "", "ab", "/srv/a/../a", "ann@acme.com"];
const VALUES: &[&str] =
    &["null", "true", "0", "1", "1.0", "2", "1.5", "-1", "1e2", "[]", "{}", "9007199254740993"];

/// A few calls one after the other, by two callers, with few arguments, so that they repeat.
pub fn trace(tape: &mut Tape<'_>) -> Vec<Step> {
    let callers = [caller(tape), caller(tape)];
    let args = [args(tape), args(tape), args(tape)];
    let tools = [tape.pick(TOOLS), tape.pick(TOOLS)];
    let mut second = 0;
    let mut steps = Vec::new();
    for _ in 0..1 + tape.below(8) {
        second += [0, 30, 60, 90, 200][tape.below(5)];
        let (caller, args, tool) = (&callers[tape.below(2)], &args[tape.below(3)], tools[tape.below(2)]);
        let now = format!("2026-11-21T12:{:02}:{:02}Z", second / 60 % 60, second % 60);
        let stage = match tape.below(8) {
            0 => r#","stage":"result","content":{"ok":true,"text":"a"}"#,
            1 => r#","stage":"prompt","content":"a""#,
            _ => "",
        };
        let tail = format!(r#"{caller},"now":"{now}""#);
        let down = tape.one_in(12);
        if tape.one_in(10) {
            let tools = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
            steps.push(step(format!(r#"{{"tool":"*","stage":"list",{tail}}}"#), Some(tools), down));
            continue;
        }
        let call = format!(r#"{{"tool":"{tool}","args":{args}{stage},{tail}}}"#);
        // Now and then it is no call at all.
        let call = if tape.one_in(40) { call.replacen(':', "::", 1) } else { call };
        steps.push(step(call, None, down));
    }
    steps
}

/// Some arguments, some of a surprising type.
fn args(tape: &mut Tape<'_>) -> String {
    let mut members = Vec::new();
    for name in ["s", "n", "t", "l", "extra"] {
        let text = Value::from(tape.pick(TEXTS)).to_string();
        let value = match (tape.below(12), name) {
            (0, _) | (4.., "extra") => continue,
            (1, _) | (_, "n") => tape.pick(VALUES).to_owned(),
            (_, "l") => format!("[{text},{}]", tape.pick(&["\"a\"", "\"b\"", "1"])),
            (_, "t") => tape.pick(&["true", "false", "null"]).to_owned(),
            _ => text,
        };
        members.push(format!("\"{name}\":{value}"));
    }
    format!("{{{}}}", members.join(","))
}

fn roles(tape: &mut Tape<'_>) -> &'static str {
    tape.pick(&["[]", "[\"finance\"]", "[\"rep\"]", "[\"finance\",\"rep\"]"])
}

/// Everything of a call but its tool, arguments, stage and time.
fn caller(tape: &mut Tape<'_>) -> String {
    let agent = tape.pick(&["a1", "a2", "b"]);
    let mut parts = vec![
        format!(r#""agent":{{"id":"{agent}","roles":{}}}"#, roles(tape)),
        format!(r#""tenant":"{}""#, tape.pick(&["acme", "acme", "acme", "globex", "other"])),
    ];
    if tape.one_in(2) {
        parts.push(format!(r#""user":{{"id":"u1","roles":{},"scopes":["pay:*"]}}"#, roles(tape)));
    }
    for (n, part) in [
        (3, r#""chain":["svc1"]"#),
        (3, r#""project":"p1""#),
        (3, r#""env":"prod""#),
        (3, r#""env":"dev""#),
        (8, r#""resource":{"type":"t","id":"r"}"#),
    ] {
        let again = part.starts_with(r#""env""#) && parts.iter().any(|part| part.starts_with(r#""env""#));
        if tape.one_in(n) && !again {
            parts.push(part.to_owned());
        }
    }
    if !tape.one_in(4) {
        parts.push(format!(r#""session":{{"id":"{}"}}"#, tape.pick(&["s1", "s1", "s2"])));
    }
    parts.join(",")
}
