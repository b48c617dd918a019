//! Static types of expressions.

use std::collections::BTreeMap;
use std::rc::Rc;

use placet_cel::Root;

/// What is known of an expression's value before it is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    /// Nothing.
    Dyn,
    /// `null`
    Null,
    /// A boolean
    Bool,
    /// A signed integer
    Int,
    /// An unsigned integer
    Uint,
    /// A double
    Double,
    /// Text
    String,
    /// Bytes
    Bytes,
    /// A list of these
    List(Box<Ty>),
    /// A map from strings (or anything, for literals) to these
    Map(Box<Ty>),
    /// An object with declared fields
    Object(Rc<Object>),
    /// A point in time
    Timestamp,
    /// A span of time
    Duration,
    /// A type
    Type,
    /// An optional
    Optional(Box<Ty>),
    /// An IP address
    Ip,
    /// A network
    Cidr,
}

/// An object with declared fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// What it is called in messages.
    pub name: String,
    /// Fields by name.
    pub fields: BTreeMap<String, Ty>,
    /// Other fields are possible.
    pub open: bool,
}

impl Ty {
    /// Words for messages.
    pub fn name(&self) -> String {
        let name = match self {
            Ty::Dyn => "any value",
            Ty::Null => "null",
            Ty::Bool => "true or false",
            Ty::Int => "a whole number",
            Ty::Uint => "an unsigned whole number",
            Ty::Double => "a number",
            Ty::String => "a string",
            Ty::Bytes => "bytes",
            Ty::List(of) => return format!("a list{}", of.plural()),
            Ty::Map(_) | Ty::Object(_) => "a map",
            Ty::Timestamp => "a timestamp",
            Ty::Duration => "a duration",
            Ty::Type => "a type",
            Ty::Optional(of) if **of == Ty::Dyn => "an optional value",
            Ty::Optional(of) => return format!("{}, or nothing", of.name()),
            Ty::Ip => "an IP address",
            Ty::Cidr => "a network",
        };
        name.to_owned()
    }

    /// Several of them, after `a list`.
    fn plural(&self) -> String {
        let name = match self {
            Ty::Null => "nulls",
            Ty::Bool => "booleans",
            Ty::Int => "whole numbers",
            Ty::Uint => "unsigned whole numbers",
            Ty::Double => "numbers",
            Ty::String => "strings",
            Ty::List(of) => return format!(" of lists{}", of.plural()),
            Ty::Map(_) | Ty::Object(_) => "maps",
            Ty::Timestamp => "timestamps",
            Ty::Duration => "durations",
            Ty::Type => "types",
            Ty::Ip => "IP addresses",
            Ty::Cidr => "networks",
            Ty::Dyn | Ty::Bytes | Ty::Optional(_) => return String::new(),
        };
        format!(" of {name}")
    }

    /// An int, uint or double, or unknown.
    pub fn may_be_number(&self) -> bool {
        matches!(self, Ty::Dyn | Ty::Int | Ty::Uint | Ty::Double)
    }

    /// Whether values of both types can be equal at all.
    pub fn comparable(&self, other: &Ty) -> bool {
        match (self, other) {
            (Ty::Dyn, _) | (_, Ty::Dyn) | (Ty::Null, _) | (_, Ty::Null) => true,
            (a, b) if a.may_be_number() && b.may_be_number() => true,
            (Ty::List(a), Ty::List(b)) | (Ty::Map(a), Ty::Map(b)) | (Ty::Optional(a), Ty::Optional(b)) => {
                a.comparable(b)
            }
            (Ty::Map(_) | Ty::Object(_), Ty::Map(_) | Ty::Object(_)) => true,
            (a, b) => a == b,
        }
    }

    /// The type of either.
    pub fn join(self, other: Ty) -> Ty {
        if self == other { self } else { Ty::Dyn }
    }
}

fn object(name: &str, fields: &[(&str, Ty)]) -> Ty {
    let fields = fields.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    Ty::Object(Rc::new(Object { name: name.to_owned(), fields, open: false }))
}

/// The fixed variables: name, root and type.
pub fn variables(args: &Ty) -> Vec<(&'static str, Root, Ty)> {
    let strings = || Ty::List(Box::new(Ty::String));
    let attrs = || Ty::Map(Box::new(Ty::Dyn));
    let tool = [
        ("name", Ty::String),
        ("effects", strings()),
        ("risk", Ty::String),
        ("data", strings()),
        ("cost", Ty::Double),
        ("scope", Ty::String),
    ];
    let agent = [("id", Ty::String), ("roles", strings()), ("attrs", attrs())];
    let user = [("id", Ty::String), ("roles", strings()), ("scopes", strings()), ("attrs", attrs())];
    let resource = [("type", Ty::String), ("id", Ty::String), ("attrs", attrs())];
    vec![
        ("tool", Root::Tool, object("tool", &tool)),
        ("args", Root::Args, args.clone()),
        ("agent", Root::Agent, object("agent", &agent)),
        ("user", Root::User, object("user", &user)),
        ("chain", Root::Chain, strings()),
        ("tenant", Root::Tenant, Ty::String),
        ("project", Root::Project, Ty::String),
        ("env", Root::Env, Ty::String),
        ("session", Root::Session, object("session", &[("id", Ty::String)])),
        ("resource", Root::Resource, object("resource", &resource)),
        ("now", Root::Now, Ty::Timestamp),
        ("intent", Root::Intent, Ty::Dyn),
        ("grant", Root::Grant, Ty::Dyn),
        ("approval", Root::Approval, Ty::Dyn),
        ("content", Root::Content, Ty::Dyn),
        ("result", Root::Result, Ty::Dyn),
    ]
}
