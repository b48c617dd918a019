//! From parsed files to one policy set: names first, then everything that refers to them.

use std::ops::Range;
use std::sync::Arc;

use placet_cel::text::glob;
use placet_engine::PolicySet;
use placet_engine::policy::{PolicyFile, Tool};

use super::cel::{Compiled, Names, PoolBuilder, Ty, compile as compile_cel, did_you_mean};
use super::diagnostic::{Diagnostic, Severity, Source};
use super::head::{self, Head, ToolDecl};
use super::reader::{Fields, Reader};
use super::sections;
use super::yaml::{self, Node, Value};
use super::{Outcome, RuleSource, SourceMap, lint};

/// Layers when no file orders them.
const LAYERS: [&str; 3] = ["org", "team", "agent"];

/// A file whose head has been read.
struct Parsed {
    reader: Reader,
    root: Node,
    head: Head,
    layer: u32,
}

pub fn compile(sources: Vec<Source>) -> Outcome {
    let mut diagnostics = Vec::new();
    let mut parsed = Vec::new();
    for source in sources {
        let mut reader = Reader::new(Arc::new(source));
        match yaml::read(&reader.source.text.clone()) {
            Err(error) => reader.error("bad-yaml", &error.span, error.message, None),
            Ok(root) if is_tests(&root) => continue,
            Ok(root) => {
                if let Some(head) = head::head(&mut reader, &root) {
                    parsed.push(Parsed { reader, root, head, layer: 0 });
                    continue;
                }
            }
        }
        diagnostics.extend(reader.found);
    }
    let mut set = PolicySet { layers: layers(&mut parsed), ..PolicySet::default() };
    parsed.sort_by(|a, b| {
        (a.layer, &a.head.name, &a.reader.source.name).cmp(&(b.layer, &b.head.name, &b.reader.source.name))
    });
    set.tenants = parsed.iter().filter_map(|p| p.head.tenants.clone()).reduce(|mut a, b| {
        a.extend(b);
        a.sort();
        a.dedup();
        a
    });
    if let Some(bounds) = parsed.iter().find_map(|p| p.head.bounds.clone()) {
        set.bounds = bounds;
    }
    for file in &parsed {
        set.files.push(PolicyFile {
            name: file.head.name.clone(),
            layer: file.layer,
            applies: file.head.applies.clone(),
            default_deny: file.layer == 0 || file.head.default.as_ref().is_some_and(|(deny, _)| *deny),
            shadow: file.head.shadow,
        });
    }
    let mut builder = Builder {
        set,
        map: SourceMap::default(),
        pool: PoolBuilder::default(),
        catalogue: Vec::new(),
        asked: Vec::new(),
    };
    builder.catalogue(&mut parsed);
    let known: Vec<String> = builder.roles(&mut parsed);
    for (number, file) in (0_u32..).zip(&mut parsed) {
        let Parsed { reader, root, .. } = file;
        let Value::Map(fields) = &root.value else { continue };
        builder.set.actors.extend(head::actors(reader, fields, number, &known));
        sections::all(&mut builder, reader, fields, number);
    }
    builder.remembered(&mut parsed);
    builder.sort();
    {
        let mut readers: Vec<&mut Reader> = parsed.iter_mut().map(|p| &mut p.reader).collect();
        lint::lint(&builder, &mut readers);
    }
    diagnostics.extend(parsed.into_iter().flat_map(|p| p.reader.found));
    finish(builder, diagnostics)
}

fn finish(builder: Builder, mut diagnostics: Vec<Diagnostic>) -> Outcome {
    diagnostics.sort_by(|a, b| {
        (a.severity, &a.source.name, a.span.start, a.code).cmp(&(
            b.severity,
            &b.source.name,
            b.span.start,
            b.code,
        ))
    });
    diagnostics.dedup_by(|a, b| {
        (a.code, &a.span, &a.message, &a.source.name) == (b.code, &b.span, &b.message, &b.source.name)
    });
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let Builder { mut set, map, pool, .. } = builder;
    set.pool = pool.finish();
    let policy = (!failed && !set.files.is_empty()).then(|| (set.seal(), map));
    Outcome { policy, diagnostics }
}

/// Policy tests may lie beside policies.
fn is_tests(root: &Node) -> bool {
    matches!(&root.value, Value::Map(fields) if fields.iter().any(|(key, _)| key.text == "cases")
        && !fields.iter().any(|(key, _)| key.text == "policy"))
}

/// The order of the layers, and each file's place in it.
fn layers(parsed: &mut [Parsed]) -> Vec<String> {
    let ordered = parsed.iter().find_map(|p| p.head.layers.clone());
    let layers = ordered.unwrap_or_else(|| LAYERS.iter().map(|l| (*l).to_owned()).collect());
    for file in parsed {
        let Some((name, span)) = file.head.layer.clone() else { continue };
        match layers.iter().position(|layer| *layer == name) {
            Some(at) => file.layer = u32::try_from(at).unwrap_or(0),
            None => {
                let help = did_you_mean(&name, layers.iter().map(String::as_str)).or_else(|| {
                    Some(format!(
                        "the layers are {}; the root file may order others with `layers:`",
                        layers.join(", ")
                    ))
                });
                file.reader.error("unknown-layer", &span, format!("there is no layer `{name}`"), help);
            }
        }
        if let (0, Some((false, span))) = (file.layer, &file.head.default) {
            let help = Some("a root layer denies what it does not decide; remove `default`".to_owned());
            file.reader.error("bad-default", span, "the root layer has nothing to inherit from", help);
        }
    }
    layers
}

/// A policy set while it is being filled.
pub struct Builder {
    pub set: PolicySet,
    pub map: SourceMap,
    pub pool: PoolBuilder,
    /// Every tool of every file, with the type of its arguments.
    pub catalogue: Vec<(u32, ToolDecl)>,
    /// Names that conditions ask the session for: file, name, counted, place.
    pub asked: Vec<(u32, String, bool, Range<usize>)>,
}

impl Builder {
    fn catalogue(&mut self, parsed: &mut [Parsed]) {
        for (number, file) in (0_u32..).zip(parsed.iter_mut()) {
            let Parsed { reader, root, .. } = file;
            let Value::Map(fields) = &root.value else { continue };
            for decl in head::tools(reader, fields) {
                let twin = self
                    .catalogue
                    .iter()
                    .find(|(other, d)| d.name == decl.name && self.overlap(*other, number));
                if let Some((other, _)) = twin {
                    let place = self.set.files.get(*other as usize).map_or("", |f| f.name.as_str());
                    let message =
                        format!("the tool `{}` is described twice, here and in policy `{place}`", decl.name);
                    reader.error("duplicate-tool", &decl.span.clone(), message, None);
                }
                self.catalogue.push((number, decl));
            }
        }
        for at in 0..self.catalogue.len() {
            let Some((file, decl)) = self.catalogue.get(at) else { continue };
            let (file, scope, ty) = (*file, decl.scope.clone(), decl.args.clone());
            let mut tool = Tool {
                file,
                name: decl.name.clone(),
                effects: decl.effects.clone(),
                risk: decl.risk.clone(),
                data: decl.data.clone(),
                cost: decl.cost,
                scope: None,
            };
            if let (Some(node), Some(parsed)) = (scope, parsed.get_mut(file as usize)) {
                let args = ty.unwrap_or(Ty::Dyn);
                let compiled = self.expression(
                    &mut parsed.reader,
                    file,
                    &node,
                    &[args],
                    &[Ty::String],
                    "a tool's scope",
                );
                tool.scope = compiled.map(|c| c.program);
            }
            self.set.tools.push(tool);
        }
    }

    /// Whether one call can be subject to both files.
    fn overlap(&self, a: u32, b: u32) -> bool {
        let tenants = |n: u32| self.set.files.get(n as usize).map_or(&[][..], |f| &f.applies.tenants[..]);
        let (a, b) = (tenants(a), tenants(b));
        a.is_empty() || b.is_empty() || a.iter().any(|t| b.contains(t))
    }

    fn roles(&mut self, parsed: &mut [Parsed]) -> Vec<String> {
        for (number, file) in (0_u32..).zip(parsed) {
            if let Value::Map(fields) = &file.root.value {
                self.set.roles.extend(head::roles(&mut file.reader, fields, number));
            }
        }
        self.set.roles.iter().map(|role| role.name.clone()).collect()
    }

    /// The types of the arguments that a rule about these tools may see, one for each catalogued tool with a schema;
    /// a single unknown type when some tool has none.
    pub fn args_types(&self, file: u32, tools: &[String]) -> Vec<Ty> {
        let mut types: Vec<Ty> = Vec::new();
        for pattern in tools {
            let mut known = false;
            for (of, decl) in &self.catalogue {
                if self.overlap(*of, file) && glob::matches(&decl.name, pattern).unwrap_or(false) {
                    known = true;
                    match &decl.args {
                        Some(ty) if !types.contains(ty) => types.push(ty.clone()),
                        Some(_) => {}
                        None => return vec![Ty::Dyn],
                    }
                }
            }
            if !known {
                return vec![Ty::Dyn];
            }
        }
        if types.is_empty() { vec![Ty::Dyn] } else { types }
    }

    /// Compiles an expression for every type that `args` may have; it must be right for one of them.
    pub fn expression(
        &mut self,
        reader: &mut Reader,
        file: u32,
        node: &Node,
        args: &[Ty],
        expected: &[Ty],
        what: &str,
    ) -> Option<Compiled> {
        let text = match &node.value {
            Value::Str(text) => text.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => format!("{f:?}"),
            _ => {
                reader.expected(&format!("{what} (an expression)"), node);
                return None;
            }
        };
        let one = if let [one] = args { one.clone() } else { Ty::Dyn };
        if args.len() > 1 {
            let mut first = None;
            let right =
                args.iter().any(|ty| match super::cel::check(&text, &Names::Policy { args: ty.clone() }) {
                    Ok(_) => true,
                    Err(errors) => {
                        first.get_or_insert(errors);
                        false
                    }
                });
            if let (false, Some(errors)) = (right, first) {
                reader.cel(node, &text, errors);
                return None;
            }
        }
        match compile_cel(&text, &Names::Policy { args: one }, &mut self.pool) {
            Ok(compiled) => {
                if !expected.contains(&compiled.ty) && compiled.ty != Ty::Dyn {
                    let wanted: Vec<String> = expected.iter().map(Ty::name).collect();
                    let message =
                        format!("{what} must be {}, and this is {}", wanted.join(" or "), compiled.ty.name());
                    reader.error("type-error", &node.span, message, None);
                    return None;
                }
                for (name, counted, span) in &compiled.remembered {
                    let start = node.span.start + span.start;
                    let place = start.min(node.span.end)..(node.span.start + span.end + 1).min(node.span.end);
                    self.asked.push((file, name.clone(), *counted, place));
                }
                Some(compiled)
            }
            Err(errors) => {
                reader.cel(node, &text, errors);
                None
            }
        }
    }

    /// Names that are asked for must be remembered by something; those that are counted keep every event.
    fn remembered(&mut self, parsed: &mut [Parsed]) {
        let known: Vec<String> = self.set.remember.iter().map(|r| r.name.clone()).collect();
        for (file, name, counted, span) in std::mem::take(&mut self.asked) {
            if !known.contains(&name) {
                if let Some(parsed) = parsed.get_mut(file as usize) {
                    let help = did_you_mean(&name, known.iter().map(String::as_str))
                        .or_else(|| Some(format!("add `remember: [{{on: …, as: {name}}}]`")));
                    parsed.reader.error(
                        "unknown-memory",
                        &span,
                        format!("nothing is remembered as `{name}`"),
                        help,
                    );
                }
            }
            if counted {
                self.set.remember.iter_mut().filter(|r| r.name == name).for_each(|r| r.counted = true);
            }
        }
    }

    fn sort(&mut self) {
        let mut rules: Vec<_> = std::mem::take(&mut self.set.rules)
            .into_iter()
            .zip(std::mem::take(&mut self.map.rules))
            .collect::<Vec<(_, RuleSource)>>();
        rules.sort_by(|(a, _), (b, _)| (a.file, &a.id).cmp(&(b.file, &b.id)));
        (self.set.rules, self.map.rules) = rules.into_iter().unzip();
        self.set.limits.sort_by(|a, b| (a.file, &a.id).cmp(&(b.file, &b.id)));
        self.set.tools.sort_by(|a, b| (&a.name, a.file).cmp(&(&b.name, b.file)));
    }
}

/// The fields of a file's root.
pub type Root<'n> = Fields<'n>;
