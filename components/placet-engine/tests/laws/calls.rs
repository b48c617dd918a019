//! Generated calls, as JSON texts.

use placet_model::{Call, Limits};

use crate::conditions::{ARGS, TEXTS};
use crate::tape::Tape;

/// Tools that calls name; policies name some of them exactly.
pub const TOOLS: &[&str] = &["pay.send", "pay.refund", "crm.read", "é.send", "x"];

/// Arguments as a JSON text: some missing, some of a surprising type.
pub fn args(tape: &mut Tape<'_>) -> String {
    let mut members = Vec::new();
    for name in ARGS.iter().chain(&["extra"]) {
        let kind = if *name == "extra" { tape.below(24) + 3 } else { tape.below(12) };
        let text = format!("{:?}", tape.text(TEXTS)).replace("\\u{301}", "\u{301}");
        let value = match (kind, *name) {
            (0, _) => continue,
            (1, _) => "null".to_owned(),
            (2, _) => tape.text(&["true", "false"]),
            (3 | 4, _) | (_, "n") => tape.text(&["0", "1", "1.0", "2", "1.5", "-1", "1e400"][..6]),
            (5, _) | (_, "l") => format!("[{text}]"),
            (6.., "extra") if kind > 7 => continue,
            _ => text,
        };
        members.push(format!("\"{name}\":{value}"));
    }
    format!("{{{}}}", members.join(","))
}

fn names(tape: &mut Tape<'_>, of: &[&str]) -> String {
    format!("{:?}", tape.few(3, of))
}

/// Everything of a call but its tool, arguments, stage and time.
pub fn caller(tape: &mut Tape<'_>) -> String {
    let agent = format!(
        r#""agent":{{"id":"{}","roles":{},"attrs":{{}}}}"#,
        tape.text(&["a1", "a2"]),
        names(tape, &["finance", "rep"])
    );
    let mut parts = vec![
        agent,
        format!(r#""tenant":"{}""#, tape.pick(&["acme", "acme", "acme", "globex", "globex", "zzz"])),
    ];
    if tape.one_in(2) {
        let roles = names(tape, &["finance", "rep"]);
        let scopes = names(tape, &["pay:*", "crm:a"]);
        parts.push(format!(r#""user":{{"id":"u1","roles":{roles},"scopes":{scopes},"attrs":{{}}}}"#));
    }
    if tape.one_in(3) {
        parts.push(format!(r#""chain":{}"#, names(tape, &["svc1", "svc2"])));
    }
    if tape.one_in(3) {
        parts.push(r#""project":"p1""#.to_owned());
    }
    if !tape.one_in(3) {
        parts.push(format!(r#""env":"{}""#, tape.text(&["prod", "dev"])));
    }
    if !tape.one_in(4) {
        parts.push(format!(r#""session":{{"id":"{}"}}"#, tape.pick(&["s1", "s1", "s2"])));
    }
    if tape.one_in(4) {
        parts.push(r#""resource":{"type":"t","id":"r","attrs":{}}"#.to_owned());
    }
    parts.join(",")
}

/// A whole call, so many seconds after noon.
pub fn call(caller: &str, stage: &str, tool: &str, args: &str, second: u32) -> String {
    let (minute, second) = (second / 60 % 60, second % 60);
    let content = if stage == "result" { r#","content":"prod""# } else { "" };
    format!(
        r#"{{"stage":"{stage}","tool":"{tool}","args":{args},{caller},"now":"2026-11-21T12:{minute:02}:{second:02}Z"{content}}}"#
    )
}

pub fn read(text: &str) -> Call<'_> {
    Call::read(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}
