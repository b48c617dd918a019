//! Resolving names, checking types and lowering, in one walk.

mod select;

use std::ops::Range;

use placet_cel::function::Style;
use placet_cel::program::{Constant, Fold};
use placet_cel::{Function, Node, NodeId, Path, Program, Root};

use super::ast::{Expr, Kind};
use super::fold::fold;
use super::overloads;
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
    };
    let (root, ty) = lowering.expr(expr);
    let equalities = lowering.equalities(expr);
    let Lowering { nodes, locals, errors, remembered, pool, .. } = lowering;
    if !errors.is_empty() {
        return Err(errors);
    }
    let program = compact(&nodes, root, locals);
    let constant = match program.nodes.get(program.root as usize) {
        Some(Node::Const(index)) => pool.get(*index).cloned(),
        _ => None,
    };
    Ok(Compiled { program, ty, equalities, remembered, constant })
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
            if let Some(value) = fold(&constants, make(&ids)) {
                return self.constant(value);
            }
        }
        self.push(make(operands))
    }

    fn expr(&mut self, expr: &Expr) -> (NodeId, Ty) {
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
            let message = format!("a bool is expected, and this is {}", ty.name());
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

    fn call(&mut self, function: Function, args: &[Expr], span: &Range<usize>) -> (NodeId, Ty) {
        if function == Function::Matches {
            return self.matches(args, span);
        }
        let lowered: Vec<(NodeId, Ty)> = args.iter().map(|arg| self.expr(arg)).collect();
        let ids: Vec<NodeId> = lowered.iter().map(|(id, _)| *id).collect();
        let types: Vec<Ty> = lowered.into_iter().map(|(_, ty)| ty).collect();
        if matches!(
            function,
            Function::Eq | Function::Ne | Function::Lt | Function::Le | Function::Gt | Function::Ge
        ) {
            ids.iter().for_each(|id| self.undoubled(*id));
        }
        let result = overloads::result(function, &types);
        if result.is_none() && self.checked() {
            self.no_overload(function, &types, span);
        }
        let ty = result.unwrap_or(Ty::Dyn);
        match function {
            Function::SessionHas | Function::SessionCount | Function::SessionLast => {
                self.remember(function, args, &ids);
                return (self.push(Node::Call { function, args: ids }), ty);
            }
            Function::GetDate
            | Function::GetDayOfMonth
            | Function::GetDayOfWeek
            | Function::GetDayOfYear
            | Function::GetFullYear
            | Function::GetHours
            | Function::GetMilliseconds
            | Function::GetMinutes
            | Function::GetMonth
            | Function::GetSeconds
                if ids.len() == 2 =>
            {
                self.zone(args, &ids);
                return (self.push(Node::Call { function, args: ids }), ty);
            }
            // `x in [a, b]` with a constant list keeps the list in the pool.
            _ => {}
        }
        (self.emit(&ids, |o| Node::Call { function, args: o.to_vec() }), ty)
    }

    /// Comparisons are exact across kinds of numbers: a large integer must not be rounded before one.
    fn undoubled(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(id as usize)
            && let Node::LoadDouble(path) = *node
        {
            *node = Node::Load(path);
        }
    }

    fn no_overload(&mut self, function: Function, types: &[Ty], span: &Range<usize>) {
        let (style, name) = Function::TABLE
            .iter()
            .find(|(f, ..)| *f == function)
            .map_or((Style::Global, "?"), |(_, style, name, ..)| (*style, *name));
        let spelled = if function == Function::In { "in" } else { name.trim_matches('_') };
        let types: Vec<String> = types.iter().map(Ty::name).collect();
        let message = match (style, &types[..]) {
            (Style::Operator, [a, b]) => format!("`{spelled}` cannot be used between {a} and {b}"),
            (Style::Operator, [a]) => format!("`{spelled}` cannot be used on {a}"),
            (_, types) => format!("`{spelled}` cannot be used on ({})", types.join(", ")),
        };
        let arithmetic = matches!(function, Function::Add | Function::Sub | Function::Mul | Function::Div);
        let mixed = arithmetic && types.iter().any(|t| t == "double") && types.iter().any(|t| t == "int");
        let help = mixed.then(|| {
            "arithmetic needs one type: write `2.0` for a double, or convert with `double(…)`".to_owned()
        });
        self.error(CelError::new(span.clone(), message).help(help));
    }

    fn matches(&mut self, args: &[Expr], span: &Range<usize>) -> (NodeId, Ty) {
        let [of, pattern] = args else { return (self.constant(Constant::Null), Ty::Dyn) };
        let ((of_id, ty), (pattern_id, _)) = (self.expr(of), self.expr(pattern));
        if self.checked() && !matches!(ty, Ty::String | Ty::Dyn) {
            self.no_overload(Function::Matches, &[ty, Ty::String], span);
        }
        let Some(Constant::String(text)) = self.constant_at(pattern_id) else {
            let help =
                Some("write the pattern as a string in the policy: it is compiled ahead of time".to_owned());
            self.error(
                CelError::new(pattern.span.clone(), "the pattern of `matches` is not constant").help(help),
            );
            return (of_id, Ty::Bool);
        };
        match self.pool.automaton(&text) {
            Ok(index) => {
                let automaton = self.constant(Constant::Int(i64::from(index)));
                (
                    self.push(Node::Call { function: Function::Matches, args: vec![of_id, automaton] }),
                    Ty::Bool,
                )
            }
            Err(error) => {
                let message = format!("the regular expression cannot be used: {}", error.message);
                self.error(CelError::new(pattern.span.clone(), message));
                (of_id, Ty::Bool)
            }
        }
    }

    fn remember(&mut self, function: Function, args: &[Expr], ids: &[NodeId]) {
        let (Some(first), Some(id)) = (args.first(), ids.first()) else { return };
        if let Some(Constant::String(name)) = self.constant_at(*id) {
            self.remembered.push((name.into(), function == Function::SessionCount, first.span.clone()));
        } else if self.checked() {
            let message = "the name of what is remembered must be a constant string";
            self.error(CelError::new(first.span.clone(), message));
        }
    }

    fn zone(&mut self, args: &[Expr], ids: &[NodeId]) {
        let (Some(expr), Some(id)) = (args.get(1), ids.get(1)) else { return };
        if let Some(Constant::String(name)) = self.constant_at(*id)
            && !self.pool.zone(&name)
        {
            let help =
                Some("use an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`".to_owned());
            self.error(
                CelError::new(expr.span.clone(), format!("there is no time zone `{name}`")).help(help),
            );
        }
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

    fn fold(
        &mut self,
        kind: Fold,
        range: &Expr,
        vars: &[String],
        filter: Option<&Expr>,
        transform: Option<&Expr>,
    ) -> (NodeId, Ty) {
        let (range_id, range_ty) = self.expr(range);
        let (key, value) = match &range_ty {
            Ty::List(of) => (Ty::Int, (**of).clone()),
            Ty::Map(of) => (Ty::Dyn, (**of).clone()),
            Ty::Dyn | Ty::Object(_) => (Ty::Dyn, Ty::Dyn),
            other => {
                if self.checked() {
                    let message =
                        format!("only lists and maps can be looked through, and this is {}", other.name());
                    self.error(CelError::new(range.span.clone(), message));
                }
                (Ty::Dyn, Ty::Dyn)
            }
        };
        let of_list = matches!(range_ty, Ty::List(_));
        let (var, var2) = match vars {
            [a, b] => (self.open(a, key), Some(self.open(b, value.clone()))),
            [a, ..] => (self.open(a, if of_list { value.clone() } else { Ty::Dyn }), None),
            [] => (self.open("_", Ty::Dyn), None),
        };
        let filtered = filter.map(|f| {
            let (id, ty) = self.expr(f);
            self.must_be_bool(&ty, f);
            id
        });
        let transformed = transform.map(|t| self.expr(t));
        self.scope.truncate(self.scope.len().saturating_sub(vars.len().clamp(1, 2)));
        let ty = match kind {
            Fold::All | Fold::Exists | Fold::ExistsOne => Ty::Bool,
            Fold::List => {
                let element =
                    transformed.as_ref().map_or(if of_list { value } else { Ty::Dyn }, |(_, ty)| ty.clone());
                Ty::List(Box::new(element))
            }
            Fold::SortBy => range_ty,
            Fold::Map | Fold::MapEntry => Ty::Map(Box::new(Ty::Dyn)),
        };
        let transform = transformed.map(|(id, _)| id);
        (self.push(Node::Fold { kind, range: range_id, var, var2, filter: filtered, transform }), ty)
    }

    /// Top-level conjuncts that compare a path with constants.
    fn equalities(&mut self, expr: &Expr) -> Vec<(Path, Vec<Constant>)> {
        match &expr.kind {
            Kind::And(a, b) => {
                let mut all = self.equalities(a);
                all.extend(self.equalities(b));
                all
            }
            Kind::Call(Function::Eq, args) => match &args[..] {
                [a, b] => match (self.place(a), &b.kind, self.place(b), &a.kind) {
                    (Some(place), Kind::Literal(c), ..) | (_, _, Some(place), Kind::Literal(c))
                        if is_key(c) =>
                    {
                        vec![(place.path, vec![c.clone()])]
                    }
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            },
            Kind::Call(Function::In, args) => match &args[..] {
                [a, Expr { kind: Kind::List(elements), .. }] => {
                    let key = |(e, optional): &(Expr, bool)| match &e.kind {
                        Kind::Literal(c) if is_key(c) && !optional => Some(c.clone()),
                        _ => None,
                    };
                    let constants: Option<Vec<Constant>> = elements.iter().map(key).collect();
                    match (self.place(a), constants) {
                        (Some(place), Some(constants)) if !constants.is_empty() => {
                            vec![(place.path, constants)]
                        }
                        _ => Vec::new(),
                    }
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn is_key(constant: &Constant) -> bool {
    matches!(constant, Constant::String(_) | Constant::Bool(_) | Constant::Int(_))
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
        if let (Some(seen), Some(node)) = (used.get_mut(id as usize), nodes.get(id as usize)) {
            if !std::mem::replace(seen, true) {
                node.clone().operands_mut(&mut |operand| stack.push(*operand));
            }
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
