//! Evaluation: one function per kind of node, over a flat program.

mod build;
mod fold;
mod select;

use crate::budget::Budget;
use crate::compare::{equals_constant, scalar};
use crate::env::Env;
use crate::error::EvalError;
use crate::function::Function;
use crate::functions;
use crate::pool::OpenPool;
use crate::program::{Constant, Node, NodeId, Program};
use crate::value::Value;

/// How deeply nodes may nest. With it, evaluation stays within a stack of 1 MiB.
pub const MAX_DEPTH: u32 = 250;

/// Evaluates a program.
///
/// # Errors
/// What CEL calls an evaluation error, with its kind; `Budget` when it costs more than is left, `Program` when the
/// program is damaged.
pub fn eval<'a>(
    program: &Program,
    pool: &'a OpenPool,
    env: &dyn Env<'a>,
    budget: &mut Budget,
) -> Result<Value<'a>, EvalError> {
    eval_node(program, program.root, pool, env, budget)
}

/// A constant as a value; scalars borrow.
///
/// # Errors
/// `Budget` when it is too large.
pub fn constant_value<'a>(constant: &'a Constant, budget: &mut Budget) -> Result<Value<'a>, EvalError> {
    match scalar(constant) {
        Some(value) => Ok(value),
        None => build::materialise(constant, budget),
    }
}

/// Evaluates one node of a program; a local variable that is bound outside of it is a `Program` error.
///
/// # Errors
/// As [`eval()`].
pub fn eval_node<'a>(
    program: &Program,
    node: NodeId,
    pool: &'a OpenPool,
    env: &dyn Env<'a>,
    budget: &mut Budget,
) -> Result<Value<'a>, EvalError> {
    if !program.has_plausible_locals() {
        return Err(EvalError::program("the program has more local variables than it can use"));
    }
    let mut locals = Vec::new();
    locals.resize_with(program.locals as usize, Slot::default);
    Machine { nodes: &program.nodes, pool, env, budget, locals, depth: 0 }.node(node)
}

/// A local variable.
#[derive(Default)]
enum Slot<'a> {
    /// Not in scope.
    #[default]
    Empty,
    /// Bound, and not needed so far.
    Lazy(NodeId),
    /// Being evaluated: a program that asks for it now refers to itself.
    Busy,
    /// Known.
    Ready(Result<Value<'a>, EvalError>),
}

struct Machine<'a, 'e> {
    nodes: &'e [Node],
    pool: &'a OpenPool,
    env: &'e dyn Env<'a>,
    budget: &'e mut Budget,
    locals: Vec<Slot<'a>>,
    depth: u32,
}

type Outcome<'a> = Result<Value<'a>, EvalError>;

impl<'a> Machine<'a, '_> {
    fn node(&mut self, id: NodeId) -> Outcome<'a> {
        self.budget.step(1)?;
        if self.depth >= MAX_DEPTH {
            return Err(EvalError::budget("the expression is nested too deeply"));
        }
        self.depth += 1;
        let outcome = self.step(id);
        self.depth -= 1;
        outcome
    }

    fn step(&mut self, id: NodeId) -> Outcome<'a> {
        let nodes = self.nodes;
        let Some(node) = nodes.get(id as usize) else {
            return Err(EvalError::program("the program names a node that is not there"));
        };
        match node {
            Node::Const(i) => self.constant(*i),
            Node::Load(path) => self.env.load(*path),
            Node::And(a, b) => self.logic(*a, *b, false),
            Node::Or(a, b) => self.logic(*a, *b, true),
            Node::Call { function, args } => self.call(*function, args),
            Node::Local(i) => self.local(*i),
            Node::Select { of, field } => self.select(*of, *field),
            Node::Index { of, index } => self.index(*of, *index),
            Node::Cond(condition, yes, no) => match self.node(*condition)? {
                Value::Bool(true) => self.node(*yes),
                Value::Bool(false) => self.node(*no),
                other => Err(not_bool(&other)),
            },
            Node::LoadDouble(path) => self.load_double(*path),
            Node::HasPath(path) => self.env.has(*path).map(Value::Bool),
            Node::OptPath(path) => self.opt_path(*path),
            Node::Has { of, field } => self.has(*of, *field),
            Node::OptSelect { of, field } => self.opt_select(*of, *field),
            Node::OptIndex { of, index } => self.opt_index(*of, *index),
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Bind { local, init, body } => {
                self.set_local(*local, Slot::Lazy(*init))?;
                self.node(*body)
            }
            Node::Fold { kind, range, var, var2, filter, transform } => {
                self.fold(*kind, *range, (*var, *var2), *filter, *transform)
            }
            Node::OptMap { of, var, transform, flat } => self.opt_map(*of, *var, *transform, *flat),
        }
    }

    fn constant(&mut self, index: u32) -> Outcome<'a> {
        constant_value(self.pool.constant(index)?, self.budget)
    }

    /// `&&` (`decides` is false) and `||` (true): an operand that decides absorbs the other's error.
    fn logic(&mut self, a: NodeId, b: NodeId, decides: bool) -> Outcome<'a> {
        let left = match judge(self.node(a), decides) {
            Judged::Decides => return Ok(Value::Bool(decides)),
            Judged::Neutral => return conclude(judge(self.node(b), decides), decides),
            Judged::Errs(error) if error.is_fatal() => return Err(error),
            Judged::Errs(error) => error,
        };
        match judge(self.node(b), decides) {
            Judged::Decides => Ok(Value::Bool(decides)),
            Judged::Neutral => Err(left),
            Judged::Errs(right) if right.is_fatal() => Err(right),
            Judged::Errs(right) => Err(left.merge(right)),
        }
    }

    fn local(&mut self, index: u32) -> Outcome<'a> {
        let Some(slot) = self.locals.get_mut(index as usize) else {
            return Err(EvalError::program("the program names a local variable that is not there"));
        };
        let init = match slot {
            Slot::Ready(outcome) => return outcome.clone(),
            Slot::Lazy(init) => *init,
            Slot::Empty | Slot::Busy => {
                return Err(EvalError::program("the program uses a local variable out of its scope"));
            }
        };
        *slot = Slot::Busy;
        let outcome = self.node(init);
        self.set_local(index, Slot::Ready(outcome.clone()))?;
        outcome
    }

    fn set_local(&mut self, index: u32, slot: Slot<'a>) -> Result<(), EvalError> {
        match self.locals.get_mut(index as usize) {
            Some(place) => {
                *place = slot;
                Ok(())
            }
            None => Err(EvalError::program("the program names a local variable that is not there")),
        }
    }

    fn call(&mut self, function: Function, args: &[NodeId]) -> Outcome<'a> {
        match (function, args) {
            (Function::In, [item, range]) => self.contains(*item, *range),
            (Function::OptionalOr | Function::OptionalOrValue, [first, second]) => {
                self.optional_or(function, *first, *second)
            }
            (_, [a]) => {
                let a = self.node(*a)?;
                self.apply(function, &[a])
            }
            (_, [a, b]) => {
                let a = self.node(*a)?;
                let b = self.node(*b)?;
                self.apply(function, &[a, b])
            }
            _ => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(self.node(*arg)?);
                }
                self.apply(function, &values)
            }
        }
    }

    #[inline(never)]
    fn apply(&mut self, function: Function, args: &[Value<'a>]) -> Outcome<'a> {
        match function {
            Function::SessionHas | Function::SessionCount | Function::SessionLast => {
                self.env.call(function, args)
            }
            _ => functions::call(function, args, self.pool, self.budget),
        }
    }

    /// `in`; a constant list is searched where it is.
    #[inline(never)]
    fn contains(&mut self, item: NodeId, range: NodeId) -> Outcome<'a> {
        let nodes = self.nodes;
        let Some(Node::Const(constant)) = nodes.get(range as usize) else {
            let item = self.node(item)?;
            let range = self.node(range)?;
            return self.apply(Function::In, &[item, range]);
        };
        let item = self.node(item)?;
        if let Value::Str(text) = &item
            && let Some(found) = self.pool.set_contains(*constant, text.as_str())
        {
            return Ok(Value::Bool(found));
        }
        let pool = self.pool;
        let Constant::List(items) = pool.constant(*constant)? else {
            let range = self.constant(*constant)?;
            return self.apply(Function::In, &[item, range]);
        };
        for constant in items {
            self.budget.step(1)?;
            if equals_constant(&item, constant, self.budget)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }
}

/// What an operand of `&&` or `||` contributes.
enum Judged {
    Decides,
    Neutral,
    Errs(EvalError),
}

fn judge(outcome: Outcome<'_>, decides: bool) -> Judged {
    match outcome {
        Ok(Value::Bool(value)) if value == decides => Judged::Decides,
        Ok(Value::Bool(_)) => Judged::Neutral,
        Ok(other) => Judged::Errs(not_bool(&other)),
        Err(error) => Judged::Errs(error),
    }
}

fn conclude<'a>(judged: Judged, decides: bool) -> Outcome<'a> {
    match judged {
        Judged::Decides => Ok(Value::Bool(decides)),
        Judged::Neutral => Ok(Value::Bool(!decides)),
        Judged::Errs(error) => Err(error),
    }
}

#[cold]
fn not_bool(value: &Value<'_>) -> EvalError {
    EvalError::mistyped(format!("a condition must be `bool`, and here it is `{}`", value.type_of().name()))
}
