//! Fields, indexes and optionals.

use super::{Machine, Outcome};
use crate::error::EvalError;
use crate::function::Function;
use crate::program::{Constant, NodeId};
use crate::value::Value;

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn select(&mut self, of: NodeId, field: u32) -> Outcome<'a> {
        let name = self.field_name(field)?;
        let of = self.node(of)?;
        if let Value::Optional(inner) = of {
            return self.chain(inner.as_deref(), |machine, value| machine.field(value, name));
        }
        self.field(&of, name)?.ok_or_else(|| no_such_field(name))
    }

    #[inline(never)]
    pub(super) fn opt_select(&mut self, of: NodeId, field: u32) -> Outcome<'a> {
        let name = self.field_name(field)?;
        let of = self.node(of)?;
        match &of {
            Value::Optional(inner) => {
                self.chain(inner.as_deref(), |machine, value| machine.field(value, name))
            }
            plain => self.chain(Some(plain), |machine, value| machine.field(value, name)),
        }
    }

    #[inline(never)]
    pub(super) fn has(&mut self, of: NodeId, field: u32) -> Outcome<'a> {
        let name = self.field_name(field)?;
        let of = self.node(of)?;
        let found = match &of {
            Value::Optional(None) => None,
            Value::Optional(Some(inner)) => self.field(inner, name)?,
            plain => self.field(plain, name)?,
        };
        Ok(Value::Bool(found.is_some()))
    }

    #[inline(never)]
    pub(super) fn index(&mut self, of: NodeId, index: NodeId) -> Outcome<'a> {
        let of = self.node(of)?;
        let index = self.node(index)?;
        if let Value::Optional(inner) = of {
            return self.chain(inner.as_deref(), |machine, value| machine.element(value, &index));
        }
        match self.element(&of, &index)? {
            Some(value) => Ok(value),
            None if matches!(of, Value::Map(_)) => Err(EvalError::missing("the map has no such key")),
            None => Err(EvalError::value("the index is outside the list")),
        }
    }

    #[inline(never)]
    pub(super) fn opt_index(&mut self, of: NodeId, index: NodeId) -> Outcome<'a> {
        let of = self.node(of)?;
        let index = self.node(index)?;
        match &of {
            Value::Optional(inner) => {
                self.chain(inner.as_deref(), |machine, value| machine.element(value, &index))
            }
            plain => self.chain(Some(plain), |machine, value| machine.element(value, &index)),
        }
    }

    #[inline(never)]
    pub(super) fn opt_path(&mut self, path: u32) -> Outcome<'a> {
        if self.env.has(path)? { self.env.load(path).map(Value::some) } else { Ok(Value::none()) }
    }

    #[inline(never)]
    pub(super) fn load_double(&mut self, path: u32) -> Outcome<'a> {
        let value = self.env.load(path)?;
        self.doubled(value)
    }

    fn doubled(&mut self, value: Value<'a>) -> Outcome<'a> {
        Ok(match value {
            Value::Int(i) if (i as f64) as i128 == i128::from(i) => Value::Double(i as f64),
            Value::Uint(u) if (u as f64) as i128 == i128::from(u) => Value::Double(u as f64),
            Value::Int(_) | Value::Uint(_) => {
                return Err(EvalError::new(crate::ErrorKind::Value, "a whole number that no double equals"));
            }
            Value::List(items) => {
                self.budget.build_list(items.len())?;
                let doubles: Result<Vec<_>, _> =
                    items.iter().map(|item| self.doubled(item.clone())).collect();
                Value::list(doubles?)
            }
            other => other,
        })
    }

    /// `or` and `orValue`; the alternative is evaluated when it is needed.
    #[inline(never)]
    pub(super) fn optional_or(&mut self, function: Function, first: NodeId, second: NodeId) -> Outcome<'a> {
        match (self.node(first)?, function) {
            (Value::Optional(Some(inner)), Function::OptionalOrValue) => Ok((*inner).clone()),
            (some @ Value::Optional(Some(_)), _) => Ok(some),
            (Value::Optional(None), Function::OptionalOrValue) => self.node(second),
            (Value::Optional(None), _) => match self.node(second)? {
                optional @ Value::Optional(_) => Ok(optional),
                other => Err(not_optional(function, &other)),
            },
            (other, _) => Err(not_optional(function, &other)),
        }
    }

    fn chain(
        &mut self,
        value: Option<&Value<'a>>,
        get: impl FnOnce(&mut Self, &Value<'a>) -> Result<Option<Value<'a>>, EvalError>,
    ) -> Outcome<'a> {
        let Some(value) = value else { return Ok(Value::none()) };
        Ok(get(self, value)?.map_or_else(Value::none, Value::some))
    }

    fn field(&mut self, of: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, EvalError> {
        match of {
            Value::Map(map) => {
                self.budget.step(map.entries.len() / 8)?;
                Ok(map.field(name).cloned())
            }
            other => {
                let kind = other.type_of().name();
                Err(EvalError::mistyped(format!(
                    "field `{name}` is selected from `{kind}`, which has no fields"
                )))
            }
        }
    }

    fn element(&mut self, of: &Value<'a>, index: &Value<'a>) -> Result<Option<Value<'a>>, EvalError> {
        match of {
            Value::List(items) => Ok(position(index)?.and_then(|at| items.get(at)).cloned()),
            Value::Map(map) => match index {
                Value::Str(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_) => {
                    Ok(map.get(index, self.budget)?.cloned())
                }
                other => {
                    let kind = other.type_of().name();
                    Err(EvalError::mistyped(format!("a map cannot be indexed with `{kind}`")))
                }
            },
            other => {
                let kind = other.type_of().name();
                Err(EvalError::mistyped(format!("`{kind}` cannot be indexed")))
            }
        }
    }

    fn field_name(&self, field: u32) -> Result<&'a str, EvalError> {
        match self.pool.constant(field)? {
            Constant::String(name) => Ok(name),
            _ => Err(EvalError::program("the program selects a field whose name is no string")),
        }
    }
}

/// The place in a list that an index names; nothing when no list has it.
fn position(index: &Value<'_>) -> Result<Option<usize>, EvalError> {
    match index {
        Value::Int(i) => Ok(usize::try_from(*i).ok()),
        Value::Uint(u) => Ok(usize::try_from(*u).ok()),
        // The cast saturates, which is outside any list.
        Value::Double(d) if d.fract() == 0.0 => Ok((*d >= 0.0).then_some(*d as usize)),
        Value::Double(_) => Err(EvalError::value("a list index must be a whole number")),
        other => {
            let kind = other.type_of().name();
            Err(EvalError::mistyped(format!("a list cannot be indexed with `{kind}`")))
        }
    }
}

#[cold]
fn no_such_field(name: &str) -> EvalError {
    EvalError::missing(format!("there is no field `{name}`"))
}

#[cold]
fn not_optional(function: Function, value: &Value<'_>) -> EvalError {
    let (function, kind) = (function.name(), value.type_of().name());
    EvalError::mistyped(format!("`{function}` needs an optional, and here it is `{kind}`"))
}
