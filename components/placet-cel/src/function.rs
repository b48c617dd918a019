//! Functions and operators by number, and how expressions spell them.

use serde::{Deserialize, Serialize};

/// How a function is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// An operator; the name is the parser's (`_+_`).
    Operator,
    /// `name(a)`, the name possibly qualified: `math.abs(a)`
    Global,
    /// `a.name(b)`
    Method,
    /// `name(a)` or `a.name()`
    Both,
}

macro_rules! functions {
    ($($variant:ident $style:ident $name:literal $min:literal ..= $max:literal,)*) => {
        /// Every function the machine knows. Overloads are chosen by the operands' types at run time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the table below gives each one's name and arity")]
        pub enum Function { $($variant,)* }

        impl Function {
            /// `(function, style, name, least arguments, most arguments)`; a receiver counts as an argument.
            pub const TABLE: &'static [(Function, Style, &'static str, usize, usize)] =
                &[$((Function::$variant, Style::$style, $name, $min, $max),)*];

            /// How expressions spell it; operators as the parser names them.
            pub fn name(self) -> &'static str {
                match self { $(Function::$variant => $name,)* }
            }
        }
    };
}

functions! {
    Add Operator "_+_" 2..=2,
    Sub Operator "_-_" 2..=2,
    Mul Operator "_*_" 2..=2,
    Div Operator "_/_" 2..=2,
    Mod Operator "_%_" 2..=2,
    Neg Operator "-_" 1..=1,
    Not Operator "!_" 1..=1,
    Eq Operator "_==_" 2..=2,
    Ne Operator "_!=_" 2..=2,
    Lt Operator "_<_" 2..=2,
    Le Operator "_<=_" 2..=2,
    Gt Operator "_>_" 2..=2,
    Ge Operator "_>=_" 2..=2,
    In Operator "@in" 2..=2,
    ToBool Global "bool" 1..=1,
    ToBytes Global "bytes" 1..=1,
    ToDouble Global "double" 1..=1,
    ToDuration Global "duration" 1..=1,
    ToDyn Global "dyn" 1..=1,
    ToInt Global "int" 1..=1,
    ToString Global "string" 1..=1,
    ToTimestamp Global "timestamp" 1..=1,
    TypeOf Global "type" 1..=1,
    ToUint Global "uint" 1..=1,
    Size Both "size" 1..=1,
    Contains Method "contains" 2..=2,
    EndsWith Method "endsWith" 2..=2,
    StartsWith Method "startsWith" 2..=2,
    // The second argument is an int constant: the index of the automaton in the pool.
    Matches Both "matches" 2..=2,
    GetDate Method "getDate" 1..=2,
    GetDayOfMonth Method "getDayOfMonth" 1..=2,
    GetDayOfWeek Method "getDayOfWeek" 1..=2,
    GetDayOfYear Method "getDayOfYear" 1..=2,
    GetFullYear Method "getFullYear" 1..=2,
    GetHours Method "getHours" 1..=2,
    GetMilliseconds Method "getMilliseconds" 1..=2,
    GetMinutes Method "getMinutes" 1..=2,
    GetMonth Method "getMonth" 1..=2,
    GetSeconds Method "getSeconds" 1..=2,
    CharAt Method "charAt" 2..=2,
    Format Method "format" 2..=2,
    IndexOf Method "indexOf" 2..=3,
    Join Method "join" 1..=2,
    LastIndexOf Method "lastIndexOf" 2..=3,
    LowerAscii Method "lowerAscii" 1..=1,
    Replace Method "replace" 3..=4,
    Split Method "split" 2..=3,
    Substring Method "substring" 2..=3,
    Trim Method "trim" 1..=1,
    UpperAscii Method "upperAscii" 1..=1,
    // Strings and lists.
    Reverse Method "reverse" 1..=1,
    Quote Global "strings.quote" 1..=1,
    Greatest Global "math.greatest" 1..=64,
    Least Global "math.least" 1..=64,
    Ceil Global "math.ceil" 1..=1,
    Floor Global "math.floor" 1..=1,
    Round Global "math.round" 1..=1,
    Trunc Global "math.trunc" 1..=1,
    Abs Global "math.abs" 1..=1,
    Sign Global "math.sign" 1..=1,
    Sqrt Global "math.sqrt" 1..=1,
    IsNan Global "math.isNaN" 1..=1,
    IsInf Global "math.isInf" 1..=1,
    IsFinite Global "math.isFinite" 1..=1,
    BitAnd Global "math.bitAnd" 2..=2,
    BitOr Global "math.bitOr" 2..=2,
    BitXor Global "math.bitXor" 2..=2,
    BitNot Global "math.bitNot" 1..=1,
    ShiftLeft Global "math.bitShiftLeft" 2..=2,
    ShiftRight Global "math.bitShiftRight" 2..=2,
    Range Global "lists.range" 1..=1,
    Distinct Method "distinct" 1..=1,
    First Method "first" 1..=1,
    Flatten Method "flatten" 1..=2,
    Last Method "last" 1..=1,
    Slice Method "slice" 3..=3,
    Sort Method "sort" 1..=1,
    SetsContains Global "sets.contains" 2..=2,
    SetsEquivalent Global "sets.equivalent" 2..=2,
    SetsIntersects Global "sets.intersects" 2..=2,
    Base64Decode Global "base64.decode" 1..=1,
    Base64Encode Global "base64.encode" 1..=1,
    Ip Both "ip" 1..=1,
    IsIp Global "isIP" 1..=1,
    IpIsCanonical Global "ip.isCanonical" 1..=1,
    IpFamily Method "family" 1..=1,
    IsGlobalUnicast Method "isGlobalUnicast" 1..=1,
    IsLinkLocalMulticast Method "isLinkLocalMulticast" 1..=1,
    IsLinkLocalUnicast Method "isLinkLocalUnicast" 1..=1,
    IsLoopback Method "isLoopback" 1..=1,
    IsUnspecified Method "isUnspecified" 1..=1,
    Cidr Global "cidr" 1..=1,
    IsCidr Global "isCIDR" 1..=1,
    ContainsCidr Method "containsCIDR" 2..=2,
    ContainsIp Method "containsIP" 2..=2,
    Masked Method "masked" 1..=1,
    PrefixLength Method "prefixLength" 1..=1,
    OptionalNone Global "optional.none" 0..=0,
    OptionalOf Global "optional.of" 1..=1,
    OptionalOfNonZero Global "optional.ofNonZeroValue" 1..=1,
    OptionalUnwrap Global "optional.unwrap" 1..=1,
    UnwrapOpt Method "unwrapOpt" 1..=1,
    HasValue Method "hasValue" 1..=1,
    OptionalValue Method "value" 1..=1,
    OptionalOr Method "or" 2..=2,
    OptionalOrValue Method "orValue" 2..=2,
    // Ours. `email(s)` gives {local, domain}; `url(s)` gives {scheme, host, port, path, query}; `path(s)` gives the
    // normalised absolute path; `glob(text, pattern)` or `text.glob(pattern)` tells whether the text matches.
    Email Global "email" 1..=1,
    Url Global "url" 1..=1,
    NormalPath Global "path" 1..=1,
    Glob Both "glob" 2..=2,
    // Answered by the environment: `session.has(name[, key])`, `session.count(name[, key], window)`,
    // `session.last(name)`.
    SessionHas Global "session.has" 1..=2,
    SessionCount Global "session.count" 2..=3,
    SessionLast Global "session.last" 1..=1,
}
