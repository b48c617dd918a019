//! The values of the expression language.

use std::net::IpAddr;
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

/// Text: borrowed from the input or the program, or made during evaluation.
#[derive(Clone, Debug)]
pub enum Str<'a> {
    /// Borrowed
    Borrowed(&'a str),
    /// Shared
    Shared(Rc<str>),
}

impl Str<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Str::Borrowed(s) => s,
            Str::Shared(s) => s,
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
