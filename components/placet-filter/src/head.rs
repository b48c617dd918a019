//! Headers, answers in place of the server's, and going on: host calls whose failure is a value, as in [`crate::abi`].
//!
//! A list of headers is marshalled as its length, the lengths of every name and value, and then each with a zero behind
//! it; numbers have 32 bits, the least byte first.
#![expect(unsafe_code, reason = "the proxy's ABI")]

use std::ptr::{null, null_mut};

use proxy_wasm::types::MapType;

use crate::abi::{NOT_FOUND, OK, taken};

/// Which way a stream goes on.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Way {
    /// The request, to the server.
    Request = 0,
    /// The answer, to the client.
    Response = 1,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(of: MapType, value: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(of: MapType, value: *const u8, len: usize) -> u32;
    fn proxy_replace_header_map_value(
        of: MapType,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        len: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(of: MapType, name: *const u8, name_len: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc: i32,
    ) -> u32;
    fn proxy_continue_stream(way: u32) -> u32;
}

/// Headers as text, names in lower case; bytes that are no UTF-8 become U+FFFD, which nothing here accepts as a name or
/// an identity.
pub fn headers(of: MapType) -> Vec<(String, String)> {
    let (mut data, mut len) = (null_mut(), 0);
    // SAFETY: every pointer is to live memory of the length beside it.
    let status = unsafe { proxy_get_header_map_pairs(of, &mut data, &mut len) };
    if status != OK {
        return Vec::new();
    }
    read(&taken(data, len)).unwrap_or_default()
}

/// Puts these headers in the place of all that are there; says whether it did.
pub fn set_headers(of: MapType, pairs: &[(&str, &str)]) -> bool {
    let text = write(pairs);
    // SAFETY: as above.
    let status = unsafe { proxy_set_header_map_pairs(of, text.as_ptr(), text.len()) };
    status == OK
}

/// Gives a header one value; says whether it did.
pub fn set_header(of: MapType, name: &str, value: &str) -> bool {
    // SAFETY: as above.
    let status =
        unsafe { proxy_replace_header_map_value(of, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    status == OK
}

/// Takes a header away; says whether it is not there any more.
pub fn remove_header(of: MapType, name: &str) -> bool {
    // SAFETY: as above.
    let status = unsafe { proxy_remove_header_map_value(of, name.as_ptr(), name.len()) };
    matches!(status, OK | NOT_FOUND)
}

/// Answers in place of the server; says whether it did.
pub fn respond(status: u32, headers: &[(&str, &str)], body: &[u8]) -> bool {
    let headers = write(headers);
    // SAFETY: as above; there are no details and no gRPC status.
    let status = unsafe {
        proxy_send_local_response(
            status,
            null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
    status == OK
}

/// Lets what was held go on; says whether it did.
pub fn go_on(way: Way) -> bool {
    // SAFETY: no pointers.
    let status = unsafe { proxy_continue_stream(way as u32) };
    status == OK
}

/// `None` when it is not a list of headers.
fn read(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut next = |length: [u8; 4]| {
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (text, after) = rest.split_at_checked(length)?;
        rest = after.strip_prefix(&[0])?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let mut pairs = Vec::with_capacity(count);
    for [a, b, c, d, e, f, g, h] in lengths.as_chunks::<8>().0 {
        let name = next([*a, *b, *c, *d])?.to_ascii_lowercase();
        pairs.push((name, next([*e, *f, *g, *h])?));
    }
    Some(pairs)
}

fn write(pairs: &[(&str, &str)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn lists() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (pairs, expected) in [
            (vec![], vec![]),
            (vec![("X-A", "1")], vec![pair("x-a", "1")]),
            (vec![("a", ""), ("a", "b\0c")], vec![pair("a", ""), pair("a", "b\0c")]),
        ] {
            assert_eq!(read(&write(&pairs)), Some(expected), "{pairs:?}");
        }
        assert_eq!(read(b""), Some(Vec::new()));
        let broken: [&[u8]; 6] = [
            b"\x01",
            b"\x01\0\0\0",
            b"\xff\xff\xff\xff",
            b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a",
            b"\x01\0\0\0\xff\xff\xff\xff\x01\0\0\0a\0b\0",
            b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a1b\0",
        ];
        for bytes in broken {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        assert_eq!(read(b"\x01\0\0\0\x01\0\0\0\x01\0\0\0\xff\0b\0"), Some(vec![pair("\u{fffd}", "b")]));
    }
}
