//! `placet tools import`: a policy's `tools:` section out of a live server's catalogue.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::catalogue::From;
use crate::cli::{Exit, Output};

/// Write a policy's `tools:` section from what a server says of its tools
///
/// Effects are guessed from annotations, which are the server's word: check them. Types of arguments are taken over, so
/// that conditions are checked against them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// What the gateway's configuration calls the server: its tool `find` is `NAME.find` to policies
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// The policy's name
    #[arg(long, value_name = "NAME", default_value = "tools")]
    policy: String,
    /// The policy's layer; without one, the first
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// Where it is written; never over a file that is there. Without it, standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Reads the server and writes the policy.
pub fn run(args: &Args, out: &Output) -> Exit {
    let tools = match args.from.read() {
        Ok(tools) => tools,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let text = policy(args, &tools);
    let Some(path) = &args.out else {
        print!("{text}");
        return Exit::Done;
    };
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    match opened.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())) {
        Ok(()) => {
            println!("{}: {} tools", path.display(), tools.len());
            Exit::Done
        }
        Err(error) => out.fail(Exit::Usage, format_args!("cannot write `{}`: {error}", path.display())),
    }
}

fn policy(args: &Args, tools: &[Value]) -> String {
    let mut text = format!(
        "# The tools of {}, as `placet tools import` found them.\n# Effects are guessed from the server's annotations: \
         check them.\npolicy: {}\n",
        comment(&args.from.name()),
        quoted(&args.policy)
    );
    if let Some(layer) = &args.layer {
        let _ = writeln!(text, "layer: {}", quoted(layer));
    }
    text.push_str(if tools.is_empty() { "tools: {}\n" } else { "tools:\n" });
    let mut named: Vec<(&str, &Value)> =
        tools.iter().filter_map(|tool| Some((tool.get("name")?.as_str()?, tool))).collect();
    named.sort_by_key(|(name, _)| *name);
    named.dedup_by_key(|(name, _)| *name);
    for (name, tool) in named {
        if name.contains(['*', '?']) {
            let _ = writeln!(text, "  # left out, because its name would be a pattern: {}", comment(name));
            continue;
        }
        let full = args.server.as_ref().map_or_else(|| name.to_owned(), |server| format!("{server}.{name}"));
        let (effects, why) = effects(tool.get("annotations"));
        let _ = writeln!(text, "  {}:", quoted(&full));
        let _ = writeln!(text, "    effects: [{}] # {why}", effects.join(", "));
        if let Some(schema) = tool.get("inputSchema").filter(|schema| schema.is_object()) {
            let _ = writeln!(text, "    args: {}", escaped(&types(schema, 0)));
        }
    }
    text
}

/// What a call does, by the server's hints or, where it gives none, by what the specification has them be.
fn effects(annotations: Option<&Value>) -> (Vec<&'static str>, String) {
    let hint = |name: &str| annotations.and_then(|of| of.get(name)).and_then(Value::as_bool);
    let said = ["readOnlyHint", "destructiveHint", "openWorldHint"];
    let said = said.iter().filter_map(|name| Some(format!("{name}: {}", hint(name)?))).collect::<Vec<_>>();
    let why = if said.is_empty() { "no hints: taken for the worst".to_owned() } else { said.join(", ") };
    let mut effects = Vec::new();
    match hint("readOnlyHint") {
        Some(true) => effects.push("read"),
        _ => {
            effects.push("write");
            if hint("destructiveHint") != Some(false) {
                effects.push("destructive");
            }
        }
    }
    let reads = hint("readOnlyHint") == Some(true);
    if hint("openWorldHint").unwrap_or(!reads) {
        effects.push("external");
    }
    (effects, why)
}

/// Deeper schemas are left open.
const DEPTH: usize = 16;

/// Of a JSON Schema, what says which types there are; descriptions and constraints are the server's business.
fn types(schema: &Value, depth: usize) -> Value {
    let Some(of) = schema.as_object().filter(|_| depth < DEPTH) else { return json!({}) };
    let mut kept = Map::new();
    for (name, value) in of {
        let value = match (name.as_str(), value) {
            ("type", value) if value.is_string() || value.is_array() => value.clone(),
            ("$ref", Value::String(_)) | ("additionalProperties", Value::Bool(_)) => value.clone(),
            ("enum" | "required", Value::Array(_)) | ("const", _) => value.clone(),
            ("items" | "additionalProperties", Value::Object(_)) => types(value, depth + 1),
            ("properties" | "$defs" | "definitions", Value::Object(members)) => {
                members.iter().map(|(name, of)| (name.clone(), types(of, depth + 1))).collect()
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(cases)) => {
                cases.iter().map(|case| types(case, depth + 1)).collect()
            }
            _ => continue,
        };
        kept.insert(name.clone(), value);
    }
    Value::Object(kept)
}

/// JSON that YAML reads as the same: everything but printable ASCII is escaped.
fn escaped(json: &Value) -> String {
    let mut text = String::new();
    for c in json.to_string().chars() {
        match c {
            ' '..='~' => text.push(c),
            // YAML has no surrogates, and JSON no other escape; YAML reads both.
            c if u32::from(c) > 0xffff => {
                let _ = write!(text, "\\U{:08X}", u32::from(c));
            }
            c => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
        }
    }
    text
}

fn quoted(text: &str) -> String {
    escaped(&Value::from(text))
}

/// What can stand in a comment.
fn comment(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_by_hints() {
        for (hints, expected) in [
            (json!(null), vec!["write", "destructive", "external"]),
            (json!({}), vec!["write", "destructive", "external"]),
            (json!({"readOnlyHint": true}), vec!["read"]),
            (json!({"readOnlyHint": true, "openWorldHint": true}), vec!["read", "external"]),
            (json!({"readOnlyHint": true, "destructiveHint": true}), vec!["read"]),
            (json!({"readOnlyHint": false, "destructiveHint": false, "openWorldHint": false}), vec!["write"]),
            (json!({"destructiveHint": true, "openWorldHint": false}), vec!["write", "destructive"]),
            (json!({"readOnlyHint": "yes"}), vec!["write", "destructive", "external"]),
        ] {
            assert_eq!(effects(Some(&hints)).0, expected, "{hints}");
        }
    }

    #[test]
    fn schemas_keep_their_types_and_nothing_else() {
        for (schema, expected) in [
            (json!({"type": "string", "description": "x", "maxLength": 3}), json!({"type": "string"})),
            (
                json!({"properties": {"description": {"type": "string", "title": "T"}}, "required": ["description"]}),
                json!({"properties": {"description": {"type": "string"}}, "required": ["description"]}),
            ),
            (
                json!({"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "null", "x": 1}}}),
                json!({"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "null"}}}),
            ),
            (
                json!({"anyOf": [{"type": "string", "format": "uri"}, true]}),
                json!({"anyOf": [{"type": "string"}, {}]}),
            ),
            (json!({"$schema": "https://json-schema.org/x", "type": "object"}), json!({"type": "object"})),
        ] {
            assert_eq!(types(&schema, 0), expected);
        }
    }
}
