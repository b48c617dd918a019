//! The `cel` crate's parser, without its macro expansion, into our tree.

use std::ops::Range;

use cel::common::ast::{EntryExpr, Expr as Cel, IdedExpr, LiteralValue, SourceInfo};
use placet_cel::Function;
use placet_cel::function::Style;
use placet_cel::program::{Constant, Fold};

use super::ast::{Expr, Kind};
use super::functions::{arity, unknown_function};
use super::{CelError, syntax};

/// Nesting beyond which expressions are refused: well within what the parser and the engine can recurse.
const MAX_NESTING: usize = 90;

pub fn parse(source: &str) -> Result<Expr, Vec<CelError>> {
    if let Some(at) = too_deep(source) {
        let message = format!("the expression is nested more than {MAX_NESTING} levels deep");
        return Err(vec![CelError::new(at..at + 1, message)]);
    }
    let parser = cel::Env::default().parser().enable_ident_escape_syntax(true).max_recursion_depth(1000);
    let (expr, info) = parser.parse_with_source_info(source).map_err(|errors| {
        // What the grammar does not allow comes before what follows from it.
        let place = |e: &cel::ParseError| (!e.msg.starts_with(syntax::GRAMMAR), position(source, e.pos));
        let first = errors.errors.iter().min_by_key(|e| place(e));
        let first = first.map(|e| (position(source, e.pos), e.msg.as_str()));
        let (at, message) = first.unwrap_or((source.len(), "the expression cannot be read"));
        vec![syntax::explain(source, at, message)]
    })?;
    let offsets = offsets(source);
    let mut reader =
        Reader { info: &info, source, offsets, length: source.len(), errors: Vec::new(), depth: 0 };
    let expr = reader.expr(&expr);
    if reader.errors.is_empty() { Ok(expr) } else { Err(reader.errors) }
}

/// Brackets and prefix operators beyond the limit, outside of strings as far as can be told without a lexer: strings
/// with brackets only count as more nesting in texts that are themselves mostly brackets.
fn too_deep(source: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped, mut prefix) = (0_usize, None, false, 0_usize);
    for (at, c) in source.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefix = if quote.is_none() && matches!(c, '!' | '-' | ' ') { prefix + 1 } else { 0 };
        if depth > MAX_NESTING || prefix > 400 {
            return Some(at);
        }
    }
    None
}

/// Byte offset of a line and column (both from 1; the column counts characters).
fn position(source: &str, (line, column): (isize, isize)) -> usize {
    let mut offset = 0;
    for (number, text) in (1_isize..).zip(source.split_inclusive('\n')) {
        if number == line {
            let column = usize::try_from(column - 1).unwrap_or(0);
            return offset + text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        }
        offset += text.len();
    }
    source.len()
}

/// Byte offsets of characters: the parser counts characters.
fn offsets(source: &str) -> Vec<usize> {
    source.char_indices().map(|(at, _)| at).chain([source.len()]).collect()
}

struct Reader<'s> {
    info: &'s SourceInfo,
    source: &'s str,
    offsets: Vec<usize>,
    length: usize,
    errors: Vec<CelError>,
    depth: usize,
}

impl Reader<'_> {
    fn own_span(&self, id: u64) -> Range<usize> {
        let at = |n: u32| self.offsets.get(n as usize).copied().unwrap_or(self.length);
        match self.info.offset_for(id) {
            Some((start, stop)) => at(start)..at(stop.saturating_add(1)).max(at(start)),
            None => 0..self.length,
        }
    }

    fn fail(&mut self, error: CelError) -> Kind {
        self.errors.push(error);
        Kind::Literal(Constant::Null)
    }

    fn expr(&mut self, of: &IdedExpr) -> Expr {
        let own = self.own_span(of.id);
        self.depth += 1;
        if self.depth > 200 {
            self.depth -= 1;
            let kind = self.fail(CelError::new(own.clone(), "the expression is nested too deeply"));
            return Expr { kind, span: own };
        }
        let kind = self.kind(of, &own);
        self.depth -= 1;
        let name = match &of.expr {
            Cel::Call(call) if call.func_name.starts_with(char::is_alphabetic) => {
                Some(self.name_span(&call.func_name, &own))
            }
            _ => None,
        };
        let span = match (name, &kind) {
            (Some(name), Kind::Unknown { .. }) => name,
            (Some(name), kind) => self.closed(extent(kind, own), &name),
            (None, kind) => extent(kind, own),
        };
        Expr { kind, span }
    }

    /// Where a function's name stands: the parser gives the place of the bracket after it.
    fn name_span(&self, name: &str, bracket: &Range<usize>) -> Range<usize> {
        let before = self.source.get(..bracket.start).unwrap_or("").trim_end();
        if before.ends_with(name) { before.len() - name.len()..before.len() } else { bracket.clone() }
    }

    /// A call from its first name to its closing bracket.
    fn closed(&self, span: Range<usize>, name: &Range<usize>) -> Range<usize> {
        let before = self.source.get(..name.start).unwrap_or("");
        let qualified = before.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'));
        let rest = self.source.get(span.end..).unwrap_or("");
        let trimmed = rest.trim_start();
        let end = if trimmed.starts_with(')') { span.end + rest.len() - trimmed.len() + 1 } else { span.end };
        span.start.min(qualified.len())..end
    }

    fn boxed(&mut self, of: &IdedExpr) -> Box<Expr> {
        Box::new(self.expr(of))
    }

    fn kind(&mut self, of: &IdedExpr, span: &Range<usize>) -> Kind {
        match &of.expr {
            Cel::Literal(literal) => Kind::Literal(constant(literal)),
            Cel::Ident(name) => Kind::Ident(name.trim_start_matches('.').to_owned()),
            Cel::Select(select) if select.test => {
                Kind::Has(self.boxed(&select.operand), select.field.clone())
            }
            Cel::Select(select) => Kind::Select(self.boxed(&select.operand), select.field.clone()),
            Cel::List(list) => {
                let element = |(n, e): (usize, &IdedExpr)| (self.expr(e), list.optional_indices.contains(&n));
                Kind::List(list.elements.iter().enumerate().map(element).collect())
            }
            Cel::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        entries.push((self.expr(&entry.key), self.expr(&entry.value), entry.optional));
                    }
                }
                Kind::Map(entries)
            }
            Cel::Call(call) => self.call(&call.func_name, call.target.as_deref(), &call.args, span),
            Cel::Struct(of) => {
                let message =
                    format!("messages such as `{}{{…}}` have no meaning for JSON-shaped data", of.type_name);
                self.fail(CelError::new(span.clone(), message))
            }
            Cel::Comprehension(_) | Cel::Unspecified => {
                self.fail(CelError::new(span.clone(), "the expression cannot be read"))
            }
        }
    }

    fn call(
        &mut self,
        name: &str,
        target: Option<&IdedExpr>,
        args: &[IdedExpr],
        span: &Range<usize>,
    ) -> Kind {
        match (name, target, args) {
            ("_&&_", None, [a, b]) => Kind::And(self.boxed(a), self.boxed(b)),
            ("_||_", None, [a, b]) => Kind::Or(self.boxed(a), self.boxed(b)),
            ("_&&_", None, [first, rest @ ..]) => self.chain(first, rest, Kind::And),
            ("_||_", None, [first, rest @ ..]) => self.chain(first, rest, Kind::Or),
            ("_?_:_", None, [c, a, b]) => Kind::Cond(self.boxed(c), self.boxed(a), self.boxed(b)),
            ("_[_]", None, [of, index]) => Kind::Index(self.boxed(of), self.boxed(index)),
            ("_[?_]", None, [of, index]) => Kind::OptIndex(self.boxed(of), self.boxed(index)),
            ("_?._", None, [of, field]) => match &field.expr {
                Cel::Literal(LiteralValue::String(field)) => {
                    Kind::OptSelect(self.boxed(of), field.inner().to_owned())
                }
                _ => self.fail(CelError::new(span.clone(), "`.?` needs a field name")),
            },
            ("has", None, [of]) => match &of.expr {
                Cel::Select(select) if !select.test => {
                    Kind::Has(self.boxed(&select.operand), select.field.clone())
                }
                _ => {
                    let help = Some("write `has(a.b)`; for a key in quotes, `'b' in a`".to_owned());
                    self.fail(CelError::new(span.clone(), "`has` needs a field selection").help(help))
                }
            },
            _ => match self.macro_call(name, target, args) {
                Some(kind) => kind,
                None => self.function(name, target, args, span),
            },
        }
    }

    fn chain(&mut self, first: &IdedExpr, rest: &[IdedExpr], join: fn(Box<Expr>, Box<Expr>) -> Kind) -> Kind {
        let mut left = self.expr(first);
        for (n, next) in rest.iter().enumerate() {
            let right = self.expr(next);
            let span = left.span.start..right.span.end;
            let kind = join(Box::new(left), Box::new(right));
            if n + 1 == rest.len() {
                return kind;
            }
            left = Expr { kind, span };
        }
        left.kind
    }

    fn macro_call(&mut self, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Option<Kind> {
        let target = target?;
        if let (Cel::Ident(space), "bind", [var, init, body]) = (&target.expr, name, args)
            && space == "cel"
        {
            let name = self.variable(var)?;
            return Some(Kind::Bind { name, init: self.boxed(init), body: self.boxed(body) });
        }
        if matches!(name, "optMap" | "optFlatMap")
            && let [var, transform] = args
        {
            let var = self.variable(var)?;
            let (of, transform) = (self.boxed(target), self.boxed(transform));
            return Some(Kind::OptMap { of, var, transform, flat: name == "optFlatMap" });
        }
        let (kind, vars, filter, transform): (Fold, &[IdedExpr], Option<&IdedExpr>, Option<&IdedExpr>) =
            match (name, args) {
                ("all", [v, p]) => (Fold::All, std::slice::from_ref(v), Some(p), None),
                ("exists", [v, p]) => (Fold::Exists, std::slice::from_ref(v), Some(p), None),
                ("exists_one" | "existsOne", [v, p]) => {
                    (Fold::ExistsOne, std::slice::from_ref(v), Some(p), None)
                }
                ("filter", [v, p]) => (Fold::List, std::slice::from_ref(v), Some(p), None),
                ("map", [v, t]) => (Fold::List, std::slice::from_ref(v), None, Some(t)),
                ("map", [v, p, t]) => (Fold::List, std::slice::from_ref(v), Some(p), Some(t)),
                ("sortBy", [v, t]) => (Fold::SortBy, std::slice::from_ref(v), None, Some(t)),
                ("all", [_, _, p]) => (Fold::All, args.get(..2)?, Some(p), None),
                ("exists", [_, _, p]) => (Fold::Exists, args.get(..2)?, Some(p), None),
                ("exists_one" | "existsOne", [_, _, p]) => (Fold::ExistsOne, args.get(..2)?, Some(p), None),
                ("transformList", [_, _, t]) => (Fold::List, args.get(..2)?, None, Some(t)),
                ("transformList", [_, _, p, t]) => (Fold::List, args.get(..2)?, Some(p), Some(t)),
                ("transformMap", [_, _, t]) => (Fold::Map, args.get(..2)?, None, Some(t)),
                ("transformMap", [_, _, p, t]) => (Fold::Map, args.get(..2)?, Some(p), Some(t)),
                ("transformMapEntry", [_, _, t]) => (Fold::MapEntry, args.get(..2)?, None, Some(t)),
                ("transformMapEntry", [_, _, p, t]) => (Fold::MapEntry, args.get(..2)?, Some(p), Some(t)),
                _ => return None,
            };
        let names: Option<Vec<String>> = vars.iter().map(|var| self.variable(var)).collect();
        let vars = names.unwrap_or_else(|| vec!["_".to_owned()]);
        if let [a, b] = &vars[..]
            && a == b
        {
            let span = self.own_span(args.first()?.id);
            self.errors.push(CelError::new(span, "the two iteration variables have one name"));
        }
        Some(Kind::Fold {
            kind,
            range: self.boxed(target),
            vars,
            filter: filter.map(|f| self.boxed(f)),
            transform: transform.map(|t| self.boxed(t)),
        })
    }

    fn variable(&mut self, of: &IdedExpr) -> Option<String> {
        match &of.expr {
            Cel::Ident(name) if !name.starts_with('.') => Some(name.clone()),
            _ => {
                let span = self.own_span(of.id);
                self.errors.push(CelError::new(span, "an iteration variable must be a simple name"));
                None
            }
        }
    }

    fn function(
        &mut self,
        name: &str,
        target: Option<&IdedExpr>,
        args: &[IdedExpr],
        span: &Range<usize>,
    ) -> Kind {
        let target_expr = target.map(|t| {
            // A namespace is no variable: errors about it would mislead.
            self.expr(t)
        });
        let space = target_expr.as_ref().and_then(Expr::qualified).map(|names| names.join("."));
        let full = space.map(|space| format!("{space}.{name}"));
        let global = full.as_deref().or(if target.is_none() { Some(name) } else { None });
        let wanted = |style: Style, spelled: &str| match (style, target.is_some()) {
            (Style::Operator | Style::Global, _) => global == Some(spelled),
            (Style::Both, false) => name == spelled,
            (Style::Both | Style::Method, true) => name == spelled,
            (Style::Method, false) => false,
        };
        let is_namespaced = |spelled: &str| full.as_deref() == Some(spelled);
        let mut found = Function::TABLE
            .iter()
            .filter(|(_, style, spelled, ..)| wanted(*style, spelled))
            .collect::<Vec<_>>();
        found.sort_by_key(|(_, _, spelled, ..)| !is_namespaced(spelled));
        let Some((function, _, spelled, least, most)) = found.first().copied().copied() else {
            return unknown_function(name, full.as_deref(), target.is_some());
        };
        let mut all: Vec<Expr> = Vec::new();
        if !is_namespaced(spelled) {
            all.extend(target_expr);
        }
        all.extend(args.iter().map(|arg| self.expr(arg)));
        if all.len() < least || all.len() > most {
            let receiver = usize::from(target.is_some() && !is_namespaced(spelled));
            let (least, most) = (least.saturating_sub(receiver), most.saturating_sub(receiver));
            let message = arity(spelled, least, most, all.len().saturating_sub(receiver));
            return self.fail(CelError::new(self.name_span(name, span), message));
        }
        Kind::Call(function, all)
    }
}

fn constant(literal: &LiteralValue) -> Constant {
    match literal {
        LiteralValue::Null => Constant::Null,
        LiteralValue::Boolean(b) => Constant::Bool(*b.inner()),
        LiteralValue::Int(i) => Constant::Int(*i.inner()),
        LiteralValue::UInt(u) => Constant::Uint(*u.inner()),
        LiteralValue::Double(d) => Constant::Double(*d.inner()),
        LiteralValue::String(s) => Constant::String(s.inner().into()),
        LiteralValue::Bytes(b) => Constant::Bytes(b.inner().into()),
    }
}

/// From where the first part begins to where the last one ends: the parser only gives the operator's place.
fn extent(kind: &Kind, own: Range<usize>) -> Range<usize> {
    let mut parts: Vec<&Range<usize>> = Vec::new();
    match kind {
        Kind::Select(of, field) | Kind::OptSelect(of, field) => {
            return of.span.start..own.end.max(of.span.end + 1 + field.len());
        }
        Kind::Index(a, b) | Kind::OptIndex(a, b) => return a.span.start..(b.span.end + 1).max(own.end),
        Kind::And(a, b) | Kind::Or(a, b) => parts.extend([&a.span, &b.span]),
        Kind::Cond(a, b, c) => parts.extend([&a.span, &b.span, &c.span]),
        Kind::Call(_, args) => parts.extend(args.iter().map(|a| &a.span)),
        Kind::Fold { range, filter, transform, .. } => {
            parts.push(&range.span);
            parts.extend(filter.iter().chain(transform).map(|e| &e.span));
        }
        _ => {}
    }
    let start = parts.iter().map(|s| s.start).min().unwrap_or(own.start).min(own.start);
    let end = parts.iter().map(|s| s.end).max().unwrap_or(own.end).max(own.end);
    start..end
}
