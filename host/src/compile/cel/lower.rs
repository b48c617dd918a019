//! Resolving names, checking types and lowering, in one walk.

mod call;
mod fold;
mod select;

use std::ops::Range;

use placet_cel::program::Constant;
use placet_cel::{ErrorKind, Node, NodeId, Program, Root};

use super::ast::{Expr, Kind};
use super::fold::fold;
use super::pool::PoolBuilder;
use super::types::{Ty, variables};
use super::{CelError, Compiled, Names};

pub fn lower(expr: &Expr, names: &Names, pool: &mut PoolBuilder) -> Result<Compiled, Vec<CelError>> {
    let variables = match names {
        Names::Policy { args } => variables(args),
        Names::Free(_) => Vec::new(),
    };
    let mut lowering = Lowering {
        names,
        variables,
        pool,
        nodes: Vec::new(),
        scope: Vec::new(),
        locals: 0,
        errors: Vec::new(),
        remembered: Vec::new(),
        roots: Vec::new(),
        spans: Vec::new(),
    };
    let (root, ty) = lowering.expr(expr);
    let equalities = lowering.equalities(expr);
    let Lowering { nodes, locals, mut errors, remembered, mut roots, pool, .. } = lowering;
    roots.sort_by_key(|(root, span)| (span.start, *root));
    roots.dedup();
    errors.dedup();
    if !errors.is_empty() {
        return Err(errors);
    }
    let program = compact(&nodes, root, locals);
    let constant = match program.nodes.get(program.root as usize) {
        Some(Node::Const(index)) => pool.get(*index).cloned(),
        _ => None,
    };
    Ok(Compiled { program, ty, equalities, remembered, roots, constant })
}

struct Lowering<'n> {
    names: &'n Names,
    variables: Vec<(&'static str, Root, Ty)>,
    pool: &'n mut PoolBuilder,
    nodes: Vec<Node>,
    scope: Vec<(String, u32, Ty)>,
    locals: u32,
    errors: Vec<CelError>,
    remembered: Vec<(String, bool, Range<usize>)>,
    roots: Vec<(Root, Range<usize>)>,
    /// The expressions that are being lowered, outermost first.
    spans: Vec<Range<usize>>,
}

impl Lowering<'_> {
    fn checked(&self) -> bool {
        matches!(self.names, Names::Policy { .. })
    }

    fn error(&mut self, error: CelError) {
        self.errors.push(error);
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node);
        id
    }

    fn constant(&mut self, constant: Constant) -> NodeId {
        let index = self.pool.constant(constant);
        self.push(Node::Const(index))
    }

    fn text(&mut self, text: &str) -> u32 {
        self.pool.constant(Constant::String(text.into()))
    }

    fn constant_at(&self, id: NodeId) -> Option<Constant> {
        match self.nodes.get(id as usize)? {
            Node::Const(index) => self.pool.get(*index).cloned(),
            _ => None,
        }
    }

    /// Pushes a node, or its value when all its operands are constants.
    fn emit(&mut self, operands: &[NodeId], make: impl Fn(&[NodeId]) -> Node) -> NodeId {
        let constants: Option<Vec<Constant>> = operands.iter().map(|o| self.constant_at(*o)).collect();
        if let Some(constants) = constants {
            let ids: Vec<NodeId> = (0..constants.len() as u32).collect();
            match fold(&constants, make(&ids)) {
                Ok(Some(value)) => return self.constant(value),
                Ok(None) => {}
                // Type errors have been reported with the types.
                Err(error) if self.checked() && error.kind() != ErrorKind::Type => {
                    let span = self.spans.last().cloned().unwrap_or(0..0);
                    self.error(CelError::new(span, format!("this has no value: {}", error)));
                }
                Err(_) => {}
            }
        }
        self.push(make(operands))
    }

    fn expr(&mut self, expr: &Expr) -> (NodeId, Ty) {
        self.spans.push(expr.span.clone());
        let lowered = self.lowered(expr);
        self.spans.pop();
        lowered
    }

    fn lowered(&mut self, expr: &Expr) -> (NodeId, Ty) {
        if let Some(place) = self.place(expr) {
            let path = self.pool.path(place.path);
            let double =
                matches!(&place.ty, Ty::Double) || matches!(&place.ty, Ty::List(of) if **of == Ty::Double);
            let node = if double { Node::LoadDouble(path) } else { Node::Load(path) };
            return (self.push(node), place.ty);
        }
        match &expr.kind {
            Kind::Literal(constant) => (self.constant(constant.clone()), literal_type(constant)),
            Kind::Ident(_) | Kind::Select(..) => self.name_or_field(expr),
            Kind::Has(of, field) => self.has(of, field),
            Kind::OptSelect(of, field) => self.opt_select(of, field),
            Kind::Index(of, index) => self.index(of, index, false),
            Kind::OptIndex(of, index) => self.index(of, index, true),
            Kind::And(a, b) => self.logic(a, b, Node::And, false),
            Kind::Or(a, b) => self.logic(a, b, Node::Or, true),
            Kind::Cond(c, a, b) => {
                let (condition, ty) = self.expr(c);
                self.must_be_bool(&ty, c);
                let ((a, a_ty), (b, b_ty)) = (self.expr(a), self.expr(b));
                match self.constant_at(condition) {
                    Some(Constant::Bool(true)) => (a, a_ty),
                    Some(Constant::Bool(false)) => (b, b_ty),
                    _ => (self.push(Node::Cond(condition, a, b)), a_ty.join(b_ty)),
                }
            }
            Kind::Call(function, args) => self.call(*function, args, &expr.span),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Bind { name, init, body } => {
                let (init, ty) = self.expr(init);
                let local = self.open(name, ty);
                let (body, ty) = self.expr(body);
                self.scope.pop();
                (self.push(Node::Bind { local, init, body }), ty)
            }
            Kind::Fold { kind, range, vars, filter, transform } => {
                self.fold(*kind, range, vars, filter.as_deref(), transform.as_deref())
            }
            Kind::Unknown { message, help } => (
                self.undeclared(CelError::new(expr.span.clone(), message.clone()).help(help.clone())),
                Ty::Dyn,
            ),
            Kind::OptMap { of, var, transform, flat } => {
                let (of, ty) = self.expr(of);
                let inner = if let Ty::Optional(inner) = ty { *inner } else { Ty::Dyn };
                let local = self.open(var, inner);
                let (transform, ty) = self.expr(transform);
                self.scope.pop();
                let ty = if *flat { ty } else { Ty::Optional(Box::new(ty)) };
                (self.push(Node::OptMap { of, var: local, transform, flat: *flat }), ty)
            }
        }
    }

    fn open(&mut self, name: &str, ty: Ty) -> u32 {
        let local = self.locals;
        self.locals += 1;
        self.scope.push((name.to_owned(), local, ty));
        local
    }

    fn must_be_bool(&mut self, ty: &Ty, expr: &Expr) {
        if self.checked() && !matches!(ty, Ty::Bool | Ty::Dyn) {
            let message = format!("a condition that is true or false is expected, and this is {}", ty.name());
            self.error(CelError::new(expr.span.clone(), message));
        }
    }

    fn logic(
        &mut self,
        a: &Expr,
        b: &Expr,
        node: fn(NodeId, NodeId) -> Node,
        deciding: bool,
    ) -> (NodeId, Ty) {
        let ((a_id, a_ty), (b_id, b_ty)) = (self.expr(a), self.expr(b));
        self.must_be_bool(&a_ty, a);
        self.must_be_bool(&b_ty, b);
        let decides = |c: Option<Constant>| c == Some(Constant::Bool(deciding));
        if decides(self.constant_at(a_id)) || decides(self.constant_at(b_id)) {
            return (self.constant(Constant::Bool(deciding)), Ty::Bool);
        }
        let make = |o: &[NodeId]| node(o.first().copied().unwrap_or(0), o.get(1).copied().unwrap_or(0));
        (self.emit(&[a_id, b_id], make), Ty::Bool)
    }

    fn list(&mut self, elements: &[(Expr, bool)]) -> (NodeId, Ty) {
        let lowered: Vec<((NodeId, Ty), bool)> = elements.iter().map(|(e, o)| (self.expr(e), *o)).collect();
        let ids: Vec<NodeId> = lowered.iter().map(|((id, _), _)| *id).collect();
        let optional: Vec<bool> = lowered.iter().map(|(_, o)| *o).collect();
        let types = lowered.into_iter().map(|((_, ty), o)| if o { Ty::Dyn } else { ty });
        let element = types.reduce(Ty::join).unwrap_or(Ty::Dyn);
        let make = |o: &[NodeId]| Node::List(o.iter().copied().zip(optional.iter().copied()).collect());
        (self.emit(&ids, make), Ty::List(Box::new(element)))
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> (NodeId, Ty) {
        let mut ids = Vec::new();
        let mut values: Option<Ty> = None;
        for (key, value, optional) in entries {
            let ((key, _), (value, ty)) = (self.expr(key), self.expr(value));
            ids.extend([key, value]);
            let ty = if *optional { Ty::Dyn } else { ty };
            values = Some(values.map_or(ty.clone(), |values| values.join(ty)));
        }
        let make = |o: &[NodeId]| {
            let pairs = o.chunks_exact(2).zip(entries);
            Node::Map(
                pairs.filter_map(|(p, (.., optional))| Some((*p.first()?, *p.get(1)?, *optional))).collect(),
            )
        };
        (self.emit(&ids, make), Ty::Map(Box::new(values.unwrap_or(Ty::Dyn))))
    }
}

fn literal_type(constant: &Constant) -> Ty {
    match constant {
        Constant::Null => Ty::Null,
        Constant::Bool(_) => Ty::Bool,
        Constant::Int(_) => Ty::Int,
        Constant::Uint(_) => Ty::Uint,
        Constant::Double(_) => Ty::Double,
        Constant::String(_) => Ty::String,
        Constant::Bytes(_) => Ty::Bytes,
        _ => Ty::Dyn,
    }
}

/// Drops nodes that folding left over, keeping operands before their users.
fn compact(nodes: &[Node], root: NodeId, locals: u32) -> Program {
    let mut used = vec![false; nodes.len()];
    let mut stack = vec![root];
    while let Some(id) = stack.pop() {
        if let (Some(seen), Some(node)) = (used.get_mut(id as usize), nodes.get(id as usize))
            && !std::mem::replace(seen, true)
        {
            node.clone().operands_mut(&mut |operand| stack.push(*operand));
        }
    }
    let mut new_ids = Vec::with_capacity(nodes.len());
    let mut kept = Vec::new();
    for (node, used) in nodes.iter().zip(&used) {
        new_ids.push(kept.len() as u32);
        if *used {
            let mut node = node.clone();
            node.operands_mut(&mut |operand| *operand = new_ids.get(*operand as usize).copied().unwrap_or(0));
            kept.push(node);
        }
    }
    let root = new_ids.get(root as usize).copied().unwrap_or(0);
    Program { nodes: kept, root, locals }
}
