//! Lists: the `lists` library, `sort` and `reverse`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::operators::is_among;
use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::compare::order;
use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    match (function, args) {
        (Function::Range, [Value::Int(n)]) => range(*n, budget),
        (Function::Distinct, [Value::List(items)]) => distinct(items, budget),
        (Function::First, [Value::List(items)]) => Ok(Value::Optional(items.first().cloned().map(Rc::new))),
        (Function::Last, [Value::List(items)]) => Ok(Value::Optional(items.last().cloned().map(Rc::new))),
        (Function::Flatten, [Value::List(items)]) => flatten(items, 1, budget),
        (Function::Flatten, [Value::List(items), Value::Int(depth)]) => match u32::try_from(*depth) {
            Ok(depth) => flatten(items, depth, budget),
            Err(_) if *depth > 0 => flatten(items, u32::MAX, budget),
            Err(_) => Err(EvalError::value("a list cannot be flattened to a negative depth")),
        },
        (Function::Slice, [Value::List(items), Value::Int(from), Value::Int(to)]) => {
            slice(items, *from, *to, budget)
        }
        (Function::Sort, [Value::List(items)]) => {
            budget.build_list(items.len().saturating_mul(3))?;
            sort_keyed(items.iter().map(|item| (item.clone(), item.clone())).collect(), budget)
        }
        (Function::Reverse, [Value::List(items)]) => {
            budget.build_list(items.len())?;
            Ok(Value::List(items.iter().rev().cloned().collect()))
        }
        (Function::Reverse, [Value::Str(text)]) => {
            budget.build(text.as_str().len())?;
            Ok(Value::string(text.as_str().chars().rev().collect::<String>()))
        }
        _ => Err(no_overload(function, args)),
    }
}

fn range<'a>(n: i64, budget: &mut Budget) -> Outcome<'a> {
    budget.build_list(usize::try_from(n.max(0)).unwrap_or(usize::MAX))?;
    Ok(Value::List((0..n).map(Value::Int).collect()))
}

fn distinct<'a>(items: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    let mut kept = Vec::new();
    for item in items {
        if !is_among(item, &kept, budget)? {
            budget.build_list(1)?;
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn flatten<'a>(items: &[Value<'a>], depth: u32, budget: &mut Budget) -> Outcome<'a> {
    let mut flat = Vec::new();
    flatten_into(&mut flat, items, depth, budget)?;
    Ok(Value::list(flat))
}

fn flatten_into<'a>(
    flat: &mut Vec<Value<'a>>,
    items: &[Value<'a>],
    depth: u32,
    budget: &mut Budget,
) -> Result<(), EvalError> {
    for item in items {
        budget.build_list(1)?;
        match (item, depth.checked_sub(1)) {
            (Value::List(inner), Some(depth)) => flatten_into(flat, inner, depth, budget)?,
            _ => flat.push(item.clone()),
        }
    }
    Ok(())
}

fn slice<'a>(items: &[Value<'a>], from: i64, to: i64, budget: &mut Budget) -> Outcome<'a> {
    let ends = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match ends.and_then(|(from, to)| items.get(from..to)) {
        Some(part) => {
            budget.build_list(part.len())?;
            Ok(Value::list(part))
        }
        None => Err(EvalError::value("the slice reaches outside the list, or ends before it starts")),
    }
}

/// Sorts elements by keys, stably. All keys must have one type, and that type an order.
pub(crate) fn sort_keyed<'a>(mut keyed: Vec<(Value<'a>, Value<'a>)>, budget: &mut Budget) -> Outcome<'a> {
    let comparisons = keyed.len().saturating_mul(keyed.len().max(1).ilog2() as usize + 1);
    budget.step(comparisons)?;
    if let Some((first, _)) = keyed.first() {
        let kind = first.type_of();
        if keyed.iter().any(|(key, _)| key.type_of() != kind) {
            return Err(EvalError::mistyped("only a list whose elements have one type can be sorted"));
        }
        // Tells a type without an order, and NaN, before sorting.
        for (key, _) in &keyed {
            order(key, key)?;
        }
    }
    keyed.sort_by(|(a, _), (b, _)| order(a, b).unwrap_or(Ordering::Equal));
    Ok(Value::List(keyed.into_iter().map(|(_, item)| item).collect()))
}
