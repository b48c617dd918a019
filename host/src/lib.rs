//! The host side of Placet: the policy compiler, the Wasm runtime, the state store, the gateway and the command line.

pub mod artifact;
pub mod audit;
pub mod cli;
pub mod compile;
pub mod gateway;
pub mod policy;
pub mod policytest;
pub mod runtime;
pub mod store;
