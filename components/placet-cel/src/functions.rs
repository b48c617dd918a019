//! The functions on values. Overloads are chosen by the types of the arguments; each module holds one library.

mod convert;
mod encoders;
mod format;
pub(crate) mod lists;
mod math;
mod network;
mod operators;
mod optional;
mod ours;
mod sets;
mod strings;
mod time;

use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::pool::OpenPool;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// Applies a function to its arguments, the receiver first.
pub(crate) fn call<'a>(
    function: Function,
    args: &[Value<'a>],
    pool: &'a OpenPool,
    budget: &mut Budget,
) -> Outcome<'a> {
    use Function as F;
    match function {
        F::Add | F::Sub | F::Mul | F::Div | F::Mod | F::Neg | F::Not => {
            operators::arithmetic(function, args, budget)
        }
        F::Eq | F::Ne | F::Lt | F::Le | F::Gt | F::Ge | F::In => operators::relation(function, args, budget),
        F::ToBool | F::ToBytes | F::ToDouble | F::ToDuration | F::ToDyn | F::ToInt | F::ToString => {
            convert::call(function, args, budget)
        }
        F::ToTimestamp | F::TypeOf | F::ToUint => convert::call(function, args, budget),
        F::Size | F::Contains | F::EndsWith | F::StartsWith | F::CharAt | F::IndexOf | F::LastIndexOf => {
            strings::search(function, args, budget)
        }
        F::Matches => strings::matches(args, pool, budget),
        F::Format => format::call(args, budget),
        F::Join
        | F::LowerAscii
        | F::Replace
        | F::Split
        | F::Substring
        | F::Trim
        | F::UpperAscii
        | F::Quote => strings::make(function, args, budget),
        F::GetDate | F::GetDayOfMonth | F::GetDayOfWeek | F::GetDayOfYear | F::GetFullYear => {
            time::accessor(function, args, pool)
        }
        F::GetHours | F::GetMilliseconds | F::GetMinutes | F::GetMonth | F::GetSeconds => {
            time::accessor(function, args, pool)
        }
        F::Greatest | F::Least => math::extreme(function, args, budget),
        F::Ceil | F::Floor | F::Round | F::Trunc | F::IsNan | F::IsInf | F::IsFinite => {
            math::double(function, args)
        }
        F::Abs | F::Sign | F::Sqrt => math::number(function, args),
        F::BitAnd | F::BitOr | F::BitXor | F::BitNot | F::ShiftLeft | F::ShiftRight => {
            math::bits(function, args)
        }
        F::Range | F::Distinct | F::First | F::Flatten | F::Last | F::Slice | F::Sort | F::Reverse => {
            lists::call(function, args, budget)
        }
        F::SetsContains | F::SetsEquivalent | F::SetsIntersects => sets::call(function, args, budget),
        F::Base64Decode | F::Base64Encode => encoders::call(function, args, budget),
        F::Ip | F::IsIp | F::IpIsCanonical | F::IpFamily | F::Cidr | F::IsCidr => {
            network::parse(function, args)
        }
        F::IsGlobalUnicast
        | F::IsLinkLocalMulticast
        | F::IsLinkLocalUnicast
        | F::IsLoopback
        | F::IsUnspecified => network::is_kind(function, args),
        F::ContainsCidr | F::ContainsIp | F::Masked | F::PrefixLength => network::cidr(function, args),
        F::OptionalNone | F::OptionalOf | F::OptionalOfNonZero | F::OptionalUnwrap | F::UnwrapOpt => {
            optional::call(function, args, budget)
        }
        F::HasValue | F::OptionalValue | F::OptionalOr | F::OptionalOrValue => {
            optional::call(function, args, budget)
        }
        F::Email | F::Url | F::NormalPath | F::Glob => ours::call(function, args, budget),
        F::SessionHas | F::SessionCount | F::SessionLast => {
            Err(EvalError::program("the program asks for the session where there is none"))
        }
    }
}

/// The error of a function that does not take such arguments.
#[cold]
fn no_overload(function: Function, args: &[Value<'_>]) -> EvalError {
    let types: Vec<&str> = args.iter().map(|arg| arg.type_of().name()).collect();
    let (name, types) = (function.name(), types.join(", "));
    EvalError::mistyped(format!("`{name}` does not take ({types})"))
}
