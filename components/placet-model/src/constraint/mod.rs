//! Argument constraints: one set for rules, grants and intents.

use serde::{Deserialize, Serialize};

use crate::json::Number;

/// A constant to compare with. Strings are in Unicode NFC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Literal {
    /// `null`
    Null,
    /// A boolean
    Bool(bool),
    /// A number, compared by value
    Number(Number),
    /// A string in NFC
    String(String),
    /// A list, compared element by element
    List(Vec<Literal>),
    /// An object, compared as a set of members; sorted by name
    Map(Vec<(String, Literal)>),
}

/// What an argument must be. A closed world: see [`Shape`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Constraint {
    /// Any value, but present.
    Any,
    /// Not there.
    Absent,
    /// Equal to this.
    Equals(Literal),
    /// Equal to one of these.
    OneOf(Vec<Literal>),
    /// Present and equal to none of these.
    NotOneOf(Vec<Literal>),
    /// A number not below this.
    Min(Number),
    /// A number not above this.
    Max(Number),
    /// A string of at least so many characters, or a list of at least so many elements.
    MinLength(u64),
    /// A string of at most so many characters, or a list of at most so many elements.
    MaxLength(u64),
    /// A string that begins so.
    Prefix(String),
    /// A string that ends so.
    Suffix(String),
    /// A string that matches this glob (`*` any run of characters, `?` one character, `\` takes the next literally).
    Glob(String),
    /// A string in which this RE2 pattern is found, as CEL's `matches` does.
    Regex {
        /// The pattern as written.
        pattern: String,
        /// Index of the compiled automaton in the policy's pool.
        automaton: u32,
    },
    /// A list with this element, or a string with this part.
    Contains(Literal),
    /// A list whose elements are all among these.
    SubsetOf(Vec<Literal>),
    /// A list of which every element satisfies this.
    Each(Box<Constraint>),
    /// A string that is an IP address in one of these networks (`10.0.0.0/8`, `2001:db8::/32`).
    Cidr(Vec<String>),
    /// An e-mail address (one mailbox, addr-spec of RFC 5322 without quoting) in one of these domains; a domain
    /// written `*.example.com` stands for its sub-domains. Empty: any domain.
    Email {
        /// Lower-case ASCII domains after IDNA.
        domains: Vec<String>,
    },
    /// A URL as the WHATWG standard reads it, without user information. Empty lists accept anything.
    Url {
        /// Lower-case schemes.
        schemes: Vec<String>,
        /// Lower-case ASCII hosts after IDNA; `*.example.com` stands for sub-domains.
        hosts: Vec<String>,
        /// Ports, the scheme's default included.
        ports: Vec<u16>,
    },
    /// An absolute path that stays under one of these after `.`, `..` and percent-encoding are resolved.
    Path {
        /// Normalised absolute directories.
        under: Vec<String>,
    },
    /// An object with these members.
    Shape(Shape),
    /// All of these.
    All(Vec<Constraint>),
    /// At least one of these.
    One(Vec<Constraint>),
    /// Present, and none of these.
    None(Vec<Constraint>),
}

/// The members of an object, closed-world: a member that is not named makes it not match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Sorted by name.
    pub fields: Vec<(String, Constraint)>,
    /// `others: any`: members that are not named do not matter.
    pub others: bool,
}
