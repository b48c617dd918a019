//! Rules, what to remember, limits, and obligations on results.

use placet_engine::policy::{ApprovalSpec, Remember, ResultRule};
use placet_model::Stage;

use super::cel::{Ty, did_you_mean};
use super::decode::{Builder, Root};
use super::expression::Place;
use super::reader::{Fields, Reader, get};
use super::yaml::{Node, Value};

mod limit;
mod obligation;
mod rule;

use limit::limit;
use obligation::fields as obligation_fields;
use rule::rule;

/// An example for a missing `tools`.
const TOOLS: &str = "name tools: `tools: [payments.refund]`, or `tools: [\"*\"]` for all";

/// Types of what may be a key or a part of one.
const KEYS: [Ty; 5] = [Ty::String, Ty::Int, Ty::Uint, Ty::Double, Ty::Bool];

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
            let help = Some("write `\\\\` for a backslash, or leave it out".to_owned());
            reader.error(
                "bad-glob",
                &span,
                format!("the glob `{name}` ends with a `\\` that escapes nothing"),
                help,
            );
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
        let help = Some("name tools, or write `[\"*\"]` for all of them".to_owned());
        reader.error("empty-tools", &node.span, "a list of no tools: this can never match", help);
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
    let id_node =
        reader.required(fields, node, "id", what, "give it a name of its own: `id: small-refunds`")?;
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

fn unavailable(reader: &mut Reader, fields: Fields<'_>) -> bool {
    let words = [("deny", false), ("allow", true)];
    get(fields, "on_unavailable").and_then(|n| reader.word(n, "an answer", &words)).unwrap_or(false)
}

fn remember(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let Some(fields) = reader.fields(node, "`remember`", &["on", "as", "key", "for", "on_unavailable"])
    else {
        return;
    };
    let help = "say which calls: `on: {tools: [crm.read]}`";
    let Some(on) = reader.required(fields, node, "on", "`remember`", help) else { return };
    let Some(on_fields) = reader.fields(on, "`on`", &["tools", "stage", "when"]) else { return };
    let Some(tools_node) = reader.required(on_fields, on, "tools", "`on`", TOOLS) else { return };
    let tools = tools(builder, reader, tools_node);
    let stages = [("call", Stage::Call), ("result", Stage::Result)];
    let stage = get(on_fields, "stage")
        .and_then(|n| reader.word(n, "a stage to remember", &stages))
        .unwrap_or_default();
    let types = builder.args_types(file, &tools);
    let place = Place { file, args: &types, stage: Some(stage) };
    let when =
        get(on_fields, "when").and_then(|n| builder.expression(reader, place, n, &[Ty::Bool], "a condition"));
    let key = get(fields, "key").and_then(|n| builder.expression(reader, place, n, &KEYS, "a memory's key"));
    let for_ms = get(fields, "for").and_then(|n| reader.duration(n, "`for`"));
    let Some(name) = reader
        .required(fields, node, "as", "`remember`", "give it a name: `as: customer-data`")
        .and_then(|n| reader.string(n, "a name"))
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

fn result(builder: &mut Builder, reader: &mut Reader, node: &Node, file: u32) {
    let known = ["tools", "redact", "mask", "cap_rows", "notify", "sign_memory"];
    let Some(fields) = reader.fields(node, "an entry of `results`", &known) else { return };
    let Some(tools_node) = reader.required(fields, node, "tools", "an entry of `results`", TOOLS) else {
        return;
    };
    let tools = tools(builder, reader, tools_node);
    let before = reader.found.len();
    let obligations = obligation_fields(reader, fields);
    if obligations.is_empty() && reader.found.len() == before {
        reader.error(
            "empty-result",
            &node.span,
            "this asks for nothing",
            Some("add `cap_rows`, `redact` or `mask`".to_owned()),
        );
    }
    builder.set.results.push(ResultRule { file, tools, obligations });
}

fn approval(reader: &mut Reader, node: &Node) -> Option<ApprovalSpec> {
    let fields = reader.fields(node, "`approval`", &["approvers", "quorum", "timeout", "notify"])?;
    let mut spec = ApprovalSpec::default();
    if let Some(n) = get(fields, "approvers") {
        reader.not_empty(n);
        spec.approvers = reader.names(n, "an approver");
    }
    if let Some(n) = get(fields, "quorum") {
        match reader.whole(n, "`quorum`").and_then(|q| u32::try_from(q).ok()) {
            Some(0) | None => {
                let help = Some("write how many must approve: `quorum: 1`".to_owned());
                reader.error("bad-quorum", &n.span, "at least one person must approve", help);
            }
            Some(quorum) => spec.quorum = quorum,
        }
        let people = spec.approvers.iter().all(|a| !a.starts_with("role:"));
        if !spec.approvers.is_empty() && people && spec.approvers.len() < spec.quorum as usize {
            let help = Some("name more approvers, a `role:…`, or lower `quorum`".to_owned());
            reader.error("bad-quorum", &n.span, "there are fewer approvers than must approve", help);
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
