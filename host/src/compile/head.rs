//! The head of a policy file: its name, layer, selector and mode; tools, roles and actors.

use std::ops::Range;

use placet_engine::policy::{Actor, Bounds, PrincipalSelector, Role, Selector};
use placet_model::Number;
use serde_json::Value as Json;

use super::beside;
use super::cel::{Ty, schema};
use super::reader::{Fields, Reader, get};
use super::yaml::{Key, Node, Value};

/// Fields of a policy file.
pub const FIELDS: &[&str] = &[
    "policy",
    "layer",
    "layers",
    "tenants",
    "applies",
    "default",
    "mode",
    "bounds",
    "tools",
    "roles",
    "actors",
    "rules",
    "remember",
    "limits",
    "results",
    "detectors",
    "require",
    "description",
    "$schema",
];

/// Fields that belong to later versions.
pub const LATER: &[&str] = &["detectors", "require"];

/// A file's head.
pub struct Head {
    pub name: String,
    pub layer: Option<(String, Range<usize>)>,
    pub layers: Option<Vec<String>>,
    pub tenants: Option<Vec<String>>,
    pub applies: Selector,
    pub default: Option<(bool, Range<usize>)>,
    pub shadow: bool,
    pub bounds: Option<Bounds>,
}

/// A tool of the catalogue, with the type of its arguments.
pub struct ToolDecl {
    pub name: String,
    pub span: Range<usize>,
    pub effects: Option<Vec<String>>,
    pub risk: Option<String>,
    pub data: Option<Vec<String>>,
    pub cost: Option<f64>,
    /// The node of the scope expression.
    pub scope: Option<Node>,
    /// `None`: no schema.
    pub args: Option<Ty>,
}

pub fn head(reader: &mut Reader, root: &Node) -> Option<Head> {
    let fields = reader.fields(root, "a policy file", FIELDS)?;
    for later in LATER {
        if let Some((key, _)) = fields.iter().find(|(key, _)| key.text == *later) {
            let help =
                Some("remove it: a policy that asks for what cannot be enforced must not compile".to_owned());
            reader.error(
                "unsupported",
                &key.span,
                format!("`{later}` is not supported by this version"),
                help,
            );
        }
    }
    let Some(policy) = get(fields, "policy") else {
        let span = root.span.start..root.span.start + 1;
        reader.error(
            "missing-field",
            &span,
            "the file has no `policy: NAME`",
            Some("give the policy a name, such as `policy: payments`".to_owned()),
        );
        return None;
    };
    let name = reader.string(policy, "the policy's name")?;
    if let Some(node) = get(fields, "tenants") {
        reader.not_empty(node);
    }
    let layers = get(fields, "layers").map(|node| layers(reader, node));
    let tenants = get(fields, "tenants").map(|node| tenants(reader, node).into_iter().map(|(t, _)| t));
    let tenants = tenants.map(|tenants| {
        let mut tenants: Vec<String> = tenants.collect();
        tenants.sort();
        tenants.dedup();
        tenants
    });
    let layer =
        get(fields, "layer").and_then(|n| Some((reader.string(n, "a layer's name")?, n.span.clone())));
    let words = [("deny", true), ("inherit", false)];
    let default =
        get(fields, "default").and_then(|n| Some((reader.word(n, "a default", &words)?, n.span.clone())));
    let modes = [("enforce", false), ("shadow", true)];
    let shadow = get(fields, "mode").and_then(|n| reader.word(n, "a mode", &modes)).unwrap_or(false);
    let applies = get(fields, "applies").map_or_else(Selector::default, |n| selector(reader, n));
    let bounds = get(fields, "bounds").and_then(|n| bounds(reader, n));
    Some(Head { name, layer, layers, tenants, applies, default, shadow, bounds })
}

/// Which calls: the same block for files and rules.
pub fn selector(reader: &mut Reader, node: &Node) -> Selector {
    let known = ["tenant", "tenants", "project", "projects", "env", "envs", "agents", "users"];
    let Some(fields) = reader.fields(node, "`applies`", &known) else { return Selector::default() };
    some_fields(reader, fields, node);
    let both = |one: &str, many: &str| [get(fields, one), get(fields, many)].into_iter().flatten();
    let mut named = Vec::new();
    for node in both("tenant", "tenants") {
        reader.not_empty(node);
        named.extend(tenants(reader, node));
    }
    let mut tenants: Vec<String> = named.iter().map(|(tenant, _)| tenant.clone()).collect();
    tenants.sort();
    tenants.dedup();
    reader.tenants.extend(named);
    let mut either = |one: &str, many: &str| {
        let mut names = Vec::new();
        for node in both(one, many) {
            names.extend(reader.some_names(node, &format!("`{one}`")));
        }
        names.sort();
        names
    };
    let (projects, envs) = (either("project", "projects"), either("env", "envs"));
    let mut principal = |name: &str| match get(fields, name) {
        None => PrincipalSelector::default(),
        Some(node) => {
            let Some(of) = reader.fields(node, &format!("`{name}`"), &["ids", "roles"]) else {
                return PrincipalSelector::default();
            };
            some_fields(reader, of, node);
            let ids = get(of, "ids").map_or_else(Vec::new, |n| reader.some_names(n, "an id"));
            let roles = get(of, "roles").map_or_else(Vec::new, |n| reader.some_names(n, "a role"));
            PrincipalSelector { ids, roles }
        }
    };
    Selector { tenants, projects, envs, agents: principal("agents"), users: principal("users") }
}

/// A selector that asks for nothing selects everything, which nobody means who writes one.
fn some_fields(reader: &mut Reader, fields: &[(Key, Node)], node: &Node) {
    if fields.is_empty() {
        let help = "say what it selects, or leave it out to select everything";
        reader.error("empty-list", &node.span, "a selector of nothing", Some(help.to_owned()));
    }
}

/// Names of tenants, each exactly one tenant.
fn tenants(reader: &mut Reader, node: &Node) -> Vec<(String, Range<usize>)> {
    let named = reader.strings(node, "a tenant");
    for (name, span) in &named {
        if name.contains(['*', '?', '\\']) {
            let help = Some("list the tenants: a pattern could take in one that comes later".to_owned());
            reader.error("bad-tenant", span, format!("`{name}` is a pattern, and tenants are exact"), help);
        }
    }
    named.into_iter().filter(|(name, _)| !name.contains(['*', '?', '\\'])).collect()
}

/// The order of the layers; each occurs once.
fn layers(reader: &mut Reader, node: &Node) -> Vec<String> {
    reader.not_empty(node);
    let mut layers: Vec<String> = Vec::new();
    for (name, span) in reader.strings(node, "a layer") {
        if layers.contains(&name) {
            let help = Some("name each layer once, root first".to_owned());
            reader.error("duplicate-layer", &span, format!("the layer `{name}` occurs twice"), help);
        } else {
            layers.push(name);
        }
    }
    layers
}

fn bounds(reader: &mut Reader, node: &Node) -> Option<Bounds> {
    let fields = reader.fields(node, "`bounds`", &["call_bytes", "call_depth", "session_bytes", "steps"])?;
    let mut bounds = Bounds::default();
    let mut take = |name: &str, most: u64| {
        let node = get(fields, name)?;
        let value = reader.whole(node, &format!("`{name}`"))?;
        if value == 0 || value > most {
            reader.error("bad-bound", &node.span, format!("`{name}` is between 1 and {most}"), None);
            return None;
        }
        Some(value)
    };
    bounds.call_bytes = take("call_bytes", 64 << 20).unwrap_or(bounds.call_bytes);
    bounds.call_depth =
        take("call_depth", 512).and_then(|n| u32::try_from(n).ok()).unwrap_or(bounds.call_depth);
    let session = take("session_bytes", 1 << 20).and_then(|n| u32::try_from(n).ok());
    bounds.session_bytes = session.unwrap_or(bounds.session_bytes);
    bounds.steps = take("steps", 10_000_000).and_then(|n| u32::try_from(n).ok()).unwrap_or(bounds.steps);
    Some(bounds)
}

pub fn tools(reader: &mut Reader, root: Fields<'_>) -> Vec<ToolDecl> {
    let Some(node) = get(root, "tools") else { return Vec::new() };
    let Value::Map(entries) = &node.value else {
        reader.expected("tools by name (a mapping)", node);
        return Vec::new();
    };
    let mut tools = Vec::new();
    for (key, node) in entries {
        if key.text == "$import" {
            imported(reader, node, &mut tools);
        } else if key.text.contains(['*', '?']) {
            let help = Some("name each tool; rules may use globs".to_owned());
            reader.error("bad-tool", &key.span, format!("`{}` is not a tool's name", key.text), help);
        } else {
            tools.extend(tool(reader, &key.text, key.span.clone(), node));
        }
    }
    tools
}

fn tool(reader: &mut Reader, name: &str, span: Range<usize>, node: &Node) -> Option<ToolDecl> {
    let mut decl = ToolDecl {
        name: name.to_owned(),
        span,
        effects: None,
        risk: None,
        data: None,
        cost: None,
        scope: None,
        args: None,
    };
    if matches!(node.value, Value::Null) {
        return Some(decl);
    }
    let known = ["effects", "risk", "data", "cost", "scope", "args", "description"];
    let fields = reader.fields(node, "a tool", &known)?;
    if let Some(node) = get(fields, "effects") {
        let known = ["read", "write", "destructive", "external"];
        let words: Vec<(&str, ())> = known.iter().map(|w| (*w, ())).collect();
        for effect in reader.list(node, "`effects`") {
            reader.word(effect, "an effect", &words);
        }
        decl.effects = Some(reader.names(node, "an effect"));
    }
    if let Some(node) = get(fields, "risk") {
        let words = [("low", ()), ("medium", ()), ("high", ()), ("critical", ())];
        reader.word(node, "a risk", &words);
        decl.risk = if let Value::Str(risk) = &node.value { Some(risk.clone()) } else { None };
    }
    decl.data = get(fields, "data").map(|n| reader.names(n, "a class of data"));
    decl.cost = get(fields, "cost").and_then(|n| cost(reader, n));
    decl.scope = get(fields, "scope").cloned();
    decl.args = get(fields, "args").and_then(|n| args(reader, n));
    Some(decl)
}

/// A cost, which conditions read as a double: one that a double would round is refused.
fn cost(reader: &mut Reader, node: &Node) -> Option<f64> {
    let number = reader.number(node, "a cost (a number from 0)")?;
    let cost = match number {
        Number::Int(i) => i as f64,
        Number::Uint(u) => u as f64,
        Number::Double(f) => f,
    };
    let exact = number.cmp_value(Number::Double(cost)).is_eq();
    let (message, help) = match (cost >= 0.0, exact) {
        (true, true) => return Some(cost),
        (false, _) => ("a cost is at least 0", "write what a call costs, such as `0.02`"),
        (_, false) => ("the cost would be rounded", "whole numbers are exact up to 9007199254740992"),
    };
    reader.error("bad-cost", &node.span, message, Some(help.to_owned()));
    None
}

/// A JSON Schema: a file beside the policy, or in place.
fn args(reader: &mut Reader, node: &Node) -> Option<Ty> {
    let json = node.to_json();
    let Some(Json::String(name)) = json.get("$schema").filter(|_| json.get("type").is_none()) else {
        return if json.is_object() {
            Some(schema::arguments(&json))
        } else {
            reader.expected("a JSON Schema (a mapping)", node);
            None
        };
    };
    let source = reader.source.clone();
    let parsed = beside(&source, name).and_then(|text| {
        serde_json::from_str::<Json>(&text).map_err(|e| format!("`{name}` is not JSON: {e}"))
    });
    match parsed {
        Ok(json) => Some(schema::arguments(&json)),
        Err(error) => {
            reader.error("bad-schema", &node.span, format!("the schema cannot be used: {error}"), None);
            None
        }
    }
}

/// The tools of a server's `tools/list` result, kept as a file.
fn imported(reader: &mut Reader, node: &Node, tools: &mut Vec<ToolDecl>) {
    let Some(name) = reader.string(node, "a file's name") else { return };
    let source = reader.source.clone();
    let parsed = beside(&source, &name).and_then(|text| {
        serde_json::from_str::<Json>(&text).map_err(|e| format!("`{name}` is not JSON: {e}"))
    });
    let json = match parsed {
        Ok(json) => json,
        Err(error) => {
            return reader.error(
                "bad-import",
                &node.span,
                format!("the tools cannot be imported: {error}"),
                None,
            );
        }
    };
    let list = json.get("tools").or_else(|| json.get("result").and_then(|r| r.get("tools"))).unwrap_or(&json);
    let Some(list) = list.as_array() else {
        return reader.error("bad-import", &node.span, format!("`{name}` holds no list of tools"), None);
    };
    for tool in list {
        let Some(name) = tool.get("name").and_then(Json::as_str) else { continue };
        tools.push(ToolDecl {
            name: name.to_owned(),
            span: node.span.clone(),
            effects: None,
            risk: None,
            data: None,
            cost: None,
            scope: None,
            args: tool.get("inputSchema").map(schema::arguments),
        });
    }
}

pub fn roles(reader: &mut Reader, root: Fields<'_>, file: u32) -> Vec<Role> {
    let Some(node) = get(root, "roles") else { return Vec::new() };
    let Value::Map(entries) = &node.value else {
        reader.expected("roles by name (a mapping)", node);
        return Vec::new();
    };
    let mut roles = Vec::new();
    for (key, node) in entries {
        let Some(fields) = reader.fields(node, "a role", &["allow", "deny"]) else { continue };
        let mut of = |name: &str| get(fields, name).map_or_else(Vec::new, |n| reader.names(n, "a scope"));
        roles.push(Role { file, name: key.text.clone(), allow: of("allow"), deny: of("deny") });
    }
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    roles
}

pub fn actors(reader: &mut Reader, root: Fields<'_>, file: u32, known: &[String]) -> Vec<Actor> {
    let Some(node) = get(root, "actors") else { return Vec::new() };
    let Value::Map(entries) = &node.value else {
        reader.expected("roles by actor id (a mapping)", node);
        return Vec::new();
    };
    let mut actors = Vec::new();
    for (key, node) in entries {
        let named = reader.strings(node, "a role");
        for (role, span) in &named {
            if !known.contains(role) {
                let help = super::cel::did_you_mean(role, known.iter().map(String::as_str));
                reader.error("unknown-role", span, format!("there is no role `{role}`"), help);
            }
        }
        actors.push(Actor {
            file,
            id: key.text.clone(),
            roles: named.into_iter().map(|(role, _)| role).collect(),
        });
    }
    actors.sort_by(|a, b| a.id.cmp(&b.id));
    actors
}
