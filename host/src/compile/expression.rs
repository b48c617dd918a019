//! Expressions of policies: compiled for the types that `args` may have, at the stage they are for.

use placet_cel::Root;
use placet_cel::text::glob;
use placet_model::Stage;

use super::cel::{Compiled, Names, Ty, check, compile};
use super::decode::Builder;
use super::reader::Reader;
use super::yaml::{Node, Value};

/// What an expression is about.
#[derive(Clone, Copy)]
pub struct Place<'t> {
    /// The number of its file.
    pub file: u32,
    /// The types that `args` may have.
    pub args: &'t [Ty],
    /// When it is evaluated, as far as that is known.
    pub stage: Option<Stage>,
}

impl Builder {
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
        place: Place<'_>,
        node: &Node,
        expected: &[Ty],
        what: &str,
    ) -> Option<Compiled> {
        let Place { file, args, stage } = place;
        let text = match &node.value {
            Value::Str(text) => text.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Uint(u) => format!("{u}u"),
            Value::Float(f) => format!("{f:?}"),
            _ => {
                let message = format!("{what} is an expression, and this is {}", node.value.kind());
                let help = match node.value {
                    Value::Null => "write one, or leave the field out",
                    _ => "write it as text, in quotes if it begins with `[` or `{`",
                };
                reader.error("wrong-type", &node.span, message, Some(help.to_owned()));
                return None;
            }
        };
        let one = if let [one] = args { one.clone() } else { Ty::Dyn };
        if args.len() > 1 {
            let mut first = None;
            let right = args.iter().any(|ty| match check(&text, &Names::Policy { args: ty.clone() }) {
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
        match compile(&text, &Names::Policy { args: one }, &mut self.pool) {
            Ok(compiled) => {
                if !expected.contains(&compiled.ty) && compiled.ty != Ty::Dyn {
                    let wanted = wanted(expected);
                    let message = format!("{what} must be {wanted}, and this is {}", compiled.ty.name());
                    reader.error("type-error", &node.span, message, None);
                    return None;
                }
                for (name, counted, span) in &compiled.remembered {
                    let place = node.place(&reader.source.text, &text, span);
                    self.asked.push((file, name.clone(), *counted, place));
                }
                out_of_stage(reader, node, &text, &compiled, stage).then_some(compiled)
            }
            Err(errors) => {
                reader.cel(node, &text, errors);
                None
            }
        }
    }
}

/// Types of what is expected, in words.
fn wanted(expected: &[Ty]) -> String {
    let is = |ty: &Ty| expected.contains(ty);
    let mut words = Vec::new();
    if is(&Ty::Double) {
        words.push("a number".to_owned());
    }
    let number = |ty: &&Ty| !matches!(ty, Ty::Int | Ty::Uint | Ty::Double);
    words.extend(expected.iter().filter(number).map(Ty::name));
    words.join(" or ")
}

/// Reports variables that do not exist at the stage at which the expression is evaluated. `true`: there are none.
fn out_of_stage(
    reader: &mut Reader,
    node: &Node,
    text: &str,
    compiled: &Compiled,
    stage: Option<Stage>,
) -> bool {
    let Some(stage) = stage else { return true };
    let mut right = true;
    for (root, span) in &compiled.roots {
        let (name, there) = match root {
            Root::Result => ("result", stage == Stage::Result),
            Root::Content => ("content", stage != Stage::Call),
            _ => continue,
        };
        if !there {
            let message = match stage {
                Stage::Call => format!("there is no `{name}` before the call"),
                _ => format!("there is no `{name}` at this stage"),
            };
            let help = if name == "result" {
                "write `stage: result` for what is decided after the call"
            } else {
                "write `stage: result` or `stage: prompt` for what inspects content"
            };
            let span = node.place(&reader.source.text, text, span);
            reader.error("not-at-this-stage", &span, message, Some(help.to_owned()));
            right = false;
        }
    }
    right
}
