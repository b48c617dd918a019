//! Equality with constants: numbers by value, strings in NFC, objects as sets of members.

use placet_model::{Json, Kind, Literal};

use super::text::nfc_text;

/// From so many constants and elements on, constants are sorted first.
const MANY: usize = 16;

/// Whether the value equals the constant.
pub(super) fn equals(literal: &Literal, value: Json<'_>) -> bool {
    match literal {
        Literal::Null => value.kind() == Kind::Null,
        Literal::Bool(b) => value.as_bool() == Some(*b),
        Literal::Number(n) => value.as_number().is_some_and(|v| v.cmp_value(*n).is_eq()),
        Literal::String(s) => nfc_text(value).is_some_and(|v| v == s.as_str()),
        Literal::List(items) => {
            let mut elements = value.elements();
            value.kind() == Kind::Array
                && items.iter().all(|item| elements.next().is_some_and(|element| equals(item, element)))
                && elements.next().is_none()
        }
        Literal::Map(members) => {
            value.kind() == Kind::Object
                && value.len() == members.len()
                && members.iter().all(|(name, l)| value.get(name).is_some_and(|v| equals(l, v)))
        }
    }
}

/// Whether the value equals one of the constants.
pub(super) fn equals_any(literals: &[Literal], value: Json<'_>) -> bool {
    match nfc_text(value) {
        Some(text) => literals.iter().any(|l| matches!(l, Literal::String(s) if *s == *text)),
        None => literals.iter().any(|l| equals(l, value)),
    }
}

/// Whether the value is a list whose elements are all among the constants.
pub(super) fn is_subset(value: Json<'_>, literals: &[Literal]) -> bool {
    if value.kind() != Kind::Array {
        return false;
    }
    if literals.len() < MANY || value.elements().nth(MANY).is_none() {
        return value.elements().all(|element| equals_any(literals, element));
    }
    // A long list of strings against many: not their product.
    let mut strings: Vec<&str> = literals.iter().filter_map(as_string).collect();
    strings.sort_unstable();
    value.elements().all(|element| match nfc_text(element) {
        Some(text) => strings.binary_search(&&*text).is_ok(),
        None => equals_any(literals, element),
    })
}

fn as_string(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::String(s) => Some(s),
        _ => None,
    }
}
