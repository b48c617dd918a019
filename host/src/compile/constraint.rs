//! Argument constraints out of YAML.

use std::ops::Range;

use placet_engine::constrain::normal_text;
use placet_model::constraint::Shape;
use placet_model::{Constraint, Literal, Number};

use super::cel::{PoolBuilder, Ty, did_you_mean};
use super::reader::Reader;
use super::yaml::{Node, Value};

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
        _ => {
            let help =
                Some("write `any`, `absent`, or a mapping such as `{max: 500}` or `{equals: …}`".to_owned());
            reader.error(
                "bad-constraint",
                &node.span,
                format!("{} is no constraint", node.value.kind()),
                help,
            );
            None
        }
    }
}

fn contradiction(reader: &mut Reader, all: &[Constraint], span: &Range<usize>) {
    let min = all.iter().find_map(|c| if let Constraint::Min(n) = c { Some(*n) } else { None });
    let max = all.iter().find_map(|c| if let Constraint::Max(n) = c { Some(*n) } else { None });
    let short = all.iter().find_map(|c| if let Constraint::MinLength(n) = c { Some(*n) } else { None });
    let long = all.iter().find_map(|c| if let Constraint::MaxLength(n) = c { Some(*n) } else { None });
    let numbers = min.zip(max).is_some_and(|(min, max)| min.cmp_value(max).is_gt());
    if numbers || short.zip(long).is_some_and(|(short, long)| short > long) {
        reader.error(
            "unreachable-rule",
            span,
            "no value can satisfy this: the least is above the most",
            None,
        );
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
        "any" => Constraint::Any,
        "absent" => Constraint::Absent,
        "equals" => Constraint::Equals(typed_literal(reader, node, ty)?),
        "one_of" => Constraint::OneOf(literals(reader, node, ty)?),
        "not_one_of" => Constraint::NotOneOf(literals(reader, node, ty)?),
        "min" => Constraint::Min(number(reader, node)?),
        "max" => Constraint::Max(number(reader, node)?),
        "min_length" => Constraint::MinLength(reader.whole(node, "`min_length`")?),
        "max_length" => Constraint::MaxLength(reader.whole(node, "`max_length`")?),
        "prefix" => Constraint::Prefix(normal_text(&reader.string(node, "`prefix`")?)),
        "suffix" => Constraint::Suffix(normal_text(&reader.string(node, "`suffix`")?)),
        "glob" => Constraint::Glob(glob(reader, node)?),
        "regex" => {
            let pattern = reader.string(node, "`regex`")?;
            match pool.automaton(&pattern) {
                Ok(automaton) => Constraint::Regex { pattern, automaton },
                Err(error) => {
                    let message = format!("the regular expression cannot be used: {}", error.message);
                    reader.error("bad-regex", &node.span, message, None);
                    return None;
                }
            }
        }
        "contains" => Constraint::Contains(literal(reader, node)?),
        "subset_of" => Constraint::SubsetOf(literals(reader, node, &element)?),
        "each" => Constraint::Each(Box::new(constraint(reader, pool, node, &element)?)),
        "cidr" => {
            let networks = reader.strings(node, "`cidr`");
            for (network, span) in &networks {
                if placet_cel::text::ip::parse_cidr(network).is_err() {
                    let help = Some("write an address and a prefix length: `10.0.0.0/8`".to_owned());
                    reader.error("bad-cidr", span, format!("`{network}` is not a network"), help);
                }
            }
            Constraint::Cidr(networks.into_iter().map(|(network, _)| network).collect())
        }
        "email" => {
            let fields = reader.fields(node, "`email`", &["domains"])?;
            let domains = super::reader::get(fields, "domains").map_or_else(Vec::new, |n| hosts(reader, n));
            Constraint::Email { domains }
        }
        "url" => url(reader, node)?,
        "path" => {
            let fields = reader.fields(node, "`path`", &["under"])?;
            let Some(under) = super::reader::get(fields, "under") else {
                reader.error("missing-field", &node.span, "`path` needs `under`", None);
                return None;
            };
            let mut directories = Vec::new();
            for (text, span) in reader.strings(under, "`under`") {
                match placet_cel::text::path::normalise(&text) {
                    Ok(directory) => directories.push(normal_text(&directory)),
                    Err(error) => reader.error("bad-path", &span, error.to_string(), None),
                }
            }
            Constraint::Path { under: directories }
        }
        "shape" => Constraint::Shape(shape(reader, pool, node, ty)?),
        "all" | "one" | "none" => {
            let of = reader.list(node, &format!("`{name}`")).iter();
            let of: Vec<Constraint> = of.filter_map(|n| constraint(reader, pool, n, ty)).collect();
            if of.is_empty() {
                reader.error(
                    "empty-constraint",
                    &node.span,
                    format!("`{name}` needs at least one constraint"),
                    None,
                );
                return None;
            }
            match name {
                "all" => Constraint::All(of),
                "one" => Constraint::One(of),
                _ => Constraint::None(of),
            }
        }
        _ => {
            let help = did_you_mean(name, KINDS.iter().copied());
            reader.error("unknown-constraint", key, format!("there is no constraint `{name}`"), help);
            return None;
        }
    })
}

fn url(reader: &mut Reader, node: &Node) -> Option<Constraint> {
    let fields = reader.fields(node, "`url`", &["schemes", "hosts", "ports"])?;
    let get = |name| super::reader::get(fields, name);
    let schemes = get("schemes").map_or_else(Vec::new, |n| reader.names(n, "a scheme"));
    let hosts = get("hosts").map_or_else(Vec::new, |n| hosts(reader, n));
    let mut ports = Vec::new();
    for port in get("ports").map_or(&[][..], |n| reader.list(n, "`ports`")) {
        match reader.whole(port, "a port").map(u16::try_from) {
            Some(Ok(port)) => ports.push(port),
            Some(Err(_)) => reader.error("bad-port", &port.span, "a port is at most 65535", None),
            None => {}
        }
    }
    Some(Constraint::Url { schemes: schemes.iter().map(|s| s.to_ascii_lowercase()).collect(), hosts, ports })
}

/// Hosts after IDNA, in lower case; a leading `*.` stays.
fn hosts(reader: &mut Reader, node: &Node) -> Vec<String> {
    let mut hosts = Vec::new();
    for (text, span) in reader.strings(node, "a host") {
        let (star, name) = match text.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", text.as_str()),
        };
        match placet_cel::text::url::parse_url(&format!("https://{name}/")) {
            Ok(url) if !name.contains(['/', ':', '@', '?', '#']) || name.contains("::") => {
                hosts.push(format!("{star}{}", url.host));
            }
            _ => {
                let help = Some("write a host name such as `api.example.com` or `*.example.com`".to_owned());
                reader.error("bad-host", &span, format!("`{text}` is not a host"), help);
            }
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// A glob that the engine can read.
pub fn glob(reader: &mut Reader, node: &Node) -> Option<String> {
    let pattern = reader.string(node, "a glob")?;
    if let Err(error) = placet_cel::text::glob::matches("", &pattern) {
        reader.error("bad-glob", &node.span, error.to_string(), None);
        return None;
    }
    Some(normal_text(&pattern))
}

fn number(reader: &mut Reader, node: &Node) -> Option<Number> {
    match &node.value {
        Value::Int(i) => Some(Number::Int(*i)),
        Value::Float(f) => Some(Number::Double(*f)),
        _ => {
            reader.expected("a number", node);
            None
        }
    }
}

fn literals(reader: &mut Reader, node: &Node, ty: &Ty) -> Option<Vec<Literal>> {
    let of: Vec<Literal> =
        reader.list(node, "constants").iter().filter_map(|n| typed_literal(reader, n, ty)).collect();
    if of.is_empty() {
        reader.error("empty-constraint", &node.span, "at least one constant is needed", None);
        return None;
    }
    Some(of)
}

/// A constant that a value of this type can equal.
fn typed_literal(reader: &mut Reader, node: &Node, ty: &Ty) -> Option<Literal> {
    let of = literal(reader, node)?;
    let fits = match (&of, ty) {
        (_, Ty::Dyn) | (Literal::Null, _) => true,
        (Literal::Bool(_), ty) => *ty == Ty::Bool,
        (Literal::Number(_), ty) => ty.may_be_number(),
        (Literal::String(_), ty) => *ty == Ty::String,
        (Literal::List(_), ty) => matches!(ty, Ty::List(_)),
        (Literal::Map(_), ty) => matches!(ty, Ty::Map(_) | Ty::Object(_)),
    };
    if !fits {
        let message =
            format!("{} can never equal {}, which the schema has here", node.value.kind(), ty.name());
        reader.error("type-error", &node.span, message, None);
        return None;
    }
    Some(of)
}

fn literal(reader: &mut Reader, node: &Node) -> Option<Literal> {
    Some(match &node.value {
        Value::Null => Literal::Null,
        Value::Bool(b) => Literal::Bool(*b),
        Value::Int(i) => Literal::Number(Number::Int(*i)),
        Value::Float(f) => Literal::Number(Number::Double(*f)),
        Value::Str(s) => Literal::String(normal_text(s)),
        Value::List(list) => Literal::List(list.iter().filter_map(|n| literal(reader, n)).collect()),
        Value::Map(entries) => {
            let member =
                |(key, n): &(super::yaml::Key, Node)| Some((normal_text(&key.text), literal(reader, n)?));
            let mut members: Vec<(String, Literal)> = entries.iter().filter_map(member).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Literal::Map(members)
        }
    })
}
