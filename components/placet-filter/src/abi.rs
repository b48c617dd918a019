//! Host calls that may fail: with the SDK's own, a status it does not expect would be a trap; here it is a value.
#![expect(unsafe_code, reason = "the proxy's ABI")]

use std::ptr::null_mut;

use placet_pdp::state::Unavailable;
use placet_pdp::state::cells::{Cells, Held};
use proxy_wasm::types::{BufferType, MetricType};

pub(crate) const OK: u32 = 0;
pub(crate) const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_property(path: *const u8, path_len: usize, value: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_len: usize, value: *const u8, len: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        value: *mut *mut u8,
        len: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_len: usize, value: *const u8, len: usize, cas: u32) -> u32;
    fn proxy_get_buffer_bytes(
        of: BufferType,
        start: usize,
        max: usize,
        value: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(of: BufferType, start: usize, size: usize, value: *const u8, len: usize)
    -> u32;
    fn proxy_define_metric(kind: MetricType, name: *const u8, len: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// The bytes that the host has put into our memory, which it got from our allocator.
pub(crate) fn taken(data: *mut u8, len: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: by the ABI, the host allocates `len` bytes with our exported allocator and leaves them to us.
    unsafe { Vec::from_raw_parts(data, len, len) }
}

/// A property by the parts of its path; `None` when there is none, or nothing in it.
pub fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    let (mut data, mut len) = (null_mut(), 0);
    // SAFETY: every pointer is to live memory of the length beside it.
    let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &mut data, &mut len) };
    Some(taken(data, len)).filter(|value| status == OK && !value.is_empty())
}

/// Sets a property; a proxy that cannot is none the worse for it.
pub fn set_property(path: &[&str], value: &str) {
    let path = path.join("\0");
    // SAFETY: as above.
    let _ = unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
}

/// The first bytes of a buffer.
pub fn buffer(of: BufferType, size: usize) -> Option<Vec<u8>> {
    let (mut data, mut len) = (null_mut(), 0);
    // SAFETY: as above.
    let status = unsafe { proxy_get_buffer_bytes(of, 0, size, &mut data, &mut len) };
    match status {
        OK => Some(taken(data, len)),
        NOT_FOUND => Some(Vec::new()),
        _ => None,
    }
}

/// Puts other bytes in the place of all that is in a buffer; says whether it did.
pub fn replace_buffer(of: BufferType, bytes: &[u8]) -> bool {
    // SAFETY: as above.
    let status = unsafe { proxy_set_buffer_bytes(of, 0, u32::MAX as usize, bytes.as_ptr(), bytes.len()) };
    status == OK
}

/// A metric, when the proxy has them.
pub fn define(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: as above.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
    (status == OK).then_some(id)
}

/// Counts one.
pub fn count(id: Option<u32>) {
    if let Some(id) = id {
        // SAFETY: no pointers.
        let _ = unsafe { proxy_increment_metric(id, 1) };
    }
}

/// Adds a value to a histogram.
pub fn observe(id: Option<u32>, value: u64) {
    if let Some(id) = id {
        // SAFETY: no pointers.
        let _ = unsafe { proxy_record_metric(id, value) };
    }
}

/// The proxy's shared data: one for all workers and all plugins of the same VM id.
#[derive(Clone, Copy, Debug)]
pub struct SharedData;

/// A version that no value has before four thousand million writes: with it, hosts of Envoy's kind write a value that
/// is not there yet, and nothing else. With none, they would write over what another worker has put there meanwhile.
const NEVER: u32 = u32::MAX;

impl SharedData {
    fn set(name: &str, bytes: &[u8], cas: u32) -> Result<bool, Unavailable> {
        // SAFETY: every pointer is to live memory of the length beside it.
        let status =
            unsafe { proxy_set_shared_data(name.as_ptr(), name.len(), bytes.as_ptr(), bytes.len(), cas) };
        match status {
            OK => Ok(true),
            CAS_MISMATCH => Ok(false),
            _ => Err(Unavailable),
        }
    }
}

impl Cells for SharedData {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        let (mut data, mut len, mut cas) = (null_mut(), 0, 0);
        // SAFETY: as above.
        let status =
            unsafe { proxy_get_shared_data(name.as_ptr(), name.len(), &mut data, &mut len, &mut cas) };
        match (status, cas) {
            (NOT_FOUND, _) => Ok(None),
            // Without a version, nothing could be compared.
            (OK, 1..) => Ok(Some(Held { bytes: taken(data, len), version: u64::from(cas) })),
            _ => Err(Unavailable),
        }
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        match seen {
            Some(seen) => SharedData::set(name, bytes, u32::try_from(seen).map_err(|_| Unavailable)?),
            None if SharedData::set(name, bytes, NEVER)? => Ok(true),
            // WasmX's kind compares with 0 what is not there yet, and so refuses any other version.
            None if self.get(name)?.is_none() => SharedData::set(name, bytes, 0),
            None => Ok(false),
        }
    }
}
