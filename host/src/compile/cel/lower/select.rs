//! Names, fields and elements: what a path can reach is loaded as one, the rest step by step.

use std::ops::Range;

use placet_cel::program::Constant;
use placet_cel::value::Type;
use placet_cel::{Node, NodeId, Path, Root};

use super::super::ast::{Expr, Kind};
use super::super::types::Ty;
use super::super::{CelError, Names, did_you_mean};
use super::Lowering;

/// A variable or a field of one, as far as it is a path.
pub(super) struct Place {
    pub(super) path: Path,
    pub(super) ty: Ty,
}

impl Lowering<'_> {
    /// `args.customer.id` or `args["customer"]`: a variable and constant fields, where types allow it.
    pub(super) fn place(&mut self, expr: &Expr) -> Option<Place> {
        match &expr.kind {
            Kind::Ident(name) => {
                if self.scope.iter().any(|(local, ..)| local == name) {
                    return None;
                }
                let (_, root, ty) = self.variables.iter().find(|(variable, ..)| variable == name)?;
                let place = Place { path: Path { root: *root, fields: Vec::new() }, ty: ty.clone() };
                self.roots.push((place.path.root, expr.span.clone()));
                Some(place)
            }
            Kind::Select(of, field) => self.field(of, field, &expr.span),
            Kind::Index(of, index) => match &index.kind {
                Kind::Literal(Constant::String(field)) => self.field(of, field, &index.span),
                _ => None,
            },
            _ => None,
        }
    }

    fn field(&mut self, of: &Expr, field: &str, span: &Range<usize>) -> Option<Place> {
        let place = self.place(of)?;
        let ty = self.field_type(&place.ty, field, span)?;
        let mut path = place.path;
        path.fields.push(field.into());
        Some(Place { path, ty })
    }

    /// The type of a field; an error when it is certain that there is none. `None` for what has no plain fields.
    fn field_type(&mut self, of: &Ty, field: &str, span: &Range<usize>) -> Option<Ty> {
        match of {
            Ty::Dyn => Some(Ty::Dyn),
            Ty::Map(values) => Some((**values).clone()),
            Ty::Object(object) => match object.fields.get(field) {
                Some(ty) => Some(ty.clone()),
                None => {
                    if !object.open {
                        let help =
                            did_you_mean(field, object.fields.keys().map(String::as_str)).or_else(|| {
                                let known: Vec<&str> = object.fields.keys().map(String::as_str).collect();
                                Some(format!("its fields are {}", known.join(", ")))
                            });
                        let at = span.end.saturating_sub(field.len()).max(span.start)..span.end;
                        let message = format!("`{}` has no field `{field}`", object.name);
                        self.error(CelError::new(at, message).help(help));
                    }
                    Some(Ty::Dyn)
                }
            },
            Ty::Optional(_) => None,
            other if self.checked() => {
                let message = format!("`{field}` is asked of {}, which has no fields", other.name());
                self.error(CelError::new(span.clone(), message));
                Some(Ty::Dyn)
            }
            _ => None,
        }
    }

    /// A local variable, a free variable, a type's name, or a field of a value that is no path.
    pub(super) fn name_or_field(&mut self, expr: &Expr) -> (NodeId, Ty) {
        if let Some(names) = expr.qualified() {
            let first = names.first().copied().unwrap_or("");
            if let Some((_, local, ty)) = self.scope.iter().rev().find(|(name, ..)| name == first).cloned() {
                if names.len() == 1 {
                    return (self.push(Node::Local(local)), ty);
                }
            } else if let Some(found) = self.qualified(&names, expr) {
                return found;
            }
        }
        match &expr.kind {
            Kind::Select(of, field) => {
                let (of_id, ty) = self.expr(of);
                let result = match &ty {
                    Ty::Optional(inner) => {
                        let inner = (**inner).clone();
                        let field_ty = self.field_type(&inner, field, &expr.span).unwrap_or(Ty::Dyn);
                        Ty::Optional(Box::new(field_ty))
                    }
                    ty => self.field_type(&ty.clone(), field, &expr.span).unwrap_or(Ty::Dyn),
                };
                let field = self.text(field);
                (self.emit(&[of_id], |o| Node::Select { of: o.first().copied().unwrap_or(0), field }), result)
            }
            _ => (self.constant(Constant::Null), Ty::Dyn),
        }
    }

    /// A dotted name: the longest one that is a free variable, or a type's name.
    fn qualified(&mut self, names: &[&str], expr: &Expr) -> Option<(NodeId, Ty)> {
        if let Names::Free(free) = self.names {
            for length in (1..=names.len()).rev() {
                let name = names.get(..length)?.join(".");
                if let Some(index) = free.get(&name) {
                    let fields = names.get(length..)?.iter().map(|f| (*f).into()).collect();
                    let path = self.pool.path(Path { root: Root::Free(*index), fields });
                    return Some((self.push(Node::Load(path)), Ty::Dyn));
                }
            }
        }
        let full = names.join(".");
        let known = Type::from_name(&full).or(match full.as_str() {
            "google.protobuf.NullValue" => Some(Type::Null),
            _ => None,
        });
        if let Some(ty) = known {
            return Some((self.constant(Constant::Type(ty)), Ty::Type));
        }
        let root = names.first().copied().unwrap_or("");
        let is_path = self.variables.iter().any(|(variable, ..)| *variable == root);
        if is_path {
            return None;
        }
        let mut span = expr.span.clone();
        let mut inner = expr;
        while let Kind::Select(of, _) = &inner.kind {
            inner = of;
            span = inner.span.clone();
        }
        let candidates: Vec<&str> = match self.names {
            Names::Policy { .. } => self.variables.iter().map(|(name, ..)| *name).collect(),
            Names::Free(free) => free.keys().map(String::as_str).collect(),
        };
        let locals = self.scope.iter().map(|(name, ..)| name.as_str());
        let known = candidates.join(", ");
        let help = did_you_mean(root, candidates.into_iter().chain(locals))
            .or_else(|| Some(format!("the variables are {known}")));
        let error = CelError::new(span, format!("there is no variable `{root}`")).help(help);
        Some((self.undeclared(error), Ty::Dyn))
    }

    /// A name that does not exist: an error in a policy; in `placet eval`, where types are not checked, one that
    /// only counts when the name is evaluated.
    pub(super) fn undeclared(&mut self, error: CelError) -> NodeId {
        if self.checked() {
            self.error(error);
        }
        let path = self.pool.path(Path { root: Root::Free(u32::MAX), fields: Vec::new() });
        self.push(Node::Load(path))
    }

    pub(super) fn has(&mut self, of: &Expr, field: &str) -> (NodeId, Ty) {
        if let Some(place) = self.place(of)
            && let Some(_) =
                self.field_type(&place.ty, field, &(of.span.start..of.span.end + 1 + field.len()))
        {
            let mut path = place.path;
            path.fields.push(field.into());
            let path = self.pool.path(path);
            return (self.push(Node::HasPath(path)), Ty::Bool);
        }
        let (of, _) = self.expr(of);
        let field = self.text(field);
        (self.emit(&[of], |o| Node::Has { of: o.first().copied().unwrap_or(0), field }), Ty::Bool)
    }

    pub(super) fn opt_select(&mut self, of: &Expr, field: &str) -> (NodeId, Ty) {
        if let Some(place) = self.place(of) {
            let ty = self.field_type(&place.ty, field, &of.span).unwrap_or(Ty::Dyn);
            let mut path = place.path;
            path.fields.push(field.into());
            let path = self.pool.path(path);
            return (self.push(Node::OptPath(path)), Ty::Optional(Box::new(ty)));
        }
        let (of, _) = self.expr(of);
        let field = self.text(field);
        (self.push(Node::OptSelect { of, field }), Ty::Optional(Box::new(Ty::Dyn)))
    }

    pub(super) fn index(&mut self, of: &Expr, index: &Expr, optional: bool) -> (NodeId, Ty) {
        let ((of_id, of_ty), (index_id, _)) = (self.expr(of), self.expr(index));
        let (inner, chained) = match of_ty {
            Ty::Optional(inner) => (*inner, true),
            ty => (ty, false),
        };
        let element = match inner {
            Ty::List(of) | Ty::Map(of) => *of,
            Ty::Dyn | Ty::Object(_) => Ty::Dyn,
            other => {
                if self.checked() {
                    let message = format!("an element is asked of {}, which has none", other.name());
                    self.error(CelError::new(of.span.clone(), message));
                }
                Ty::Dyn
            }
        };
        let ty = if optional || chained { Ty::Optional(Box::new(element)) } else { element };
        if optional {
            return (self.push(Node::OptIndex { of: of_id, index: index_id }), ty);
        }
        let make = |o: &[NodeId]| Node::Index {
            of: o.first().copied().unwrap_or(0),
            index: o.get(1).copied().unwrap_or(0),
        };
        (self.emit(&[of_id, index_id], make), ty)
    }
}
