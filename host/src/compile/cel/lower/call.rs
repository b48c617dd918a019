//! Functions and operators.

use std::ops::Range;

use placet_cel::function::Style;
use placet_cel::program::Constant;
use placet_cel::{Function, Node, NodeId};

use super::super::CelError;
use super::super::ast::Expr;
use super::super::overloads;
use super::super::types::Ty;
use super::Lowering;

impl Lowering<'_> {
    pub(super) fn call(&mut self, function: Function, args: &[Expr], span: &Range<usize>) -> (NodeId, Ty) {
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
        let names: Vec<String> = types.iter().map(Ty::name).collect();
        let message = match (style, &names[..]) {
            (Style::Operator, [a, b]) => format!("`{spelled}` cannot be used between {a} and {b}"),
            (Style::Operator, [a]) => format!("`{spelled}` cannot be used on {a}"),
            (_, names) => format!("`{spelled}` cannot be used on {}", names.join(" and ")),
        };
        let arithmetic = matches!(function, Function::Add | Function::Sub | Function::Mul | Function::Div);
        let mixed = arithmetic && types.contains(&Ty::Double) && types.contains(&Ty::Int);
        let help = if mixed {
            Some("whole and other numbers do not mix here: write `2.0` for `2`, or convert with `double(…)`")
        } else if function == Function::SessionCount {
            Some("the last argument is how far to look back: `duration('5m')`")
        } else if arithmetic && types.contains(&Ty::Timestamp) {
            Some("add durations to timestamps: `now + duration('1h')`")
        } else {
            None
        };
        let help = help.map(str::to_owned);
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
                self.error(CelError::new(pattern.span.clone(), message).help(error.help));
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
}
