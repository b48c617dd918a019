//! Conditions and constraints: programs put together by hand, over the few names that generated calls use.

use placet_cel::program::Constant;
use placet_cel::{Function, Node, NodeId, Path, Pool, Program, Root};
use placet_engine::policy::RuleKey;
use placet_model::constraint::Shape;
use placet_model::{Constraint, Literal, Number};

use crate::tape::Tape;

/// Texts that arguments and constants share; the Kelvin sign is `K` in NFC, and only there.
pub const TEXTS: &[&str] = &["a", "b", "K", "\u{212a}", "é", "e\u{301}", "10.1.2.3", "", "ab"];
/// Names of arguments; calls leave some of them out.
pub const ARGS: &[&str] = &["s", "n", "t", "l"];
/// What policies remember; `often` is the one that conditions count.
pub const MEMORIES: &[&str] = &["seen", "often"];

/// Writes programs into a pool.
pub struct Assembler<'p> {
    pub pool: &'p mut Pool,
    nodes: Vec<Node>,
}

fn place<T: PartialEq>(of: &mut Vec<T>, item: T) -> u32 {
    let at = of.iter().position(|known| *known == item).unwrap_or_else(|| {
        of.push(item);
        of.len() - 1
    });
    at as u32
}

impl<'p> Assembler<'p> {
    pub fn new(pool: &'p mut Pool) -> Assembler<'p> {
        Assembler { pool, nodes: Vec::new() }
    }

    pub fn finish(self, root: NodeId) -> Program {
        Program { nodes: self.nodes, root, locals: 0 }
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() as NodeId - 1
    }

    fn path(&mut self, root: Root, field: &str) -> u32 {
        let fields = if field.is_empty() { Vec::new() } else { vec![field.into()] };
        place(&mut self.pool.paths, Path { root, fields })
    }

    pub fn load(&mut self, root: Root, field: &str) -> NodeId {
        let path = self.path(root, field);
        self.push(Node::Load(path))
    }

    pub fn constant(&mut self, constant: Constant) -> NodeId {
        let at = place(&mut self.pool.constants, constant);
        self.push(Node::Const(at))
    }

    pub fn string(&mut self, text: &str) -> NodeId {
        self.constant(Constant::String(text.into()))
    }

    pub fn call(&mut self, function: Function, args: &[NodeId]) -> NodeId {
        self.push(Node::Call { function, args: args.to_vec() })
    }

    /// A condition, and the keys that its top-level equalities give.
    pub fn condition(&mut self, tape: &mut Tape<'_>, depth: u32) -> (NodeId, Vec<RuleKey>) {
        if depth > 0 && tape.one_in(3) {
            let (a, keys_a) = self.condition(tape, depth - 1);
            match tape.below(4) {
                0 => {
                    let (b, keys_b) = self.condition(tape, depth - 1);
                    return (self.push(Node::And(a, b)), [keys_a, keys_b].concat());
                }
                1 => {
                    let (b, _) = self.condition(tape, depth - 1);
                    return (self.push(Node::Or(a, b)), Vec::new());
                }
                2 => {
                    let (b, _) = self.condition(tape, depth - 1);
                    let (c, _) = self.condition(tape, depth - 1);
                    return (self.push(Node::Cond(a, b, c)), Vec::new());
                }
                _ => return (self.call(Function::Not, &[a]), Vec::new()),
            }
        }
        self.leaf(tape)
    }

    fn leaf(&mut self, tape: &mut Tape<'_>) -> (NodeId, Vec<RuleKey>) {
        let plain = |node| (node, Vec::new());
        match tape.below(15) {
            0 => plain(self.constant(Constant::Bool(true))),
            1..=3 => self.equality(tape),
            4 => {
                let (n, bound) = (self.load(Root::Args, "n"), tape.below(4) as i64);
                let bound = self.constant(Constant::Int(bound));
                let function = tape.pick(&[Function::Gt, Function::Le]);
                plain(self.call(function, &[n, bound]))
            }
            5 => {
                let field = tape.text(ARGS);
                let path = self.path(Root::Args, &field);
                plain(self.push(Node::HasPath(path)))
            }
            6 => {
                let effect = self.string("write");
                let effects = self.load(Root::Tool, "effects");
                plain(self.call(Function::In, &[effect, effects]))
            }
            7 => plain(self.session_has(tape)),
            8 => plain(self.session_count(tape)),
            9 => {
                let (root, field) = tape.pick(&[
                    (Root::Env, ""),
                    (Root::Project, ""),
                    (Root::User, "id"),
                    (Root::Agent, "id"),
                    (Root::Tool, "scope"),
                    (Root::Resource, "id"),
                    (Root::Result, ""),
                ]);
                let (a, b) = (self.load(root, field), tape.text(&["prod", "u1", "a1", "pay:a", "r"]));
                let b = self.string(&b);
                plain(self.call(Function::Eq, &[a, b]))
            }
            10 => {
                let (role, roles) = (self.string("finance"), self.load(Root::Agent, "roles"));
                plain(self.call(Function::In, &[role, roles]))
            }
            // A value that is a condition only when the caller says so.
            11 => {
                let field = tape.text(ARGS);
                plain(self.load(Root::Args, &field))
            }
            12 => {
                let (item, list) = (self.string("a"), self.load(Root::Args, "l"));
                plain(self.call(Function::In, &[item, list]))
            }
            13 => {
                let (scope, tool) = (self.string("scope"), self.load(Root::Tool, ""));
                plain(self.call(Function::In, &[scope, tool]))
            }
            _ => {
                let roles = self.load(Root::User, "roles");
                let (size, most) = (self.call(Function::Size, &[roles]), self.constant(Constant::Int(1)));
                plain(self.call(Function::Lt, &[size, most]))
            }
        }
    }

    /// `args.x == constant`, which the index may file the rule under.
    fn equality(&mut self, tape: &mut Tape<'_>) -> (NodeId, Vec<RuleKey>) {
        let field = tape.text(ARGS);
        let constant = match tape.below(6) {
            0 => Constant::Int(tape.below(3) as i64),
            1 => Constant::Bool(tape.one_in(2)),
            _ => Constant::String(tape.text(TEXTS).into()),
        };
        let path = self.path(Root::Args, &field);
        let key = RuleKey { path, equals: vec![place(&mut self.pool.constants, constant.clone())] };
        let (a, b) = (self.load(Root::Args, &field), self.constant(constant));
        (self.call(Function::Eq, &[a, b]), vec![key])
    }

    fn session_has(&mut self, tape: &mut Tape<'_>) -> NodeId {
        let name = tape.text(MEMORIES);
        let mut args = vec![self.string(&name)];
        if tape.one_in(2) {
            args.push(self.load(Root::Args, "s"));
        }
        self.call(Function::SessionHas, &args)
    }

    fn session_count(&mut self, tape: &mut Tape<'_>) -> NodeId {
        let mut args = vec![self.string("often")];
        if tape.one_in(2) {
            args.push(self.load(Root::Args, "s"));
        }
        args.push(self.constant(Constant::Duration(tape.pick(&[60_000_000_000, 180_000_000_000]))));
        let count = self.call(Function::SessionCount, &args);
        let bound = self.constant(Constant::Int(tape.below(3) as i64));
        self.call(Function::Gt, &[count, bound])
    }
}

/// Constraints on some arguments, and the keys that equalities among them give.
pub fn shape(tape: &mut Tape<'_>, pool: &mut Pool) -> (Shape, Vec<RuleKey>) {
    let (mut fields, mut keys) = (Vec::new(), Vec::new());
    let mut names = ARGS.to_vec();
    names.sort_unstable();
    for name in names {
        if tape.one_in(2) {
            continue;
        }
        let constraint = constraint(tape, 1);
        let literals = match &constraint {
            Constraint::Equals(literal) => std::slice::from_ref(literal),
            Constraint::OneOf(literals) => literals,
            _ => &[],
        };
        let constants: Option<Vec<Constant>> = literals.iter().map(key_constant).collect();
        if let Some(constants) = constants.filter(|c| !c.is_empty()) {
            let path = place(&mut pool.paths, Path { root: Root::Args, fields: vec![name.into()] });
            let equals = constants.into_iter().map(|c| place(&mut pool.constants, c)).collect();
            keys.push(RuleKey { path, equals });
        }
        fields.push((name.to_owned(), constraint));
    }
    (Shape { fields, others: tape.one_in(2) }, keys)
}

fn key_constant(literal: &Literal) -> Option<Constant> {
    match literal {
        Literal::Bool(b) => Some(Constant::Bool(*b)),
        Literal::Number(Number::Int(i)) => Some(Constant::Int(*i)),
        Literal::String(s) => Some(Constant::String(s.as_str().into())),
        _ => None,
    }
}

fn literal(tape: &mut Tape<'_>) -> Literal {
    match tape.below(7) {
        0 => Literal::Null,
        1 => Literal::Bool(tape.one_in(2)),
        2 => Literal::Number(Number::Int(tape.below(3) as i64)),
        3 => Literal::Number(Number::Double(1.5)),
        _ => Literal::String(placet_engine::constrain::normal_text(&tape.text(TEXTS))),
    }
}

fn constraint(tape: &mut Tape<'_>, depth: u32) -> Constraint {
    match tape.below(if depth > 0 { 14 } else { 11 }) {
        0..=2 => Constraint::Any,
        3 => Constraint::Absent,
        4 => Constraint::Equals(literal(tape)),
        5 => Constraint::OneOf(vec![literal(tape), literal(tape)]),
        6 => Constraint::NotOneOf(vec![literal(tape)]),
        7 => Constraint::Max(Number::Int(tape.below(3) as i64)),
        8 => Constraint::Glob(tape.text(&["*", "?", "K", "1*"])),
        // What is no address cannot be judged: an error.
        9 => Constraint::Cidr(vec!["10.0.0.0/8".to_owned()]),
        10 => Constraint::Each(Box::new(Constraint::Equals(literal(tape)))),
        11 => Constraint::All(vec![constraint(tape, depth - 1), constraint(tape, depth - 1)]),
        12 => Constraint::One(vec![constraint(tape, depth - 1), constraint(tape, depth - 1)]),
        _ => Constraint::None(vec![constraint(tape, depth - 1)]),
    }
}
