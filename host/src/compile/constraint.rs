//! Argument constraints out of YAML.

use std::ops::Range;

use placet_engine::constrain::normal_text;
use placet_model::Constraint;
use placet_model::constraint::Shape;

use super::cel::{PoolBuilder, Ty, did_you_mean};
use super::reader::Reader;
use super::yaml::{Node, Value};

mod contradiction;
mod literal;
mod text;

use contradiction::contradiction;
use literal::{literal, literals, typed_literal};
use text::{cidr, email, glob, path, url};

const KINDS: &[&str] = &[
    "equals",
    "one_of",
    "not_one_of",
    "min",
    "max",
    "min_length",
    "max_length",
    "prefix",
    "suffix",
    "glob",
    "regex",
    "contains",
    "subset_of",
    "each",
    "cidr",
    "email",
    "url",
    "path",
    "shape",
    "all",
    "one",
    "none",
    "absent",
    "any",
];

/// The named members of an object and their constraints.
pub fn shape(reader: &mut Reader, pool: &mut PoolBuilder, node: &Node, ty: &Ty) -> Option<Shape> {
    let Value::Map(entries) = &node.value else {
        reader.expected("constraints by argument name (a mapping)", node);
        return None;
    };
    let mut shape = Shape::default();
    for (key, value) in entries {
        if key.text == "others" && matches!(&value.value, Value::Str(word) if word == "any") {
            shape.others = true;
            continue;
        }
        if key.text == "others" && matches!(&value.value, Value::Str(_) | Value::Bool(_) | Value::Null) {
            let help = "leave it out: no other arguments are accepted unless the rule says `others: any`";
            let message = "`others` can only be `any`";
            reader.error("bad-constraint", &value.span, message, Some(help.to_owned()));
            continue;
        }
        let field_ty = member(reader, ty, &key.text, &key.span);
        if let Some(of) = constraint(reader, pool, value, &field_ty) {
            shape.fields.push((key.text.clone(), of));
        }
    }
    shape.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(shape)
}

fn member(reader: &mut Reader, ty: &Ty, name: &str, span: &Range<usize>) -> Ty {
    match ty {
        Ty::Object(object) => match object.fields.get(name) {
            Some(ty) => ty.clone(),
            None => {
                if !object.open {
                    let known: Vec<&str> = object.fields.keys().map(String::as_str).collect();
                    let help = did_you_mean(name, known.iter().copied())
                        .or_else(|| Some(format!("the schema has {}", known.join(", "))));
                    reader.error(
                        "unknown-argument",
                        span,
                        format!("the tool has no argument `{name}`"),
                        help,
                    );
                }
                Ty::Dyn
            }
        },
        Ty::Map(of) => (**of).clone(),
        _ => Ty::Dyn,
    }
}

/// One constraint: a word, or a mapping in which all keys must hold.
pub fn constraint(reader: &mut Reader, pool: &mut PoolBuilder, node: &Node, ty: &Ty) -> Option<Constraint> {
    match &node.value {
        Value::Str(word) if word == "any" => Some(Constraint::Any),
        Value::Str(word) if word == "absent" => Some(Constraint::Absent),
        Value::Map(entries) if entries.is_empty() => {
            reader.error(
                "empty-constraint",
                &node.span,
                "a constraint that asks for nothing",
                Some("write `any`".to_owned()),
            );
            None
        }
        Value::Map(entries) => {
            let before = reader.found.len();
            let mut all = Vec::new();
            for (key, value) in entries {
                if let Some(of) = kind(reader, pool, &key.text, &key.span, value, ty) {
                    all.push(of);
                }
            }
            if reader.found.len() == before {
                contradiction(reader, &all, &node.span);
            }
            if all.len() == 1 { all.pop() } else { Some(Constraint::All(all)) }
        }
        Value::Str(_) | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            let raw = reader.source.text.get(node.span.clone()).unwrap_or("").to_owned();
            let help = format!("write `{{equals: {raw}}}`; `any` and `absent` are the only words");
            reader.error("bad-constraint", &node.span, format!("`{raw}` is not a constraint"), Some(help));
            None
        }
        Value::Null | Value::List(_) => {
            let help = "write `any`, `absent`, or a mapping such as `{max: 500}` or `{one_of: […]}`";
            let message = format!("{} is not a constraint", node.value.kind());
            reader.error("bad-constraint", &node.span, message, Some(help.to_owned()));
            None
        }
    }
}

fn kind(
    reader: &mut Reader,
    pool: &mut PoolBuilder,
    name: &str,
    key: &Range<usize>,
    node: &Node,
    ty: &Ty,
) -> Option<Constraint> {
    let texts = matches!(ty, Ty::Dyn | Ty::String);
    let lists = matches!(ty, Ty::Dyn | Ty::List(_));
    let fits = match name {
        "min" | "max" => ty.may_be_number(),
        "prefix" | "suffix" | "glob" | "regex" | "cidr" | "email" | "url" | "path" => texts,
        "min_length" | "max_length" | "contains" => texts || lists,
        "subset_of" | "each" => lists,
        "shape" => matches!(ty, Ty::Dyn | Ty::Map(_) | Ty::Object(_)),
        _ => true,
    };
    if !fits {
        let message = format!("`{name}` says nothing about {}, which the schema has here", ty.name());
        reader.error("type-error", key, message, None);
        return None;
    }
    let element = if let Ty::List(of) = ty { (**of).clone() } else { Ty::Dyn };
    Some(match name {
        "any" | "absent" => {
            only_true(reader, node, name)?;
            if name == "any" { Constraint::Any } else { Constraint::Absent }
        }
        "equals" => Constraint::Equals(typed_literal(reader, node, ty)?),
        "one_of" => Constraint::OneOf(literals(reader, node, ty)?),
        "not_one_of" => Constraint::NotOneOf(literals(reader, node, ty)?),
        "min" => Constraint::Min(reader.number(node, "a number")?),
        "max" => Constraint::Max(reader.number(node, "a number")?),
        "min_length" => Constraint::MinLength(reader.whole(node, "`min_length`")?),
        "max_length" => Constraint::MaxLength(reader.whole(node, "`max_length`")?),
        "prefix" => Constraint::Prefix(normal_text(&reader.string(node, "`prefix`")?)),
        "suffix" => Constraint::Suffix(normal_text(&reader.string(node, "`suffix`")?)),
        "glob" => Constraint::Glob(glob(reader, node)?),
        "regex" => regex(reader, pool, node)?,
        "contains" => Constraint::Contains(literal(node)),
        "subset_of" => Constraint::SubsetOf(literals(reader, node, &element)?),
        "each" => Constraint::Each(Box::new(constraint(reader, pool, node, &element)?)),
        "cidr" => cidr(reader, node),
        "email" => email(reader, node)?,
        "url" => url(reader, node)?,
        "path" => path(reader, node)?,
        "shape" => Constraint::Shape(shape(reader, pool, node, ty)?),
        "all" | "one" | "none" => several(reader, pool, name, node, ty)?,
        _ => {
            let help = did_you_mean(name, KINDS.iter().copied())
                .or_else(|| elsewhere(name).map(|here| format!("it is called `{here}`")))
                .or_else(|| Some(format!("the constraints are {}", KINDS.join(", "))));
            reader.error("unknown-constraint", key, format!("there is no constraint `{name}`"), help);
            return None;
        }
    })
}

/// What other languages call the constraints.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "maximum" | "lte" | "le" | "at_most" | "maxValue" => "max",
        "minimum" | "gte" | "ge" | "at_least" | "minValue" => "min",
        "maxLength" | "max_len" => "max_length",
        "minLength" | "min_len" => "min_length",
        "enum" | "in" | "oneOf" | "anyOf" | "any_of" => "one_of",
        "not_in" | "notIn" => "not_one_of",
        "pattern" | "matches" | "regexp" => "regex",
        "eq" | "equal" | "is" | "const" | "value" => "equals",
        "starts_with" | "startsWith" => "prefix",
        "ends_with" | "endsWith" => "suffix",
        "allOf" | "and" => "all",
        "or" => "one",
        "not" => "none",
        "items" => "each",
        "properties" => "shape",
        _ => return None,
    })
}

/// `any` and `absent` are flags, and `false` is not their opposite.
fn only_true(reader: &mut Reader, node: &Node, name: &str) -> Option<()> {
    if matches!(node.value, Value::Bool(true)) {
        return Some(());
    }
    let help = match name {
        "absent" => "an argument that must be there with any value is `any`",
        _ => "an argument that must not be there is `absent`",
    };
    let message = format!("`{name}` can only be `true`");
    reader.error("bad-constraint", &node.span, message, Some(help.to_owned()));
    None
}

fn regex(reader: &mut Reader, pool: &mut PoolBuilder, node: &Node) -> Option<Constraint> {
    let pattern = reader.string(node, "`regex`")?;
    match pool.automaton(&pattern) {
        Ok(automaton) => Some(Constraint::Regex { pattern, automaton }),
        Err(error) => {
            let message = format!("the regular expression cannot be used: {}", error.message);
            reader.error("bad-regex", &node.span, message, error.help);
            None
        }
    }
}

fn several(
    reader: &mut Reader,
    pool: &mut PoolBuilder,
    name: &str,
    node: &Node,
    ty: &Ty,
) -> Option<Constraint> {
    let before = reader.found.len();
    let of = reader.list(node, &format!("`{name}`")).iter();
    let of: Vec<Constraint> = of.filter_map(|n| constraint(reader, pool, n, ty)).collect();
    if reader.found.len() > before {
        return None;
    }
    if of.is_empty() {
        let message = format!("`{name}` needs at least one constraint");
        reader.error("empty-constraint", &node.span, message, None);
        return None;
    }
    Some(match name {
        "all" => {
            contradiction(reader, &of, &node.span);
            Constraint::All(of)
        }
        "one" => Constraint::One(of),
        _ => Constraint::None(of),
    })
}
