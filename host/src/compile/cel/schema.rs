//! A tool's JSON Schema as a static type.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::types::{Object, Ty};

/// How many references deep a schema is followed; recursive schemas become unknown types there.
const MAX_DEPTH: usize = 16;

/// The type of a tool's arguments. An object with declared properties is taken to have no others, so that slips are
/// found, unless the schema says in so many words that it may (`additionalProperties`).
pub fn arguments(schema: &Value) -> Ty {
    of(schema, schema, "args", 0)
}

fn of(root: &Value, schema: &Value, name: &str, depth: usize) -> Ty {
    if depth > MAX_DEPTH {
        return Ty::Dyn;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Ty::Dyn, |target| of(root, target, name, depth + 1));
    }
    for union in ["anyOf", "oneOf"] {
        if let Some(cases) = schema.get(union).and_then(Value::as_array) {
            let types = cases.iter().map(|case| of(root, case, name, depth + 1));
            return types.reduce(Ty::join).unwrap_or(Ty::Dyn);
        }
    }
    if schema.get("allOf").is_some() {
        return Ty::Dyn;
    }
    let declared = schema.get("type").and_then(Value::as_str);
    if declared.is_none() {
        if schema.get("properties").is_some() {
            return object(root, schema, name, depth);
        }
        let constant = schema.get("const").or_else(|| schema.get("enum").and_then(|values| values.get(0)));
        let strings =
            schema.get("enum").and_then(Value::as_array).is_none_or(|v| v.iter().all(Value::is_string));
        return if constant.is_some_and(Value::is_string) && strings { Ty::String } else { Ty::Dyn };
    }
    match declared {
        Some("string") => Ty::String,
        Some("integer") => Ty::Int,
        Some("number") => Ty::Double,
        Some("boolean") => Ty::Bool,
        Some("null") => Ty::Null,
        Some("array") => {
            let items = schema.get("items").map_or(Ty::Dyn, |items| of(root, items, name, depth + 1));
            Ty::List(Box::new(items))
        }
        Some("object") => object(root, schema, name, depth),
        _ => Ty::Dyn,
    }
}

fn object(root: &Value, schema: &Value, name: &str, depth: usize) -> Ty {
    let additional = schema.get("additionalProperties");
    let open = additional.is_some_and(|a| a.as_bool() != Some(false));
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let values = additional.filter(|a| a.is_object());
        return Ty::Map(Box::new(values.map_or(Ty::Dyn, |v| of(root, v, name, depth + 1))));
    };
    let fields: BTreeMap<String, Ty> = properties
        .iter()
        .map(|(field, schema)| (field.clone(), of(root, schema, &format!("{name}.{field}"), depth + 1)))
        .collect();
    Ty::Object(Rc::new(Object { name: name.to_owned(), fields, open }))
}
