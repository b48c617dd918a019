//! What functions and operators give for operands of known types.

use placet_cel::Function as F;

use super::types::Ty;

/// The type of a function's result, or `None` when no overload can take operands of these types.
pub fn result(function: F, args: &[Ty]) -> Option<Ty> {
    let is = |n: usize, wanted: &Ty| args.get(n).is_none_or(|ty| ty == wanted || *ty == Ty::Dyn);
    let number = |n: usize| args.get(n).is_none_or(Ty::may_be_number);
    let list = |n: usize| args.get(n).is_none_or(|ty| matches!(ty, Ty::Dyn | Ty::List(_)));
    let optional = |n: usize| args.get(n).is_none_or(|ty| matches!(ty, Ty::Dyn | Ty::Optional(_)));
    let first = args.first().cloned().unwrap_or(Ty::Dyn);
    let element = match &first {
        Ty::List(of) | Ty::Optional(of) => (**of).clone(),
        _ => Ty::Dyn,
    };
    let when = |fits: bool, ty: Ty| fits.then_some(ty);
    let texts = |ty: Ty| when(args.iter().all(|a| matches!(a, Ty::Dyn | Ty::String)), ty);
    match function {
        F::Add | F::Sub | F::Mul | F::Div | F::Mod => arithmetic(function, args),
        F::Neg => when(matches!(first, Ty::Dyn | Ty::Int | Ty::Double), first),
        F::Not => when(is(0, &Ty::Bool), Ty::Bool),
        F::Eq | F::Ne => when(args.first().zip(args.get(1)).is_none_or(|(a, b)| a.comparable(b)), Ty::Bool),
        F::Lt | F::Le | F::Gt | F::Ge => {
            let ordered = |ty: &Ty| {
                let known = matches!(ty, Ty::Bool | Ty::String | Ty::Bytes | Ty::Timestamp | Ty::Duration);
                known || ty.may_be_number()
            };
            let same = args.first().zip(args.get(1)).is_none_or(|(a, b)| a.comparable(b));
            when(args.iter().all(ordered) && same, Ty::Bool)
        }
        F::In => match args.get(1) {
            Some(Ty::List(of)) => when(first.comparable(of), Ty::Bool),
            Some(Ty::Map(_) | Ty::Object(_) | Ty::Dyn) | None => Some(Ty::Bool),
            Some(_) => None,
        },
        F::ToBool => when(matches!(first, Ty::Dyn | Ty::Bool | Ty::String), Ty::Bool),
        F::ToBytes => when(matches!(first, Ty::Dyn | Ty::Bytes | Ty::String), Ty::Bytes),
        F::ToDouble => when(matches!(first, Ty::String) || number(0), Ty::Double),
        F::ToDuration => when(matches!(first, Ty::Dyn | Ty::Duration | Ty::String), Ty::Duration),
        F::ToDyn => Some(Ty::Dyn),
        F::ToInt => when(matches!(first, Ty::String | Ty::Timestamp | Ty::Duration) || number(0), Ty::Int),
        F::ToUint => when(matches!(first, Ty::String) || number(0), Ty::Uint),
        F::ToString => {
            when(!matches!(first, Ty::List(_) | Ty::Map(_) | Ty::Object(_) | Ty::Null), Ty::String)
        }
        F::ToTimestamp => {
            when(matches!(first, Ty::Dyn | Ty::Timestamp | Ty::String | Ty::Int), Ty::Timestamp)
        }
        F::TypeOf => Some(Ty::Type),
        F::Size => {
            let sized =
                matches!(first, Ty::Dyn | Ty::String | Ty::Bytes | Ty::List(_) | Ty::Map(_) | Ty::Object(_));
            when(sized, Ty::Int)
        }
        F::Contains | F::EndsWith | F::StartsWith | F::Matches | F::Glob => texts(Ty::Bool),
        F::GetDate | F::GetDayOfMonth | F::GetDayOfWeek | F::GetDayOfYear | F::GetFullYear | F::GetMonth => {
            when(is(0, &Ty::Timestamp) && is(1, &Ty::String), Ty::Int)
        }
        F::GetHours | F::GetMilliseconds | F::GetMinutes | F::GetSeconds => {
            when((is(0, &Ty::Timestamp) || is(0, &Ty::Duration)) && is(1, &Ty::String), Ty::Int)
        }
        F::CharAt => when(is(0, &Ty::String) && is(1, &Ty::Int), Ty::String),
        F::Format => when(is(0, &Ty::String) && list(1), Ty::String),
        F::IndexOf | F::LastIndexOf => {
            when(is(0, &Ty::String) && is(1, &Ty::String) && is(2, &Ty::Int), Ty::Int)
        }
        F::Join => when(list(0) && is(1, &Ty::String), Ty::String),
        F::LowerAscii | F::UpperAscii | F::Trim | F::Quote | F::NormalPath => texts(Ty::String),
        F::Replace => when((0..3).all(|n| is(n, &Ty::String)) && is(3, &Ty::Int), Ty::String),
        F::Split => {
            when(is(0, &Ty::String) && is(1, &Ty::String) && is(2, &Ty::Int), Ty::List(Box::new(Ty::String)))
        }
        F::Substring => when(is(0, &Ty::String) && is(1, &Ty::Int) && is(2, &Ty::Int), Ty::String),
        F::Reverse => when(matches!(first, Ty::Dyn | Ty::String | Ty::List(_)), first),
        F::Greatest | F::Least => match args {
            [one] => when(list(0) || one.may_be_number(), Ty::Dyn),
            _ => when((0..args.len()).all(number), args.iter().cloned().reduce(Ty::join).unwrap_or(Ty::Dyn)),
        },
        F::Ceil | F::Floor | F::Round | F::Trunc => when(is(0, &Ty::Double), Ty::Double),
        F::Abs | F::Sign => when(number(0), first),
        F::Sqrt => when(number(0), Ty::Double),
        F::IsNan | F::IsInf | F::IsFinite => when(is(0, &Ty::Double), Ty::Bool),
        F::BitAnd | F::BitOr | F::BitXor | F::BitNot => {
            when(args.iter().all(|a| matches!(a, Ty::Dyn | Ty::Int | Ty::Uint)), first)
        }
        F::ShiftLeft | F::ShiftRight => {
            when(matches!(first, Ty::Dyn | Ty::Int | Ty::Uint) && is(1, &Ty::Int), first)
        }
        F::Range => when(is(0, &Ty::Int), Ty::List(Box::new(Ty::Int))),
        F::Distinct | F::Sort => when(list(0), first),
        F::Slice => when(list(0) && is(1, &Ty::Int) && is(2, &Ty::Int), first),
        F::Flatten => when(list(0) && is(1, &Ty::Int), Ty::List(Box::new(Ty::Dyn))),
        F::First | F::Last => when(list(0), Ty::Optional(Box::new(element))),
        F::SetsContains | F::SetsEquivalent | F::SetsIntersects => when(list(0) && list(1), Ty::Bool),
        F::Base64Decode => texts(Ty::Bytes),
        F::Base64Encode => when(is(0, &Ty::Bytes), Ty::String),
        F::Ip => when(matches!(first, Ty::Dyn | Ty::String | Ty::Cidr | Ty::Ip), Ty::Ip),
        F::IsIp | F::IpIsCanonical | F::IsCidr => texts(Ty::Bool),
        F::IpFamily => when(is(0, &Ty::Ip), Ty::Int),
        F::IsGlobalUnicast
        | F::IsLinkLocalMulticast
        | F::IsLinkLocalUnicast
        | F::IsLoopback
        | F::IsUnspecified => when(is(0, &Ty::Ip), Ty::Bool),
        F::Cidr => when(matches!(first, Ty::Dyn | Ty::String | Ty::Cidr), Ty::Cidr),
        F::ContainsCidr => when(is(0, &Ty::Cidr) && (is(1, &Ty::String) || is(1, &Ty::Cidr)), Ty::Bool),
        F::ContainsIp => when(is(0, &Ty::Cidr) && (is(1, &Ty::String) || is(1, &Ty::Ip)), Ty::Bool),
        F::Masked => when(is(0, &Ty::Cidr), Ty::Cidr),
        F::PrefixLength => when(is(0, &Ty::Cidr), Ty::Int),
        F::OptionalNone => Some(Ty::Optional(Box::new(Ty::Dyn))),
        F::OptionalOf | F::OptionalOfNonZero => Some(Ty::Optional(Box::new(first))),
        F::OptionalUnwrap | F::UnwrapOpt => when(list(0), Ty::List(Box::new(Ty::Dyn))),
        F::HasValue => when(optional(0), Ty::Bool),
        F::OptionalValue => when(optional(0), element),
        F::OptionalOr => when(optional(0) && optional(1), first),
        F::OptionalOrValue => when(optional(0), element.join(args.get(1).cloned().unwrap_or(Ty::Dyn))),
        F::Email | F::Url => texts(Ty::Map(Box::new(Ty::Dyn))),
        F::SessionHas => when(is(0, &Ty::String), Ty::Bool),
        F::SessionCount => {
            let window = args.len().saturating_sub(1);
            when(is(0, &Ty::String) && is(window, &Ty::Duration), Ty::Int)
        }
        F::SessionLast => when(is(0, &Ty::String), Ty::Timestamp),
    }
}

fn arithmetic(function: F, args: &[Ty]) -> Option<Ty> {
    let [a, b] = args else { return None };
    if *a == Ty::Dyn || *b == Ty::Dyn {
        return Some(Ty::Dyn);
    }
    match (function, a, b) {
        (_, Ty::Int, Ty::Int) => Some(Ty::Int),
        (_, Ty::Uint, Ty::Uint) => Some(Ty::Uint),
        (F::Add | F::Sub | F::Mul | F::Div, Ty::Double, Ty::Double) => Some(Ty::Double),
        (F::Add, Ty::String, Ty::String) => Some(Ty::String),
        (F::Add, Ty::Bytes, Ty::Bytes) => Some(Ty::Bytes),
        (F::Add, Ty::List(a), Ty::List(b)) => {
            Some(Ty::List(Box::new(a.as_ref().clone().join(b.as_ref().clone()))))
        }
        (F::Add, Ty::Timestamp, Ty::Duration) | (F::Add, Ty::Duration, Ty::Timestamp) => Some(Ty::Timestamp),
        (F::Add | F::Sub, Ty::Duration, Ty::Duration) => Some(Ty::Duration),
        (F::Sub, Ty::Timestamp, Ty::Timestamp) => Some(Ty::Duration),
        (F::Sub, Ty::Timestamp, Ty::Duration) => Some(Ty::Timestamp),
        _ => None,
    }
}
