//! Macros over lists and maps, and what a condition's conjuncts compare with constants.

use placet_cel::program::{Constant, Fold};
use placet_cel::{Function, Node, NodeId, Path};

use super::super::CelError;
use super::super::ast::{Expr, Kind};
use super::super::types::Ty;
use super::Lowering;

impl Lowering<'_> {
    pub(super) fn fold(
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
    pub(super) fn equalities(&mut self, expr: &Expr) -> Vec<(Path, Vec<Constant>)> {
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
