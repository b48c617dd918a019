//! Constants out of YAML.

use placet_engine::constrain::normal_text;
use placet_model::{Literal, Number};

use crate::compile::cel::Ty;
use crate::compile::reader::Reader;
use crate::compile::yaml::{Key, Node, Value};

/// A list of at least one constant.
pub(super) fn literals(reader: &mut Reader, node: &Node, ty: &Ty) -> Option<Vec<Literal>> {
    let of: Vec<Literal> =
        reader.list(node, "constants").iter().filter_map(|n| typed_literal(reader, n, ty)).collect();
    if of.is_empty() {
        if matches!(&node.value, Value::List(list) if list.is_empty()) {
            let message = "a list of nothing: at least one constant is needed";
            reader.error("empty-constraint", &node.span, message, None);
        }
        return None;
    }
    Some(of)
}

/// A constant that a value of this type can equal.
pub(super) fn typed_literal(reader: &mut Reader, node: &Node, ty: &Ty) -> Option<Literal> {
    let of = literal(node);
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

pub(super) fn literal(node: &Node) -> Literal {
    match &node.value {
        Value::Null => Literal::Null,
        Value::Bool(b) => Literal::Bool(*b),
        Value::Int(i) => Literal::Number(Number::Int(*i)),
        Value::Uint(u) => Literal::Number(Number::Uint(*u)),
        Value::Float(f) => Literal::Number(Number::Double(*f)),
        Value::Str(s) => Literal::String(normal_text(s)),
        Value::List(list) => Literal::List(list.iter().map(literal).collect()),
        Value::Map(entries) => {
            let member = |(key, n): &(Key, Node)| (normal_text(&key.text), literal(n));
            let mut members: Vec<(String, Literal)> = entries.iter().map(member).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Literal::Map(members)
        }
    }
}
