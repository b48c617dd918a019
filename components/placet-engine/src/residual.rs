//! What is left of a condition when everything that is known has been filled in, as text.

use placet_cel::function::Style;
use placet_cel::program::Constant;
use placet_cel::program::{Fold, Path};
use placet_cel::{Budget, Function, Node, NodeId, Program, Root, Value, constant_value, eval_node};

use crate::matching::Context;

/// A part of a condition: decided, or still open.
enum Part {
    Known(bool),
    Open(String),
}

/// The open part of a condition; `None` when nothing of it is open.
pub fn residual<'a>(cx: &Context<'a>, program: &'a Program) -> Option<String> {
    match (Residual { cx, program }).part(program.root) {
        Part::Known(_) => None,
        Part::Open(text) => Some(text),
    }
}

struct Residual<'c, 'a> {
    cx: &'c Context<'a>,
    program: &'a Program,
}

impl<'a> Residual<'_, 'a> {
    fn part(&self, id: NodeId) -> Part {
        match self.program.nodes.get(id as usize) {
            Some(Node::And(a, b)) => join(self.part(*a), self.part(*b), "&&", false),
            Some(Node::Or(a, b)) => join(self.part(*a), self.part(*b), "||", true),
            Some(Node::Call { function: Function::Not, args }) => match args.first().map(|a| self.part(*a)) {
                Some(Part::Known(known)) => Part::Known(!known),
                Some(Part::Open(text)) => Part::Open(format!("!({text})")),
                None => Part::Open("?".to_owned()),
            },
            _ => match self.value(id) {
                Some(Value::Bool(known)) => Part::Known(known),
                _ => Part::Open(self.text(id)),
            },
        }
    }

    /// The value of a part that depends on nothing unknown.
    fn value(&self, id: NodeId) -> Option<Value<'a>> {
        let mut budget = Budget::new(10_000, 1 << 16);
        eval_node(self.program, id, self.cx.pool, &self.cx.env, &mut budget).ok()
    }

    fn text(&self, id: NodeId) -> String {
        if let Some(text) = self.value(id).and_then(|value| constant(&value)) {
            return text;
        }
        let Some(node) = self.program.nodes.get(id as usize) else { return "?".to_owned() };
        let field = |field: &u32| match self.cx.pool.constant(*field) {
            Ok(Constant::String(name)) => &**name,
            _ => "?",
        };
        match node {
            Node::Const(c) => self
                .cx
                .pool
                .constant(*c)
                .ok()
                .and_then(|c| constant(&constant_value(c, &mut Budget::new(1_000, 1 << 14)).ok()?))
                .unwrap_or_else(|| "…".to_owned()),
            Node::Load(path) | Node::LoadDouble(path) => self.path(*path),
            Node::HasPath(path) => format!("has({})", self.path(*path)),
            Node::OptPath(path) => format!("optional {}", self.path(*path)),
            Node::Local(local) => format!("x{local}"),
            Node::And(a, b) => format!("({} && {})", self.text(*a), self.text(*b)),
            Node::Or(a, b) => format!("({} || {})", self.text(*a), self.text(*b)),
            Node::Cond(c, a, b) => format!("({} ? {} : {})", self.text(*c), self.text(*a), self.text(*b)),
            Node::Select { of, field: name } => format!("{}.{}", self.text(*of), field(name)),
            Node::Has { of, field: name } => format!("has({}.{})", self.text(*of), field(name)),
            Node::OptSelect { of, field: name } => format!("{}.?{}", self.text(*of), field(name)),
            Node::Index { of, index } => format!("{}[{}]", self.text(*of), self.text(*index)),
            Node::OptIndex { of, index } => format!("{}[?{}]", self.text(*of), self.text(*index)),
            Node::List(of) => format!("[{}]", self.texts(of.iter().map(|(e, _)| *e))),
            Node::Map(of) => {
                let entries: Vec<String> =
                    of.iter().map(|(k, v, _)| format!("{}: {}", self.text(*k), self.text(*v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Node::Bind { local, init, body } => {
                format!("cel.bind(x{local}, {}, {})", self.text(*init), self.text(*body))
            }
            Node::Call { function, args } => self.call(*function, args),
            Node::Fold { kind, range, var, var2, filter, transform } => {
                let mut parts = vec![format!("x{var}")];
                parts.extend(var2.map(|v| format!("x{v}")));
                parts.extend(filter.iter().chain(transform).map(|n| self.text(*n)));
                format!("{}.{}({})", self.text(*range), macro_name(*kind), parts.join(", "))
            }
            Node::OptMap { of, var, transform, flat } => {
                let name = if *flat { "optFlatMap" } else { "optMap" };
                format!("{}.{name}(x{var}, {})", self.text(*of), self.text(*transform))
            }
        }
    }

    fn texts(&self, nodes: impl Iterator<Item = NodeId>) -> String {
        nodes.map(|n| self.text(n)).collect::<Vec<_>>().join(", ")
    }

    fn call(&self, function: Function, args: &[NodeId]) -> String {
        let Some((_, style, name, ..)) = Function::TABLE.iter().find(|(f, ..)| *f == function) else {
            return "?".to_owned();
        };
        match (style, args) {
            (Style::Operator, [a]) => format!("{}({})", name.trim_matches('_'), self.text(*a)),
            (Style::Operator, [a, b]) => {
                let operator = if function == Function::In { "in" } else { name.trim_matches('_') };
                format!("{} {operator} {}", self.text(*a), self.text(*b))
            }
            (Style::Method | Style::Both, [of, rest @ ..]) if function == Function::Matches => {
                let pattern = rest.first().and_then(|p| match self.value(*p)? {
                    Value::Int(i) => self.cx.pool.pool().automata.get(usize::try_from(i).ok()?),
                    _ => None,
                });
                format!("{}.matches('{}')", self.text(*of), pattern.map_or("…", |a| &a.pattern))
            }
            (Style::Method | Style::Both, [of, rest @ ..]) => {
                format!("{}.{name}({})", self.text(*of), self.texts(rest.iter().copied()))
            }
            _ => format!("{name}({})", self.texts(args.iter().copied())),
        }
    }

    fn path(&self, path: u32) -> String {
        match self.cx.pool.pool().paths.get(path as usize) {
            Some(path) => path_text(path),
            None => "?".to_owned(),
        }
    }
}

fn join(a: Part, b: Part, operator: &str, deciding: bool) -> Part {
    match (a, b) {
        (Part::Known(k), _) | (_, Part::Known(k)) if k == deciding => Part::Known(deciding),
        (Part::Known(_), other) | (other, Part::Known(_)) => other,
        (Part::Open(a), Part::Open(b)) => Part::Open(format!("{a} {operator} {b}")),
    }
}

/// `args.customer.id`
pub(crate) fn path_text(path: &Path) -> String {
    let root = match path.root {
        Root::Tool => "tool",
        Root::Args => "args",
        Root::Agent => "agent",
        Root::User => "user",
        Root::Chain => "chain",
        Root::Tenant => "tenant",
        Root::Project => "project",
        Root::Env => "env",
        Root::Session => "session",
        Root::Resource => "resource",
        Root::Now => "now",
        Root::Intent => "intent",
        Root::Grant => "grant",
        Root::Approval => "approval",
        Root::Content => "content",
        Root::Result => "result",
        Root::Free(_) => "variable",
    };
    path.fields.iter().fold(root.to_owned(), |text, field| format!("{text}.{field}"))
}

fn constant(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Str(s) => Some(format!("'{}'", s.as_str())),
        Value::List(list) => {
            let parts: Option<Vec<String>> = list.iter().map(constant).collect();
            Some(format!("[{}]", parts?.join(", ")))
        }
        Value::Null => Some("null".to_owned()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(i) => Some(i.to_string()),
        Value::Uint(u) => Some(format!("{u}u")),
        Value::Double(d) => Some(format!("{d:?}")),
        _ => None,
    }
}

fn macro_name(kind: Fold) -> &'static str {
    match kind {
        Fold::All => "all",
        Fold::Exists => "exists",
        Fold::ExistsOne => "exists_one",
        Fold::List => "map",
        Fold::Map => "transformMap",
        Fold::MapEntry => "transformMapEntry",
        Fold::SortBy => "sortBy",
    }
}
