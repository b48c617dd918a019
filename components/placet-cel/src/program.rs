//! The compiled form: a flat array of nodes in which every operand has a smaller index than its user.
//!
//! Programs of one policy share a [`Pool`] of constants, automata, time zones and paths, so that a string that a
//! hundred rules name is stored once. A program read from a bundle need not be trusted: a reference out of range is
//! an [`crate::ErrorKind::Program`] error when it is evaluated, operands always come before their users (checked by
//! [`Program::is_well_formed`]), and depth is bounded.

use serde::{Deserialize, Serialize};

use crate::function::Function;
use crate::value::Type;

/// Index of a node in its program.
pub type NodeId = u32;

/// One expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Operands before users.
    pub nodes: Vec<Node>,
    /// The node whose value is the expression's.
    pub root: NodeId,
    /// How many local variables the program uses.
    pub locals: u32,
}

impl Program {
    /// Whether every reference is sound: operands come before their users, constants, paths and locals exist, a
    /// field is a string. A program that is not is still safe to evaluate; it errs.
    pub fn is_well_formed(&self, pool: &Pool) -> bool {
        let sound = |(id, node): (usize, &Node)| node.is_sound(id, self.locals, pool);
        usize::try_from(self.root).is_ok_and(|root| root < self.nodes.len())
            && self.has_plausible_locals()
            && self.nodes.iter().enumerate().all(sound)
    }

    /// A node introduces at most two locals; more would only serve to exhaust memory.
    pub(crate) fn has_plausible_locals(&self) -> bool {
        usize::try_from(self.locals).is_ok_and(|locals| locals / 2 <= self.nodes.len())
    }
}

/// One step of an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// `Pool::constants[i]`
    Const(u32),
    /// The value at `Pool::paths[i]`; an error when it is not there.
    Load(u32),
    /// Like `Load`, but converts an int or uint to double (the tool's JSON Schema says `number`), at any depth of
    /// lists. Other values pass unchanged.
    LoadDouble(u32),
    /// `has()` of the path: the parent must be there, the last field need not.
    HasPath(u32),
    /// `a.?b` on a path: an optional.
    OptPath(u32),
    /// A local variable of a comprehension or `cel.bind`.
    Local(u32),
    /// `of.field`
    Select {
        /// The operand.
        of: NodeId,
        /// A string constant.
        field: u32,
    },
    /// `has(of.field)`
    Has {
        /// The operand.
        of: NodeId,
        /// A string constant.
        field: u32,
    },
    /// `of.?field`
    OptSelect {
        /// The operand.
        of: NodeId,
        /// A string constant.
        field: u32,
    },
    /// `of[index]`
    Index {
        /// The operand.
        of: NodeId,
        /// The index or key.
        index: NodeId,
    },
    /// `of[?index]`
    OptIndex {
        /// The operand.
        of: NodeId,
        /// The index or key.
        index: NodeId,
    },
    /// `a && b`, commutative with respect to errors
    And(NodeId, NodeId),
    /// `a || b`, commutative with respect to errors
    Or(NodeId, NodeId),
    /// `c ? a : b`
    Cond(NodeId, NodeId, NodeId),
    /// A function or operator on values; every argument is evaluated first.
    Call {
        /// Which.
        function: Function,
        /// Receiver first.
        args: Vec<NodeId>,
    },
    /// A list literal; `true` marks `?element`.
    List(Vec<(NodeId, bool)>),
    /// A map literal; `true` marks `?key: value`.
    Map(Vec<(NodeId, NodeId, bool)>),
    /// `cel.bind(local, init, body)`, lazily: an unused `init` that errs does not matter.
    Bind {
        /// The local it sets.
        local: u32,
        /// Its value.
        init: NodeId,
        /// Evaluated with it.
        body: NodeId,
    },
    /// A comprehension, with a macro's meaning and no intermediate lists.
    Fold {
        /// Which macro.
        kind: Fold,
        /// The list or map.
        range: NodeId,
        /// First iteration variable: the element or key; the index or key when there are two.
        var: u32,
        /// Second iteration variable, the element or value.
        var2: Option<u32>,
        /// The predicate, or the filter of a map.
        filter: Option<NodeId>,
        /// The transformation.
        transform: Option<NodeId>,
    },
    /// `opt.optMap(var, transform)` (`flat: false`) and `optFlatMap` (`flat: true`).
    OptMap {
        /// The optional.
        of: NodeId,
        /// The local set to its value.
        var: u32,
        /// The expression.
        transform: NodeId,
        /// `optFlatMap`
        flat: bool,
    },
}

impl Node {
    fn is_sound(&self, id: usize, locals: u32, pool: &Pool) -> bool {
        let exists = |i: &u32, len: usize| usize::try_from(*i).is_ok_and(|i| i < len);
        let before = |operand: &NodeId| exists(operand, id);
        let local = |i: &u32| *i < locals;
        let constant = |i: &u32| exists(i, pool.constants.len());
        let field = |i: &u32| matches!(pool.constants.get(*i as usize), Some(Constant::String(_)));
        match self {
            Node::Const(i) => constant(i),
            Node::Load(i) | Node::LoadDouble(i) | Node::HasPath(i) => exists(i, pool.paths.len()),
            Node::OptPath(i) => exists(i, pool.paths.len()),
            Node::Local(i) => local(i),
            Node::Select { of, field: f } | Node::Has { of, field: f } | Node::OptSelect { of, field: f } => {
                before(of) && field(f)
            }
            Node::Index { of, index } | Node::OptIndex { of, index } => before(of) && before(index),
            Node::And(a, b) | Node::Or(a, b) => before(a) && before(b),
            Node::Cond(c, a, b) => before(c) && before(a) && before(b),
            Node::Call { args, .. } => args.iter().all(before),
            Node::List(items) => items.iter().all(|(item, _)| before(item)),
            Node::Map(entries) => entries.iter().all(|(key, value, _)| before(key) && before(value)),
            Node::Bind { local: l, init, body } => local(l) && before(init) && before(body),
            Node::Fold { range, var, var2, filter, transform, .. } => {
                before(range)
                    && local(var)
                    && var2.iter().all(local)
                    && filter.iter().all(before)
                    && transform.iter().all(before)
            }
            Node::OptMap { of, var, transform, .. } => before(of) && local(var) && before(transform),
        }
    }
}

/// The comprehension macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fold {
    /// `all(x, p)`: `&&` of all, errors absorbed by a false
    All,
    /// `exists(x, p)`: `||` of all, errors absorbed by a true
    Exists,
    /// `exists_one(x, p)`: no error absorbed
    ExistsOne,
    /// `map(x, t)`, `map(x, p, t)`, `filter(x, p)` (no transform), `transformList`
    List,
    /// `transformMap(k, v, [p,] t)`: keys stay
    Map,
    /// `transformMapEntry(k, v, [p,] t)`: `t` gives maps that are merged; a duplicate key is an error
    MapEntry,
    /// `sortBy(x, key)`: stable, by the comparable key `transform`
    SortBy,
}

/// A constant. Richer than JSON: folding may leave bytes, times and types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Constant {
    /// `null`
    Null,
    /// A boolean
    Bool(bool),
    /// An int
    Int(i64),
    /// A uint
    Uint(u64),
    /// A double
    Double(f64),
    /// A string
    String(Box<str>),
    /// Bytes
    Bytes(Box<[u8]>),
    /// A list
    List(Vec<Constant>),
    /// A map
    Map(Vec<(Constant, Constant)>),
    /// A timestamp
    Timestamp(placet_model::Timestamp),
    /// A duration in nanoseconds
    Duration(i128),
    /// A type
    Type(Type),
}

/// Where a variable's fields begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Root {
    /// Facts of the tool catalogue: `name`, `effects`, `risk`, `data`, `cost`, `scope`
    Tool,
    /// The call's arguments
    Args,
    /// `id`, `roles`, `attrs`
    Agent,
    /// `id`, `roles`, `scopes`, `attrs`
    User,
    /// A list of actor ids
    Chain,
    /// A string
    Tenant,
    /// A string
    Project,
    /// A string
    Env,
    /// `id`
    Session,
    /// `type`, `id`, `attrs`
    Resource,
    /// A timestamp
    Now,
    /// The intent contract
    Intent,
    /// The grant
    Grant,
    /// The approval
    Approval,
    /// Stages `result` and `prompt`: what is inspected
    Content,
    /// Stage `result`: the tool's result
    Result,
    /// A free variable of `placet eval`, by index
    Free(u32),
}

/// A variable and the constant fields selected from it: `args.customer.id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Path {
    /// The variable.
    pub root: Root,
    /// The fields, outermost first; may be empty.
    pub fields: Vec<Box<str>>,
}

/// What the programs of one policy share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Constants, each once.
    pub constants: Vec<Constant>,
    /// Paths, each once; an environment may cache by index.
    pub paths: Vec<Path>,
    /// Pre-built automata of `matches` and of `regex` constraints.
    pub automata: Vec<Automaton>,
    /// Time zones named by constant, IANA name and TZif bytes, sorted by name.
    pub zones: Vec<(Box<str>, Box<[u8]>)>,
}

/// A regular expression as a sparse DFA of `regex-automata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automaton {
    /// The RE2 pattern as written.
    pub pattern: Box<str>,
    /// `regex_automata::dfa::sparse::DFA` bytes, little endian.
    pub dfa: Box<[u8]>,
}

impl Node {
    /// Calls `visit` with each operand, which it may change.
    pub fn operands_mut(&mut self, visit: &mut dyn FnMut(&mut NodeId)) {
        match self {
            Node::Const(_)
            | Node::Load(_)
            | Node::LoadDouble(_)
            | Node::HasPath(_)
            | Node::OptPath(_)
            | Node::Local(_) => {}
            Node::Select { of, .. } | Node::Has { of, .. } | Node::OptSelect { of, .. } => visit(of),
            Node::Index { of, index } | Node::OptIndex { of, index } => {
                [of, index].into_iter().for_each(visit)
            }
            Node::And(a, b) | Node::Or(a, b) => [a, b].into_iter().for_each(visit),
            Node::Cond(c, a, b) => [c, a, b].into_iter().for_each(visit),
            Node::Call { args, .. } => args.iter_mut().for_each(visit),
            Node::List(elements) => elements.iter_mut().for_each(|(element, _)| visit(element)),
            Node::Map(entries) => entries.iter_mut().for_each(|(key, value, _)| {
                visit(key);
                visit(value);
            }),
            Node::Bind { init, body, .. } => [init, body].into_iter().for_each(visit),
            Node::Fold { range, filter, transform, .. } => {
                visit(range);
                filter.iter_mut().chain(transform).for_each(visit);
            }
            Node::OptMap { of, transform, .. } => [of, transform].into_iter().for_each(visit),
        }
    }
}
