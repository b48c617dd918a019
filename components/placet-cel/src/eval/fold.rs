//! Comprehensions and `optMap`.

use std::rc::Rc;

use super::{Judged, Machine, Outcome, Slot, build, judge, not_bool};
use crate::error::EvalError;
use crate::functions::lists;
use crate::program::{Fold, NodeId};
use crate::value::{Map, Value};

/// The first and the second iteration variable.
type Vars = (u32, Option<u32>);

impl<'a> Machine<'a, '_> {
    #[inline(never)]
    pub(super) fn fold(
        &mut self,
        kind: Fold,
        range: NodeId,
        vars: Vars,
        filter: Option<NodeId>,
        transform: Option<NodeId>,
    ) -> Outcome<'a> {
        let range = Range::of(self.node(range)?)?;
        match (kind, filter, transform) {
            (Fold::All, Some(p), _) => self.quantify(&range, vars, p, false),
            (Fold::Exists, Some(p), _) => self.quantify(&range, vars, p, true),
            (Fold::ExistsOne, Some(p), _) => self.exists_one(&range, vars, p),
            (Fold::List, ..) => self.fold_list(&range, vars, filter, transform),
            (Fold::Map | Fold::MapEntry, _, Some(t)) => self.fold_map(kind, &range, vars, filter, t),
            (Fold::SortBy, _, Some(key)) => self.sort_by(&range, vars, key),
            _ => Err(EvalError::program("a comprehension of the program is incomplete")),
        }
    }

    /// `all` (`decides` is false) and `exists` (true).
    fn quantify(&mut self, range: &Range<'a>, vars: Vars, predicate: NodeId, decides: bool) -> Outcome<'a> {
        let mut failed: Option<EvalError> = None;
        for at in 0..range.len() {
            self.enter(range, at, vars)?;
            match judge(self.node(predicate), decides) {
                Judged::Decides => return Ok(Value::Bool(decides)),
                Judged::Neutral => {}
                Judged::Errs(error) if error.is_fatal() => return Err(error),
                Judged::Errs(error) => {
                    failed = Some(match failed {
                        Some(first) => first.merge(error),
                        None => error,
                    });
                }
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn exists_one(&mut self, range: &Range<'a>, vars: Vars, predicate: NodeId) -> Outcome<'a> {
        let mut found = 0_usize;
        for at in 0..range.len() {
            self.enter(range, at, vars)?;
            found += usize::from(self.holds(Some(predicate))?);
        }
        Ok(Value::Bool(found == 1))
    }

    fn fold_list(
        &mut self,
        range: &Range<'a>,
        vars: Vars,
        filter: Option<NodeId>,
        transform: Option<NodeId>,
    ) -> Outcome<'a> {
        let mut items = Vec::new();
        for at in 0..range.len() {
            self.enter(range, at, vars)?;
            if self.holds(filter)? {
                self.budget.build_list(1)?;
                items.push(match transform {
                    Some(transform) => self.node(transform)?,
                    None => range.element(at),
                });
            }
        }
        Ok(Value::list(items))
    }

    fn fold_map(
        &mut self,
        kind: Fold,
        range: &Range<'a>,
        vars: Vars,
        filter: Option<NodeId>,
        transform: NodeId,
    ) -> Outcome<'a> {
        let mut map = Map::default();
        for at in 0..range.len() {
            self.enter(range, at, vars)?;
            if !self.holds(filter)? {
                continue;
            }
            let made = self.node(transform)?;
            match (kind, made) {
                (Fold::MapEntry, Value::Map(made)) => {
                    for (key, value) in &made.entries {
                        build::insert(&mut map, key.clone(), value.clone(), self.budget)?;
                    }
                }
                (Fold::MapEntry, other) => {
                    let name = other.type_of().name();
                    let message =
                        format!("`transformMapEntry` needs a map for every entry, and here it is `{name}`");
                    return Err(EvalError::mistyped(message));
                }
                (_, made) => {
                    self.budget.build_list(2)?;
                    // Keys of a map and indexes of a list are unique already.
                    map.entries.push((range.key(at), made));
                }
            }
        }
        Ok(Value::Map(Rc::new(map)))
    }

    fn sort_by(&mut self, range: &Range<'a>, vars: Vars, key: NodeId) -> Outcome<'a> {
        self.budget.build_list(range.len().saturating_mul(3))?;
        let mut keyed = Vec::with_capacity(range.len());
        for at in 0..range.len() {
            self.enter(range, at, vars)?;
            keyed.push((self.node(key)?, range.element(at)));
        }
        lists::sort_keyed(keyed, self.budget)
    }

    fn enter(&mut self, range: &Range<'a>, at: usize, (first, second): Vars) -> Result<(), EvalError> {
        self.budget.step(1)?;
        match second {
            None => self.set_local(first, Slot::Ready(Ok(range.element(at)))),
            Some(second) => {
                self.set_local(first, Slot::Ready(Ok(range.key(at))))?;
                self.set_local(second, Slot::Ready(Ok(range.value(at))))
            }
        }
    }

    fn holds(&mut self, filter: Option<NodeId>) -> Result<bool, EvalError> {
        match filter {
            None => Ok(true),
            Some(filter) => match self.node(filter)? {
                Value::Bool(truth) => Ok(truth),
                other => Err(not_bool(&other)),
            },
        }
    }

    #[inline(never)]
    pub(super) fn opt_map(&mut self, of: NodeId, var: u32, transform: NodeId, flat: bool) -> Outcome<'a> {
        let inner = match self.node(of)? {
            Value::Optional(Some(inner)) => inner,
            Value::Optional(None) => return Ok(Value::none()),
            other => {
                let name = other.type_of().name();
                return Err(EvalError::mistyped(format!(
                    "`optMap` needs an optional, and here it is `{name}`"
                )));
            }
        };
        self.set_local(var, Slot::Ready(Ok((*inner).clone())))?;
        match (flat, self.node(transform)?) {
            (false, value) => Ok(Value::some(value)),
            (true, value @ Value::Optional(_)) => Ok(value),
            (true, other) => {
                let name = other.type_of().name();
                Err(EvalError::mistyped(format!(
                    "`optFlatMap` must give an optional, and here it is `{name}`"
                )))
            }
        }
    }
}

/// What a comprehension runs over.
enum Range<'a> {
    List(Rc<[Value<'a>]>),
    Map(Rc<Map<'a>>),
}

impl<'a> Range<'a> {
    fn of(value: Value<'a>) -> Result<Range<'a>, EvalError> {
        match value {
            Value::List(items) => Ok(Range::List(items)),
            Value::Map(map) => Ok(Range::Map(map)),
            other => {
                let name = other.type_of().name();
                Err(EvalError::mistyped(format!(
                    "a macro runs over a list or a map, and here it is `{name}`"
                )))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Range::List(items) => items.len(),
            Range::Map(map) => map.entries.len(),
        }
    }

    /// What a single iteration variable stands for.
    fn element(&self, at: usize) -> Value<'a> {
        match self {
            Range::List(_) => self.value(at),
            Range::Map(_) => self.key(at),
        }
    }

    fn key(&self, at: usize) -> Value<'a> {
        match self {
            Range::List(_) => Value::Int(i64::try_from(at).unwrap_or(i64::MAX)),
            Range::Map(map) => map.entries.get(at).map_or(Value::Null, |(key, _)| key.clone()),
        }
    }

    fn value(&self, at: usize) -> Value<'a> {
        match self {
            Range::List(items) => items.get(at).map_or(Value::Null, Value::clone),
            Range::Map(map) => map.entries.get(at).map_or(Value::Null, |(_, value)| value.clone()),
        }
    }
}
