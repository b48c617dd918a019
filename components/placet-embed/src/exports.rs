//! The exports that `placet build` calls in a guest's core module. Artifacts that it makes no longer have them.
#![expect(unsafe_code, reason = "exports of a core module have names")]

use std::cell::RefCell;

thread_local! {
    /// What the builder writes to.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The address of a buffer of `len` bytes, which stays there until [`placet_open`] or the next call.
#[unsafe(no_mangle)]
pub extern "C" fn placet_buffer(len: u32) -> u32 {
    BUFFER.with(|cell| {
        cell.replace(vec![0; len as usize]);
        cell.borrow().as_ptr() as u32
    })
}

/// Opens the bundle that the buffer begins with, followed by the trusted keys, 32 bytes each. 0: the guest decides by
/// it from now on; anything else: it denies everything.
#[unsafe(no_mangle)]
pub extern "C" fn placet_open(bundle: u32, keys: u32) -> u32 {
    let mut buffer = BUFFER.with(RefCell::take);
    let all = (bundle as usize).checked_add(keys as usize);
    let opened = all == Some(buffer.len()) && crate::open(&buffer, bundle as usize);
    // The memory is kept as it is: no copy of the bundle stays behind.
    buffer.fill(0);
    u32::from(!opened)
}
