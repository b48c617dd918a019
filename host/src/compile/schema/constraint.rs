//! Argument constraints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Names;

/// What an argument must be.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Constraint {
    Word(Word),
    All(Box<Kinds>),
}

/// `any` value, or an argument that must be `absent`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    Any,
    Absent,
}

/// Constraints that must all hold.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    any: Option<Value>,
    absent: Option<Value>,
    equals: Option<Value>,
    one_of: Option<Vec<Value>>,
    not_one_of: Option<Vec<Value>>,
    /// Least number
    min: Option<f64>,
    /// Greatest number
    max: Option<f64>,
    /// Least number of characters or elements
    min_length: Option<u64>,
    /// Greatest number of characters or elements
    max_length: Option<u64>,
    prefix: Option<String>,
    suffix: Option<String>,
    /// `*` stands for anything, `?` for one character
    glob: Option<String>,
    /// RE2 syntax; found anywhere in the text unless it says `^…$`
    regex: Option<String>,
    /// Part of a text, or an element of a list
    contains: Option<Value>,
    subset_of: Option<Vec<Value>>,
    /// What every element of a list must be
    each: Option<Box<Constraint>>,
    /// Networks that hold the address
    cidr: Option<Names>,
    email: Option<Email>,
    url: Option<Url>,
    path: Option<PathOf>,
    /// What an object must be: closed, unless `others: any`
    shape: Option<BTreeMap<String, Constraint>>,
    all: Option<Vec<Constraint>>,
    one: Option<Vec<Constraint>>,
    none: Option<Vec<Constraint>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Email {
    /// Domains, or `*.example.com`
    domains: Option<Names>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Url {
    schemes: Option<Names>,
    /// Hosts, or `*.example.com`
    hosts: Option<Names>,
    ports: Option<Vec<u16>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PathOf {
    /// Folders
    under: Names,
}
