//! Expressions as trees, with macros recognised and functions resolved.

use std::ops::Range;

use placet_cel::Function;
use placet_cel::program::{Constant, Fold};

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Bytes of the source.
    pub span: Range<usize>,
}

/// Kinds of expressions.
#[derive(Clone, Debug)]
pub enum Kind {
    Literal(Constant),
    Ident(String),
    Select(Box<Expr>, String),
    Has(Box<Expr>, String),
    OptSelect(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    OptIndex(Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
    List(Vec<(Expr, bool)>),
    Map(Vec<(Expr, Expr, bool)>),
    Bind {
        name: String,
        init: Box<Expr>,
        body: Box<Expr>,
    },
    Fold {
        kind: Fold,
        range: Box<Expr>,
        vars: Vec<String>,
        filter: Option<Box<Expr>>,
        transform: Option<Box<Expr>>,
    },
    /// A function that does not exist: an error in a policy, an evaluation error in `placet eval`.
    Unknown {
        message: String,
        help: Option<String>,
    },
    OptMap {
        of: Box<Expr>,
        var: String,
        transform: Box<Expr>,
        flat: bool,
    },
}

impl Expr {
    /// The names of `a.b.c`, outermost first, when it is nothing else.
    pub fn qualified(&self) -> Option<Vec<&str>> {
        match &self.kind {
            Kind::Ident(name) => Some(vec![name]),
            Kind::Select(of, field) => {
                let mut names = of.qualified()?;
                names.push(field);
                Some(names)
            }
            _ => None,
        }
    }
}
