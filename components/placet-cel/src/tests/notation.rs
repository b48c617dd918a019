//! The prefix notation.

use crate::function::Function;
use crate::program::{Automaton, Constant, Fold, Node, NodeId, Path, Pool, Program, Root};
use crate::value::Value;

pub fn read(text: &str) -> (Program, Pool) {
    let mut reader = Reader { tokens: tokens(text), ..Reader::default() };
    reader.tokens.reverse();
    let root = reader.expression();
    assert!(reader.tokens.is_empty(), "trailing text in {text}");
    let locals = reader.locals.len() as u32;
    (Program { nodes: reader.nodes, root, locals }, reader.pool)
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let quoted = rest.strip_prefix(['b', 't', 'd']).unwrap_or(rest);
        let length = if let Some(inner) = quoted.strip_prefix('\'') {
            rest.len() - quoted.len() + 2 + inner.find('\'').unwrap()
        } else if "()[]{}?".contains(first) {
            1
        } else if rest.starts_with("#[") {
            2
        } else {
            rest.find(|c: char| c.is_whitespace() || "()[]{}".contains(c)).unwrap_or(rest.len())
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

#[derive(Default)]
struct Reader {
    tokens: Vec<String>,
    nodes: Vec<Node>,
    locals: Vec<String>,
    pool: Pool,
}

impl Reader {
    fn next(&mut self) -> String {
        self.tokens.pop().expect("more tokens")
    }

    fn at(&mut self, token: &str) -> bool {
        let at = self.tokens.last().is_some_and(|t| t == token);
        if at {
            self.tokens.pop();
        }
        at
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    fn constant(&mut self, constant: Constant) -> u32 {
        self.pool.constants.push(constant);
        self.pool.constants.len() as u32 - 1
    }

    fn local(&mut self) -> u32 {
        let name = self.next();
        self.local_named(name)
    }

    fn local_named(&mut self, name: String) -> u32 {
        let known = self.locals.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            self.locals.push(name);
            self.locals.len() - 1
        });
        at as u32
    }

    fn expression(&mut self) -> NodeId {
        let token = self.next();
        match token.as_str() {
            "(" => {
                let node = self.form();
                assert!(self.at(")"), "closing bracket");
                self.push(node)
            }
            "[" => {
                let mut items = Vec::new();
                while !self.at("]") {
                    let optional = self.at("?");
                    items.push((self.expression(), optional));
                }
                self.push(Node::List(items))
            }
            "{" => {
                let mut entries = Vec::new();
                while !self.at("}") {
                    let optional = self.at("?");
                    entries.push((self.expression(), self.expression(), optional));
                }
                self.push(Node::Map(entries))
            }
            name if name.starts_with('$') => {
                let local = self.local_named(token);
                self.push(Node::Local(local))
            }
            name if name.starts_with('@') => {
                let path = self.path(&token);
                self.push(Node::Load(path))
            }
            _ => {
                let constant = self.literal(token);
                let constant = self.constant(constant);
                self.push(Node::Const(constant))
            }
        }
    }

    fn path(&mut self, token: &str) -> u32 {
        self.pool
            .paths
            .push(Path { root: Root::Args, fields: token[1..].split('.').map(Box::from).collect() });
        self.pool.paths.len() as u32 - 1
    }

    fn literal(&mut self, token: String) -> Constant {
        let inner = || token[token.find('\'').unwrap() + 1..token.len() - 1].to_owned();
        match token.as_str() {
            "null" => Constant::Null,
            "true" => Constant::Bool(true),
            "false" => Constant::Bool(false),
            "#[" => {
                let mut items = Vec::new();
                while !self.at("]") {
                    let token = self.next();
                    items.push(self.literal(token));
                }
                Constant::List(items)
            }
            t if t.starts_with('\'') => Constant::String(inner().into()),
            t if t.starts_with("b'") => {
                let text = inner().replace("\\xff", "\u{1}");
                Constant::Bytes(text.bytes().map(|b| if b == 1 { 0xff } else { b }).collect())
            }
            t if t.starts_with("t'") => {
                Constant::Timestamp(placet_model::Timestamp::parse_rfc3339(&inner()).unwrap())
            }
            t if t.starts_with("d'") => {
                Constant::Duration(crate::text::time::parse_duration(&inner()).unwrap())
            }
            t if t.ends_with('u') => Constant::Uint(t[..t.len() - 1].parse().unwrap()),
            t if t.contains(['.', 'e', 'N', 'i']) => {
                Constant::Double(t.parse().unwrap_or_else(|_| panic!("{t}")))
            }
            t => Constant::Int(t.parse().unwrap_or_else(|_| panic!("{t}"))),
        }
    }

    fn form(&mut self) -> Node {
        let name = self.next();
        match name.as_str() {
            "and" => Node::And(self.expression(), self.expression()),
            "or" => Node::Or(self.expression(), self.expression()),
            "cond" => Node::Cond(self.expression(), self.expression(), self.expression()),
            "select" | "has" | "optSelect" => {
                let of = self.expression();
                let token = self.next();
                let field = self.literal(token);
                let field = self.constant(field);
                match name.as_str() {
                    "select" => Node::Select { of, field },
                    "has" => Node::Has { of, field },
                    _ => Node::OptSelect { of, field },
                }
            }
            "index" => Node::Index { of: self.expression(), index: self.expression() },
            "optIndex" => Node::OptIndex { of: self.expression(), index: self.expression() },
            "hasPath" | "optPath" | "double@" => {
                let token = self.next();
                let path = self.path(&token);
                match name.as_str() {
                    "hasPath" => Node::HasPath(path),
                    "optPath" => Node::OptPath(path),
                    _ => Node::LoadDouble(path),
                }
            }
            "orElse" => self.call("or"),
            "bind" => Node::Bind { local: self.local(), init: self.expression(), body: self.expression() },
            "optMap" | "optFlatMap" => {
                let (var, of) = (self.local(), self.expression());
                Node::OptMap { of, var, transform: self.expression(), flat: name == "optFlatMap" }
            }
            "matches" => {
                let text = self.expression();
                let token = self.next();
                let Constant::String(pattern) = self.literal(token) else { panic!("a pattern") };
                let index = self.automaton(pattern);
                let index = self.constant(Constant::Int(index));
                let index = self.push(Node::Const(index));
                Node::Call { function: Function::Matches, args: vec![text, index] }
            }
            _ => self.fold(&name).unwrap_or_else(|| self.call(&name)),
        }
    }

    /// `(NAME $x range e)`, `(NAME2 $k $v range e)`, with a filter before the transform where the name ends in `?`.
    fn fold(&mut self, name: &str) -> Option<Node> {
        let plain = name.trim_end_matches('?');
        let (plain, two) = plain.strip_suffix('2').map_or((plain, false), |plain| (plain, true));
        let kind = match plain {
            "all" => Fold::All,
            "exists" => Fold::Exists,
            "existsOne" => Fold::ExistsOne,
            "map" | "filter" => Fold::List,
            "transformMap" => Fold::Map,
            "transformMapEntry" => Fold::MapEntry,
            "sortBy" => Fold::SortBy,
            _ => return None,
        };
        let var = self.local();
        let var2 = two.then(|| self.local());
        let range = self.expression();
        let is_filter = matches!(plain, "all" | "exists" | "existsOne" | "filter");
        let filter = (is_filter || name.ends_with('?')).then(|| self.expression());
        let transform = (!is_filter).then(|| self.expression());
        Some(Node::Fold { kind, range, var, var2, filter, transform })
    }

    fn call(&mut self, name: &str) -> Node {
        let row =
            Function::TABLE.iter().find(|row| row.2 == name).unwrap_or_else(|| panic!("no function {name}"));
        let mut args = Vec::new();
        while self.tokens.last().is_some_and(|t| t != ")") {
            args.push(self.expression());
        }
        Node::Call { function: row.0, args }
    }

    fn automaton(&mut self, pattern: Box<str>) -> i64 {
        use regex_automata::dfa::dense;
        let dfa = dense::Builder::new().build(&pattern).unwrap().to_sparse().unwrap();
        self.pool.automata.push(Automaton { pattern, dfa: dfa.to_bytes_little_endian().into() });
        self.pool.automata.len() as i64 - 1
    }
}

pub fn write(value: &Value<'_>) -> String {
    let list = |items: &[Value<'_>]| items.iter().map(write).collect::<Vec<_>>().join(" ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => format!("{u}u"),
        Value::Double(d) => format!("{d:?}"),
        Value::Str(s) => format!("'{}'", s.as_str()),
        Value::Bytes(b) => format!("b'{}'", b.escape_ascii()),
        Value::List(items) => format!("[{}]", list(items)),
        Value::Map(map) => {
            let pairs: Vec<_> =
                map.entries.iter().map(|(k, v)| format!("{} {}", write(k), write(v))).collect();
            format!("{{{}}}", pairs.join(" "))
        }
        Value::Timestamp(t) => format!("t'{t}'"),
        Value::Duration(d) => format!("d'{}'", crate::text::time::format_duration(d.nanos)),
        Value::Type(t) => t.name().to_owned(),
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(inner)) => format!("some {}", write(inner)),
        Value::Ip(ip) => ip.to_string(),
        Value::Cidr(cidr) => crate::text::ip::format_cidr(cidr),
    }
}
