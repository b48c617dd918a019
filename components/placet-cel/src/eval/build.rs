//! List and map literals, and constants that need memory.

use std::rc::Rc;

use super::{Machine, Outcome};
use crate::budget::Budget;
use crate::compare::scalar;
use crate::error::EvalError;
use crate::program::{Constant, NodeId};
use crate::value::{Map, Value};

/// The value of a constant, lists and maps included.
pub(super) fn materialise<'a>(constant: &'a Constant, budget: &mut Budget) -> Outcome<'a> {
    if let Some(value) = scalar(constant) {
        return Ok(value);
    }
    match constant {
        Constant::Bytes(bytes) => {
            budget.build(bytes.len())?;
            Ok(Value::bytes(&**bytes))
        }
        Constant::List(items) => {
            budget.build_list(items.len())?;
            let items: Result<Rc<[_]>, _> = items.iter().map(|item| materialise(item, budget)).collect();
            Ok(Value::List(items?))
        }
        Constant::Map(entries) => {
            budget.build_list(entries.len().saturating_mul(2))?;
            let pair =
                |(k, v): &'a (Constant, Constant)| Ok((materialise(k, budget)?, materialise(v, budget)?));
            Ok(Value::map(entries.iter().map(pair).collect::<Result<_, EvalError>>()?))
        }
        _ => Err(EvalError::program("the program has a constant of an unknown kind")),
    }
}

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn list(&mut self, items: &[(NodeId, bool)]) -> Outcome<'a> {
        self.budget.build_list(items.len())?;
        let mut values = Vec::with_capacity(items.len());
        for (item, optional) in items {
            let value = self.node(*item)?;
            if *optional {
                values.extend(unwrap_entry(value)?);
            } else {
                values.push(value);
            }
        }
        Ok(Value::list(values))
    }

    #[inline(never)]
    pub(super) fn map(&mut self, entries: &[(NodeId, NodeId, bool)]) -> Outcome<'a> {
        let mut map = Map { entries: Vec::with_capacity(entries.len()) };
        for (key, value, optional) in entries {
            let key = self.node(*key)?;
            let value = self.node(*value)?;
            let value = if *optional { unwrap_entry(value)? } else { Some(value) };
            if let Some(value) = value {
                insert(&mut map, key, value, self.budget)?;
            }
        }
        Ok(Value::Map(Rc::new(map)))
    }
}

/// Adds an entry to a map that is being built.
pub(super) fn insert<'a>(
    map: &mut Map<'a>,
    key: Value<'a>,
    value: Value<'a>,
    budget: &mut Budget,
) -> Result<(), EvalError> {
    if !matches!(key, Value::Str(_) | Value::Int(_) | Value::Uint(_) | Value::Bool(_)) {
        let name = key.type_of().name();
        return Err(EvalError::mistyped(format!(
            "a map key cannot be `{name}`, only string, int, uint or bool"
        )));
    }
    budget.build_list(2)?;
    if map.get(&key, budget)?.is_some() {
        return Err(EvalError::value("a map has the same key twice"));
    }
    map.entries.push((key, value));
    Ok(())
}

fn unwrap_entry(value: Value<'_>) -> Result<Option<Value<'_>>, EvalError> {
    match value {
        Value::Optional(inner) => Ok(inner.map(|inner| (*inner).clone())),
        other => {
            let name = other.type_of().name();
            Err(EvalError::mistyped(format!(
                "an element marked `?` must be an optional, and here it is `{name}`"
            )))
        }
    }
}
