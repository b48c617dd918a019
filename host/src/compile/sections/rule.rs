//! Rules.

use std::ops::Range;

use placet_cel::Path as CelPath;
use placet_cel::Root as CelRoot;
use placet_cel::program::Constant;
use placet_engine::policy::{Rule, RuleKey};
use placet_model::constraint::Shape;
use placet_model::{Constraint, Literal, Number, Stage, Verdict};

use super::obligation::obligations;
use super::{TOOLS, approval, id, tools, unavailable};
use crate::compile::RuleSource;
use crate::compile::cel::{Compiled, Ty, anchored};
use crate::compile::constraint;
use crate::compile::decode::Builder;
use crate::compile::expression::Place;
use crate::compile::head::selector;
use crate::compile::reader::{Fields, Reader, get};
use crate::compile::yaml::{Node, Value};

const FIELDS: [&str; 12] = [
    "id",
    "tools",
    "stage",
    "applies",
    "args",
    "when",
    "outcome",
    "approval",
    "reason",
    "obligations",
    "on_unavailable",
    "description",
];

pub(super) fn rule(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let Some(fields) = reader.fields(node, "a rule", &FIELDS) else { return };
    let before = reader.found.len();
    let id = id(builder, reader, fields, node, file, "a rule");
    let tools = reader.required(fields, node, "tools", "a rule", TOOLS).map(|n| tools(builder, reader, n));
    let outcome = outcome(reader, fields, node);
    let stages = [("call", Stage::Call), ("result", Stage::Result), ("prompt", Stage::Prompt)];
    let stage =
        get(fields, "stage").map_or(Some(Stage::Call), |n| reader.word(n, "a stage of rules", &stages));
    let applies = get(fields, "applies").map(|n| selector(reader, n)).unwrap_or_default();
    let types = builder.args_types(file, tools.as_deref().unwrap_or_default());
    let args = get(fields, "args").and_then(|n| {
        let ty = if let [one] = &types[..] { one.clone() } else { Ty::Dyn };
        constraint::shape(reader, &mut builder.pool, n, &ty)
    });
    let when_node = get(fields, "when");
    let compiled = when_node.and_then(|n| when(builder, reader, Place { file, args: &types, stage }, n));
    let approval = get(fields, "approval").and_then(|n| approval(reader, n));
    let obligations = get(fields, "obligations").map(|n| obligations(reader, n)).unwrap_or_default();
    misplaced(reader, fields, outcome);
    let reason = get(fields, "reason").and_then(|n| reader.string(n, "a reason"));
    let allow_if_unavailable = unavailable(reader, fields);
    if let (Some(shape), Some(Verdict::Allow), true) = (&args, outcome, reader.found.len() == before) {
        loose_patterns(reader, fields, shape);
    }
    let (Some(id), Some(tools), Some(outcome)) = (id, tools, outcome) else { return };
    if tools.is_empty() {
        return;
    }
    let keys = keys(builder, args.as_ref(), compiled.as_ref().map_or(&[][..], |c| &c.equalities));
    builder.map.rules.push(RuleSource {
        source: reader.source.clone(),
        rule: node.span.clone(),
        when: when_node.map(|n| n.span.clone()),
        args: arg_spans(get(fields, "args")),
    });
    let escalates = outcome == Verdict::Escalate;
    builder.set.rules.push(Rule {
        file,
        id,
        stage: stage.unwrap_or_default(),
        tools,
        applies,
        args,
        when: compiled.map(|c| c.program),
        outcome,
        approval: if escalates { Some(approval.unwrap_or_default()) } else { None },
        obligations,
        reason,
        allow_if_unavailable,
        keys,
    });
}

fn outcome(reader: &mut Reader, fields: Fields<'_>, node: &Node) -> Option<Verdict> {
    let words = [("allow", Verdict::Allow), ("deny", Verdict::Deny), ("escalate", Verdict::Escalate)];
    let help = "say what it decides: `outcome: allow`, `deny` or `escalate`";
    let node = reader.required(fields, node, "outcome", "a rule", help)?;
    reader.word(node, "an outcome", &words)
}

fn when(builder: &mut Builder, reader: &mut Reader, place: Place<'_>, node: &Node) -> Option<Compiled> {
    let compiled = builder.expression(reader, place, node, &[Ty::Bool], "a condition")?;
    match &compiled.constant {
        Some(Constant::Bool(false)) => {
            let message = "the condition is always false: the rule never matches";
            reader.error("unreachable-rule", &node.span, message, None);
        }
        Some(Constant::Bool(true)) => {
            let help = Some("remove it, or compare with something of the call".to_owned());
            reader.warning("constant-condition", &node.span, "the condition is always true", help);
        }
        _ => {}
    }
    Some(compiled)
}

fn misplaced(reader: &mut Reader, fields: Fields<'_>, outcome: Option<Verdict>) {
    let Some(outcome) = outcome else { return };
    if let (Some(n), false) = (get(fields, "approval"), outcome == Verdict::Escalate) {
        reader.error("misplaced-field", &n.span, "`approval` belongs to `outcome: escalate`", None);
    }
    if let (Some(n), false) = (get(fields, "obligations"), outcome == Verdict::Allow) {
        reader.error("misplaced-field", &n.span, "`obligations` belong to `outcome: allow`", None);
    }
}

fn arg_spans(node: Option<&Node>) -> Vec<(String, Range<usize>)> {
    match node.map(|n| &n.value) {
        Some(Value::Map(entries)) => {
            entries.iter().map(|(key, n)| (key.text.clone(), key.span.start..n.span.end)).collect()
        }
        _ => Vec::new(),
    }
}

/// An unanchored pattern in an allow rule accepts more than its author may think.
fn loose_patterns(reader: &mut Reader, fields: Fields<'_>, shape: &Shape) {
    for (name, span) in arg_spans(get(fields, "args")) {
        if shape.fields.iter().any(|(field, constraint)| *field == name && is_loose(constraint)) {
            let help = Some("write `^(…)$` to say what the whole text must be".to_owned());
            reader.warning(
                "loose-regex",
                &span,
                "this pattern also allows any text around what it describes",
                help,
            );
        }
    }
}

fn is_loose(constraint: &Constraint) -> bool {
    match constraint {
        Constraint::Regex { pattern, .. } => !anchored(pattern),
        Constraint::All(of) => !of.is_empty() && of.iter().all(is_loose),
        Constraint::One(of) => of.iter().any(is_loose),
        Constraint::Each(of) => is_loose(of),
        Constraint::Shape(shape) => shape.fields.iter().any(|(_, of)| is_loose(of)),
        _ => false,
    }
}

/// Constants that tell this rule apart from others.
fn keys(
    builder: &mut Builder,
    args: Option<&Shape>,
    equalities: &[(CelPath, Vec<Constant>)],
) -> Vec<RuleKey> {
    let mut keys = Vec::new();
    for (name, constraint) in args.iter().flat_map(|shape| &shape.fields) {
        let literals = match constraint {
            Constraint::Equals(literal) => std::slice::from_ref(literal),
            Constraint::OneOf(literals) => literals,
            _ => continue,
        };
        let constant = |literal: &Literal| match literal {
            // Other strings are compared after normalisation, which the index does not do.
            Literal::String(s) if s.is_ascii() => Some(Constant::String(s.as_str().into())),
            Literal::Bool(b) => Some(Constant::Bool(*b)),
            Literal::Number(Number::Int(i)) => Some(Constant::Int(*i)),
            _ => None,
        };
        let constants: Option<Vec<Constant>> = literals.iter().map(constant).collect();
        if let Some(constants) = constants {
            let path = CelPath { root: CelRoot::Args, fields: vec![name.as_str().into()] };
            keys.push((path, constants));
        }
    }
    keys.extend(equalities.iter().cloned());
    keys.into_iter()
        .map(|(path, constants)| RuleKey {
            path: builder.pool.path(path),
            equals: constants.into_iter().map(|c| builder.pool.constant(c)).collect(),
        })
        .collect()
}
