//! The values of the expression language.

use core::net::IpAddr;
use std::borrow::Cow;
use std::rc::Rc;

use placet_model::Timestamp;

/// A value. Text borrows from the call where it can.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// A boolean
    Bool(bool),
    /// A signed 64-bit integer
    Int(i64),
    /// An unsigned 64-bit integer
    Uint(u64),
    /// A double
    Double(f64),
    /// Text
    Str(Str<'a>),
    /// Bytes
    Bytes(Rc<[u8]>),
    /// A list
    List(Rc<[Value<'a>]>),
    /// A map
    Map(Rc<Map<'a>>),
    /// A point in time, from 0001-01-01 to 9999-12-31
    Timestamp(Timestamp),
    /// A span of time in nanoseconds; magnitude at most that of CEL
    Duration(Duration),
    /// A type
    Type(Type),
    /// An optional value
    Optional(Option<Rc<Value<'a>>>),
    /// An IP address
    Ip(IpAddr),
    /// A network in CIDR notation
    Cidr(Cidr),
}

impl<'a> Value<'a> {
    /// Text that lives as long as the call or the policy.
    pub fn str(text: &'a str) -> Value<'a> {
        Value::Str(Str::Borrowed(text))
    }

    /// Text made during evaluation.
    pub fn string(text: impl Into<Rc<str>>) -> Value<'a> {
        Value::Str(Str::Shared(text.into()))
    }

    /// Bytes.
    pub fn bytes(bytes: impl Into<Rc<[u8]>>) -> Value<'a> {
        Value::Bytes(bytes.into())
    }

    /// A list.
    pub fn list(items: impl Into<Rc<[Value<'a>]>>) -> Value<'a> {
        Value::List(items.into())
    }

    /// A map; the caller sees to it that keys are bool, int, uint or string and unique under `==`.
    pub fn map(entries: Vec<(Value<'a>, Value<'a>)>) -> Value<'a> {
        Value::Map(Rc::new(Map { entries }))
    }

    /// An optional that has this value.
    pub fn some(value: Value<'a>) -> Value<'a> {
        Value::Optional(Some(Rc::new(value)))
    }

    /// An optional without a value.
    pub fn none() -> Value<'a> {
        Value::Optional(None)
    }

    /// A duration of this many nanoseconds.
    pub fn duration(nanos: i128) -> Value<'a> {
        Value::Duration(Duration { nanos })
    }

    /// The text, when it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s.as_str()),
            _ => None,
        }
    }

    /// The truth, when it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Its type, as `type()` gives it.
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Double(_) => Type::Double,
            Value::Str(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::List(_) => Type::List,
            Value::Map(_) => Type::Map,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::Type(_) => Type::Type,
            Value::Optional(_) => Type::Optional,
            Value::Ip(_) => Type::Ip,
            Value::Cidr(_) => Type::Cidr,
        }
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Value<'a> {
        match text {
            Cow::Borrowed(text) => Value::str(text),
            Cow::Owned(text) => Value::string(text),
        }
    }
}

/// Text: borrowed from the input or the program, or made during evaluation.
#[derive(Clone, Debug)]
pub enum Str<'a> {
    /// Borrowed
    Borrowed(&'a str),
    /// Shared
    Shared(Rc<str>),
}

impl<'a> Str<'a> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Str::Borrowed(s) => s,
            Str::Shared(s) => s,
        }
    }

    /// A part of the text, by bytes at character boundaries (else empty); without a copy where it is borrowed.
    pub(crate) fn part(&self, from: usize, to: usize) -> Str<'a> {
        match self {
            Str::Borrowed(s) => Str::Borrowed(s.get(from..to).unwrap_or_default()),
            Str::Shared(s) => Str::Shared(s.get(from..to).unwrap_or_default().into()),
        }
    }
}

/// A map: entries in insertion order, keys unique under CEL's cross-type numeric equality.
#[derive(Clone, Debug, Default)]
pub struct Map<'a> {
    /// Keys are bool, int, uint or string.
    pub entries: Vec<(Value<'a>, Value<'a>)>,
}

/// A span of time: nanoseconds, negative or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Total nanoseconds; a CEL duration is within ±315,576,000,000 seconds (the conformance suite narrows this to
    /// what an int64 of nanoseconds can hold where it says so).
    pub nanos: i128,
}

/// An IP network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address as written; host bits may be set.
    pub addr: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
}

/// The types that `type()` returns and that type names denote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Type {
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint`
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `list`
    List,
    /// `map`
    Map,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `google.protobuf.Duration`
    Duration,
    /// `type`
    Type,
    /// `optional_type`
    Optional,
    /// `net.IP`
    Ip,
    /// `net.CIDR`
    Cidr,
}

impl Type {
    const NAMES: &'static [(Type, &'static str)] = &[
        (Type::Null, "null_type"),
        (Type::Bool, "bool"),
        (Type::Int, "int"),
        (Type::Uint, "uint"),
        (Type::Double, "double"),
        (Type::String, "string"),
        (Type::Bytes, "bytes"),
        (Type::List, "list"),
        (Type::Map, "map"),
        (Type::Timestamp, "google.protobuf.Timestamp"),
        (Type::Duration, "google.protobuf.Duration"),
        (Type::Type, "type"),
        (Type::Optional, "optional_type"),
        (Type::Ip, "net.IP"),
        (Type::Cidr, "net.CIDR"),
    ];

    /// How expressions name it.
    pub fn name(self) -> &'static str {
        Type::NAMES.iter().find(|(t, _)| *t == self).map_or("unknown", |(_, name)| name)
    }

    /// The type that expressions name so.
    pub fn from_name(name: &str) -> Option<Type> {
        Type::NAMES.iter().find(|(_, n)| *n == name).map(|(t, _)| *t)
    }
}
