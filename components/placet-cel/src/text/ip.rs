//! IP addresses and networks, strictly: no leading zeros in IPv4, no zone; an IPv4 address written as IPv6
//! (`::ffff:c0a8:1`) is that IPv4 address, and the mixed notation for it (`::ffff:192.168.0.1`) is refused.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::EvalError;
use crate::value::Cidr;

/// Reads an address.
///
/// # Errors
/// When the text is not an address in an unambiguous notation.
pub fn parse_ip(text: &str) -> Result<IpAddr, EvalError> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() && text.contains('.') => {
            Err(EvalError::value("an IPv4 address within IPv6 is ambiguous; write it as IPv4"))
        }
        Ok(ip) => Ok(ip.to_canonical()),
        Err(_) => Err(EvalError::value("the text is not an IP address")),
    }
}

/// Reads a network in CIDR notation; host bits may be set.
///
/// # Errors
/// When the text is not one.
pub fn parse_cidr(text: &str) -> Result<Cidr, EvalError> {
    let malformed = || EvalError::value("the text is not a network in CIDR notation");
    let (addr, prefix) = text.split_once('/').ok_or_else(malformed)?;
    let addr = parse_ip(addr).map_err(|_| malformed())?;
    let plain = prefix.bytes().all(|b| b.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
    let prefix = prefix.parse::<u8>().ok().filter(|_| plain).ok_or_else(malformed)?;
    // Of a network written in IPv6 that is one of IPv4, the first 96 bits are fixed.
    let mapped = addr.is_ipv4() && text.contains(':');
    let prefix = if mapped { prefix.checked_sub(96).ok_or_else(malformed)? } else { prefix };
    if prefix > bits(addr) {
        return Err(malformed());
    }
    Ok(Cidr { addr, prefix })
}

/// Writes a network: address, slash, prefix length.
pub fn format_cidr(cidr: &Cidr) -> String {
    format!("{}/{}", cidr.addr, cidr.prefix)
}

/// Whether an address lies in a network; never across IPv4 and IPv6.
pub fn cidr_contains(cidr: &Cidr, ip: IpAddr) -> bool {
    cidr.addr.is_ipv4() == ip.is_ipv4() && mask(cidr.addr, cidr.prefix) == mask(ip, cidr.prefix)
}

/// Whether the second network lies within the first.
pub fn cidr_includes(outer: &Cidr, inner: &Cidr) -> bool {
    outer.prefix <= inner.prefix && cidr_contains(outer, inner.addr)
}

/// The address with all but its first `prefix` bits cleared.
pub fn mask(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// Unicast, but not broadcast, unspecified, loopback or link-local; private addresses count.
pub fn is_global_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(broadcast || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local_unicast(ip))
}

/// 169.254.0.0/16 or fe80::/10
pub fn is_link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// 224.0.0.0/24 or ff02::/16 (any flags)
pub fn is_link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => matches!(v6.segments(), [first, ..] if first & 0xff0f == 0xff02),
    }
}

fn bits(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}
