//! Limits: what is counted, for whom, up to what, for how long.

use placet_engine::policy::{Count, Limit, Per};
use placet_model::{Amount, Exceeded, Stage};

use super::{KEYS, approval, id, tools, unavailable};
use crate::compile::cel::{Ty, did_you_mean};
use crate::compile::decode::Builder;
use crate::compile::expression::Place;
use crate::compile::reader::{Fields, Reader, get};
use crate::compile::yaml::{Node, Value};

const NUMBERS: [Ty; 3] = [Ty::Int, Ty::Uint, Ty::Double];

pub(super) fn limit(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let known = [
        "id",
        "tools",
        "count",
        "per",
        "cost",
        "settle",
        "max",
        "window",
        "exceeded",
        "approval",
        "reason",
        "on_unavailable",
    ];
    let Some(fields) = reader.fields(node, "a limit", &known) else { return };
    let id = id(builder, reader, fields, node, file, "a limit");
    let tools = get(fields, "tools").map_or_else(|| vec!["*".to_owned()], |n| tools(builder, reader, n));
    let types = builder.args_types(file, &tools);
    let place = Place { file, args: &types, stage: Some(Stage::Call) };
    let per = get(fields, "per").map_or_else(Vec::new, |n| per(builder, reader, n, place));
    let count = count(builder, reader, fields, place);
    let kept_by_session = matches!(count, Count::Denied | Count::Identical);
    if let (true, Some(n)) =
        (kept_by_session && !per.contains(&Per::Session) && !per.is_empty(), get(fields, "per"))
    {
        let help = Some("add `session` to `per`".to_owned());
        reader.error("bad-limit", &n.span, "denials and repetitions are counted for each session", help);
    }
    let max = reader
        .required(fields, node, "max", "a limit", "say how much: `max: 100`")
        .and_then(|n| max(reader, n));
    let help = "say how long a charge counts: `window: 1h`";
    let window =
        reader.required(fields, node, "window", "a limit", help).and_then(|n| reader.duration(n, "`window`"));
    let words =
        [("deny", Exceeded::Deny), ("escalate", Exceeded::Escalate), ("quarantine", Exceeded::Quarantine)];
    let exceeded =
        get(fields, "exceeded").map_or(Some(Exceeded::Deny), |n| reader.word(n, "a consequence", &words));
    let approval = get(fields, "approval").and_then(|n| approval(reader, n));
    if let (Some(n), false) = (get(fields, "approval"), exceeded == Some(Exceeded::Escalate)) {
        reader.error("misplaced-field", &n.span, "`approval` belongs to `exceeded: escalate`", None);
    }
    let reason = get(fields, "reason").and_then(|n| reader.string(n, "a reason"));
    let allow_if_unavailable = unavailable(reader, fields);
    let (Some(id), Some(max), Some(window_ms), Some(exceeded)) = (id, max, window, exceeded) else { return };
    builder.set.limits.push(Limit {
        file,
        id,
        tools,
        count,
        per,
        max,
        window_ms,
        exceeded,
        approval,
        reason,
        allow_if_unavailable,
    });
}

fn max(reader: &mut Reader, node: &Node) -> Option<Amount> {
    let amount = Amount::from_number(reader.number(node, "`max` (a number)")?);
    if amount.is_none() {
        let help = Some("write a number from 0: the most that may be charged within the window".to_owned());
        reader.error("bad-limit", &node.span, "`max` is negative or too large to count", help);
    }
    amount
}

fn count(builder: &mut Builder, reader: &mut Reader, fields: Fields<'_>, place: Place<'_>) -> Count {
    let words = [("calls", 0), ("denied", 1), ("identical", 2)];
    let counted =
        get(fields, "count").and_then(|n| reader.word(n, "something to count", &words)).unwrap_or(0);
    if counted > 0 {
        for name in ["cost", "settle"] {
            if let Some(n) = get(fields, name) {
                reader.error(
                    "misplaced-field",
                    &n.span,
                    format!("`{name}` belongs to limits that count calls"),
                    None,
                );
            }
        }
        return if counted == 1 { Count::Denied } else { Count::Identical };
    }
    let mut number = |name: &str, stage: Stage| {
        let node = get(fields, name)?;
        let place = Place { stage: Some(stage), ..place };
        builder.expression(reader, place, node, &NUMBERS, &format!("`{name}`")).map(|c| c.program)
    };
    Count::Charges { cost: number("cost", Stage::Call), settle: number("settle", Stage::Result) }
}

/// What a limit may be counted for.
const PARTS: [&str; 5] = ["tenant", "agent", "user", "session", "tool"];

fn per(builder: &mut Builder, reader: &mut Reader, node: &Node, place: Place<'_>) -> Vec<Per> {
    reader.not_empty(node);
    let mut parts = Vec::new();
    let nodes = match &node.value {
        Value::List(list) => list.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for node in nodes {
        let part = match &node.value {
            Value::Str(word) => match word.as_str() {
                "tenant" => Per::Tenant,
                "agent" => Per::Agent,
                "user" => Per::User,
                "session" => Per::Session,
                "tool" => Per::Tool,
                word if is_name(word) => {
                    let near =
                        did_you_mean(word, PARTS.into_iter()).map_or_else(String::new, |near| near + " ");
                    let help = format!(
                        "{near}it is one of {}, or an expression such as `args.account`",
                        PARTS.join(", ")
                    );
                    let message = format!("`{word}` is not a part of `per`");
                    reader.error("bad-limit", &node.span, message, Some(help));
                    continue;
                }
                _ => match builder.expression(reader, place, node, &KEYS, "a part of `per`") {
                    Some(compiled) => Per::Expr(compiled.program),
                    None => continue,
                },
            },
            _ => {
                reader
                    .expected("a part of `per` (tenant, agent, user, session, tool or an expression)", node);
                continue;
            }
        };
        parts.push(part);
    }
    parts
}

/// A word alone: the variables that an expression could name so are no keys, but for `project` and `env`.
fn is_name(word: &str) -> bool {
    let letters = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    letters && !matches!(word, "project" | "env")
}
