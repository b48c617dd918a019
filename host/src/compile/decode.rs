//! From parsed files to one policy set: names first, then everything that refers to them.

use std::ops::Range;
use std::sync::Arc;

use placet_engine::PolicySet;
use placet_engine::policy::{PolicyFile, Tool};
use placet_model::Stage;

use super::cel::{PoolBuilder, Ty, did_you_mean};
use super::diagnostic::{Diagnostic, Severity, Source};
use super::expression::Place;
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
            Err(error) => reader.error("bad-yaml", &error.span, error.message, error.help),
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
    shared(&mut set, &parsed);
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
    unknown_tenants(&builder.set, &mut parsed);
    builder.sort();
    // Of a policy with mistakes, warnings about the whole would mislead.
    if !diagnostics.iter().chain(parsed.iter().flat_map(|p| &p.reader.found)).any(is_error) {
        let mut readers: Vec<&mut Reader> = parsed.iter_mut().map(|p| &mut p.reader).collect();
        lint::lint(&builder, &mut readers);
    }
    diagnostics.extend(parsed.into_iter().flat_map(|p| p.reader.found));
    finish(builder, diagnostics)
}

/// Selectors may only name tenants that there are, when a root file lists them.
fn unknown_tenants(set: &PolicySet, parsed: &mut [Parsed]) {
    let Some(known) = &set.tenants else { return };
    for file in parsed {
        for (name, span) in std::mem::take(&mut file.reader.tenants) {
            if !known.contains(&name) {
                let help = did_you_mean(&name, known.iter().map(String::as_str))
                    .or_else(|| Some(format!("the tenants are {}", known.join(", "))));
                file.reader.error("unknown-tenant", &span, format!("there is no tenant `{name}`"), help);
            }
        }
    }
}

/// What the set takes from the files' heads.
fn shared(set: &mut PolicySet, parsed: &[Parsed]) {
    set.tenants = parsed.iter().filter_map(|p| p.head.tenants.clone()).reduce(|mut a, b| {
        a.extend(b);
        a.sort();
        a.dedup();
        a
    });
    if let Some(bounds) = parsed.iter().find_map(|p| p.head.bounds.clone()) {
        set.bounds = bounds;
    }
    for file in parsed {
        set.files.push(PolicyFile {
            name: file.head.name.clone(),
            layer: file.layer,
            applies: file.head.applies.clone(),
            default_deny: file.layer == 0 || file.head.default.as_ref().is_some_and(|(deny, _)| *deny),
            shadow: file.head.shadow,
        });
    }
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
    let failed = diagnostics.iter().any(is_error);
    let Builder { mut set, map, pool, .. } = builder;
    set.pool = pool.finish();
    let policy = (!failed && !set.files.is_empty()).then(|| (set.seal(), map));
    Outcome { policy, diagnostics }
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

/// Policy tests may lie beside policies.
fn is_tests(root: &Node) -> bool {
    matches!(&root.value, Value::Map(fields) if fields.iter().any(|(key, _)| key.text == "cases")
        && !fields.iter().any(|(key, _)| key.text == "policy"))
}

/// The order of the layers, and each file's place in it.
fn layers(parsed: &mut [Parsed]) -> Vec<String> {
    let ordered = parsed.iter().find_map(|p| p.head.layers.clone());
    for file in parsed.iter_mut().filter(|p| p.head.layers.is_some() && p.head.layers != ordered) {
        let Value::Map(fields) = &file.root.value else { continue };
        if let Some((key, _)) = fields.iter().find(|(key, _)| key.text == "layers") {
            let help = Some("keep `layers` in one file of the root layer".to_owned());
            file.reader.error("layers-twice", &key.span, "another file orders the layers differently", help);
        }
    }
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
                let place = Place { file, args: &[args], stage: Some(Stage::Call) };
                let compiled =
                    self.expression(&mut parsed.reader, place, &node, &[Ty::String], "a tool's scope");
                tool.scope = compiled.map(|c| c.program);
            }
            self.set.tools.push(tool);
        }
    }

    /// Whether one call can be subject to both files.
    pub(super) fn overlap(&self, a: u32, b: u32) -> bool {
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

    /// Names that are asked for must be remembered by something; those that are counted keep every event.
    /// What a layer asks for must not be remembered by one below: that could lift what the layer denies.
    fn remembered_above(&self, parsed: &mut [Parsed], file: u32, name: &str, span: &Range<usize>) {
        let layer = |n: u32| self.set.files.get(n as usize).map_or(0, |f| f.layer);
        let below = self
            .set
            .remember
            .iter()
            .find(|of| of.name == name && layer(of.file) > layer(file) && self.overlap(of.file, file));
        let place = |n: u32| self.set.files.get(n as usize).map_or("", |f| f.name.as_str()).to_owned();
        if let (Some(below), Some(asking)) = (below, parsed.get_mut(file as usize)) {
            let message =
                format!("`{name}` is remembered by policy `{}` of a layer below", place(below.file));
            let help = "a lower layer must not decide what this one knows: give its memory another name, or \
                        remember it in this layer or above";
            asking.reader.error("memory-from-below", span, message, Some(help.to_owned()));
        }
    }

    fn remembered(&mut self, parsed: &mut [Parsed]) {
        let known: Vec<String> = self.set.remember.iter().map(|r| r.name.clone()).collect();
        for (file, name, counted, span) in std::mem::take(&mut self.asked) {
            if !known.contains(&name)
                && let Some(parsed) = parsed.get_mut(file as usize)
            {
                let help = did_you_mean(&name, known.iter().map(String::as_str))
                    .or_else(|| Some(format!("add `remember: [{{on: …, as: {name}}}]`")));
                let message = format!("nothing is remembered as `{name}`");
                parsed.reader.error("unknown-memory", &span, message, help);
            }
            self.remembered_above(&mut parsed[..], file, &name, &span);
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
