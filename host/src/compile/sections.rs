//! Rules, what to remember, limits, and obligations on results.

use std::ops::Range;

use placet_cel::Path as CelPath;
use placet_cel::Root as CelRoot;
use placet_cel::program::Constant;
use placet_engine::policy::{ApprovalSpec, Count, Limit, Per, Remember, ResultRule, Rule, RuleKey};
use placet_model::{Amount, Constraint, Exceeded, Literal, Number, Obligation, Stage, Verdict};

use super::RuleSource;
use super::cel::{Ty, did_you_mean};
use super::constraint;
use super::decode::{Builder, Root};
use super::head::selector;
use super::reader::{Fields, Reader, get};
use super::yaml::{Node, Value};

const NUMBERS: [Ty; 3] = [Ty::Int, Ty::Uint, Ty::Double];

pub fn all(builder: &mut Builder, reader: &mut Reader, root: Root<'_>, file: u32) {
    for node in get(root, "rules").map_or(&[][..], |n| reader.list(n, "`rules`")) {
        rule(builder, reader, node, file);
    }
    for node in get(root, "remember").map_or(&[][..], |n| reader.list(n, "`remember`")) {
        remember(builder, reader, node, file);
    }
    for node in get(root, "limits").map_or(&[][..], |n| reader.list(n, "`limits`")) {
        limit(builder, reader, node, file);
    }
    for node in get(root, "results").map_or(&[][..], |n| reader.list(n, "`results`")) {
        result(builder, reader, node, file);
    }
}

/// Tool names and globs; exact names must be in the catalogue when they are nearly one that is.
fn tools(builder: &Builder, reader: &mut Reader, node: &Node) -> Vec<String> {
    let named = reader.strings(node, "a tool's name");
    let mut tools = Vec::new();
    for (name, span) in named {
        let is_glob = name.contains(['*', '?', '\\']);
        if is_glob && placet_cel::text::glob::matches("", &name).is_err() {
            reader.error("bad-glob", &span, format!("`{name}` is not a glob"), None);
            continue;
        }
        let known = || builder.catalogue.iter().map(|(_, decl)| decl.name.as_str());
        if !is_glob && known().next().is_some() && !known().any(|k| k == name) {
            match did_you_mean(&name, known()) {
                Some(help) => {
                    reader.error("unknown-tool", &span, format!("there is no tool `{name}`"), Some(help))
                }
                None => {
                    let help =
                        Some("describe it under `tools:` so that rules about it are checked".to_owned());
                    reader.warning(
                        "unknown-tool",
                        &span,
                        format!("the tool `{name}` is not in the catalogue"),
                        help,
                    );
                }
            }
        }
        tools.push(name);
    }
    if tools.is_empty() && matches!(&node.value, Value::List(list) if list.is_empty()) {
        reader.error("empty-tools", &node.span, "a list of no tools: this can never match", None);
    }
    tools.sort();
    tools.dedup();
    tools
}

/// A required id, unique within the layer as far as one call can be subject to both.
fn id(
    builder: &Builder,
    reader: &mut Reader,
    fields: Fields<'_>,
    node: &Node,
    file: u32,
    what: &str,
) -> Option<String> {
    let Some(id_node) = get(fields, "id") else {
        let span = node.span.start..(node.span.start + 1).min(node.span.end);
        reader.error("missing-field", &span, format!("{what} needs an `id`"), None);
        return None;
    };
    let id = reader.string(id_node, "an id")?;
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) {
        let help = Some("use letters, digits, `-`, `_`, `.` and `:`".to_owned());
        reader.error("bad-id", &id_node.span, format!("`{id}` is not an id"), help);
        return None;
    }
    let of = |n: u32| builder.set.files.get(n as usize);
    let layer = of(file).map(|f| f.layer);
    let clash = |other: u32| {
        let tenants = |n: u32| of(n).map_or(&[][..], |f| &f.applies.tenants[..]);
        let (a, b) = (tenants(file), tenants(other));
        of(other).map(|f| f.layer) == layer
            && (a.is_empty() || b.is_empty() || a.iter().any(|t| b.contains(t)))
    };
    let rules = builder.set.rules.iter().filter(|r| r.id == id).map(|r| r.file);
    let limits = builder.set.limits.iter().filter(|l| l.id == id).map(|l| l.file);
    if rules.chain(limits).any(clash) {
        let help = Some("decisions name rules as `layer/id`: give each its own".to_owned());
        reader.error(
            "duplicate-id",
            &id_node.span,
            format!("the id `{id}` occurs twice in this layer"),
            help,
        );
        return None;
    }
    Some(id)
}

fn required<'n>(
    reader: &mut Reader,
    fields: Fields<'n>,
    node: &Node,
    name: &str,
    what: &str,
) -> Option<&'n Node> {
    let found = get(fields, name);
    if found.is_none() {
        let span = node.span.start..(node.span.start + 1).min(node.span.end);
        reader.error("missing-field", &span, format!("{what} needs `{name}`"), None);
    }
    found
}

fn unavailable(reader: &mut Reader, fields: Fields<'_>) -> bool {
    let words = [("deny", false), ("allow", true)];
    get(fields, "on_unavailable").and_then(|n| reader.word(n, "an answer", &words)).unwrap_or(false)
}

fn rule(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let known = [
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
    let Some(fields) = reader.fields(node, "a rule", &known) else { return };
    let id = id(builder, reader, fields, node, file, "a rule");
    let tools = required(reader, fields, node, "tools", "a rule").map(|n| tools(builder, reader, n));
    let words = [("allow", Verdict::Allow), ("deny", Verdict::Deny), ("escalate", Verdict::Escalate)];
    let outcome = required(reader, fields, node, "outcome", "a rule")
        .and_then(|n| reader.word(n, "an outcome", &words));
    let stages = [("call", Stage::Call), ("result", Stage::Result), ("prompt", Stage::Prompt)];
    let stage =
        get(fields, "stage").and_then(|n| reader.word(n, "a stage of rules", &stages)).unwrap_or_default();
    let applies = get(fields, "applies").map(|n| selector(reader, n)).unwrap_or_default();
    let patterns = tools.clone().unwrap_or_default();
    let types = builder.args_types(file, &patterns);
    let args = get(fields, "args").and_then(|n| {
        let ty = if let [one] = &types[..] { one.clone() } else { Ty::Dyn };
        constraint::shape(reader, &mut builder.pool, n, &ty)
    });
    let when_node = get(fields, "when");
    let compiled =
        when_node.and_then(|n| builder.expression(reader, file, n, &types, &[Ty::Bool], "a condition"));
    if let (Some(compiled), Some(node)) = (&compiled, when_node) {
        match &compiled.constant {
            Some(Constant::Bool(false)) => {
                reader.error(
                    "unreachable-rule",
                    &node.span,
                    "the condition is always false: the rule never matches",
                    None,
                );
            }
            Some(Constant::Bool(true)) => {
                reader.warning("constant-condition", &node.span, "the condition is always true", None);
            }
            _ => {}
        }
    }
    let approval = get(fields, "approval").and_then(|n| approval(builder, reader, n));
    let escalates = outcome == Some(Verdict::Escalate);
    if let (Some(n), false) = (get(fields, "approval"), escalates) {
        reader.error("misplaced-field", &n.span, "`approval` belongs to `outcome: escalate`", None);
    }
    let obligations = get(fields, "obligations").map(|n| obligations(reader, n)).unwrap_or_default();
    if let (Some(n), false) = (get(fields, "obligations"), outcome == Some(Verdict::Allow)) {
        reader.error("misplaced-field", &n.span, "`obligations` belong to `outcome: allow`", None);
    }
    let reason = get(fields, "reason").and_then(|n| reader.string(n, "a reason"));
    let allow_if_unavailable = unavailable(reader, fields);
    if let (Some(shape), Some(Verdict::Allow)) = (&args, outcome) {
        anchored(reader, fields, shape);
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
    builder.set.rules.push(Rule {
        file,
        id,
        stage,
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

fn arg_spans(node: Option<&Node>) -> Vec<(String, Range<usize>)> {
    match node.map(|n| &n.value) {
        Some(Value::Map(entries)) => {
            entries.iter().map(|(key, n)| (key.text.clone(), key.span.start..n.span.end)).collect()
        }
        _ => Vec::new(),
    }
}

/// An unanchored pattern in an allow rule accepts more than its author may think.
fn anchored(reader: &mut Reader, fields: Fields<'_>, shape: &placet_model::constraint::Shape) {
    fn loose(constraint: &Constraint) -> bool {
        match constraint {
            Constraint::Regex { pattern, .. } => !(pattern.starts_with('^') && pattern.ends_with('$')),
            Constraint::All(of) => of.iter().all(loose),
            Constraint::One(of) => of.iter().any(loose),
            Constraint::Each(of) => loose(of),
            _ => false,
        }
    }
    for (name, span) in arg_spans(get(fields, "args")) {
        if shape.fields.iter().any(|(field, constraint)| *field == name && loose(constraint)) {
            let help = Some("write `^…$` to say what the whole text must be".to_owned());
            reader.warning(
                "loose-regex",
                &span,
                "this pattern also allows any text around what it describes",
                help,
            );
        }
    }
}

/// Constants that tell this rule apart from others.
fn keys(
    builder: &mut Builder,
    args: Option<&placet_model::constraint::Shape>,
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

fn approval(builder: &Builder, reader: &mut Reader, node: &Node) -> Option<ApprovalSpec> {
    let fields = reader.fields(node, "`approval`", &["approvers", "quorum", "timeout", "notify"])?;
    let mut spec = ApprovalSpec::default();
    if let Some(n) = get(fields, "approvers") {
        spec.approvers = reader.names(n, "an approver");
    }
    let _ = builder;
    if let Some(n) = get(fields, "quorum") {
        match reader.whole(n, "`quorum`").and_then(|q| u32::try_from(q).ok()) {
            Some(0) | None => reader.error("bad-quorum", &n.span, "at least one person must approve", None),
            Some(quorum) => spec.quorum = quorum,
        }
        let people = spec.approvers.iter().all(|a| !a.starts_with("role:"));
        if !spec.approvers.is_empty() && people && spec.approvers.len() < spec.quorum as usize {
            reader.error("bad-quorum", &n.span, "there are fewer approvers than must approve", None);
        }
    }
    if let Some(n) = get(fields, "timeout") {
        spec.timeout_ms = reader.duration(n, "`timeout`").unwrap_or(spec.timeout_ms);
    }
    if let Some(n) = get(fields, "notify") {
        spec.notify = reader.names(n, "a channel");
    }
    Some(spec)
}

const OBLIGATIONS: [&str; 5] = ["redact", "mask", "cap_rows", "notify", "sign_memory"];

fn obligations(reader: &mut Reader, node: &Node) -> Vec<Obligation> {
    match reader.fields(node, "`obligations`", &OBLIGATIONS) {
        Some(fields) => obligation_fields(reader, fields),
        None => Vec::new(),
    }
}

fn obligation_fields(reader: &mut Reader, fields: Fields<'_>) -> Vec<Obligation> {
    let mut of = Vec::new();
    if let Some(n) = get(fields, "redact") {
        for (path, span) in reader.strings(n, "a field") {
            if path.starts_with("pii.") || path.starts_with("secrets.") {
                let help = Some("name fields of the result, such as `rows.*.ssn`".to_owned());
                reader.error(
                    "unsupported",
                    &span,
                    "redaction by detector is not supported by this version",
                    help,
                );
            }
        }
        of.push(Obligation::Redact { fields: reader.names(n, "a field") });
    }
    if let Some(n) = get(fields, "mask") {
        if let Some(mask) = reader.fields(n, "`mask`", &["fields", "keep"]) {
            let masked = get(mask, "fields").map_or_else(Vec::new, |n| reader.names(n, "a field"));
            let keep =
                get(mask, "keep").and_then(|n| reader.whole(n, "`keep`")).and_then(|k| u32::try_from(k).ok());
            of.push(Obligation::Mask { fields: masked, keep: keep.unwrap_or(0) });
        }
    }
    if let Some(max) = get(fields, "cap_rows").and_then(|n| reader.whole(n, "`cap_rows`")) {
        of.push(Obligation::CapRows { max });
    }
    if let Some(n) = get(fields, "notify") {
        of.push(Obligation::Notify { channels: reader.names(n, "a channel") });
    }
    if get(fields, "sign_memory").is_some_and(|n| reader.flag(n, "`sign_memory`")) {
        of.push(Obligation::SignMemory);
    }
    of.sort();
    of
}

fn remember(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let Some(fields) = reader.fields(node, "`remember`", &["on", "as", "key", "for", "on_unavailable"])
    else {
        return;
    };
    let Some(on) = required(reader, fields, node, "on", "`remember`") else { return };
    let Some(on_fields) = reader.fields(on, "`on`", &["tools", "stage", "when"]) else { return };
    let Some(tools_node) = required(reader, on_fields, on, "tools", "`on`") else { return };
    let tools = tools(builder, reader, tools_node);
    let stages = [("call", Stage::Call), ("result", Stage::Result)];
    let stage = get(on_fields, "stage")
        .and_then(|n| reader.word(n, "a stage to remember", &stages))
        .unwrap_or_default();
    let types = builder.args_types(file, &tools);
    let when = get(on_fields, "when")
        .and_then(|n| builder.expression(reader, file, n, &types, &[Ty::Bool], "a condition"));
    let key = get(fields, "key").and_then(|n| {
        let kinds = [Ty::String, Ty::Int, Ty::Uint, Ty::Double, Ty::Bool];
        builder.expression(reader, file, n, &types, &kinds, "a memory's key")
    });
    let for_ms = get(fields, "for").and_then(|n| reader.duration(n, "`for`"));
    let Some(name) =
        required(reader, fields, node, "as", "`remember`").and_then(|n| reader.string(n, "a name"))
    else {
        return;
    };
    let allow_if_unavailable = unavailable(reader, fields);
    builder.set.remember.push(Remember {
        file,
        tools,
        stage,
        when: when.map(|c| c.program),
        name,
        key: key.map(|c| c.program),
        for_ms,
        counted: false,
        allow_if_unavailable,
    });
}

fn limit(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
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
    let per = get(fields, "per").map_or_else(Vec::new, |n| per(builder, reader, n, file, &types));
    let count = count(builder, reader, fields, file, &types);
    let kept_by_session = matches!(count, Count::Denied | Count::Identical);
    if let (true, Some(n)) =
        (kept_by_session && !per.contains(&Per::Session) && !per.is_empty(), get(fields, "per"))
    {
        let help = Some("add `session` to `per`".to_owned());
        reader.error("bad-limit", &n.span, "denials and repetitions are counted for each session", help);
    }
    let max = required(reader, fields, node, "max", "a limit").and_then(|n| {
        let number = match &n.value {
            Value::Int(i) => Number::Int(*i),
            Value::Float(f) => Number::Double(*f),
            _ => {
                reader.expected("`max` (a number)", n);
                return None;
            }
        };
        let amount = Amount::from_number(number);
        if amount.is_none() {
            reader.error("bad-limit", &n.span, "`max` is negative or too large to count", None);
        }
        amount
    });
    let window = match get(fields, "window") {
        Some(n) => reader.duration(n, "`window`"),
        None => {
            let span = node.span.start..(node.span.start + 1).min(node.span.end);
            let help = Some("say how long a charge counts: `window: 1h`".to_owned());
            reader.error("missing-field", &span, "a limit needs a `window`", help);
            None
        }
    };
    let words =
        [("deny", Exceeded::Deny), ("escalate", Exceeded::Escalate), ("quarantine", Exceeded::Quarantine)];
    let exceeded =
        get(fields, "exceeded").map_or(Some(Exceeded::Deny), |n| reader.word(n, "a consequence", &words));
    let approval = get(fields, "approval").and_then(|n| approval(builder, reader, n));
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

fn count(builder: &mut Builder, reader: &mut Reader, fields: Fields<'_>, file: u32, types: &[Ty]) -> Count {
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
    let mut number = |name: &str| {
        let node = get(fields, name)?;
        builder.expression(reader, file, node, types, &NUMBERS, &format!("`{name}`")).map(|c| c.program)
    };
    Count::Charges { cost: number("cost"), settle: number("settle") }
}

fn per(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32, types: &[Ty]) -> Vec<Per> {
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
                _ => {
                    let kinds = [Ty::String, Ty::Int, Ty::Uint, Ty::Double, Ty::Bool];
                    match builder.expression(reader, file, node, types, &kinds, "a part of `per`") {
                        Some(compiled) => Per::Expr(compiled.program),
                        None => continue,
                    }
                }
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

fn result(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let known = ["tools", "redact", "mask", "cap_rows", "notify", "sign_memory"];
    let Some(fields) = reader.fields(node, "an entry of `results`", &known) else { return };
    let Some(tools_node) = required(reader, fields, node, "tools", "an entry of `results`") else { return };
    let tools = tools(builder, reader, tools_node);
    let obligations = obligation_fields(reader, fields);
    if obligations.is_empty() {
        reader.error(
            "empty-result",
            &node.span,
            "this asks for nothing",
            Some("add `cap_rows`, `redact` or `mask`".to_owned()),
        );
    }
    builder.set.results.push(ResultRule { file, tools, obligations });
}
