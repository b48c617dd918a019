//! Rules filed under the constants that tell them apart.

use placet_cel::Value;
use placet_cel::program::Constant;
use serde::{Deserialize, Serialize};

use super::names::hash;

/// Where the value comes from that tells rules apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeySource {
    /// The call's tenant.
    Tenant,
    /// `Pool::paths[i]`
    Path(u32),
}

/// A scalar in a form in which equal values are equal: numbers by value across int, uint and double.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// A boolean
    Bool(bool),
    /// An integral number
    Int(i128),
    /// Text
    Str(&'a str),
}

impl<'a> Key<'a> {
    /// The key of a constant, if it can be one.
    pub fn of_constant(constant: &'a Constant) -> Option<Key<'a>> {
        match constant {
            Constant::Bool(b) => Some(Key::Bool(*b)),
            Constant::Int(i) => Some(Key::Int(i128::from(*i))),
            Constant::String(s) => Some(Key::Str(s)),
            _ => None,
        }
    }

    /// The key of a value: `None` when it equals no possible key.
    pub fn of_value(value: &'a Value<'_>) -> Option<Key<'a>> {
        match value {
            Value::Bool(b) => Some(Key::Bool(*b)),
            Value::Int(i) => Some(Key::Int(i128::from(*i))),
            Value::Uint(u) => Some(Key::Int(i128::from(*u))),
            // Beyond 2^64 no int constant can be equal, so the saturating cast cannot invent one.
            Value::Double(d) if d.fract() == 0.0 && !Key::is_many(value) => Some(Key::Int(*d as i128)),
            Value::Str(s) => Some(Key::Str(s.as_str())),
            _ => None,
        }
    }

    /// Whether the value may equal several constants that differ: CEL takes the double 2^63 for equal to every int
    /// that rounds to it.
    pub fn is_many(value: &Value<'_>) -> bool {
        const TWO_63: f64 = 9_223_372_036_854_775_808.0;
        matches!(value, Value::Double(d) if *d == TWO_63)
    }

    fn hash(&self) -> u64 {
        match self {
            Key::Bool(b) => u64::from(*b),
            Key::Int(i) => hash(&i.to_le_bytes()),
            Key::Str(s) => hash(s.as_bytes()),
        }
    }
}

/// Rules by the value of one source. A look-up may return rules of another key with the same hash: a rule that is
/// found is still evaluated in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keyed {
    /// Which value to look at.
    pub source: KeySource,
    /// `(hash, rule)`, sorted.
    table: Vec<(u64, u32)>,
    /// Every rule of the table: all of them are candidates when the value cannot be had.
    pub all: Vec<u32>,
}

impl Keyed {
    /// A table of `(key, rule)` pairs.
    pub fn new<'k>(source: KeySource, pairs: impl Iterator<Item = (Key<'k>, u32)>) -> Keyed {
        let mut table: Vec<(u64, u32)> = pairs.map(|(key, rule)| (key.hash(), rule)).collect();
        table.sort_unstable();
        table.dedup();
        let mut all: Vec<u32> = table.iter().map(|&(_, rule)| rule).collect();
        all.sort_unstable();
        all.dedup();
        Keyed { source, table, all }
    }

    /// The rules filed under this key.
    pub fn get(&self, key: &Key<'_>) -> impl Iterator<Item = u32> {
        let wanted = key.hash();
        let start = self.table.partition_point(|&(hash, _)| hash < wanted);
        self.table.iter().skip(start).take_while(move |&&(hash, _)| hash == wanted).map(|&(_, rule)| rule)
    }
}
