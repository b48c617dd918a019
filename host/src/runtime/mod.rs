//! The policy component in Wasmtime.
