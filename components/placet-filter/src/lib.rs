//! The policy in a proxy: Envoy, Kong, and whoever else speaks the proxy-wasm ABI 0.2.1.
//!
//! An adapter, and nothing else: what is guarded and what goes on is decided in `placet_pep::http`, how a call is
//! decided on state in `placet_pdp::state`. Here are the proxy's phases ([`stream`]), its configuration ([`config`]),
//! what it knows of the caller ([`claims`]), its shared data and what it writes down. Nothing here may panic: a trap
//! takes the proxy's worker with it.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod abi;
pub mod claims;
pub mod config;
pub mod head;
pub mod plugin;
pub mod report;
pub mod response;
pub mod root;
pub mod stream;

#[cfg(target_arch = "wasm32")]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
