//! CEL text to the compiled form: parse, resolve, check types, fold constants, lower.

mod ast;
mod fold;
mod functions;
mod lower;
mod overloads;
mod parse;
mod pool;
mod regex;
pub mod schema;
mod syntax;
pub mod types;

use std::collections::BTreeMap;
use std::ops::Range;

use placet_cel::program::Constant;
use placet_cel::{Path, Program, Root};

pub use pool::PoolBuilder;
pub use regex::{RegexError, anchored, automaton};
pub use types::Ty;

/// What is wrong with an expression. `span` is in bytes of the expression's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CelError {
    /// Where.
    pub span: Range<usize>,
    /// What: lower case, no full stop, names in backticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The text ends before the expression does.
    pub unfinished: bool,
}

impl CelError {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> CelError {
        CelError { span, message: message.into(), help: None, unfinished: false }
    }

    pub(crate) fn help(mut self, help: Option<String>) -> CelError {
        self.help = help;
        self
    }
}

/// The names that an expression may use.
#[derive(Clone, Debug)]
pub enum Names {
    /// The fixed variables of policies; `args` has this type.
    Policy {
        /// The type of `args`.
        args: Ty,
    },
    /// Variables of `placet eval`, by name; types are not checked.
    Free(BTreeMap<String, u32>),
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The flat form.
    pub program: Program,
    /// Its type, as far as it is known.
    pub ty: Ty,
    /// Top-level `&&` conjuncts of the form `path == constant` or `path in [constants]`.
    pub equalities: Vec<(Path, Vec<Constant>)>,
    /// Names that are asked for by `session.has`, `session.count` and `session.last`, and whether they are counted.
    pub remembered: Vec<(String, bool, Range<usize>)>,
    /// The variables it reads, and where.
    pub roots: Vec<(Root, Range<usize>)>,
    /// The value, when it is constant.
    pub constant: Option<Constant>,
}

/// Longest expression in bytes.
const MAX_LENGTH: usize = 64 << 10;

/// Compiles an expression.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(source: &str, names: &Names, pool: &mut PoolBuilder) -> Result<Compiled, Vec<CelError>> {
    if source.len() > MAX_LENGTH {
        let message = format!("the expression is longer than {MAX_LENGTH} bytes");
        return Err(vec![CelError::new(0..source.len().min(40), message)]);
    }
    let expr = parse::parse(source)?;
    lower::lower(&expr, names, pool)
}

/// Checks an expression against further types of `args`, without compiling it again.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(source: &str, names: &Names) -> Result<Ty, Vec<CelError>> {
    compile(source, names, &mut PoolBuilder::default()).map(|compiled| compiled.ty)
}

/// The nearest of some names, when it is near enough to be a slip.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // One slip; two in a long name. More would suggest what is not meant.
    let most = match name.chars().count() {
        0..=2 => 0,
        3..=11 => 1,
        _ => 2,
    };
    names
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?"
pub(crate) fn did_you_mean<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest(name, names).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests;
