//! The network library: `ip` and `cidr`.

use super::{Outcome, no_overload};
use crate::error::EvalError;
use crate::function::Function;
use crate::text::ip;
use crate::value::{Cidr, Value};

/// Functions that read text, and `family`.
pub(super) fn parse<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    use Function as F;
    Ok(match (function, args) {
        (F::Ip, [Value::Str(text)]) => Value::Ip(ip::parse_ip(text.as_str())?),
        (F::Ip, [Value::Cidr(cidr)]) => Value::Ip(cidr.addr),
        (F::IsIp, [Value::Str(text)]) => Value::Bool(ip::parse_ip(text.as_str()).is_ok()),
        (F::IpIsCanonical, [Value::Str(text)]) => {
            Value::Bool(ip::parse_ip(text.as_str())?.to_string() == text.as_str())
        }
        (F::IpFamily, [Value::Ip(ip)]) => Value::Int(if ip.is_ipv4() { 4 } else { 6 }),
        (F::Cidr, [Value::Str(text)]) => Value::Cidr(ip::parse_cidr(text.as_str())?),
        (F::IsCidr, [Value::Str(text)]) => Value::Bool(ip::parse_cidr(text.as_str()).is_ok()),
        _ => return Err(no_overload(function, args)),
    })
}

/// What kind of address it is.
pub(super) fn is_kind<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    let [Value::Ip(addr)] = args else { return Err(no_overload(function, args)) };
    Ok(Value::Bool(match function {
        Function::IsGlobalUnicast => ip::is_global_unicast(*addr),
        Function::IsLinkLocalMulticast => ip::is_link_local_multicast(*addr),
        Function::IsLinkLocalUnicast => ip::is_link_local_unicast(*addr),
        Function::IsLoopback => addr.is_loopback(),
        Function::IsUnspecified => addr.is_unspecified(),
        _ => return Err(no_overload(function, args)),
    }))
}

/// Methods of a network.
pub(super) fn cidr<'a>(function: Function, args: &[Value<'a>]) -> Outcome<'a> {
    use Function as F;
    Ok(match (function, args) {
        (F::ContainsIp, [Value::Cidr(cidr), Value::Ip(addr)]) => Value::Bool(ip::cidr_contains(cidr, *addr)),
        (F::ContainsIp, [Value::Cidr(cidr), Value::Str(text)]) => {
            Value::Bool(ip::cidr_contains(cidr, ip::parse_ip(text.as_str())?))
        }
        (F::ContainsCidr, [Value::Cidr(outer), Value::Cidr(inner)]) => {
            Value::Bool(ip::cidr_includes(outer, inner))
        }
        (F::ContainsCidr, [Value::Cidr(outer), Value::Str(text)]) => {
            Value::Bool(ip::cidr_includes(outer, &ip::parse_cidr(text.as_str())?))
        }
        (F::Masked, [Value::Cidr(cidr)]) => {
            Value::Cidr(Cidr { addr: ip::mask(cidr.addr, cidr.prefix), prefix: cidr.prefix })
        }
        (F::PrefixLength, [Value::Cidr(cidr)]) => Value::Int(cidr.prefix.into()),
        _ => return Err::<_, EvalError>(no_overload(function, args)),
    })
}
