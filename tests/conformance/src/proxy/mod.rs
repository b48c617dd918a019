//! A small proxy: what a module for the proxy-wasm ABI 0.2.1 needs of Envoy or of Kong, on Wasmtime, and nothing more.
//!
//! [`memory`] is what the proxy holds while a module runs, [`abi`] the functions that the module calls, [`worker`] one
//! worker with its instance of the module, and [`exchange`] takes a request through the module's phases as the one or
//! the other proxy does.

mod abi;
pub mod exchange;
pub mod memory;
pub mod worker;

pub use exchange::{Answered, Request, Sent};
pub use memory::{Kind, Local, Shared};
pub use worker::{Module, Worker};
